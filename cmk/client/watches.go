package client

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// ProjectWatch is a watch of a project that is open, or of an organization.
type ProjectWatch struct {
	Run
	ProjectID string `json:"projectId"`
	// Organization is true of the watch of an organization, which has no project.
	Organization bool         `json:"organization,omitempty"`
	Started      time.Time    `json:"started"`
	Phase        cmk.Phase    `json:"phase"`
	Awaiting     cmk.Awaiting `json:"awaiting"`
}

// Watches lists the watches that are open, as Temporal's visibility shows them: what has begun or changed in the last seconds
// may be missing.
func (c *Client) Watches(ctx context.Context) ([]ProjectWatch, error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf(
		"WorkflowType IN ('%s', '%s') AND ExecutionStatus = 'Running'", cmk.WatchProject, cmk.WatchOrganization)}
	var all []ProjectWatch
	for {
		page, err := c.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the watches: %w", err)
		}
		for _, e := range page.GetExecutions() {
			attribute := func(name string) string { return text(e.GetSearchAttributes().GetIndexedFields()[name]) }
			all = append(all, ProjectWatch{
				Run:          Run{WorkflowID: e.GetExecution().GetWorkflowId(), RunID: e.GetExecution().GetRunId()},
				Organization: e.GetType().GetName() == cmk.WatchOrganization,
				ProjectID:    attribute(cmk.SearchAttributeProjectID), Started: e.GetStartTime().AsTime(),
				Phase: cmk.Phase(attribute(cmk.SearchAttributePhase)), Awaiting: cmk.Awaiting(attribute(cmk.SearchAttributeAwaiting)),
			})
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return all, nil
		}
	}
}

// text is a keyword, empty if it is none.
func text(p *common.Payload) string {
	var s string
	if p == nil || converter.GetDefaultDataConverter().FromPayload(p, &s) != nil {
		return ""
	}
	return s
}
