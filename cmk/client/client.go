// Package client starts, watches and decides on the changes of atlas-cmk from Go. It is a thin layer over the Temporal
// SDK: what it does, any Temporal client in any language can do with the plain JSON of package cmk.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Client drives changes in one Temporal namespace. It is safe for concurrent use.
type Client struct {
	temporal client.Client
}

// New is a client over a connection, which stays the caller's to close.
func New(temporal client.Client) *Client { return &Client{temporal: temporal} }

// Run names one run of a workflow. An empty RunID means the latest.
type Run struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId,omitempty"`
}

// StartOptions are the choices of whoever starts a change.
type StartOptions struct {
	// WorkflowID is cmk.WorkflowID of the project if empty; of a dry run, PlanID.
	WorkflowID string
	// Memo is kept with the workflow, for whoever lists it: a ticket, a team. No secrets.
	Memo map[string]any
}

// PlanID is the workflow id of a dry run: it is another than a change's, so that one can be planned while another runs.
func PlanID(projectID string) string { return cmk.WorkflowID(projectID) + "-plan" }

// memoRequester is the key of the requester in a workflow's memo.
const memoRequester = "requester"

// Enable starts EnableWithPrivateEndpoints. The request is validated first, a *cmk.InvalidRequestError says what is wrong
// with it; an *AlreadyRunningError, that a workflow of this id runs.
func (c *Client) Enable(ctx context.Context, request cmk.EnableRequest, o StartOptions) (Run, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return Run{}, fmt.Errorf("write the request: %w", err)
	}
	if request, err = cmk.DecodeEnable(text); err != nil {
		return Run{}, err
	}
	return c.start(ctx, enableOptions(request, o), cmk.EnableWithPrivateEndpoints, request)
}

func enableOptions(request cmk.EnableRequest, o StartOptions) client.StartWorkflowOptions {
	options := client.StartWorkflowOptions{
		ID:                       o.WorkflowID,
		TaskQueue:                cmk.TaskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		// Without it, starting a workflow that runs already would quietly give back that one.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            "Enable customer-managed keys for Atlas project " + request.ProjectID,
		StaticDetails:                            enableDetails(request),
		Memo:                                     map[string]any{},
	}
	for k, v := range o.Memo {
		options.Memo[k] = v
	}
	if request.Requester != "" {
		options.Memo[memoRequester] = request.Requester
	}
	if options.ID == "" {
		options.ID = cmk.WorkflowID(request.ProjectID)
	}
	if request.DryRun {
		options.StaticSummary = "Plan to enable customer-managed keys for Atlas project " + request.ProjectID
		if o.WorkflowID == "" {
			options.ID = PlanID(request.ProjectID)
			// A dry run writes nothing, so that an earlier one that still waits for a worker can make way.
			options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
		}
	}
	return options
}

func enableDetails(request cmk.EnableRequest) string {
	details := fmt.Sprintf("Key `%s` in %s, reached over private endpoints.", request.Key, request.KeyRegion)
	if request.Requester != "" {
		details += fmt.Sprintf(" Asked for by %s.", request.Requester)
	}
	return details
}

func (c *Client) start(ctx context.Context, o client.StartWorkflowOptions, workflowType string, input any) (Run, error) {
	run, err := c.temporal.ExecuteWorkflow(ctx, o, workflowType, input)
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &already) {
		return Run{}, &AlreadyRunningError{Run{WorkflowID: o.ID, RunID: already.RunId}}
	}
	if err != nil {
		return Run{}, fmt.Errorf("start %s: %w", workflowType, err)
	}
	return Run{WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}

// Cancel asks a change to end. Before its first cluster is switched it takes back what it did, unless its request says
// otherwise; after that it finishes the cluster in flight.
func (c *Client) Cancel(ctx context.Context, workflowID string) error {
	return c.explain(ctx, workflowID, c.temporal.CancelWorkflow(ctx, workflowID, ""))
}
