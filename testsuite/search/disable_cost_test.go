package search

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

// TestDisableCost bounds what it costs to take a project off its key, in either order.
func TestDisableCost(t *testing.T) {
	t.Parallel()
	const few, more = 3, 5
	for order, most := range map[cmk.DisableOrder]struct{ fresh, experienced float64 }{
		// In the window of the page's order looks come at every 2 % of its length, so that it is hardly longer than Atlas makes it.
		cmk.OrderPage:            {80, 70},
		cmk.OrderKeepPrivatePath: {66, 60},
	} {
		t.Run(string(order), func(t *testing.T) {
			t.Parallel()
			fresh := disableCosts(t, order, activities.DefaultPace, 0, few)
			require.LessOrEqual(t, fresh.calls(), most.fresh, fresh)
			require.Less(t, fresh.over(), 0.02, fresh)

			pace := activities.DefaultPace()
			one := func() activities.Pace { return pace }
			disableCosts(t, order, one, few, more)
			experienced := disableCosts(t, order, one, 0, few)
			require.LessOrEqual(t, experienced.calls(), most.experienced, experienced)
			require.Less(t, experienced.over(), 0.025, experienced)
		})
	}
}

// BenchmarkDisable measures the same over twenty worlds, for a worker that has just begun and for one with experience. A
// project has three regions and five clusters, which leave the key all at once but for the first; endpoints take 85 s to go and clusters
// 120 s, each 25 % more or less.
func BenchmarkDisable(b *testing.B) {
	const worlds = 20
	for _, order := range []cmk.DisableOrder{cmk.OrderPage, cmk.OrderKeepPrivatePath} {
		b.Run(string(order)+"/fresh", func(b *testing.B) {
			for range b.N {
				disableCosts(b, order, activities.DefaultPace, 0, worlds).tell(b)
			}
		})
		b.Run(string(order)+"/experienced", func(b *testing.B) {
			for range b.N {
				pace := activities.DefaultPace()
				one := func() activities.Pace { return pace }
				disableCosts(b, order, one, worlds, worlds)
				disableCosts(b, order, one, 0, worlds).tell(b)
			}
		})
	}
}

func disableCosts(t testing.TB, order cmk.DisableOrder, pace func() activities.Pace, first, worlds uint64) costs {
	t.Helper()
	var all costs
	for seed := first; seed < first+worlds; seed++ {
		all = append(all, disableCost(t, order, seed, pace()))
	}
	return all
}

func disableCost(t testing.TB, order cmk.DisableOrder, seed uint64, pace activities.Pace) cost {
	t.Helper()
	config := costWorld(seed, startDone)
	for i := range config.Atlas.Projects[0].Clusters {
		config.Atlas.Projects[0].Clusters[i].Provider = cmk.ProviderAWS
	}
	s, err := newStage(config, seed, pace)
	require.NoError(t, err)
	c := s.cost(t, func(r *run) (outcome, error) {
		r.approvePlan(alice)
		return r.execute(cmk.SafeDisableCMK, cmk.DisableRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA, Requester: requester}, Order: order, Parallel: 5})
	})
	require.Nil(t, s.world.State().Atlas.Projects[0].Encryption)
	require.NoError(t, s.judged(func(sim.Violation) bool { return false }))
	if order == cmk.OrderPage {
		// Nodes are without a path for hardly longer than Atlas takes to delete the endpoints, in any world.
		most := time.Duration(float64(config.Atlas.Durations.EndpointDelete.Median) * 1.02)
		require.LessOrEqual(t, s.first("updateGroupEncryptionAtRest").Sub(s.first("requestGroupEncryptionAtRestPrivateEndpointDeletion")), most, "world %d", seed)
	}
	return c
}

// first is when an operation was asked for first.
func (s *stage) first(operation string) time.Time {
	entries := s.world.Journal.Entries()
	return entries[slices.IndexFunc(entries, func(e journal.Entry) bool { return e.Operation == operation })].Time
}

// approvePlan approves the plan as soon as it is asked for: what is approved before that is refused.
func (r *run) approvePlan(by string) {
	var ask func()
	ask = func() {
		status, err := r.status()
		if r.env.IsWorkflowCompleted() || err == nil && status.Phase == cmk.PhasePlanApproval {
			r.signal(cmk.SignalApprove, cmk.Decision{By: by})
			return
		}
		r.in(10*time.Millisecond, ask)
	}
	r.in(time.Millisecond, ask)
}
