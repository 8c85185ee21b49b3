package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// WatchesInput names projects of an organization.
type WatchesInput struct {
	OrganizationID string           `json:"organizationId"`
	Projects       []string         `json:"projects"`
	Options        cmk.WatchOptions `json:"options,omitzero"`
}

// memoOrganization is in the memo of a watch that was begun on an organization's account. It outlives that the watch
// continues as new.
const memoOrganization = "organization"

// between is the time from the start of one watch to that of the next, so that a thousand do not begin at once.
const between = 50 * time.Millisecond

// KeepWatches begins a watch of each project that has none open. One that somebody else has begun is left as it is.
func (a *Temporal) KeepWatches(ctx context.Context, in WatchesInput) error {
	starter := client.New(a.client)
	tick := time.NewTicker(between)
	defer tick.Stop()
	for _, id := range in.Projects {
		_, err := starter.StartWatch(ctx, cmk.WatchRequest{ProjectID: id, WatchOptions: in.Options},
			client.StartOptions{Memo: map[string]any{memoOrganization: in.OrganizationID}})
		var running *client.AlreadyRunningError
		switch {
		case errors.As(err, &running):
			continue
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// EndWatches cancels the watches of projects that were begun on the organization's account.
func (a *Temporal) EndWatches(ctx context.Context, in WatchesInput) error {
	for _, id := range in.Projects {
		watch, err := describe(ctx, a.client, cmk.WatchID(id), "")
		if err != nil {
			return err
		}
		info := watch.GetWorkflowExecutionInfo()
		var account string
		memo := info.GetMemo().GetFields()[memoOrganization]
		if info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING || memo == nil ||
			converter.GetDefaultDataConverter().FromPayload(memo, &account) != nil || account != in.OrganizationID {
			continue
		}
		err = a.client.CancelWorkflow(ctx, cmk.WatchID(id), "")
		var gone *serviceerror.NotFound
		if err != nil && !errors.As(err, &gone) {
			return err
		}
	}
	return nil
}
