package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Approve approves the plan; see Send.
func (c *Client) Approve(ctx context.Context, workflowID string, d cmk.Decision) (*cmk.Status, error) {
	return c.Send(ctx, workflowID, cmk.SignalApprove, d)
}

// Reject rejects the plan; see Send.
func (c *Client) Reject(ctx context.Context, workflowID string, d cmk.Decision) (*cmk.Status, error) {
	return c.Send(ctx, workflowID, cmk.SignalReject, d)
}

// ApproveEndpoint approves one endpoint, a region's, or all; see Send.
func (c *Client) ApproveEndpoint(ctx context.Context, workflowID string, d cmk.Decision) (*cmk.Status, error) {
	return c.Send(ctx, workflowID, cmk.SignalApproveEndpoint, d)
}

// RejectEndpoint rejects one endpoint, a region's, or all; see Send. Atlas deletes a rejected endpoint.
func (c *Client) RejectEndpoint(ctx context.Context, workflowID string, d cmk.Decision) (*cmk.Status, error) {
	return c.Send(ctx, workflowID, cmk.SignalRejectEndpoint, d)
}

// Resolve says what to do with a step that waits for a person: signal is cmk.SignalRetry, cmk.SignalSkip, cmk.SignalAbort
// or cmk.SignalIAMReady; see Send.
func (c *Client) Resolve(ctx context.Context, workflowID, signal string, r cmk.Resolution) (*cmk.Status, error) {
	return c.Send(ctx, workflowID, signal, r)
}

// Restore ends a change before its point of no return and has everything put back; see Send. It is for the ways out, and
// for a retirement once the access key is Inactive.
func (c *Client) Restore(ctx context.Context, workflowID string, r cmk.Resolution) (*cmk.Status, error) {
	return c.Send(ctx, workflowID, cmk.SignalRestore, r)
}

// Stop ends such a change where it stands, in a state that its report names; see Send.
func (c *Client) Stop(ctx context.Context, workflowID string, r cmk.Resolution) (*cmk.Status, error) {
	return c.Send(ctx, workflowID, cmk.SignalStop, r)
}

// Send delivers a decision as an update: the change answers whether it took it, and the status is the change's after it.
// name is one of cmk's signals, payload a cmk.Decision or cmk.Resolution. An error is a *RefusedError when the change did
// not take the decision, *NoAnswerError when no worker answered in ctx's time, *NotFoundError or *ClosedError when there is no such
// change to decide on.
func (c *Client) Send(ctx context.Context, workflowID, name string, payload any) (*cmk.Status, error) {
	handle, err := c.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: name, Args: []any{payload}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return nil, c.explain(ctx, workflowID, refusal(err))
	}
	var status cmk.Status
	if err := handle.Get(ctx, &status); err != nil {
		return nil, c.explain(ctx, workflowID, refusal(err))
	}
	return &status, nil
}

// Signal delivers a decision as a signal: it is kept until a worker takes it, however long that is, and nobody answers; a
// decision that is not taken is found among the status's refusals. An error is *NotFoundError or *ClosedError, or of the connection.
func (c *Client) Signal(ctx context.Context, workflowID, name string, payload any) error {
	return c.explain(ctx, workflowID, c.temporal.SignalWorkflow(ctx, workflowID, "", name, payload))
}

// refusal is err as a *RefusedError, if that is what a change answered: an application error whose type is the code.
func refusal(err error) error {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !slices.Contains(refusalCodes(), app.Type()) {
		return err
	}
	// The message begins with the code, for clients that show nothing else.
	return &RefusedError{Code: app.Type(), Why: strings.TrimPrefix(app.Message(), app.Type()+": ")}
}

func refusalCodes() []string {
	return []string{
		cmk.RefusedUnreadable, cmk.RefusedNameMissing, cmk.RefusedRequester, cmk.RefusedRepeated, cmk.RefusedUnknown,
		cmk.RefusedOtherPlan, cmk.RefusedNothingWaits, cmk.RefusedInUse, cmk.RefusedDecided, cmk.RefusedPastPivot,
	}
}
