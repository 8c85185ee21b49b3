// Package client starts, watches and decides on the changes of atlas-cmk from Go. It is a thin layer over the Temporal
// SDK: what it does, any Temporal client in any language can do with the plain JSON of package cmk.
package client

import (
	"context"

	"go.temporal.io/sdk/client"
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

// Cancel asks a change to end. Before its first cluster is switched it takes back what it did, unless its request says
// otherwise; after that it finishes the cluster in flight.
func (c *Client) Cancel(ctx context.Context, workflowID string) error {
	return c.explain(ctx, workflowID, c.temporal.CancelWorkflow(ctx, workflowID, ""))
}
