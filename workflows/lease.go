package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

const signalRelease = "release"

// Lease is held by running. A change starts it as a child under an id that names what is leased, so that there can be
// one at a time; and when the change closes, however it does, the server ends it. Cancellation does not end it, for a
// channel does not heed that: a change that is cancelled still needs it, to take back what it did.
func Lease(ctx workflow.Context) error {
	workflow.GetSignalChannel(ctx, signalRelease).Receive(ctx, nil)
	return nil
}

// lease is a lease held by this run.
type lease struct {
	activities.Lease
	child workflow.ChildWorkflowFuture
}

// acquire takes a lease. When another open change holds it, acquire fails with ErrProjectBusy, or with wait set waits
// for it. A lease left by a run that has closed, or by this workflow before it was reset, is ended and taken over.
func acquire(ctx workflow.Context, id string, wait bool) (*lease, error) {
	// Not the caller's context: were the child to be cancelled with it, the compensation would run without a lease.
	apart, _ := workflow.NewDisconnectedContext(ctx)
	for {
		child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(apart, workflow.ChildWorkflowOptions{
			WorkflowID:        id,
			ParentClosePolicy: enums.PARENT_CLOSE_POLICY_TERMINATE,
			StaticSummary:     "held by " + workflow.GetInfo(ctx).WorkflowExecution.ID,
		}), cmk.LeaseWorkflow)
		var run workflow.Execution
		err := child.GetChildWorkflowExecution().Get(apart, &run)
		if err == nil {
			return &lease{activities.Lease{WorkflowID: run.ID, RunID: run.RunID}, child}, nil
		}
		if !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return nil, err
		}
		if err := contest(ctx, id, wait); err != nil {
			return nil, err
		}
	}
}

// contest makes way for a lease that was refused because there is one: it returns nil when it is worth trying again.
func contest(ctx workflow.Context, id string, wait bool) error {
	var t *activities.Temporal
	var held activities.LeaseHolder
	err := workflow.ExecuteActivity(asking(ctx, "who holds "+id), t.FindLeaseHolder, activities.LeaseInput{LeaseID: id}).Get(ctx, &held)
	if err != nil || !held.Open {
		return err
	}
	if held.ChangeOpen && held.Holder.WorkflowID != workflow.GetInfo(ctx).WorkflowExecution.ID {
		if !wait {
			return busy(held.Holder)
		}
		until := workflow.Now(ctx).Add(24 * time.Hour)
		return workflow.ExecuteActivity(observing(ctx, "wait for "+id, until), t.ObserveLease, activities.LeaseInput{LeaseID: id}).Get(ctx, nil)
	}
	return workflow.ExecuteActivity(asking(ctx, "end the lease left behind"), t.EndLease, activities.EndLeaseInput{
		Lease:  activities.Lease{WorkflowID: id, RunID: held.RunID},
		Reason: "its change has closed, or was reset",
	}).Get(ctx, nil)
}

func busy(h cmk.Holder) error {
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("the project is being changed by workflow %s (%s), run %s, since %s: wait for it to end", h.WorkflowID, h.WorkflowType, h.RunID, h.Since),
		cmk.ErrProjectBusy, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{h}})
}

// release gives a lease back before the change ends. That the message fails to arrive only means that the lease lasts
// until the change closes.
func (l *lease) release(ctx workflow.Context) {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	if err := l.child.SignalChildWorkflow(apart, signalRelease, nil).Get(apart, nil); err != nil {
		workflow.GetLogger(ctx).Warn("lease not released early", "lease", l.WorkflowID, "error", err)
	}
}
