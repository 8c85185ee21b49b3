package search

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// few is how many schedules are tried by default.
const few = 120

// manySchedules names the environment variable that says how many instead.
const manySchedules = "ATLAS_CMK_SCHEDULES"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := many(os.Getenv(manySchedules)); err != nil {
		fmt.Fprintln(os.Stderr, manySchedules+":", err)
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
		if i%some() != 0 {
			continue
		}
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

// approving is somebody who approves, for so long, whatever plan there is to approve.
func approving(long time.Duration) []event {
	var events []event
	for at := time.Minute; at < long; at += long / 100 {
		events = append(events, event{At: at, Kind: signalRun, Detail: cmk.SignalApprove, By: alice})
	}
	return events
}

// some is every which case is tried: all of them in a search.
func some() int {
	if os.Getenv(manySchedules) != "" {
		return 1
	}
	return 2
}

// A change that is cancelled just after one of its writes, every other one by default, in an otherwise calm world.
func TestCancelledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	const long = 120 * time.Hour // so that a retirement comes to write
	for _, of := range scenarios() {
		t.Run(of.String(), func(t *testing.T) {
			t.Parallel()
			for n, came := 1, true; came; n += some() {
				s := schedule{
					Type: of.workflowType, Start: of.start, Mode: cmk.ApproveProvider, Calm: long, Wish: wishDone,
					Events: append([]event{{Kind: cancelRun, Write: n, Served: true}}, approving(long)...),
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

// A procedure of which Atlas or AWS refuses one call, or that and all from there on, or all after one whose answer was lost, until
// people have given it up: it ends in a way that has a name, and what it has begun another run finishes. By default that is
// tried at the calls that write, and in a search at each.
func TestRefusedAtEveryCall(t *testing.T) {
	t.Parallel()
	refusal := fault.Rule{Kind: fault.Status, Status: http.StatusForbidden}
	once := refusal
	once.Times = 1
	for _, of := range []scenario{{cmk.EncryptClusters, startSearch}, {cmk.RotateKey, startFewer}} {
		calm := newPlay(t, refusedAt(of, 0, nil))
		require.NoError(t, errors.Join(calm.lead(), calm.storm()))
		for name, rules := range map[string][]fault.Rule{
			"once": {once}, "from there on": {refusal}, "after a lost answer": {{Kind: fault.DropAfter, Times: 1}, refusal},
		} {
			t.Run(fmt.Sprintf("%s/%s", of, name), func(t *testing.T) {
				t.Parallel()
				for n, call := range calm.world.Journal.Entries() {
					if os.Getenv(manySchedules) == "" && (!call.Write || call.Operation == "issueToken") {
						continue
					}
					s := refusedAt(of, n, rules)
					require.NoError(t, perform(s), "%s, %v", call.Operation, s)
				}
			})
		}
	}
}

// refusedAt is a schedule in which faults come once n calls have been answered, and somebody approves whatever is asked for, and
// gives up every step that cannot go on.
func refusedAt(of scenario, n int, rules []fault.Rule) schedule {
	const long = 3 * time.Hour
	s := schedule{Type: of.workflowType, Start: of.start, Mode: cmk.ApproveProvider, Calm: long, Wish: wishAborted, Events: approving(long)}
	for _, r := range rules {
		r.After = n
		s.Faults = append(s.Faults, r)
	}
	for _, e := range approving(long) {
		e.Detail = cmk.SignalAbort
		s.Events = append(s.Events, e)
	}
	return s
}
