package activities

import (
	"context"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// OpenRuns are the open change and watch of a project: who knows of approvals.
type OpenRuns struct {
	Statuses []cmk.Status `json:"statuses,omitempty"`
	// Silent are the workflow ids of those that did not answer.
	Silent []string `json:"silent,omitempty"`
}

// answerWithin is how long a run is given to answer.
const answerWithin = 4 * time.Second

// ReadOpenRuns asks the open change of a project, told by its lease, and its watch where they stand.
func (a *Temporal) ReadOpenRuns(ctx context.Context, in ProjectInput) (*OpenRuns, error) {
	holder, err := a.FindLeaseHolder(ctx, LeaseInput{LeaseID: cmk.LeaseID(in.ProjectID)})
	if err != nil {
		return nil, err
	}
	var ids []string
	watch := cmk.WatchID(in.ProjectID)
	if holder.Open && holder.ChangeOpen && holder.Holder.WorkflowID != watch {
		ids = append(ids, holder.Holder.WorkflowID)
	}
	watching, err := describe(ctx, a.client, watch, "")
	if err != nil {
		return nil, err
	}
	if watching != nil && watching.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		ids = append(ids, watch)
	}
	out := &OpenRuns{}
	for _, id := range ids {
		status, err := a.statusOf(ctx, id)
		if err != nil {
			out.Silent = append(out.Silent, id)
			continue
		}
		out.Statuses = append(out.Statuses, *status)
	}
	return out, nil
}

func (a *Temporal) statusOf(ctx context.Context, id string) (*cmk.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	answer, err := a.client.QueryWorkflow(ctx, id, "", cmk.QueryStatus)
	if err != nil {
		return nil, err
	}
	var status cmk.Status
	return &status, answer.Get(&status)
}
