package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

const (
	project = "64b7f0c2a1b2c3d4e5f60718"
	key     = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	id      = "cmk-" + project
)

func request() cmk.EnableRequest {
	return cmk.EnableRequest{ProjectID: project, Key: key, Requester: "dana"}
}

func TestEnableStartsUnderTheRecommendedID(t *testing.T) {
	t.Parallel()
	var options sdk.StartWorkflowOptions
	var sent cmk.EnableRequest
	temporalClient, run := &mocks.Client{}, &mocks.WorkflowRun{}
	run.On("GetID").Return(id)
	run.On("GetRunID").Return("run-1")
	temporalClient.On("ExecuteWorkflow", mock.Anything, mock.Anything, cmk.EnableWithPrivateEndpoints, mock.Anything).
		Run(func(args mock.Arguments) {
			options, sent = args.Get(1).(sdk.StartWorkflowOptions), args.Get(3).(cmk.EnableRequest)
		}).Return(run, nil)

	got, err := client.New(temporalClient).Enable(t.Context(), request(), client.StartOptions{Memo: map[string]any{"ticket": "CHG-1"}})
	require.NoError(t, err)
	require.Equal(t, client.Run{WorkflowID: id, RunID: "run-1"}, got)
	require.Equal(t, id, options.ID)
	require.Equal(t, cmk.TaskQueue, options.TaskQueue)
	require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL, options.WorkflowIDConflictPolicy)
	require.Equal(t, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, options.WorkflowIDReusePolicy)
	require.True(t, options.WorkflowExecutionErrorWhenAlreadyStarted)
	require.Equal(t, map[string]any{"requester": "dana", "ticket": "CHG-1"}, options.Memo)
	require.Contains(t, options.StaticSummary, project)
	require.Contains(t, options.StaticDetails, key)
	require.Equal(t, "US_EAST_1", sent.KeyRegion, "the request is completed before it is sent, so that history records the defaults")
}

func TestADryRunRunsBesideAChange(t *testing.T) {
	t.Parallel()
	var options sdk.StartWorkflowOptions
	temporalClient, run := &mocks.Client{}, &mocks.WorkflowRun{}
	run.On("GetID").Return(client.PlanID(project))
	run.On("GetRunID").Return("run-1")
	temporalClient.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).
		Run(func(args mock.Arguments) { options = args.Get(1).(sdk.StartWorkflowOptions) }).Return(run, nil)
	r := request()
	r.DryRun = true
	_, err := client.New(temporalClient).Enable(t.Context(), r, client.StartOptions{})
	require.NoError(t, err)
	require.Equal(t, client.PlanID(project), options.ID)
	require.NotEqual(t, id, options.ID)
	require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING, options.WorkflowIDConflictPolicy)
}

func TestEnableRefuses(t *testing.T) {
	t.Parallel()
	t.Run("an invalid request, before anything is sent", func(t *testing.T) {
		t.Parallel()
		_, err := client.New(&mocks.Client{}).Enable(t.Context(), cmk.EnableRequest{}, client.StartOptions{})
		var invalid *cmk.InvalidRequestError
		require.ErrorAs(t, err, &invalid)
	})
	t.Run("a second change of the same id", func(t *testing.T) {
		t.Parallel()
		temporalClient := &mocks.Client{}
		temporalClient.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).
			Return(nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already", "request", "run-0"))
		_, err := client.New(temporalClient).Enable(t.Context(), request(), client.StartOptions{})
		var already *client.AlreadyRunningError
		require.ErrorAs(t, err, &already)
		require.Equal(t, client.Run{WorkflowID: id, RunID: "run-0"}, already.Run)
	})
}

// described is a client that knows one workflow, in a status.
func described(status enums.WorkflowExecutionStatus) *mocks.Client {
	c := &mocks.Client{}
	c.On("DescribeWorkflowExecution", mock.Anything, id, mock.Anything).Return(&workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{Status: status},
	}, nil)
	return c
}

func TestSend(t *testing.T) {
	t.Parallel()
	decision := cmk.Decision{By: "alex", Region: "all"}
	for name, test := range map[string]struct {
		temporal *mocks.Client
		answer   error
		// want is the error as the client has it; nil where the decision is taken.
		want error
	}{
		"taken": {&mocks.Client{}, nil, nil},
		"refused": {
			&mocks.Client{}, temporal.NewApplicationError("REQUESTER: who asked for a change cannot approve it", cmk.RefusedRequester),
			&client.RefusedError{Code: cmk.RefusedRequester, Why: "who asked for a change cannot approve it"},
		},
		"too late": {
			&mocks.Client{}, temporal.NewApplicationError("PAST_PIVOT: a cluster has left the key", cmk.RefusedPastPivot),
			&client.RefusedError{Code: cmk.RefusedPastPivot, Why: "a cluster has left the key"},
		},
		"ended": {
			described(enums.WORKFLOW_EXECUTION_STATUS_COMPLETED), serviceerror.NewNotFound("workflow execution already completed"),
			&client.ClosedError{WorkflowID: id, How: "Completed"},
		},
		"no worker": {
			&mocks.Client{}, sdk.NewWorkflowUpdateServiceTimeoutOrCanceledError(context.DeadlineExceeded),
			&client.NoAnswerError{Cause: sdk.NewWorkflowUpdateServiceTimeoutOrCanceledError(context.DeadlineExceeded)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handle := &mocks.WorkflowUpdateHandle{}
			handle.On("Get", mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
				*args.Get(1).(*cmk.Status) = cmk.Status{Phase: cmk.PhaseEndpoints}
			}).Return(test.answer)
			test.temporal.On("UpdateWorkflow", mock.Anything, mock.MatchedBy(func(o sdk.UpdateWorkflowOptions) bool {
				return o.WorkflowID == id && o.UpdateName == cmk.SignalApproveEndpoint && o.WaitForStage == sdk.WorkflowUpdateStageCompleted
			})).Return(handle, nil)
			status, err := client.New(test.temporal).ApproveEndpoint(t.Context(), id, decision)
			require.Equal(t, test.want, err)
			if err == nil {
				require.Equal(t, cmk.PhaseEndpoints, status.Phase)
			}
		})
	}
}

func TestSignalToNobody(t *testing.T) {
	t.Parallel()
	temporalClient := &mocks.Client{}
	temporalClient.On("SignalWorkflow", mock.Anything, "nobody", "", cmk.SignalApprove, mock.Anything).Return(serviceerror.NewNotFound("no"))
	temporalClient.On("DescribeWorkflowExecution", mock.Anything, "nobody", "").Return(nil, serviceerror.NewNotFound("no"))
	err := client.New(temporalClient).Signal(t.Context(), "nobody", cmk.SignalApprove, cmk.Decision{By: "alex"})
	var unknown *client.NotFoundError
	require.ErrorAs(t, err, &unknown)
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	temporalClient := &mocks.Client{}
	temporalClient.On("DescribeTaskQueue", mock.Anything, cmk.TaskQueue, enums.TASK_QUEUE_TYPE_WORKFLOW).
		Return(&workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueue.PollerInfo{{}, {}}}, nil)
	n, err := client.New(temporalClient).Workers(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

// arrived is an error as it arrives from a server, where details are JSON.
func arrived(err error) error {
	converter := temporal.GetDefaultFailureConverter()
	return converter.FailureToError(converter.ErrorToFailure(err))
}

// ending is a client whose run ends in an error, or with a report.
func ending(err error) *mocks.Client {
	c, run := &mocks.Client{}, &mocks.WorkflowRun{}
	run.On("Get", mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		if err == nil {
			*args.Get(1).(*cmk.Report) = cmk.Report{Verified: true}
		}
	}).Return(err)
	c.On("GetWorkflow", mock.Anything, id, mock.Anything).Return(run)
	return c
}

func TestWaitReturnsWhatTheRunEndedWith(t *testing.T) {
	t.Parallel()
	report := cmk.Report{Status: cmk.Status{Workflow: cmk.EnableWithPrivateEndpoints, Phase: cmk.PhaseCompensated}}
	failure := func(errorType string, details ...any) error {
		return arrived(temporal.NewApplicationErrorWithOptions("why", errorType, temporal.ApplicationErrorOptions{NonRetryable: true, Details: details}))
	}
	wait := func(t *testing.T, c *mocks.Client) (*cmk.Report, error) {
		t.Helper()
		return client.New(c).Wait(t.Context(), client.Run{WorkflowID: id}, client.Watch{})
	}
	t.Run("a report", func(t *testing.T) {
		t.Parallel()
		got, err := wait(t, ending(nil))
		require.NoError(t, err)
		require.True(t, got.Verified)
	})
	t.Run("a failure with its report", func(t *testing.T) {
		t.Parallel()
		_, err := wait(t, ending(failure(cmk.ErrRejected, report)))
		var failed *client.FailedError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, cmk.ErrRejected, failed.Type)
		require.Equal(t, "why", failed.Message)
		require.Equal(t, cmk.PhaseCompensated, failed.Report.Phase)
	})
	t.Run("a failure without one", func(t *testing.T) {
		t.Parallel()
		_, err := wait(t, ending(failure(cmk.ErrInvalidRequest, []cmk.Problem{{Field: "key"}})))
		var failed *client.FailedError
		require.ErrorAs(t, err, &failed)
		require.Nil(t, failed.Report)
	})
	t.Run("a project that is busy", func(t *testing.T) {
		t.Parallel()
		_, err := wait(t, ending(failure(cmk.ErrProjectBusy, cmk.Holder{WorkflowID: "other"})))
		var busy *client.BusyError
		require.ErrorAs(t, err, &busy)
		require.Equal(t, "other", busy.Holder.WorkflowID)
	})
	t.Run("a cancellation with its report", func(t *testing.T) {
		t.Parallel()
		_, err := wait(t, ending(arrived(temporal.NewCanceledError(report))))
		var failed *client.FailedError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, client.Canceled, failed.Type)
		require.NotNil(t, failed.Report)
	})
	t.Run("no such workflow", func(t *testing.T) {
		t.Parallel()
		_, err := wait(t, ending(serviceerror.NewNotFound("no")))
		var unknown *client.NotFoundError
		require.ErrorAs(t, err, &unknown)
	})
}

func TestWaitShowsTheStatusAndWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	c, run, answer := &mocks.Client{}, &mocks.WorkflowRun{}, &mocks.Value{}
	over := make(chan time.Time)
	run.On("Get", mock.Anything, mock.Anything).WaitUntil(over).Return(nil)
	c.On("GetWorkflow", mock.Anything, id, "").Return(run)
	answer.On("Get", mock.Anything).Run(func(args mock.Arguments) { args.Get(0).(*cmk.Status).Phase = cmk.PhaseClusters }).Return(nil)
	c.On("QueryWorkflow", mock.Anything, id, "", cmk.QueryStatus).Return(nil, serviceerror.NewFailedPrecondition("no poller")).Once()
	c.On("QueryWorkflow", mock.Anything, id, "", cmk.QueryStatus).Return(answer, nil)
	var silences []error
	_, err := client.New(c).Wait(t.Context(), client.Run{WorkflowID: id}, client.Watch{
		Every:  time.Millisecond,
		Silent: func(err error) { silences = append(silences, err) },
		Status: func(s cmk.Status) {
			if s.Phase == cmk.PhaseClusters && over != nil {
				close(over)
				over = nil
			}
		},
	})
	require.NoError(t, err)
	require.Len(t, silences, 1)
	var silent *client.NoAnswerError
	require.ErrorAs(t, silences[0], &silent)
}

func TestWaitFollowsAReset(t *testing.T) {
	t.Parallel()
	c, first, second := &mocks.Client{}, &mocks.WorkflowRun{}, &mocks.WorkflowRun{}
	first.On("Get", mock.Anything, mock.Anything).Return(&temporal.TerminatedError{})
	second.On("Get", mock.Anything, mock.Anything).Return(nil)
	c.On("GetWorkflow", mock.Anything, id, "run-1").Return(first)
	c.On("GetWorkflow", mock.Anything, id, "run-2").Return(second)
	c.On("DescribeWorkflowExecution", mock.Anything, id, "run-1").Return(&workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExtendedInfo: &workflow.WorkflowExecutionExtendedInfo{ResetRunId: "run-2"},
	}, nil)
	_, err := client.New(c).Wait(t.Context(), client.Run{WorkflowID: id, RunID: "run-1"}, client.Watch{})
	require.NoError(t, err)
}

func TestWaitOutlivesAnOutageAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := client.New(ending(serviceerror.NewUnavailable("gone"))).Wait(ctx, client.Run{WorkflowID: id}, client.Watch{
		Silent: func(error) { cancel() },
	})
	require.ErrorIs(t, err, context.Canceled)
}

func TestStatusOfAClosedRunNeedsNoWorker(t *testing.T) {
	t.Parallel()
	report := cmk.Report{Status: cmk.Status{Workflow: cmk.EnableWithPrivateEndpoints, Phase: cmk.PhaseStopped}}
	c := ending(arrived(temporal.NewApplicationErrorWithOptions("why", cmk.ErrAborted, temporal.ApplicationErrorOptions{Details: []any{report}})))
	c.On("QueryWorkflow", mock.Anything, id, "", cmk.QueryStatus).Return(nil, serviceerror.NewFailedPrecondition("no poller"))
	c.On("DescribeWorkflowExecution", mock.Anything, id, mock.Anything).Return(&workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{Status: enums.WORKFLOW_EXECUTION_STATUS_FAILED},
	}, nil)
	status, err := client.New(c).Status(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, cmk.PhaseStopped, status.Phase)
}

func TestErrorsSayWhatIsTheMatter(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&client.AlreadyRunningError{Run: client.Run{WorkflowID: "x"}}, &client.ClosedError{WorkflowID: "x", How: "Failed"},
		&client.NotFoundError{WorkflowID: "x"}, &client.RefusedError{Code: "x"},
	} {
		require.Contains(t, err.Error(), "x")
	}
	require.Contains(t, (&client.NoAnswerError{Cause: errors.New("y")}).Error(), cmk.TaskQueue)
}
