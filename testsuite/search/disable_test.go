package search

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// doneWorld is a project of three regions and five clusters on the key, that takes minutes for each change.
func doneWorld(change func(*sim.Config)) *sim.Config {
	config := costWorld(0, startDone)
	for i := range config.Atlas.Projects[0].Clusters {
		config.Atlas.Projects[0].Clusters[i].Provider = cmk.ProviderAWS
	}
	if change != nil {
		change(config)
	}
	return config
}

// disableRequest takes project A off its key.
func disableRequest(order cmk.DisableOrder) cmk.DisableRequest {
	return cmk.DisableRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA, Requester: requester}, Order: order, Parallel: 5}
}

// Atlas replaces search nodes for a while after the setting that has them use the key is off. Until they are replaced neither
// the private path that is kept for them goes, nor the key.
func TestSearchNodesAreStillOnTheKey(t *testing.T) {
	t.Parallel()
	for _, order := range []cmk.DisableOrder{cmk.OrderPage, cmk.OrderKeepPrivatePath} {
		t.Run(string(order), func(t *testing.T) {
			t.Parallel()
			s, err := newStage(doneWorld(func(c *sim.Config) {
				c.Atlas.Projects[0].Encryption.SearchNodes = true
				c.Atlas.Projects[0].Clusters[0].Search = &atlassim.Search{Nodes: 2}
			}), 0, fewLooks())
			require.NoError(t, err)
			r := s.newRun()
			r.approvePlan(alice)
			s.onWrite = func(served bool) {
				if served {
					r.stagehand.terminate()
				}
			}
			_, err = r.execute(cmk.SafeDisableCMK, disableRequest(cmk.OrderKeepPrivatePath))
			require.NoError(t, err)
			require.False(t, s.project().SearchNodes)
			searchOnKey := func() bool {
				return slices.ContainsFunc(s.project().Clusters[0].Nodes, func(n atlassim.NodeState) bool { return n.Kind == "search" && n.Encrypted })
			}
			require.True(t, searchOnKey())

			pathless := false
			s.onWrite = func(bool) {
				p := s.project()
				pathless = pathless || p.Encryption != nil && p.Encryption.Private && searchOnKey() &&
					slices.ContainsFunc(p.Endpoints, func(e atlassim.EndpointState) bool { return e.Status == string(cmk.EndpointDeleting) })
			}
			r = s.newRun()
			r.approvePlan(alice)
			o, err := r.execute(cmk.SafeDisableCMK, disableRequest(order))
			require.NoError(t, err)
			require.Empty(t, o.failed, o.report.Problem)
			require.Nil(t, s.project().Encryption)
			require.NoError(t, s.judged(func(sim.Violation) bool { return false }))
			require.Equal(t, order == cmk.OrderPage, pathless, "they share the window with the clusters, or have their path")
		})
	}
}

// disabling is a way off the key in a world of its own, whose people approve whatever plan they are asked for.
type disabling struct {
	*run
	t       *testing.T
	request cmk.DisableRequest
	// plans are the hashes of those that were approved.
	plans []string
}

// again is another run in the same world.
func (d *disabling) again() *disabling {
	next := &disabling{run: d.newRun(), t: d.t, request: d.request}
	next.approveAll()
	return next
}

func newDisabling(t *testing.T, order cmk.DisableOrder, change func(*sim.Config)) *disabling {
	t.Helper()
	s, err := newStage(doneWorld(change), 0, activities.DefaultPace())
	require.NoError(t, err)
	return (&disabling{run: &run{stage: s}, t: t, request: disableRequest(order)}).again()
}

// approveAll approves plans as they are asked for.
func (d *disabling) approveAll() {
	d.once(awaits(cmk.AwaitingPlanApproval), func(s cmk.Status) {
		d.plans = append(d.plans, s.Plan.Hash)
		d.signal(cmk.SignalApprove, cmk.Decision{By: alice, Plan: s.Plan.Hash})
		d.in(time.Minute, d.approveAll)
	})
}

func (d *disabling) end() outcome {
	d.t.Helper()
	o, err := d.execute(cmk.SafeDisableCMK, d.request)
	require.NoError(d.t, err)
	require.NoError(d.t, d.judged(func(sim.Violation) bool { return false }))
	return o
}

// endpointsGo says whether the endpoints are being deleted.
func (d *disabling) endpointsGo(cmk.Status) bool {
	return slices.ContainsFunc(d.project().Endpoints, func(e atlassim.EndpointState) bool { return e.Status == string(cmk.EndpointDeleting) })
}

// leaving says whether all clusters have been asked to leave the key, and some have not come to rest.
func (d *disabling) leaving(cmk.Status) bool {
	clusters := d.project().Clusters
	return !slices.ContainsFunc(clusters, onKey) && slices.ContainsFunc(clusters, func(c atlassim.ClusterState) bool { return c.State != cmk.ClusterIdle })
}

// down counts the nodes that are down.
func (d *disabling) down() (n int) {
	for _, c := range d.project().Clusters {
		for _, node := range c.Nodes {
			if !node.Up {
				n++
			}
		}
	}
	return n
}

// ending is how a run ends that does not come to the end.
type ending struct {
	failed string
	phase  cmk.Phase
	state  cmk.ProjectState
}

// What happens while a project leaves its key is seen, waited for or asked about, whichever order it leaves in; and once all is
// well the project is off its key, by the same run or the next, and nothing is left to write.
func TestDisableThingsHappen(t *testing.T) {
	t.Parallel()
	const page, keep = cmk.OrderPage, cmk.OrderKeepPrivatePath
	held := func(status string) atlassim.Act {
		return atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1", Status: status}
	}
	for name, c := range map[string]struct {
		world   func(*sim.Config)
		request func(*cmk.DisableRequest)
		// happen arranges what happens, and returns what must hold at the end.
		happen func(d *disabling) func(outcome)
		// ends are how the run ends, by order: with that error, in that phase and state. Left out, it ends as if nothing had happened.
		ends map[cmk.DisableOrder]ending
	}{
		"a node restarts while the endpoints go": {
			world: func(c *sim.Config) { c.Atlas.Durations.NodeRestart = world.Always(10 * time.Second) },
			happen: func(d *disabling) func(outcome) {
				restarted, lasting := false, false
				d.once(d.endpointsGo, func(s cmk.Status) {
					restarted = true
					require.Equal(d.t, d.request.Order == page, s.State == cmk.StateWindow, "%s", s.State)
					d.tell(atlassim.Act{Kind: atlassim.RestartNode, Cluster: "c1", Node: d.project().Clusters[1].Nodes[0].ID})
					require.Equal(d.t, 1, d.down())
					d.in(40*time.Second, func() { lasting = d.down() == 1 })
				})
				return func(outcome) {
					require.True(d.t, restarted)
					require.Equal(d.t, d.request.Order == page, lasting, "one without a path waits for it")
				}
			},
		},
		"maintenance begins before": {
			happen: func(d *disabling) func(outcome) {
				waited := false
				d.once(awaits(cmk.AwaitingPlanApproval), func(cmk.Status) {
					d.tell(atlassim.Act{Kind: atlassim.StartMaintenance})
					d.in(time.Minute, func() { waited = len(d.writes()) == 0 })
					d.in(30*time.Minute, func() {
						s, err := d.status()
						require.NoError(d.t, err)
						waited = waited && (d.request.Order == keep || awaits(cmk.AwaitingCalm)(s) && len(d.writes()) == 0)
						d.tell(atlassim.Act{Kind: atlassim.StopMaintenance})
					})
				})
				return func(outcome) { require.True(d.t, waited) }
			},
		},
		"maintenance begins while the endpoints go": {
			happen: func(d *disabling) func(outcome) {
				began := false
				d.once(d.endpointsGo, func(cmk.Status) {
					began = true
					d.tell(atlassim.Act{Kind: atlassim.StartMaintenance})
					d.in(30*time.Minute, func() { d.tell(atlassim.Act{Kind: atlassim.StopMaintenance}) })
				})
				return func(outcome) { require.True(d.t, began) }
			},
		},
		"a cluster is paused, and may be resumed": {
			world:   func(c *sim.Config) { c.Atlas.Projects[0].Clusters[1].Paused = true },
			request: func(r *cmk.DisableRequest) { r.ResumePaused = true },
			happen: func(d *disabling) func(outcome) {
				return func(outcome) { require.False(d.t, d.project().Clusters[1].Paused) }
			},
		},
		"a cluster is paused, and may not be": {
			world: func(c *sim.Config) { c.Atlas.Projects[0].Clusters[1].Paused = true },
			happen: func(d *disabling) func(outcome) {
				return func(o outcome) {
					require.Empty(d.t, d.writes())
					require.NotEmpty(d.t, found(o.report, cmk.FindingClusterPaused))
					d.tell(atlassim.Act{Kind: atlassim.ResumeCluster, Cluster: "c1"})
				}
			},
			ends: map[cmk.DisableOrder]ending{
				page: {cmk.ErrPreflightFailed, cmk.PhaseRefused, cmk.StateOn}, keep: {cmk.ErrPreflightFailed, cmk.PhaseRefused, cmk.StateOn},
			},
		},
		"an endpoint is recreated while it goes": {
			happen: func(d *disabling) func(outcome) {
				before := len(d.project().Endpoints)
				d.once(d.endpointsGo, func(cmk.Status) { d.tell(atlassim.Act{Kind: atlassim.RejectEndpoint, Region: "US_WEST_2"}) })
				return func(o outcome) {
					deleted := 0
					for _, w := range d.writes() {
						if id, ok := strings.CutPrefix(w, "requestGroupEncryptionAtRestPrivateEndpointDeletion "+sim.ProjectA+"/"); ok {
							deleted++
							require.True(d.t, slices.ContainsFunc(o.report.Writes, func(w cmk.Write) bool { return w.Object == id }), "%s is not reported", id)
						}
					}
					require.Greater(d.t, deleted, before, "the one in its place goes too")
				}
			},
		},
		"an endpoint never can be deleted": {
			request: func(r *cmk.DisableRequest) { r.Deadlines.Endpoint = cmk.Duration(3 * time.Hour) },
			happen: func(d *disabling) func(outcome) {
				hold := func(cmk.Status) { d.tell(held(string(cmk.EndpointInitiating))) }
				if d.request.Order == page {
					hold(cmk.Status{})
				} else {
					d.once(d.leaving, hold)
				}
				return func(outcome) {
					require.Len(d.t, d.project().Endpoints, 3, "nothing is deleted until all can be")
					d.tell(held(""))
				}
			},
			ends: map[cmk.DisableOrder]ending{
				page: {cmk.ErrExpired, cmk.PhaseRefused, cmk.StateOn}, keep: {cmk.ErrExpired, cmk.PhaseStopped, cmk.StateAllOff},
			},
		},
		"a cluster appears on the key": {
			happen: func(d *disabling) func(outcome) {
				d.once(d.leaving, func(cmk.Status) {
					d.tell(atlassim.Act{Kind: atlassim.AddCluster, Add: &atlassim.Cluster{
						Name: "late", Provider: cmk.ProviderAWS, Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}},
					}})
				})
				return func(o outcome) {
					require.Len(d.t, o.report.Clusters, 6)
					require.Len(d.t, d.plans, 2, "people agree to the new one too")
				}
			},
		},
	} {
		for _, order := range []cmk.DisableOrder{page, keep} {
			t.Run(name+"/"+string(order), func(t *testing.T) {
				t.Parallel()
				d := newDisabling(t, order, c.world)
				if c.request != nil {
					c.request(&d.request)
				}
				holds := c.happen(d)
				o := d.end()
				holds(o)
				if expected, otherwise := c.ends[order]; otherwise {
					require.Equal(t, expected, ending{o.failed, o.report.Phase, o.report.State}, o.report.Problem)
					o = d.again().end()
				}
				require.Empty(t, o.failed, o.report.Problem)
				require.True(t, o.report.Verified)
				require.Equal(t, cmk.StateOff, o.report.State)
				require.Nil(t, d.project().Encryption)
				require.Empty(t, d.project().Endpoints)
				require.Zero(t, d.down())
				before := d.writes()
				o = d.again().end()
				require.Empty(t, o.failed, o.report.Problem)
				require.Equal(t, before, d.writes())
			})
		}
	}
}
