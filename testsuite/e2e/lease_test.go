package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// A change whose lease somebody ends writes nothing more, not even to take back what it did: another change may hold the
// project by now. Run again, it goes on from there.
func TestLeaseEndedByHandStopsTheChange(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(nil)
	s.until(run, "waiting for approval", waitingForApproval)
	before := len(s.writes())
	require.NoError(t, s.temporal.TerminateWorkflow(t.Context(), cmk.LeaseID(sim.ProjectA), "", "test"))
	s.approveAll(run)
	s.until(run, "waiting for a person", func(st cmk.Status) bool { return st.Ended != nil })
	report, failed := s.outcome(run)
	require.Equal(t, cmk.ErrLeaseLost, failed)
	require.Equal(t, cmk.PhaseStopped, report.Phase)
	require.Len(t, s.writes(), before)

	again := s.enable(nil)
	s.approveAll(again)
	report, failed = s.result(again)
	require.Empty(t, failed, report.Problem)
	once(t, s.writes())
}

// Whatever way a change ends, its lease ends with it, and the next change is let in.
func TestLeaseEndsWithItsChange(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *stage, run client.WorkflowRun){
		"terminated": func(s *stage, run client.WorkflowRun) {
			require.NoError(s.t, s.temporal.TerminateWorkflow(s.t.Context(), run.GetID(), "", "test"))
		},
		"cancelled": func(s *stage, run client.WorkflowRun) {
			require.NoError(s.t, s.temporal.CancelWorkflow(s.t.Context(), run.GetID(), ""))
			_, _ = s.outcome(run)
		},
		"rejected": func(s *stage, run client.WorkflowRun) {
			require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), run.GetID(), "", cmk.SignalRejectEndpoint, cmk.Decision{By: "approver", Region: "us-east-1"}))
			_, _ = s.outcome(run)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{})
			s.start()
			run := s.enable(nil)
			s.until(run, "waiting for approval", waitingForApproval)
			end(s, run)
			require.Eventually(t, func() bool { return !s.open(cmk.LeaseID(sim.ProjectA)) }, patience, 5*time.Millisecond)
			again := s.enable(func(r *cmk.EnableRequest) { r.Clusters.None = true })
			s.approveAll(again)
			report, failed := s.result(again)
			require.Empty(t, failed, report.Problem)
		})
	}
}

// Of changes of one project that are started at once, one goes on and the others are refused.
func TestOneOfManyChangesHoldsTheProject(t *testing.T) {
	t.Parallel()
	const challengers = 5
	s := newStage(t, shared, sim.Options{})
	s.start()
	s.ready()
	var all sync.WaitGroup
	outcomes := make([]string, challengers)
	for i := range challengers {
		run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "challenger-" + string(rune('a'+i)), TaskQueue: cmk.TaskQueue},
			cmk.EnableWithPrivateEndpoints, cmk.EnableRequest{
				ProjectID: sim.ProjectA, Key: awssim.MultiRegionKeyARN, Clusters: cmk.ClusterSelection{None: true},
				Approval: cmk.ApprovalPolicy{Mode: cmk.ApproveProvider},
			})
		require.NoError(t, err)
		all.Go(func() { _, outcomes[i] = s.outcome(run) })
	}
	all.Wait()
	counts := map[string]int{}
	for _, o := range outcomes {
		counts[o]++
	}
	require.GreaterOrEqual(t, counts[""], 1, "%v", counts)
	require.Equal(t, challengers, counts[""]+counts[cmk.ErrProjectBusy], "%v", counts)
	once(t, s.writes())
	require.Empty(t, s.world.Violations())
}

// open says whether the current run of a workflow is open.
func (s *stage) open(id string) bool {
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	got, err := s.temporal.DescribeWorkflowExecution(ctx, id, "")
	return err == nil && got.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
}

// Of two changes of one project that begin in the same moment, of different types too, one goes on, and the other is told
// which.
func TestTwoChallengers(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil)})
	s.start()
	s.ready()
	runs := make(chan client.WorkflowRun, 2)
	for workflow, request := range map[string]any{
		cmk.SafeDisableCMK:           cmk.DisableRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA}},
		cmk.DisablePrivateNetworking: cmk.NetworkingRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA}},
	} {
		go func() {
			run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "challenger-" + workflow, TaskQueue: cmk.TaskQueue}, workflow, request)
			assert.NoError(t, err)
			runs <- run
		}()
	}
	a, b := <-runs, <-runs
	ended := make(chan client.WorkflowRun, 2)
	for _, run := range []client.WorkflowRun{a, b} {
		go func() {
			_ = run.Get(t.Context(), nil)
			ended <- run
		}()
	}
	loser, winner := <-ended, a
	if loser == a {
		winner = b
	}
	var busy *temporal.ApplicationError
	require.ErrorAs(t, loser.Get(t.Context(), nil), &busy)
	require.Equal(t, cmk.ErrProjectBusy, busy.Type())
	var holder cmk.Holder
	require.NoError(t, busy.Details(&holder))
	require.Equal(t, winner.GetID(), holder.WorkflowID)
	require.Equal(t, winner.GetRunID(), holder.RunID)
	s.until(winner, "waiting for its plan's approval", arrived(cmk.PhasePlanApproval))
	require.Empty(t, s.writes())
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), winner.GetID(), ""))
	s.result(winner)
}
