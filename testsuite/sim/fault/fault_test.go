package fault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

type standing struct{}

func (standing) Now() time.Time { return time.Time{} }

// Events of the world may change the plan while a request asks it: neither waits for the other.
func TestPlanMayBeUsedFromWithinTheWorld(t *testing.T) {
	w := world.New(world.Options{Clock: standing{}})
	p := fault.NewPlan(w)
	rule := fault.Rule{Kind: fault.Status, Status: 503, Chance: 0.5}
	inside, asked := make(chan struct{}), make(chan struct{})
	require.NoError(t, p.Add(rule))
	go func() {
		<-inside
		p.Next("atlas", "getGroup", "")
		close(asked)
	}()
	w.Do(func() {
		close(inside)
		<-asked // while the world is held
		p.Next("atlas", "getGroup", "")
		p.Clear()
		require.NoError(t, p.Add(rule))
	})
}

func TestResetRepeatsChances(t *testing.T) {
	p := fault.NewPlan(world.New(world.Options{Clock: standing{}, Seed: 7}))
	run := func() (hits []bool) {
		require.NoError(t, p.Add(fault.Rule{Kind: fault.DropBefore, Chance: 0.5}))
		for range 40 {
			hits = append(hits, p.Next("atlas", "getGroup", "") != nil)
		}
		return hits
	}
	first := run()
	require.Contains(t, first, true)
	require.Contains(t, first, false)
	p.Clear()
	require.NotEqual(t, first, run(), "chances go on")
	p.Reset()
	require.Equal(t, first, run())
}
