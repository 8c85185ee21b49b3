package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Temporal is the server that runs the workflows, asked about leases.
type Temporal struct {
	client client.Client
}

// NewTemporal makes the activities on Temporal itself.
func NewTemporal(c client.Client) *Temporal { return &Temporal{client: c} }

// LeaseHolder is who holds a lease.
type LeaseHolder struct {
	// Open is true while the lease workflow runs; RunID is its run.
	Open  bool   `json:"open"`
	RunID string `json:"runId,omitempty"`
	// Holder is the change that started it, ChangeOpen whether that change, in its current run, is still open.
	Holder     cmk.Holder `json:"holder"`
	ChangeOpen bool       `json:"changeOpen"`
}

// LeaseInput names a lease by the id of its workflow.
type LeaseInput struct {
	LeaseID string `json:"leaseId"`
}

// FindLeaseHolder looks who holds a lease.
func (a *Temporal) FindLeaseHolder(ctx context.Context, in LeaseInput) (*LeaseHolder, error) {
	lease, err := describe(ctx, a.client, in.LeaseID, "")
	if err != nil || lease == nil {
		return &LeaseHolder{}, err
	}
	info := lease.GetWorkflowExecutionInfo()
	out := &LeaseHolder{RunID: info.GetExecution().GetRunId(), Open: info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING}
	parent := info.GetParentExecution()
	if !out.Open || parent == nil {
		return out, nil
	}
	out.Holder = cmk.Holder{WorkflowID: parent.GetWorkflowId(), RunID: parent.GetRunId(), Since: info.GetStartTime().AsTime().Format(time.RFC3339)}
	// The current run: after a reset, the run that started the lease is closed and another goes on in its place.
	change, err := describe(ctx, a.client, parent.GetWorkflowId(), "")
	if err != nil || change == nil {
		return out, err
	}
	current := change.GetWorkflowExecutionInfo()
	out.Holder.RunID = current.GetExecution().GetRunId()
	out.Holder.WorkflowType = current.GetType().GetName()
	out.ChangeOpen = current.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	return out, nil
}

// EndLeaseInput names one run of a lease.
type EndLeaseInput struct {
	Lease  Lease  `json:"lease"`
	Reason string `json:"reason"`
}

// EndLease terminates a run of a lease; that it has ended already is no error.
func (a *Temporal) EndLease(ctx context.Context, in EndLeaseInput) error {
	err := a.client.TerminateWorkflow(ctx, in.Lease.WorkflowID, in.Lease.RunID, in.Reason)
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return nil
	}
	return err
}

// ObserveLease returns once nobody holds the lease; until then it fails with NotReady.
func (a *Temporal) ObserveLease(ctx context.Context, in LeaseInput) error {
	holder, err := a.FindLeaseHolder(ctx, in)
	if err != nil {
		return err
	}
	if holder.Open && holder.ChangeOpen {
		return notReady(time.Second, "%s is held by workflow %s", in.LeaseID, holder.Holder.WorkflowID)
	}
	return nil
}

// Leases checks leases by asking the server.
type Leases struct {
	client client.Client
}

// NewLeases makes the checker of leases.
func NewLeases(c client.Client) *Leases { return &Leases{client: c} }

// Check refuses a write whose lease has ended.
func (l *Leases) Check(ctx context.Context, lease Lease) error {
	run, err := describe(ctx, l.client, lease.WorkflowID, lease.RunID)
	if err != nil {
		return err
	}
	if run == nil || run.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return final(cmk.ErrLeaseLost, "the lease %s has ended: nothing is written without it", lease.WorkflowID)
	}
	return nil
}

// describe asks for a workflow execution; nil when there is none.
func describe(ctx context.Context, c client.Client, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	got, err := c.DescribeWorkflowExecution(ctx, id, runID)
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return nil, nil
	}
	return got, err
}
