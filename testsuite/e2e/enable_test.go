package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// The main job, from nothing to verified. Its worker watches itself for data races.
func TestEnableFromNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, built(t, "-race"), sim.Options{})
	races := filepath.Join(t.TempDir(), "races")
	s.env["GORACE"] = "log_path=" + races
	s.start()
	run := s.enable(nil)
	s.until(run, "waiting for approval alone", func(st cmk.Status) bool {
		return len(st.Awaiting) > 0 && !slices.ContainsFunc(st.Awaiting, func(w cmk.Wait) bool { return w.For != cmk.AwaitingEndpointApproval })
	})
	require.Zero(t, s.eventsWhileLooking(run, "listGroupEncryptionAtRestPrivateEndpoints", 3), "waiting makes no history")
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	s.boundedHistory(run, 3, 4)
	s.record(run, "enable-from-nothing")
	require.True(t, report.Verified)
	require.Equal(t, cmk.PhaseDone, report.Phase)
	require.True(t, report.Final.Valid)
	require.Equal(t, awssim.MultiRegionKeyARN, report.Final.Key)
	require.Len(t, report.Endpoints, 3)
	for _, e := range report.Endpoints {
		require.Equal(t, cmk.EndpointActive, e.Status)
		require.Equal(t, cmk.ApprovalApproved, e.Approval)
	}
	require.Len(t, report.Clusters, 4)
	for _, c := range report.Clusters {
		require.True(t, c.Done)
		require.Equal(t, cmk.ProviderAWS, c.Provider)
	}
	require.Len(t, report.Writes, len(s.writes()))

	before := len(s.writes())
	again := s.enable(nil)
	report, failed = s.result(again)
	require.Empty(t, failed, report.Problem)
	require.Empty(t, report.Writes)
	require.Len(t, s.writes(), before, "a finished change that is run again writes nothing")
	s.record(again, "enable-done-already")
	require.NoError(t, s.worker.Stop())
	seen, err := filepath.Glob(races + "*")
	require.NoError(t, err)
	require.Empty(t, seen, "data races")
}

// A project of one region and one cluster. Its key is given by an alias, which is resolved once: Atlas is told the key itself.
func TestEnableTheSmallestProject(t *testing.T) {
	t.Parallel()
	config := sim.DefaultConfig()
	config.Atlas.Durations.ResyncNode = world.Always(2 * time.Hour) // seconds, here, in which a busy machine looks some times
	p := &config.Atlas.Projects[0]
	p.Clusters = p.Clusters[1:2]
	s := newStage(t, shared, sim.Options{World: &config})
	s.start()
	run := s.enable(func(r *cmk.EnableRequest) { r.Key, r.KeyRegion = awssim.MultiRegionKeyAlias, "us-east-1" })
	s.until(run, "waiting for approval", askedFor(cmk.AwaitingEndpointApproval))
	s.approveAll(run)
	s.until(run, "waiting for the cluster", func(st cmk.Status) bool {
		return len(st.Clusters) == 1 && st.Clusters[0].State == cmk.ClusterUpdating
	})
	require.Zero(t, s.eventsWhileLooking(run, "listGroupClusters", 4), "a history does not grow with time")
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.Equal(t, awssim.MultiRegionKeyARN, s.project().Encryption.Key)
	s.record(run, "enable-smallest")
	s.boundedHistory(run, 1, 1)
}

// A run that was terminated while a cluster re-syncs leaves that to the next, which follows it to its end.
func TestReSyncOfATerminatedRunIsFollowed(t *testing.T) {
	t.Parallel()
	config := sim.DefaultConfig()
	config.Atlas.Durations.ResyncNode = world.Always(2 * time.Hour) // seconds, here
	p := &config.Atlas.Projects[0]
	p.Clusters = p.Clusters[1:2]
	s := newStage(t, shared, sim.Options{World: &config})
	s.start()
	first := s.enable(nil)
	s.approveAll(first)
	s.until(first, "waiting for the cluster", func(st cmk.Status) bool {
		return len(st.Clusters) == 1 && st.Clusters[0].State == cmk.ClusterUpdating
	})
	require.NoError(t, s.temporal.TerminateWorkflow(t.Context(), first.GetID(), "", "test"))
	before := len(s.writes())
	next := s.enable(nil)
	report, failed := s.result(next)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Clusters[0].Done)
	require.Len(t, s.writes(), before)
	s.record(next, "enable-follows-a-re-sync")
}

// boundedHistory bounds the events of an enable.
func (s *stage) boundedHistory(run client.WorkflowRun, regions, clusters int) {
	s.t.Helper()
	const one, further = 100, 12
	require.LessOrEqual(s.t, len(s.history(run).Events), one+further*(regions+clusters-2))
}

// eventsWhileLooking counts the events by which a history grows while something is looked at some times, by an operation of
// Atlas.
func (s *stage) eventsWhileLooking(run client.WorkflowRun, operation string, looks int) int {
	s.t.Helper()
	count := func() (n int) {
		for _, e := range s.world.Journal.Entries() {
			if e.Operation == operation {
				n++
			}
		}
		return n
	}
	looked := count()
	require.Eventually(s.t, func() bool { return count() > looked }, patience, 20*time.Millisecond)
	before, looked := len(s.history(run).Events), count()
	require.Eventually(s.t, func() bool { return count() >= looked+looks }, patience, 20*time.Millisecond)
	return len(s.history(run).Events) - before
}

// The worker is killed in the middle of every phase and started again: the run ends as if nothing had happened, and
// nothing is done twice.
func TestWorkerKilledInEveryPhase(t *testing.T) {
	t.Parallel()
	for _, phase := range []cmk.Phase{cmk.PhaseRole, cmk.PhaseEncryption, cmk.PhaseEndpoints, cmk.PhaseClusters} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{})
			s.start()
			run := s.enable(nil)
			s.approveAll(run)
			s.until(run, "in phase "+string(phase), reached(phase))
			s.worker.Kill()
			s.start()
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			once(t, s.writes())
			s.record(run, "enable-killed-in-"+string(phase))
		})
	}
}

// once requires that nothing was written twice; the project's setting is written for the key, and again for networking.
func once(t *testing.T, writes []string) {
	t.Helper()
	seen := map[string]int{}
	for _, w := range writes {
		seen[w]++
		most := 1
		if strings.HasPrefix(w, "updateGroupEncryptionAtRest ") {
			most = 2
		}
		require.LessOrEqual(t, seen[w], most, "%s: %v", w, writes)
	}
}

func TestRejectedEndpointTakesEverythingBack(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	before := s.readable()
	run := s.enable(nil)
	s.until(run, "waiting for approval", waitingForApproval)
	require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalRejectEndpoint, cmk.Decision{By: "approver", Region: "eu-west-1"}))
	report, failed := s.result(run)
	require.Equal(t, cmk.ErrRejected, failed)
	s.record(run, "enable-endpoint-rejected")
	require.Equal(t, cmk.PhaseCompensated, report.Phase)
	require.Equal(t, before, s.readable())
}

func TestCancelTakesEverythingBack(t *testing.T) {
	t.Parallel()
	for _, phase := range []cmk.Phase{cmk.PhaseRole, cmk.PhaseEncryption, cmk.PhaseNetworking, cmk.PhaseEndpoints} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{})
			s.start()
			before := s.readable()
			run := s.enable(nil)
			s.until(run, "in phase "+string(phase), reached(phase))
			require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			report, failed := s.result(run)
			require.Equal(t, "Canceled", failed)
			s.record(run, "enable-cancelled-in-"+string(phase))
			require.Equal(t, cmk.PhaseCompensated, report.Phase)
			require.Equal(t, before, s.readable())
		})
	}
}

func TestPlanIsApprovedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(func(r *cmk.EnableRequest) { r.PlanApproval, r.Clusters.None = true, true })
	st := s.until(run, "waiting for the plan's approval", func(st cmk.Status) bool { return st.Phase == cmk.PhasePlanApproval })
	require.Empty(t, s.writes())

	update := func(d cmk.Decision) error { return s.update(run, cmk.SignalApprove, d) }
	require.ErrorContains(t, update(cmk.Decision{By: "requester"}), cmk.RefusedRequester)
	require.ErrorContains(t, update(cmk.Decision{By: "ann", Plan: "another"}), cmk.RefusedOtherPlan)
	require.NoError(t, update(cmk.Decision{By: "ann", Plan: st.Plan.Hash}))
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Empty(t, report.Clusters)
	s.record(run, "enable-plan-approved-no-clusters")
}

func TestDryRunReturnsThePlanAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(func(r *cmk.EnableRequest) { r.DryRun = true })
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.Equal(t, cmk.PhasePlanned, report.Phase)
	require.Len(t, report.Plan.Steps, 14)
	require.Equal(t, 14, report.Plan.Writes())
	require.Empty(t, s.writes())
	s.record(run, "enable-dry-run")
}

func TestPreflightNamesEverythingAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(func(r *cmk.EnableRequest) {
		r.Key = awssim.SingleRegionKeyARN
		r.Role.Mode = cmk.RoleAdopt
		r.Role.Name = "none"
	})
	report, failed := s.result(run)
	require.Equal(t, cmk.ErrPreflightFailed, failed)
	require.Equal(t, cmk.PhaseRefused, report.Phase)
	codes := map[cmk.FindingCode]int{}
	for _, f := range report.Findings {
		if f.Severity == cmk.SeverityError {
			codes[f.Code]++
		}
	}
	require.Equal(t, map[cmk.FindingCode]int{cmk.FindingKeySingleRegion: 2, cmk.FindingRoleMissing: 1}, codes)
	require.Empty(t, s.writes())
	s.record(run, "enable-preflight-failed")
}

func TestSecondChangeOfAProjectIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	first := s.enable(nil)
	s.until(first, "waiting for approval", waitingForApproval)
	second, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "another", TaskQueue: cmk.TaskQueue},
		cmk.EnableWithPrivateEndpoints, cmk.EnableRequest{ProjectID: sim.ProjectA, Key: awssim.MultiRegionKeyARN})
	require.NoError(t, err)
	_, failed := s.outcome(second)
	require.Equal(t, cmk.ErrProjectBusy, failed)
	s.record(second, "enable-project-busy")
	s.record(s.temporal.GetWorkflow(t.Context(), cmk.LeaseID(sim.ProjectA), ""), "lease-held")

	// Terminated, a change leaves no lease behind, and the next one finishes its work.
	before := len(s.writes())
	require.NoError(t, s.temporal.TerminateWorkflow(t.Context(), first.GetID(), "", "test"))
	third := s.enable(nil)
	s.approveAll(third)
	report, failed := s.result(third)
	require.Empty(t, failed, report.Problem)
	once(t, s.writes())
	require.Len(t, s.writes(), before+4, "only the clusters were left")
	s.record(third, "enable-after-terminate")
}

func TestWrongInputIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{AllowMismatches: true})
	s.start()
	for name, c := range map[string]struct {
		input any
		want  string
		says  string
	}{
		"no-input":        {nil, cmk.ErrInvalidRequest, "missing"},
		"unknown-field":   {map[string]any{"projectID": "x"}, cmk.ErrInvalidRequest, "projectId"},
		"unknown-project": {cmk.EnableRequest{ProjectID: strings.Repeat("f", 24), Key: awssim.MultiRegionKeyARN}, "GROUP_NOT_FOUND", "check the project id"},
		"missing-key":     {cmk.EnableRequest{ProjectID: sim.ProjectA, Key: "alias/none", KeyRegion: "us-east-1"}, cmk.ErrPreflightFailed, "alias/none"},
	} {
		run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: name, TaskQueue: cmk.TaskQueue}, cmk.EnableWithPrivateEndpoints, c.input)
		require.NoError(t, err)
		_, failed := s.result(run)
		require.Equal(t, c.want, failed, name)
		err = run.Get(t.Context(), nil)
		require.ErrorContains(t, err, c.says)
		require.NotContains(t, err.Error(), "\n")
		s.record(run, "enable-refused-"+name)
	}
	require.Empty(t, s.writes())
}

// reached is true in a phase and in those that follow it: a short one may be over between two looks.
func reached(phase cmk.Phase) func(cmk.Status) bool {
	order := []cmk.Phase{cmk.PhasePreflight, cmk.PhaseRole, cmk.PhaseEncryption, cmk.PhaseNetworking, cmk.PhaseEndpoints, cmk.PhaseClusters, cmk.PhaseVerification, cmk.PhaseDone}
	return func(st cmk.Status) bool { return slices.Index(order, st.Phase) >= slices.Index(order, phase) }
}
