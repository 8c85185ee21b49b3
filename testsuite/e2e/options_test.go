package e2e

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// In read-only mode the worker shows the documents and waits; what it shows, put in place by somebody else, works.
func TestIAMRoleThatOthersPrepare(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(func(r *cmk.EnableRequest) {
		r.Role = cmk.RoleRequest{Mode: cmk.RoleReadOnly, Name: grownRoleName}
		r.Clusters.None = true
		r.Deadlines.Propagation = cmk.Duration(1e9)
	})
	awaitsIAM := func(st cmk.Status) bool {
		return slices.ContainsFunc(st.Awaiting, func(w cmk.Wait) bool { return w.For == cmk.AwaitingIAM })
	}
	st := s.until(run, "waiting for the IAM role", awaitsIAM)
	require.Len(t, st.Documents, 2)
	ready := func() {
		require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalIAMReady, cmk.Resolution{By: "iam team"}))
	}
	// Said too early: Atlas cannot assume a role that is not there, and the change asks again.
	ready()
	s.until(run, "asking again", func(st cmk.Status) bool { return awaitsIAM(st) && st.Problem != "" })

	require.NoError(t, s.world.Act(sim.Act{Act: atlassim.Act{Kind: sim.CreateRole}, Role: grownRoleARN, Policy: st.Documents[0].Text}))
	require.NoError(t, s.world.Act(sim.Act{Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: grownRoleARN, Name: "by-hand", Policy: st.Documents[1].Text}))
	ready()
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Empty(t, report.Documents)
	for _, w := range s.writes() {
		require.NotContains(t, w, "iam:", "nothing is written in IAM")
	}
	s.record(run, "enable-read-only-iam")
}

// A key that lacks a replica is refused, unless it may be replicated; the new replica is used like the others.
func TestMissingReplicaIsMade(t *testing.T) {
	t.Parallel()
	config := sim.DefaultConfig()
	key := &config.AWS.Accounts[0].Keys[0]
	key.Replicas = slices.DeleteFunc(key.Replicas, func(r awssim.Replica) bool { return r.Region == "eu-west-1" })
	s := newStage(t, shared, sim.Options{World: &config})
	s.start()
	report, failed := s.result(s.enable(nil))
	require.Equal(t, cmk.ErrPreflightFailed, failed)
	require.True(t, slices.ContainsFunc(report.Findings, func(f cmk.Finding) bool { return f.Code == cmk.FindingReplicaMissing && f.Object == "EU_WEST_1" }))
	require.Empty(t, s.writes())

	run := s.enable(func(r *cmk.EnableRequest) { r.Replicas = cmk.ReplicasCreate })
	s.until(run, "waiting for approval", waitingForApproval)
	s.addCluster()
	s.approveAll(run)
	s.answer(run, "clusters that have come since", cmk.SignalSkip)
	report, failed = s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Equal(t, cmk.SystemKMS, report.Writes[0].System)
	require.Len(t, report.Clusters, 4)
	once(t, s.writes())
	s.record(run, "enable-replica-made-cluster-left")
}

// addCluster has somebody create a cluster, in a region that is among those that are covered.
func (s *stage) addCluster() {
	s.t.Helper()
	s.act(atlassim.Act{Kind: atlassim.AddCluster, Add: &atlassim.Cluster{Name: "added", Regions: []atlassim.Region{{Name: "EU_WEST_1", Electable: 3}}}})
}

// answer waits until people are asked about a step, and says what they say.
func (s *stage) answer(run client.WorkflowRun, step, signal string) {
	s.t.Helper()
	s.until(run, "asking about "+step, func(st cmk.Status) bool { return askingPerson(st) && st.Awaiting[0].Step == step })
	require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), run.GetID(), "", signal, cmk.Resolution{By: "ann", Step: step}))
}

// Paused clusters are resumed, search nodes follow, and a cluster that somebody has created meanwhile is taken along. People are
// asked about whatever is refused past the point of no return, the verification included.
func TestPausedClusterIsResumedAndSearchNodesFollow(t *testing.T) {
	t.Parallel()
	config := sim.DefaultConfig()
	paused := &config.Atlas.Projects[0].Clusters[1]
	paused.Paused = true
	config.Faults = []fault.Rule{
		{System: "atlas", Operation: "updateGroupCluster", Kind: fault.Status, Status: 403, Times: 1},
		{System: "atlas", Operation: "updateGroupEncryptionAtRest", Kind: fault.Status, Status: 403, After: 2, Times: 1}, // after the key, and networking
	}
	s := newStage(t, shared, sim.Options{World: &config})
	s.start()
	report, failed := s.result(s.enable(nil))
	require.Equal(t, cmk.ErrPreflightFailed, failed, report.Problem)

	run := s.enable(func(r *cmk.EnableRequest) { r.ResumePaused, r.SearchNodes, r.Parallel = true, true, 4 })
	s.approveAll(run)
	s.answer(run, "resume "+paused.Name, cmk.SignalRetry)
	s.until(run, "asking about the search nodes", askingPerson)
	s.addCluster()
	s.answer(run, "put search nodes on the key", cmk.SignalRetry)
	s.until(run, "asking about the cluster that has come", func(st cmk.Status) bool { return askingPerson(st) && strings.Contains(st.Awaiting[0].What, "added") })
	for _, kind := range []string{sim.DisableKey, sim.EnableKey} {
		require.NoError(t, s.world.Act(sim.Act{Act: atlassim.Act{Kind: kind, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyARN}))
		s.act(atlassim.Act{Kind: atlassim.CheckKeys})
	}
	s.answer(run, "clusters that have come since", cmk.SignalRetry)
	s.answer(run, "verification", cmk.SignalRetry)
	report, failed = s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Len(t, report.Clusters, 5)
	for _, c := range report.Clusters {
		require.True(t, c.Done, c.Name)
	}
	require.True(t, slices.ContainsFunc(report.Findings, func(f cmk.Finding) bool { return f.Code == cmk.FindingKeyAlarm }))
	require.True(t, s.world.State().Atlas.Projects[0].SearchNodes)
	s.record(run, "enable-resumed-search-asked-about-everything")
}

// Two people must approve, by signal or by update, and neither may be who asked. They are asked again through the webhook
// until they have. A cluster with backups has a first snapshot taken once it is on the key.
func TestTwoPeopleApprove(t *testing.T) {
	t.Parallel()
	config := sim.DefaultConfig()
	for i := range config.Atlas.Projects[0].Clusters {
		config.Atlas.Projects[0].Clusters[i].Backup = true
	}
	received := &inbox{}
	receiver := httptest.NewServer(received)
	t.Cleanup(receiver.Close)
	s := newStage(t, shared, sim.Options{World: &config})
	s.env["ATLAS_CMK_WEBHOOK_URL"], s.env["ATLAS_CMK_WEBHOOK_SECRET"] = receiver.URL, webhookSecret
	s.start()
	run := s.enable(func(r *cmk.EnableRequest) {
		r.Approval.Approvers, r.Approval.Reminder, r.Clusters.Names, r.SnapshotDays = 2, cmk.Duration(time.Second), []string{sim.ClusterEast}, 7
	})
	s.until(run, "waiting for approval", waitingForApproval)
	for _, who := range []string{"requester", "ann", "ann"} {
		require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalApproveEndpoint, cmk.Decision{By: who, Region: cmk.AllRegions}))
	}
	st := s.until(run, "told off", func(st cmk.Status) bool { return len(st.Refusals) == 2 })
	require.Equal(t, cmk.RefusedRequester, st.Refusals[0].Code)
	require.Equal(t, cmk.RefusedRepeated, st.Refusals[1].Code)
	require.True(t, waitingForApproval(st))
	// What cannot be read neither counts nor hurts.
	require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalApproveEndpoint, "yes"))
	require.Eventually(t, func() bool {
		return received.has(func(n cmk.Notification) bool {
			return n.Reminder && n.WorkflowID == run.GetID() && len(n.Asked) == 3 && n.Asked[0].Signal == cmk.SignalApproveEndpoint
		})
	}, patience, 50*time.Millisecond, "nobody is asked again")
	// By update, the answer comes at once, and says of one endpoint that it has been approved.
	one := endpointIn(st, "EU_WEST_1")
	err := s.update(run, cmk.SignalApproveEndpoint, cmk.Decision{By: "ann", Endpoint: one.ID})
	require.ErrorContains(t, err, cmk.RefusedRepeated)
	require.NoError(t, s.update(run, cmk.SignalApproveEndpoint, cmk.Decision{By: "ben", Endpoint: one.ID}))
	st, err = s.status(run)
	require.NoError(t, err)
	require.Equal(t, cmk.ApprovalApproved, endpointIn(st, "EU_WEST_1").Approval)
	require.Equal(t, cmk.ApprovalWaiting, endpointIn(st, "US_EAST_1").Approval)
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.Len(t, report.Endpoints[0].Votes, 2)
	require.Len(t, report.Clusters, 1)
	written := slices.IndexFunc(report.Writes, func(w cmk.Write) bool {
		return w.Operation == "take an on-demand snapshot" && w.Object == sim.ClusterEast
	})
	require.GreaterOrEqual(t, written, 0, "%+v", report.Writes)
	taken := slices.DeleteFunc(s.writes(), func(w string) bool { return !strings.Contains(w, "napshot") })
	require.Len(t, taken, 1, "%v", s.writes())
	s.record(run, "enable-two-people-one-by-update")
}

// Regions are asked for before anything is created in them, where that is the policy.
func TestApprovalBeforeCreation(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(func(r *cmk.EnableRequest) { r.Approval.Mode, r.Clusters.None = cmk.ApproveCreate, true })
	st := s.until(run, "waiting for approval", waitingForApproval)
	for _, e := range st.Endpoints {
		require.Empty(t, e.ID)
	}
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	s.record(run, "enable-approved-before-creation")
}
