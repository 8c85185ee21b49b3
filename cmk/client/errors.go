package client

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// AlreadyRunningError says that a workflow of this id runs already.
type AlreadyRunningError struct{ Run Run }

func (e *AlreadyRunningError) Error() string {
	return fmt.Sprintf("workflow %s runs already (run %s)", e.Run.WorkflowID, e.Run.RunID)
}

// BusyError says that another change holds the project.
type BusyError struct {
	Holder  cmk.Holder
	Message string
}

func (e *BusyError) Error() string { return e.Message }

// RefusedError says that a change did not take a decision. Code is one of cmk's Refused codes.
type RefusedError struct{ Code, Why string }

func (e *RefusedError) Error() string { return e.Why + " (" + e.Code + ")" }

// NotFoundError says that there is no workflow of this id.
type NotFoundError struct{ WorkflowID string }

func (e *NotFoundError) Error() string { return "there is no workflow " + e.WorkflowID }

// ClosedError says that the workflow has ended, so that nothing can be decided any more.
type ClosedError struct {
	WorkflowID string
	// How it closed, in Temporal's words: Completed, Failed, Canceled, Terminated, TimedOut.
	How string
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("workflow %s has ended already (%s)", e.WorkflowID, e.How)
}

// NoAnswerError says that no worker answered in time. The cause tells what the server said, if anything.
type NoAnswerError struct{ Cause error }

func (e *NoAnswerError) Error() string {
	return "no worker answered: is one running for the task queue " + cmk.TaskQueue + "?"
}

func (e *NoAnswerError) Unwrap() error { return e.Cause }

// Types of FailedError that are not those of an application error.
const (
	Canceled   = "Canceled"
	Terminated = "Terminated"
	TimedOut   = "TimedOut"
)

// FailedError says that a change ended without completing.
type FailedError struct {
	// Type is one of cmk's Err types, a code of Atlas or AWS, or one of Canceled, Terminated and TimedOut.
	Type    string
	Message string
	// Report says what was done and how it ended; nil where the change had no chance to write one.
	Report *cmk.Report
}

func (e *FailedError) Error() string { return e.Message }

// ended is the error of a run as one of the types above.
func ended(err error) error {
	var app *temporal.ApplicationError
	var canceled *temporal.CanceledError
	var terminated *temporal.TerminatedError
	var timeout *temporal.TimeoutError
	switch {
	case errors.As(err, &app) && app.Type() == cmk.ErrProjectBusy:
		busy := &BusyError{Message: app.Message()}
		_ = app.Details(&busy.Holder) // the message names the holder too
		return busy
	case errors.As(err, &app):
		return &FailedError{Type: app.Type(), Message: app.Message(), Report: report(app.HasDetails, app.Details)}
	case errors.As(err, &canceled):
		return &FailedError{Type: Canceled, Message: "the change was cancelled", Report: report(canceled.HasDetails, canceled.Details)}
	case errors.As(err, &terminated):
		return &FailedError{Type: Terminated, Message: "the change was terminated: nothing was taken back, run it again to converge"}
	case errors.As(err, &timeout):
		return &FailedError{Type: TimedOut, Message: "the workflow timed out: nothing was taken back, run it again to converge"}
	}
	return err
}

// report reads a report out of an error's details; details of another form are no report.
func report(has func() bool, read func(...any) error) *cmk.Report {
	var r cmk.Report
	if !has() || read(&r) != nil || r.Workflow == "" {
		return nil
	}
	return &r
}

// explain gives an error of a call about a workflow the types above.
func (c *Client) explain(ctx context.Context, workflowID string, err error) error {
	var notFound *serviceerror.NotFound
	var late *client.WorkflowUpdateServiceTimeoutOrCanceledError
	var noPoller *serviceerror.FailedPrecondition
	var deadline *serviceerror.DeadlineExceeded
	switch {
	case errors.As(err, &notFound):
		// The server gives the same answer for a workflow that is unknown and one that has ended.
		if how := c.closed(ctx, workflowID); how != "" {
			return &ClosedError{WorkflowID: workflowID, How: how}
		}
		return &NotFoundError{WorkflowID: workflowID}
	case errors.As(err, &late), errors.As(err, &noPoller), errors.As(err, &deadline), errors.Is(err, context.DeadlineExceeded):
		return &NoAnswerError{Cause: err}
	}
	return err
}

// closed says how a workflow ended, or nothing.
func (c *Client) closed(ctx context.Context, workflowID string) string {
	d, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return ""
	}
	status := d.GetWorkflowExecutionInfo().GetStatus()
	if status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING || status == enums.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
		return ""
	}
	return status.String()
}
