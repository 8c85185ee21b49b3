package e2e

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// A run that is reset, to any point, while it is open or after its end, either comes to the same end or refuses to write;
// run again, the change ends verified. Nothing is done twice in any case.
func TestResetConvergesOrRefuses(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{true, false} {
		for _, at := range []float64{0, 0.3, 0.6, 0.95} {
			t.Run(fmt.Sprintf("open-%t-at-%.0f%%", open, 100*at), func(t *testing.T) {
				t.Parallel()
				convergesWhenReset(t, open, func(tasks []int64) int64 { return tasks[int(at*float64(len(tasks)-1))] })
			})
		}
	}
}

// convergesWhenReset resets an enable, while it waits for approvals or after its end, to the workflow task that is picked.
func convergesWhenReset(t *testing.T, open bool, pick func(tasks []int64) int64) {
	t.Helper()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(nil)
	if open {
		s.until(run, "waiting for approval", waitingForApproval)
	} else {
		s.approveAll(run)
		_, failed := s.result(run)
		require.Empty(t, failed)
	}
	s.reset(run, pick(s.workflowTasks(run)))
	again := s.temporal.GetWorkflow(t.Context(), run.GetID(), "")
	s.act(atlassim.Act{Kind: atlassim.Approve})
	err := s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalApproveEndpoint, cmk.Decision{By: "approver", Region: cmk.AllRegions})
	var ended *serviceerror.NotFound // it may have been refused by now
	require.True(t, err == nil || errors.As(err, &ended), "%v", err)
	report, failed := s.outcome(again)
	if failed != "" {
		require.Equal(t, cmk.ErrLeaseLost, failed, report.Problem)
		again = s.enable(nil)
		s.approveAll(again)
		report, failed = s.outcome(again)
	}
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	once(t, s.writes())
	require.Empty(t, s.world.Violations())
}

// workflowTasks are the events with which the run's workflow tasks were completed: what it can be reset to.
func (s *stage) workflowTasks(run client.WorkflowRun) []int64 {
	s.t.Helper()
	var tasks []int64
	for _, e := range s.history(run).Events {
		if e.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			tasks = append(tasks, e.EventId)
		}
	}
	return tasks
}

// reset takes a run back to one of its workflow tasks.
func (s *stage) reset(run client.WorkflowRun, task int64) {
	s.t.Helper()
	_, err := s.temporal.ResetWorkflowExecution(s.t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: s.namespace, WorkflowExecution: &common.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()}, Reason: "test",
		WorkflowTaskFinishEventId: task, RequestId: uuid.NewString(),
	})
	require.NoError(s.t, err)
}
