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
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// An enable of which any one write is refused for good: before its point of no return all is taken back, after it people are
// asked, and say to try again.
func TestRefusedAtEveryWrite(t *testing.T) {
	t.Parallel()
	for _, start := range starts() {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			refused := 0
			for n, came := 1, true; came; n++ {
				s := schedule{Start: start, Mode: cmk.ApproveProvider, Calm: 6 * time.Hour, Wish: wishDone, Events: []event{{Kind: refuseWrite, Write: n}}}
				p := newPlay(t, s)
				require.NoError(t, p.lead())
				require.NoError(t, p.storm(), "%v\n%s", s, p.told())
				if came = p.due[0].Write < 0; !came {
					continue
				}
				require.NotEqual(t, cmk.PhaseStopped, p.ended[0].report.Phase, "%v\n%s", s, p.told())
				refused++
				require.NoError(t, p.converge(), "%v\n%s", s, p.told())
			}
			require.Equal(t, start == startDone, refused == 0)
		})
	}
}

// enabling is an enable in a world of its own, whose people do only what the test says.
type enabling struct {
	*run
	t       *testing.T
	request cmk.EnableRequest
}

// newEnabling sets the stage for one in the world of a start, which change makes another. Atlas's status alone decides on
// endpoints, unless the request is changed.
func newEnabling(t *testing.T, start string, change func(*sim.Config)) *enabling {
	t.Helper()
	config := worldOf(start)
	config.AWS.Delays = awssim.NoDelays()
	if change != nil {
		change(config)
	}
	s, err := newStage(config, 0, fewLooks())
	require.NoError(t, err)
	return &enabling{s.newRun(), t, cmk.EnableRequest{
		ProjectID: sim.ProjectA, Key: awssim.MultiRegionKeyARN, Requester: requester,
		Approval: cmk.ApprovalPolicy{Mode: cmk.ApproveProvider}, Deadlines: deadlines(),
	}}
}

// once has something happen as soon as the run's status is so.
func (r *run) once(so func(cmk.Status) bool, happen func(cmk.Status)) {
	const often = 10 * time.Second
	var look func()
	look = func() {
		status, err := r.status()
		switch {
		case r.env.IsWorkflowCompleted():
		case r.env.Now().Sub(r.began) > 24*time.Hour: // it will not be so any more
			r.env.CancelWorkflow()
		case err == nil && so(status):
			happen(status)
		default:
			r.in(often, look)
		}
	}
	r.in(often, look)
}

func (e *enabling) end() outcome {
	e.t.Helper()
	return e.endAs(cmk.EnableWithPrivateEndpoints, e.request)
}

// endAs carries out another procedure in its place.
func (e *enabling) endAs(workflowType string, request any) outcome {
	e.t.Helper()
	o, err := e.execute(workflowType, request)
	require.NoError(e.t, err)
	require.NoError(e.t, e.judged(func(sim.Violation) bool { return false }))
	return o
}

func (s *stage) project() atlassim.ProjectState { return s.world.State().Atlas.Projects[0] }

// awaits says whether a run waits for something.
func awaits(what cmk.Awaiting) func(cmk.Status) bool {
	return func(s cmk.Status) bool {
		return slices.ContainsFunc(s.Awaiting, func(w cmk.Wait) bool { return w.For == what })
	}
}

func found(r cmk.Report, code cmk.FindingCode) []cmk.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f cmk.Finding) bool { return f.Code != code })
}

// A role whose other policies keep it from the key is found before anything is written.
func TestDenyInTheRoleIsFoundBefore(t *testing.T) {
	t.Parallel()
	e := newEnabling(t, startRole, func(c *sim.Config) {
		roles := c.AWS.Accounts[0].Roles
		roles[len(roles)-1].Inline["others"] = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}]}`
	})
	o := e.end()
	require.Equal(t, cmk.ErrPreflightFailed, o.failed)
	require.Len(t, found(o.report, cmk.FindingRoleDenied), len(regions()), "%+v", o.report.Findings)
	require.Empty(t, e.writes())
}

// A key that is not there, or that the worker may not read, is told beside all else that stands in the way.
func TestKeyThatIsNotThereIsToldBesideAllElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key, region string
		denied      bool
		want        cmk.FindingCode
	}{
		"an alias that leads nowhere": {key: "alias/none", region: "US_EAST_1", want: cmk.FindingKeyMissing},
		"an id of no key":             {key: "mrk-0123456789abcdef0123456789abcdef", region: "US_EAST_1", want: cmk.FindingKeyMissing},
		"not to be read":              {key: awssim.MultiRegionKeyARN, denied: true, want: cmk.FindingKeyUnread},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnabling(t, startRole, func(config *sim.Config) {
				config.Atlas.Projects[0].Clusters[0].Paused = true
			})
			e.request.Key, e.request.KeyRegion = c.key, c.region
			if c.denied {
				require.NoError(t, e.world.Faults.Add(fault.Rule{Operation: "kms:DescribeKey", Kind: fault.Status, Status: 403}))
			}
			o := e.end()
			require.Equal(t, cmk.ErrPreflightFailed, o.failed, o.report.Problem)
			require.Equal(t, cmk.PhaseRefused, o.report.Phase)
			require.Len(t, found(o.report, c.want), 1, "%+v", o.report.Findings)
			require.Equal(t, c.key, found(o.report, c.want)[0].Object)
			require.Len(t, found(o.report, cmk.FindingClusterPaused), 1, "%+v", o.report.Findings)
			require.Empty(t, e.writes())
		})
	}
}

// Where Atlas's status decides, people are asked while it waits for the endpoint to be accepted, and not beyond.
func TestPeopleAreAskedWhileAtlasWaitsForThem(t *testing.T) {
	t.Parallel()
	e := newEnabling(t, startReady, func(c *sim.Config) { c.Atlas.Projects[0].Endpoints[1].Status = string(cmk.EndpointPendingAcceptance) })
	var asked []cmk.Wait
	e.once(awaits(cmk.AwaitingEndpointApproval), func(s cmk.Status) {
		asked = s.Awaiting
		e.tell(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2"}) // it is accepted
	})
	o := e.end()
	require.Empty(t, o.failed, o.report.Problem)
	require.Equal(t, "US_WEST_2", asked[0].Region)
	require.Equal(t, cmk.SignalApproveEndpoint, asked[0].Signal)
	for _, p := range o.report.Endpoints {
		require.Equal(t, cmk.ApprovalNotNeeded, p.Approval, p.Region)
	}
}

// How long people may take does not begin anew with every endpoint that comes and goes.
func TestApprovalDeadlineOutlastsEndpointsThatComeAndGo(t *testing.T) {
	t.Parallel()
	const deadline = 10 * time.Hour
	e := newEnabling(t, startKey, nil)
	e.request.Regions, e.request.Clusters.None = regions()[:1], true
	e.request.Approval.Mode, e.request.Deadlines.Approval = cmk.ApproveUse, cmk.Duration(deadline)
	for h := 2 * time.Hour; h < 18*time.Hour; h += 4 * time.Hour {
		e.in(h, func() {
			e.tell(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_EAST_1", Status: string(cmk.EndpointPendingAcceptance)})
		})
		e.in(h+time.Hour, func() {
			e.tell(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_EAST_1", Status: string(cmk.EndpointActive)})
		})
	}
	o := e.end()
	require.Equal(t, cmk.ErrExpired, o.failed, o.report.Problem)
	require.InDelta(t, deadline.Hours(), o.report.Ended.Sub(o.report.Started).Hours(), 1.5)
}

// A cluster that comes while all clusters are put on the key is asked about: it is put there too, or left and told.
func TestClusterThatComesMeanwhile(t *testing.T) {
	t.Parallel()
	encrypt := cmk.EncryptRequest{ProjectID: sim.ProjectA, Requester: requester, Approval: cmk.ApprovalPolicy{Mode: cmk.ApproveProvider}, Deadlines: deadlines()}
	for _, c := range []struct{ workflow, answer string }{
		{cmk.EnableWithPrivateEndpoints, cmk.SignalRetry}, {cmk.EnableWithPrivateEndpoints, cmk.SignalSkip},
		{cmk.EncryptClusters, cmk.SignalRetry}, {cmk.EncryptClusters, cmk.SignalSkip},
	} {
		answer := c.answer
		t.Run(c.workflow+"/"+answer, func(t *testing.T) {
			t.Parallel()
			e := newEnabling(t, startReady, nil)
			e.once(awaits(cmk.AwaitingCluster), func(cmk.Status) {
				e.tell(atlassim.Act{Kind: atlassim.AddCluster, Add: &atlassim.Cluster{Name: "added", Regions: []atlassim.Region{{Name: "EU_WEST_1", Electable: 3}}}})
			})
			e.once(awaits(cmk.AwaitingDecision), func(s cmk.Status) {
				require.Contains(t, s.Awaiting[0].What, "added")
				e.signal(answer, cmk.Resolution{By: alice})
			})
			var request any = e.request
			if c.workflow == cmk.EncryptClusters {
				request = encrypt
			}
			o := e.endAs(c.workflow, request)
			require.Empty(t, o.failed, o.report.Problem)
			at := slices.IndexFunc(e.project().Clusters, func(c atlassim.ClusterState) bool { return c.Name == "added" })
			require.Equal(t, answer == cmk.SignalRetry, onKey(e.project().Clusters[at]))
			require.Equal(t, answer == cmk.SignalSkip, len(found(o.report, cmk.FindingClusterAppeared)) == 1)
		})
	}
}

// A re-sync that an earlier run has begun, and that takes longer than any verification may, is waited for by the next.
func TestReSyncOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	first := newEnabling(t, startReady, func(c *sim.Config) { c.Atlas.Durations.ResyncNode = world.Always(8 * time.Hour) })
	first.request.Clusters.Names, first.request.Deadlines.Cluster = []string{sim.ClusterGlobal}, cmk.Duration(time.Hour)
	first.once(awaits(cmk.AwaitingDecision), func(cmk.Status) { first.signal(cmk.SignalAbort, cmk.Resolution{By: alice}) })
	require.Equal(t, cmk.ErrAborted, first.end().failed)
	require.True(t, slices.ContainsFunc(first.project().Clusters, func(c atlassim.ClusterState) bool { return c.State == cmk.ClusterUpdating }))

	next := &enabling{first.newRun(), t, first.request}
	next.request.Deadlines.Cluster = cmk.Duration(72 * time.Hour)
	o := next.end()
	require.Empty(t, o.failed, o.report.Problem)
	require.True(t, o.report.Verified)
	require.False(t, slices.ContainsFunc(o.report.Clusters, func(c cmk.ClusterReport) bool { return !c.Done }))
}

// An endpoint that fails is made anew, a bounded number of times; then all is taken back.
func TestEndpointThatAlwaysFails(t *testing.T) {
	t.Parallel()
	e := newEnabling(t, startKey, func(c *sim.Config) { c.Atlas.Chances.EndpointFails = 1 })
	e.request.Regions = regions()[:1]
	e.request.Clusters.None = true
	o := e.end()
	require.Equal(t, string(cmk.EndpointFailed), o.failed, o.report.Problem)
	require.Equal(t, cmk.PhaseCompensated, o.report.Phase)
	made := slices.DeleteFunc(e.writes(), func(w string) bool { return !strings.HasPrefix(w, "createGroupEncryptionAtRestPrivateEndpoint") })
	require.Len(t, made, 4)
	require.Empty(t, e.project().Endpoints)
	require.False(t, e.project().Encryption.Private)
}

// Clusters that use the key over the public path are taken to private endpoints: after people have approved those, and
// through a window that is hardly longer than Atlas takes for the endpoints.
func TestWindowIsAsLongAsAtlasTakes(t *testing.T) {
	t.Parallel()
	const take = 170 * time.Second
	for seed := range uint64(3) {
		config := costWorld(seed, startPublic)
		config.Atlas.Durations.EndpointCreate.Median = take
		for i := range config.Atlas.Projects[0].Clusters {
			config.Atlas.Projects[0].Clusters[i].Provider = cmk.ProviderAWS
		}
		s, err := newStage(config, seed, activities.DefaultPace())
		require.NoError(t, err)
		e := &enabling{s.newRun(), t, cmk.EnableRequest{ProjectID: sim.ProjectA, Key: awssim.MultiRegionKeyARN, Requester: requester}}
		e.once(awaits(cmk.AwaitingEndpointApproval), func(cmk.Status) {
			require.Empty(t, e.writes(), "nothing is begun before they have approved")
			e.signal(cmk.SignalApproveEndpoint, cmk.Decision{By: alice, Region: cmk.AllRegions})
		})
		o := e.end()
		require.Empty(t, o.failed, o.report.Problem)
		require.Len(t, o.report.Windows, 1)
		most := time.Duration(float64(take) * 1.02)
		for _, c := range e.project().Clusters {
			for _, n := range c.Nodes {
				require.Positive(t, n.Without.Path, "the world takes the public path away")
				require.LessOrEqual(t, n.Without.Path, most, n.ID)
			}
		}
		w := o.report.Windows[0]
		require.GreaterOrEqual(t, w.Until.Sub(w.From), take)
	}
}

// A window whose endpoints do not come is left backwards, past the deadline, and the public path is open again.
func TestWindowIsLeftBackwards(t *testing.T) {
	t.Parallel()
	e := newEnabling(t, startPublic, nil)
	e.request.Deadlines.Endpoint = cmk.Duration(30 * time.Minute)
	before := e.project().Encryption
	e.once(func(s cmk.Status) bool { return s.Phase == cmk.PhaseWindow && len(e.project().Endpoints) == 3 }, func(cmk.Status) {
		e.tell(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2", Status: string(cmk.EndpointInitiating)})
		e.in(time.Hour, func() { e.tell(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2"}) })
	})
	o := e.end()
	require.Equal(t, cmk.ErrExpired, o.failed, o.report.Problem)
	require.Equal(t, before, e.project().Encryption)
	require.Empty(t, e.project().Endpoints)
	require.Len(t, o.report.Windows, 1)
	require.Greater(t, o.report.Windows[0].Until.Sub(o.report.Windows[0].From), time.Duration(e.request.Deadlines.Endpoint))
}

// A window that a person gives up on leaving is told as what it is, open, and so is what closes it: the same change again.
func TestWindowThatIsNotLeftIsToldAsOpen(t *testing.T) {
	t.Parallel()
	e := newEnabling(t, startPublic, nil)
	e.request.Deadlines.Endpoint = cmk.Duration(30 * time.Minute)
	e.once(func(s cmk.Status) bool { return s.Phase == cmk.PhaseWindow && len(e.project().Endpoints) == 3 }, func(cmk.Status) {
		e.tell(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2", Status: string(cmk.EndpointInitiating)})
		require.NoError(t, e.world.Faults.Add(fault.Rule{Operation: "requestGroupEncryptionAtRestPrivateEndpointDeletion", Kind: fault.Status, Status: 403}))
	})
	e.once(awaits(cmk.AwaitingDecision), func(s cmk.Status) {
		require.Equal(t, "leave the window", s.Awaiting[0].Step)
		require.Equal(t, cmk.StateWindow, s.State)
		e.signal(cmk.SignalAbort, cmk.Resolution{By: alice})
	})
	o := e.end()
	require.Equal(t, cmk.ErrAborted, o.failed, o.report.Problem)
	require.Equal(t, cmk.PhaseStopped, o.report.Phase)
	require.Equal(t, cmk.StateWindow, o.report.State)
	require.Len(t, o.report.Windows, 1)
	require.Zero(t, o.report.Windows[0].Until)
	told := found(o.report, cmk.FindingWindow)
	require.Equal(t, cmk.SeverityError, told[len(told)-1].Severity)
	require.Contains(t, told[len(told)-1].Remedy, cmk.EnableWithPrivateEndpoints)

	e.world.Faults.Clear()
	e.tell(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2"})
	again := &enabling{e.newRun(), t, e.request}
	o = again.end()
	require.Empty(t, o.failed, o.report.Problem)
	require.Equal(t, cmk.StateOn, o.report.State)
}

// A replica that was made stays, also of a change that is cancelled meanwhile, which says so.
func TestReplicaOfACancelledChangeIsTold(t *testing.T) {
	t.Parallel()
	e := newEnabling(t, startNothing, func(c *sim.Config) {
		key := &c.AWS.Accounts[0].Keys[0]
		key.Replicas = slices.DeleteFunc(key.Replicas, func(r awssim.Replica) bool { return r.Region == "eu-west-1" })
		c.AWS.Delays.ReplicaCreation.Median = time.Minute
	})
	e.request.Replicas = cmk.ReplicasCreate
	e.once(func(s cmk.Status) bool { return s.Phase == cmk.PhaseKey }, func(cmk.Status) { e.in(5*time.Second, e.env.CancelWorkflow) })
	o := e.end()
	require.Equal(t, cancelled, o.failed)
	require.Len(t, o.report.Writes, 1)
	require.Equal(t, cmk.SystemKMS, o.report.Writes[0].System)
	require.Len(t, o.report.Keep, 1)
	require.Contains(t, o.report.Keep[0], "EU_WEST_1")
	require.NotEqual(t, cmk.PhaseRefused, o.report.Phase, "something was written")
}

// A plan that people take their time over is made anew: one that has come to differ is asked for again, and nothing is
// written before.
func TestPlanThatDiffersIsAskedForAgain(t *testing.T) {
	t.Parallel()
	e := newEnabling(t, startReady, func(c *sim.Config) {
		for i := range c.Atlas.Projects[0].Clusters {
			c.Atlas.Projects[0].Clusters[i].Backup = c.Atlas.Projects[0].Clusters[i].Name == sim.ClusterEast
		}
	})
	e.request.PlanApproval = true
	var plans []string
	approve := func(s cmk.Status) {
		require.Empty(t, e.writes())
		require.Empty(t, s.Approvals)
		plans = append(plans, s.Plan.Hash)
		e.signal(cmk.SignalApprove, cmk.Decision{By: alice, Plan: s.Plan.Hash})
	}
	e.once(awaits(cmk.AwaitingPlanApproval), func(s cmk.Status) {
		e.tell(atlassim.Act{Kind: atlassim.RemoveCluster, Cluster: sim.ClusterEast})
		e.in(10*time.Minute, func() {
			approve(s)
			e.once(func(now cmk.Status) bool {
				return now.Plan != nil && now.Plan.Hash != s.Plan.Hash && awaits(cmk.AwaitingPlanApproval)(now)
			}, approve)
		})
	})
	o := e.end()
	require.Empty(t, o.failed, o.report.Problem)
	require.Len(t, plans, 2)
	require.NotEqual(t, plans[0], plans[1])
	require.Len(t, o.report.Clusters, 1)
	require.Empty(t, found(o.report, cmk.FindingSnapshotsBeforeKey), "of the cluster that is gone nothing is left")
}

// After the point of no return a step that is refused waits for a person, who may leave out what the change can do without.
func TestStepsAfterThePivotWaitForAPerson(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		operation string
		world     func(*sim.Config)
		request   func(*cmk.EnableRequest)
		step      string
	}{
		"search nodes": {
			"updateGroupEncryptionAtRest", nil, func(r *cmk.EnableRequest) { r.SearchNodes = true }, "put search nodes on the key",
		},
		"resume": {
			"updateGroupCluster", func(c *sim.Config) { c.Atlas.Projects[0].Clusters[0].Paused = true }, func(r *cmk.EnableRequest) { r.ResumePaused = true },
			"resume " + sim.ClusterEast,
		},
	} {
		for _, answer := range []string{cmk.SignalRetry, cmk.SignalSkip} {
			t.Run(name+"/"+answer, func(t *testing.T) {
				t.Parallel()
				e := newEnabling(t, startReady, c.world)
				c.request(&e.request)
				require.NoError(t, e.world.Faults.Add(fault.Rule{Operation: c.operation, Kind: fault.Status, Status: 403, Times: 1}))
				e.once(awaits(cmk.AwaitingDecision), func(s cmk.Status) {
					require.Equal(t, c.step, s.Awaiting[0].Step)
					e.signal(answer, cmk.Resolution{By: alice})
					if answer == cmk.SignalSkip { // a cluster that is still paused is left out as well
						e.once(func(s cmk.Status) bool { return awaits(cmk.AwaitingDecision)(s) && s.Awaiting[0].Step != c.step }, func(cmk.Status) {
							e.signal(answer, cmk.Resolution{By: alice})
						})
					}
				})
				o := e.end()
				require.Empty(t, o.failed, o.report.Problem)
				if answer == cmk.SignalRetry {
					require.Equal(t, e.request.SearchNodes, e.project().SearchNodes)
					for _, cl := range e.project().Clusters {
						require.True(t, onKey(cl), cl.Name)
					}
				}
			})
		}
	}
}

// The status tells at every moment where the project stands, and the report where the change has left it.
func TestStateOfAProjectThatIsEnabled(t *testing.T) {
	t.Parallel()
	up := []cmk.ProjectState{cmk.StateOff, cmk.StateAllOff, cmk.StateSomeOff, cmk.StateOn}
	for name, c := range map[string]struct {
		start   string
		request func(*cmk.EnableRequest)
		phase   cmk.Phase
		want    []cmk.ProjectState
	}{
		"from nothing":     {startNothing, nil, cmk.PhaseDone, up},
		"some clusters":    {startNothing, func(r *cmk.EnableRequest) { r.Clusters.Names = clusterNames()[:1] }, cmk.PhaseDone, up[:3]},
		"through a window": {startPublic, nil, cmk.PhaseDone, []cmk.ProjectState{cmk.StatePublic, cmk.StateWindow, cmk.StateOn}},
		"window left open": {startNoPath, nil, cmk.PhaseDone, []cmk.ProjectState{cmk.StateWindow, cmk.StateOn}},
		"taken back": {startNothing, func(r *cmk.EnableRequest) {
			r.Approval.Mode, r.Deadlines.Approval = cmk.ApproveUse, cmk.Duration(time.Hour)
		},
			cmk.PhaseCompensated, []cmk.ProjectState{cmk.StateOff, cmk.StateAllOff, cmk.StateOff}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnabling(t, c.start, nil)
			if c.request != nil {
				c.request(&e.request)
			}
			e.request.PlanApproval = true
			var told []cmk.ProjectState
			e.once(awaits(cmk.AwaitingPlanApproval), func(s cmk.Status) {
				told = append(told, s.State)
				e.signal(cmk.SignalApprove, cmk.Decision{By: alice})
			})
			e.once(func(s cmk.Status) bool {
				if s.State != "" {
					told = append(told, s.State)
				}
				return false
			}, nil)
			o := e.end()
			require.Equal(t, c.phase, o.report.Phase, o.report.Problem)
			require.Equal(t, c.want, slices.Compact(append(told, o.report.State)))
		})
	}
}

// A project that is not found as it was asked for, once all has been switched, waits for a person: it is looked at again, or
// the change stops with its report.
func TestPeopleAreAskedAboutWhatIsNotVerified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil   func(*enabling)
		alarmed int
	}{
		"not to be read": {func(e *enabling) {
			require.NoError(e.t, e.world.Faults.Add(fault.Rule{Operation: "getGroupEncryptionAtRest", Kind: fault.Status, Status: 403, Times: 1}))
		}, 0},
		"nodes were without the key": {func(e *enabling) {
			e.act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyARN})
			e.tell(atlassim.Act{Kind: atlassim.CheckKeys})
			e.act(sim.Act{Act: atlassim.Act{Kind: sim.EnableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyARN})
			e.tell(atlassim.Act{Kind: atlassim.CheckKeys})
		}, 1},
	} {
		for _, answer := range []string{cmk.SignalRetry, cmk.SignalAbort} {
			t.Run(name+"/"+answer, func(t *testing.T) {
				t.Parallel()
				e := newEnabling(t, startReady, nil)
				e.request.Clusters.Names = clusterNames()[:1]
				e.once(awaits(cmk.AwaitingCluster), func(cmk.Status) { c.spoil(e) })
				e.once(awaits(cmk.AwaitingDecision), func(s cmk.Status) {
					require.Equal(t, "verification", s.Awaiting[0].Step)
					e.signal(answer, cmk.Resolution{By: alice, Step: "verification"})
				})
				o := e.end()
				require.Len(t, found(o.report, cmk.FindingKeyAlarm), c.alarmed)
				if answer == cmk.SignalAbort {
					require.Equal(t, cmk.ErrAborted, o.failed)
					require.Equal(t, cmk.PhaseStopped, o.report.Phase)
					return
				}
				require.Empty(t, o.failed, o.report.Problem)
				require.True(t, o.report.Verified)
			})
		}
	}
}

// An endpoint through which a cluster reaches its key cannot be rejected: it stays, and people choose whether the change goes on
// with it or ends.
func TestPeopleChooseWhatBecomesOfARejectionInUse(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"signal", "update"} {
		for _, answer := range []string{cmk.SignalRetry, cmk.SignalAbort} {
			t.Run(how+"/"+answer, func(t *testing.T) {
				t.Parallel()
				e := newEnabling(t, startSome, nil)
				e.request.Approval.Mode = cmk.ApproveUse
				e.once(awaits(cmk.AwaitingEndpointApproval), func(cmk.Status) {
					send := e.signal
					if how == "update" {
						send = e.update
					}
					send(cmk.SignalRejectEndpoint, cmk.Decision{By: bob, Region: "US_EAST_1"})
					e.signal(cmk.SignalApproveEndpoint, cmk.Decision{By: alice, Region: cmk.AllRegions})
				})
				asked := false
				e.once(awaits(cmk.AwaitingDecision), func(s cmk.Status) {
					asked = true
					require.Equal(t, "rejected endpoint", s.Awaiting[0].Step)
					require.Empty(t, e.writes(), "nothing more is put on the key meanwhile")
					e.signal(answer, cmk.Resolution{By: alice})
				})
				o := e.end()
				require.True(t, asked)
				require.Equal(t, cmk.RefusedInUse, o.report.Refusals[0].Code)
				require.Len(t, e.project().Endpoints, len(regions()))
				if answer == cmk.SignalAbort {
					require.Equal(t, cmk.ErrAborted, o.failed, o.report.Problem)
					return
				}
				require.Empty(t, o.failed, o.report.Problem)
			})
		}
	}
}

// Of clusters that are resumed together, those that were before another was refused are told, once, whatever people say.
func TestClustersThatWereResumedAreTold(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{cmk.SignalRetry, cmk.SignalSkip} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			e := newEnabling(t, startReady, func(c *sim.Config) {
				for i := range c.Atlas.Projects[0].Clusters {
					c.Atlas.Projects[0].Clusters[i].Paused = true
				}
			})
			e.request.ResumePaused = true
			require.NoError(t, e.world.Faults.Add(fault.Rule{Operation: "updateGroupCluster", Kind: fault.Status, Status: 403, After: 1, Times: 1}))
			e.once(awaits(cmk.AwaitingDecision), func(s cmk.Status) {
				require.Len(t, s.Writes, 1)
				e.signal(answer, cmk.Resolution{By: alice})
				if answer == cmk.SignalSkip { // the cluster that is still paused is left out
					e.once(func(now cmk.Status) bool {
						return awaits(cmk.AwaitingDecision)(now) && now.Awaiting[0].Step != s.Awaiting[0].Step
					}, func(cmk.Status) {
						e.signal(answer, cmk.Resolution{By: alice})
					})
				}
			})
			o := e.end()
			require.Empty(t, o.failed, o.report.Problem)
			var resumed []string
			for _, w := range o.report.Writes {
				if w.Operation == "resume cluster" {
					resumed = append(resumed, w.Object)
				}
			}
			require.Len(t, slices.Compact(slices.Sorted(slices.Values(resumed))), len(resumed))
			require.Len(t, resumed, map[string]int{cmk.SignalRetry: 2, cmk.SignalSkip: 1}[answer])
		})
	}
}
