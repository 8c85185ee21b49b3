package search

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// few is how many schedules are tried by default; ATLAS_CMK_SCHEDULES says how many instead.
const few = 200

func TestMain(m *testing.M) {
	flag.Parse()
	if err := many(os.Getenv("ATLAS_CMK_SCHEDULES")); err != nil {
		fmt.Fprintln(os.Stderr, "ATLAS_CMK_SCHEDULES:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// many sets how many schedules are tried of each scenario, unless rapid's own flag says so.
func many(text string) error {
	n := few
	if text == "" && !given("rapid.seed") {
		// The few are always the same: they keep what holds from breaking, and searching is for make search.
		if err := flag.Set("rapid.seed", "1"); err != nil {
			return err
		}
	}
	if text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			return err
		}
	}
	if given("rapid.checks") {
		return nil
	}
	return flag.Set("rapid.checks", strconv.Itoa(max(1, n/len(scenarios()))))
}

// given says whether a flag stands on the command line.
func given(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// Whatever happens to a change, and whenever: no rule is broken, every run ends in a way that has a name, or waits for
// people who are told what to do, and a run in calm weather ends verified, after which there is nothing left to write.
func TestSchedules(t *testing.T) {
	t.Parallel()
	for _, of := range scenarios() {
		t.Run(of.String(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				s := schedules(of).Draw(rt, "schedule")
				if err := perform(s); err != nil {
					rt.Fatalf("%v\n%s", s, err)
				}
			})
		})
	}
}

// A change to which nothing happens.
func TestCalm(t *testing.T) {
	t.Parallel()
	for _, of := range scenarios() {
		t.Run(of.String(), func(t *testing.T) {
			t.Parallel()
			require.NoError(t, perform(schedule{Type: of.workflowType, Start: of.start}))
		})
	}
}

// The same schedule is the same play, so that one that has failed can be looked at again.
func TestPlaysRepeat(t *testing.T) {
	t.Parallel()
	for i, of := range scenarios() {
		t.Run(of.String(), func(t *testing.T) {
			t.Parallel()
			s := schedules(of).Example(i)
			first, again := newPlay(t, s), newPlay(t, s)
			require.NoError(t, first.all())
			require.NoError(t, again.all())
			require.Equal(t, first.told(), again.told())
		})
	}
}

func newPlay(t *testing.T, s schedule) *play {
	t.Helper()
	p, err := prepare(s)
	require.NoError(t, err)
	return p
}

// A change that is cancelled just after one of its writes, whichever, in an otherwise calm world.
func TestCancelledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	for _, of := range scenarios() {
		t.Run(of.String(), func(t *testing.T) {
			t.Parallel()
			for n, came := 1, true; came; n++ {
				s := schedule{
					Type: of.workflowType, Start: of.start, Mode: cmk.ApproveProvider, Calm: time.Minute, Wish: wishDone,
					Events: []event{{Kind: cancelRun, Write: n, Served: true}},
				}
				p := newPlay(t, s)
				require.NoError(t, p.lead())
				require.NoError(t, p.storm(), "%v\n%s", s, p.told())
				if came = p.due[0].Write < 0; came {
					require.NoError(t, errors.Join(p.converge(), p.rest()), "%v\n%s", s, p.told())
				}
			}
		})
	}
}
