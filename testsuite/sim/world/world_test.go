package world

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time { return c.now }

func TestEventsHappenAtTheirTimeInTheirOrder(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := &handClock{now: start}
	w := New(Options{Clock: clock, Scale: 60})
	type seen struct {
		what string
		at   time.Duration
	}
	var got []seen
	note := func(what string) func() {
		return func() { got = append(got, seen{what, w.Now().Sub(start)}) }
	}
	w.Do(func() {
		w.After(3*time.Minute, note("third"))
		w.After(time.Minute, func() {
			note("first")()
			w.After(time.Minute, note("second"))
		})
		w.After(time.Minute, note("called off"))()
	})
	clock.now = start.Add(time.Hour)
	w.Do(note("looked"))
	require.Equal(t, []seen{{"first", time.Second}, {"second", 2 * time.Second}, {"third", 3 * time.Second}, {"looked", time.Hour}}, got)
}

func TestCalledOffEventDoesNotHappen(t *testing.T) {
	clock := &handClock{now: time.Unix(0, 0)}
	w := New(Options{Clock: clock})
	w.Do(func() { w.After(time.Second, func() { t.Error("it happened") })() })
}

func TestObserversSeeEveryChangeAtItsTime(t *testing.T) {
	clock := &handClock{now: time.Unix(0, 0)}
	w := New(Options{Clock: clock})
	on := false
	var total time.Duration
	last, wasOn := time.Unix(0, 0), false
	w.Do(func() {
		w.Observe(func() {
			if wasOn {
				total += w.Now().Sub(last)
			}
			last, wasOn = w.Now(), on
		})
		w.After(10*time.Second, func() { on = true })
		w.After(25*time.Second, func() { on = false })
	})
	clock.now = time.Unix(3600, 0)
	w.Do(func() {})
	require.Equal(t, 15*time.Second, total)
}

func TestChanceDependsOnTheSeedAndTheQuestionAlone(t *testing.T) {
	type drawn struct {
		id, uuid string
		d        time.Duration
	}
	run := func(seed uint64, disturb bool) drawn {
		w := New(Options{Seed: seed})
		var got drawn
		w.Do(func() {
			if disturb {
				w.ID("cluster")
				w.Duration(Distribution{Median: time.Second, P95: time.Minute}, "cluster", "resync")
			}
			got = drawn{w.ID("endpoint"), w.UUID("externalId"), w.Duration(Distribution{Median: time.Minute, P95: time.Hour}, "endpoint")}
		})
		return got
	}
	require.Equal(t, run(1, false), run(1, true))
	require.NotEqual(t, run(1, false), run(2, false))
	require.Regexp(t, "^[0-9a-f]{24}$", run(1, false).id)
	require.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", run(1, false).uuid)
}

func TestDistributionHasItsMedianAndTail(t *testing.T) {
	w := New(Options{Seed: 7})
	d := Distribution{Median: time.Minute, P95: 10 * time.Minute, Min: 5 * time.Second}
	below, beyond, n := 0, 0, 4000
	w.Do(func() {
		for range n {
			x := w.Duration(d, "x")
			require.GreaterOrEqual(t, x, d.Min)
			if x < d.Median {
				below++
			}
			if x > d.P95 {
				beyond++
			}
		}
	})
	require.InDelta(t, 0.5, float64(below)/float64(n), 0.03)
	require.InDelta(t, 0.05, float64(beyond)/float64(n), 0.015)
}
