package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// costScale is how much faster than life the world is while cost is measured: not at all, so that what the software and the
// server take themselves weighs as in life.
const costScale = 1

// BenchmarkEnable measures what enabling a project of three regions and five clusters costs: calls of Atlas, time beyond
// what Atlas itself takes, and history. Endpoints take 180 s and clusters 120 s, each 25 % more or less as chance has it,
// which the worker does not know: in several worlds, all at once, since they take the time that they take in life.
func BenchmarkEnable(b *testing.B) {
	const worlds = 8
	var mu sync.Mutex
	var calls, events, over []float64
	var all sync.WaitGroup
	for i := range worlds * b.N {
		all.Go(func() {
			c := enableCost(b, i)
			mu.Lock()
			defer mu.Unlock()
			calls, events, over = append(calls, c.calls), append(events, c.events), append(over, c.over)
		})
	}
	all.Wait()
	if len(calls) < worlds*b.N {
		b.Fatalf("%d of %d runs failed", worlds*b.N-len(calls), worlds*b.N)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(mean(calls), "calls")
	b.ReportMetric(slices.Max(calls), "calls-max")
	b.ReportMetric(100*mean(over), "%-over")
	b.ReportMetric(100*slices.Max(over), "%-over-max")
	b.ReportMetric(mean(events), "events")
}

// cost is what a run took: calls of Atlas, history events, and time beyond the critical path as a share of it.
type cost struct{ calls, events, over float64 }

// BenchmarkWindow measures for how long a node is without a path while private networking is turned off under clusters
// that stay on the key, beyond what Atlas takes to delete the endpoints.
func BenchmarkWindow(b *testing.B) {
	var over []float64
	for i := range b.N {
		over = append(over, windowOver(b, i))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(100*mean(over), "%-over")
	b.ReportMetric(100*slices.Max(over), "%-over-max")
}

func windowOver(b *testing.B, seed int) float64 {
	b.Helper()
	s := newStageNamed(b, shared, fmt.Sprintf("%s-%d-%d", b.Name(), b.N, seed), sim.Options{World: grown(nil), Seed: uint64(seed), Scale: costScale})
	s.pace(costScale)
	s.start()
	run := s.leaveNetworking(nil)
	s.approvePlan(run)
	var asked, gone time.Time
	require.Eventually(b, func() bool {
		endpoints := s.project().Endpoints
		if asked.IsZero() && slices.ContainsFunc(endpoints, func(e atlassim.EndpointState) bool { return e.Status == string(cmk.EndpointDeleting) }) {
			asked = time.Now()
		}
		if len(endpoints) == 0 {
			gone = time.Now()
		}
		return !gone.IsZero()
	}, 5*time.Minute, time.Millisecond)
	report, failed := s.result(run)
	require.Empty(b, failed, report.Problem)
	return s.longestWithoutPath()/(gone.Sub(asked).Seconds()*costScale) - 1
}

// longestWithoutPath is for how many of the world's seconds the worst node could not reach its key.
func (s *stage) longestWithoutPath() float64 {
	longest := 0.0
	for _, c := range s.project().Clusters {
		for _, n := range c.Nodes {
			longest = max(longest, n.Without.Path.Seconds())
		}
	}
	return longest
}

// pace has the worker wait as it does in life, that many times faster.
func (s *stage) pace(scale float64) {
	pace := activities.DefaultPace()
	for name, interval := range map[string]time.Duration{
		"POLL_SHORTEST": pace.Shortest, "POLL_LONGEST": pace.Longest, "POLL_IDLE": pace.Idle, "POLL_SETTLE": pace.Settle,
		"DUE_ENDPOINT": pace.Endpoint, "DUE_CLUSTER": pace.Cluster, "DUE_DELETION": pace.Deletion,
	} {
		s.env["ATLAS_CMK_"+name] = time.Duration(float64(interval) / scale).String()
	}
}

func enableCost(b *testing.B, seed int) cost {
	b.Helper()
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	vary := func(d time.Duration) world.Distribution {
		return world.Always(time.Duration(float64(d) * (0.75 + 0.5*r.Float64())))
	}
	config := sim.DefaultConfig()
	config.Atlas.Durations.EndpointCreate = vary(180 * time.Second)
	config.Atlas.Durations.EndpointStatusLag = world.Always(0)
	config.Atlas.Durations.ResyncGB = world.Always(0)
	// What IAM takes to show Atlas a role is neither Atlas's time nor ours.
	config.AWS.Delays = awssim.NoDelays()
	project := &config.Atlas.Projects[0]
	project.Clusters = nil
	for i, region := range []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1", "US_EAST_1", "US_WEST_2"} {
		project.Clusters = append(project.Clusters, atlassim.Cluster{Name: fmt.Sprintf("c%d", i), Regions: []atlassim.Region{{Name: region, Electable: 3}}})
	}
	// A cluster re-syncs node by node.
	resync := vary(120 * time.Second)
	resync.Median /= 3
	config.Atlas.Durations.ResyncNode = resync

	s := newStageNamed(b, shared, fmt.Sprintf("%s-%d-%d", b.Name(), b.N, seed), sim.Options{World: &config, Seed: uint64(seed), Scale: costScale})
	s.pace(costScale)
	s.start()
	s.ready()
	before := s.world.Journal.Len()
	began := time.Now()
	run := s.enable(func(r *cmk.EnableRequest) { r.Parallel = 5 })
	s.approveAll(run)
	path := s.criticalPath(run)
	report, failed := s.result(run)
	took := time.Since(began)
	require.Empty(b, failed, report.Problem)
	return cost{calls: s.atlasCalls(before), events: float64(len(s.history(run).Events)), over: float64(took-path) / float64(path)}
}

// criticalPath adds up, until the run ends, for how long Atlas shows that it is at work: an endpoint that is not ACTIVE
// yet, or a cluster that is not IDLE.
func (s *stage) criticalPath(run client.WorkflowRun) time.Duration {
	s.t.Helper()
	const look = 40 * time.Millisecond
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = run.Get(s.t.Context(), nil)
	}()
	var total time.Duration
	last := time.Now()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return total
		case now := <-tick.C:
			if s.atWork() {
				total += now.Sub(last)
			}
			last = now
		}
	}
}

func (s *stage) atWork() bool {
	p := s.world.State().Atlas.Projects[0]
	return slices.ContainsFunc(p.Endpoints, func(e atlassim.EndpointState) bool { return e.Shown != string(cmk.EndpointActive) }) ||
		slices.ContainsFunc(p.Clusters, func(c atlassim.ClusterState) bool { return c.State != cmk.ClusterIdle })
}

// atlasCalls counts the operations of Atlas since an entry of the journal, token included.
func (s *stage) atlasCalls(since int) float64 {
	n := 0
	for _, e := range s.world.Journal.Entries()[since:] {
		if e.System == "atlas" && !strings.HasPrefix(e.Path, "/_sim/") {
			n++
		}
	}
	return float64(n)
}

func mean(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total / float64(len(values))
}
