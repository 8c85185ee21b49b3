package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPace(t *testing.T) {
	p := Pace{Shortest: 5 * time.Second, Longest: time.Minute, Growth: 0.05, Idle: 5 * time.Minute}
	start := time.Unix(0, 0)
	next := func(w wait, age time.Duration) time.Duration {
		w.since = start
		return p.next(w, start.Add(age))
	}
	require.Equal(t, 5*time.Second, next(wait{}, 0))
	require.Equal(t, 10*time.Second, next(wait{}, 200*time.Second))
	require.Equal(t, time.Minute, next(wait{}, 10*time.Hour))
	require.Equal(t, 5*time.Minute, next(wait{idle: true}, 0))

	// Once half-way to when it is due, and then often.
	set := wait{due: due{from: 80 * time.Second}}
	require.Equal(t, 40*time.Second, next(set, 0))
	require.Equal(t, 40*time.Second, next(set, 40*time.Second))
	require.Equal(t, 5*time.Second, next(set, 79*time.Second))
	require.Equal(t, 5*time.Second, next(set, 80*time.Second))
	// What is due in hours is looked at now and then.
	require.Equal(t, time.Minute, next(wait{due: due{from: 10 * time.Hour}}, time.Hour))

	// Experience is relied on, if not for too long.
	learned := wait{due: due{from: 80 * time.Second, learned: true}}
	require.Equal(t, 80*time.Second, next(learned, 0))
	require.Equal(t, 5*time.Second, next(learned, 80*time.Second))
	require.Equal(t, 5*time.Minute, next(wait{due: due{from: time.Hour, learned: true}}, 0))

	// From when it is due to when it is so at the latest, looks come ever sooner.
	span := wait{due: due{from: 80 * time.Second, to: 120 * time.Second, learned: true}}
	require.Equal(t, 80*time.Second, next(span, 0))
	require.Equal(t, 7*time.Second, next(span, 80*time.Second))
	require.Equal(t, 3850*time.Millisecond, next(span, 110*time.Second).Round(time.Millisecond))
	require.Equal(t, 2500*time.Millisecond, next(span, 119*time.Second))
	require.Equal(t, 6*time.Second, next(span, 120*time.Second))

	one := wait{due: alike(100 * time.Second)}
	require.Equal(t, 98*time.Second, next(one, 0))
	require.Equal(t, 2500*time.Millisecond, next(one, 98*time.Second))
	require.Equal(t, 5500*time.Millisecond, next(one, 110*time.Second))

	// While nodes have no path every second counts, though not before anything can have changed.
	require.Equal(t, 40*time.Second, next(wait{due: set.due, urgent: true}, 0))
	require.Equal(t, 1600*time.Millisecond, next(wait{due: set.due, urgent: true}, 80*time.Second))
	require.Equal(t, 2*time.Second, next(wait{due: set.due, urgent: true}, 100*time.Second))

	// A delay that reaches beyond the deadline would end the wait early.
	require.Less(t, next(wait{until: start.Add(3 * time.Second)}, 0), 3*time.Second)
	require.Positive(t, next(wait{until: start.Add(3 * time.Second)}, 4*time.Second))
}

func TestExperience(t *testing.T) {
	p := Pace{Endpoint: 2 * time.Minute, Cluster: time.Minute, Experience: NewExperience()}
	for range telling - 2 {
		p.Experience.learn(endpointMade, 200*time.Second)
	}
	p.Experience.learn(endpointMade, 100*time.Second)
	p.Experience.learn(endpointMade, -time.Second) // a clock that was set back tells nothing
	require.Equal(t, due{from: 2 * time.Minute}, p.expected(endpointMade), "so few do not tell")
	p.Experience.learn(endpointMade, 140*time.Second)
	require.Equal(t, due{from: 75 * time.Second, to: 200 * time.Second, learned: true}, p.expected(endpointMade), "the next of so few may be faster than all")
	p.Experience.learn(endpointMade, 700*time.Second)
	require.Equal(t, due{from: 50 * time.Second, to: 700 * time.Second, learned: true}, p.expected(endpointMade), "but hardly by that much")
	require.Equal(t, due{from: time.Minute}, p.expected(clusterChanged), "each kind has its own")

	// What is long past is forgotten.
	for range remembered {
		p.Experience.learn(endpointMade, 400*time.Second)
	}
	require.Equal(t, due{from: 388 * time.Second, to: 400 * time.Second, learned: true}, p.expected(endpointMade))
	require.Len(t, p.Experience.took[endpointMade], remembered)

	var none *Experience
	none.learn(clusterChanged, time.Minute)
	_, _, known := none.span(clusterChanged)
	require.False(t, known)
}

// A worker whose clock is ahead takes a deadline for past that is not: it goes on looking, and not without a pause.
func TestPaceOfAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	p := DefaultPace()
	now := time.Now()
	require.Equal(t, p.Shortest, p.next(wait{since: now.Add(-26 * time.Hour), until: now.Add(-24 * time.Hour)}, now))
	require.Equal(t, p.Shortest, p.next(wait{since: now.Add(-26 * time.Hour), until: now}, now))
	require.LessOrEqual(t, p.next(wait{since: now.Add(-26 * time.Hour), until: now.Add(time.Second)}, now), time.Second)
}
