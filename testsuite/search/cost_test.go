package search

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// TestEnableCost bounds what enabling a project costs: calls of Atlas, and time beyond what Atlas itself takes.
func TestEnableCost(t *testing.T) {
	t.Parallel()
	const few = 5
	fresh := enableCosts(t, activities.DefaultPace, 0, few)
	require.LessOrEqual(t, fresh.calls(), 69.0, fresh)
	require.Less(t, fresh.over(), 0.025, fresh)

	pace := activities.DefaultPace()
	one := func() activities.Pace { return pace }
	enableCosts(t, one, few, few)
	experienced := enableCosts(t, one, 0, few)
	require.LessOrEqual(t, experienced.calls(), 61.0, experienced)
	require.Less(t, experienced.over(), 0.025, experienced)
}

// BenchmarkEnable measures the same over twenty worlds: for a worker that has just begun in each of them, and for one that
// has been in twenty others. A project has three regions and five clusters; endpoints take 180 s and clusters 120 s, each
// 25 % more or less as chance has it, which the worker does not know. No time passes but what is waited for, so that the
// figures are the same every time; what the server and the network add is measured against a real server.
func BenchmarkEnable(b *testing.B) {
	const worlds = 20
	b.Run("fresh", func(b *testing.B) {
		for range b.N {
			enableCosts(b, activities.DefaultPace, 0, worlds).tell(b)
		}
	})
	b.Run("experienced", func(b *testing.B) {
		for range b.N {
			pace := activities.DefaultPace()
			one := func() activities.Pace { return pace }
			enableCosts(b, one, worlds, worlds)
			enableCosts(b, one, 0, worlds).tell(b)
		}
	})
}

// enableCosts are the costs in some worlds, one after the other.
func enableCosts(t testing.TB, pace func() activities.Pace, first, worlds uint64) costs {
	t.Helper()
	var all costs
	for seed := first; seed < first+worlds; seed++ {
		all = append(all, enableCost(t, seed, pace()))
	}
	return all
}

// cost is what a run took: calls of Atlas by operation, and time beyond the critical path as a share of it.
type cost struct {
	calls map[string]int
	over  float64
}

func (c cost) total() int {
	n := 0
	for _, calls := range c.calls {
		n += calls
	}
	return n
}

type costs []cost

func (all costs) calls() float64 {
	n := 0
	for _, c := range all {
		n += c.total()
	}
	return float64(n) / float64(len(all))
}

func (all costs) over() float64 {
	sum := 0.0
	for _, c := range all {
		sum += c.over
	}
	return sum / float64(len(all))
}

// tell reports the means.
func (all costs) tell(b *testing.B) {
	b.Helper()
	b.Log(all)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(all.calls(), "calls")
	b.ReportMetric(100*all.over(), "%-over")
}

// String tells the means, and which operations the calls were.
func (all costs) String() string {
	var b strings.Builder
	most := slices.MaxFunc(all, func(x, y cost) int { return cmp.Compare(x.total(), y.total()) }).total()
	latest := slices.MaxFunc(all, func(x, y cost) int { return cmp.Compare(x.over, y.over) }).over
	fmt.Fprintf(&b, "%.1f calls (at most %d), %.2f %% over (at most %.2f)", all.calls(), most, 100*all.over(), 100*latest)
	sums := map[string]int{}
	for _, c := range all {
		for operation, n := range c.calls {
			sums[operation] += n
		}
	}
	for _, operation := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "\n%6.1f %s", float64(sums[operation])/float64(len(all)), operation)
	}
	return b.String()
}

// costWorld is a project of three regions and five clusters.
func costWorld(seed uint64, start string) *sim.Config {
	r := rand.New(rand.NewPCG(seed, 1))
	vary := func(d time.Duration) world.Distribution {
		return world.Always(time.Duration(float64(d) * (0.75 + 0.5*r.Float64())))
	}
	config := worldOf(start)
	config.Atlas.Durations.EndpointCreate = vary(180 * time.Second)
	config.Atlas.Durations.EndpointStatusLag = world.Always(0)
	config.Atlas.Durations.ResyncGB = world.Always(0)
	config.AWS.Delays = awssim.NoDelays()
	project := &config.Atlas.Projects[0]
	project.Clusters = nil
	for i, region := range []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1", "US_EAST_1", "US_WEST_2"} {
		project.Clusters = append(project.Clusters, atlassim.Cluster{Name: fmt.Sprintf("c%d", i), Regions: []atlassim.Region{{Name: region, Electable: 3}}})
	}
	resync := vary(120 * time.Second)
	resync.Median /= 3 // node by node
	config.Atlas.Durations.ResyncNode = resync
	config.Atlas.Durations.DisableGrace = world.Always(0)
	config.Atlas.Durations.EndpointDelete = vary(85 * time.Second)
	return config
}

func enableCost(t testing.TB, seed uint64, pace activities.Pace) cost {
	t.Helper()
	s, err := newStage(costWorld(seed, startNothing), seed, pace)
	require.NoError(t, err)
	return s.cost(t, func(r *run) (outcome, error) {
		r.in(time.Millisecond, func() {
			for _, region := range regions() {
				r.signal(cmk.SignalApproveEndpoint, cmk.Decision{By: alice, Region: region})
			}
		})
		return r.execute(cmk.EnableWithPrivateEndpoints, cmk.EnableRequest{ProjectID: sim.ProjectA, Key: awssim.MultiRegionKeyARN, Requester: requester, Parallel: 5})
	})
}

// cost is what a run takes that is to end well.
func (s *stage) cost(t testing.TB, perform func(*run) (outcome, error)) cost {
	t.Helper()
	before := s.world.Journal.Len()
	r := s.newRun()
	path := r.criticalPath()
	o, err := perform(r)
	require.NoError(t, err)
	require.Empty(t, o.failed, o.report.Problem)
	c := cost{calls: map[string]int{}}
	for _, e := range s.world.Journal.Entries()[before:] {
		if e.System == "atlas" {
			c.calls[e.Operation]++
		}
	}
	took := o.report.Ended.Sub(o.report.Started)
	c.over = float64(took-*path) / float64(*path)
	return c
}

// criticalPath adds up for how long Atlas shows that it is at work: an endpoint that is not ACTIVE, or a cluster that is
// not IDLE.
func (r *run) criticalPath() *time.Duration {
	const look = time.Second
	var path time.Duration
	var watch func()
	watch = func() {
		if r.env.IsWorkflowCompleted() {
			return
		}
		if r.atWork() {
			path += look
		}
		r.in(look, watch)
	}
	r.in(look, watch)
	return &path
}

func (s *stage) atWork() bool {
	p := s.world.State().Atlas.Projects[0]
	return slices.ContainsFunc(p.Endpoints, func(e atlassim.EndpointState) bool { return e.Shown != string(cmk.EndpointActive) }) ||
		slices.ContainsFunc(p.Clusters, func(c atlassim.ClusterState) bool { return c.State != cmk.ClusterIdle })
}
