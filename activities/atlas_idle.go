package activities

import (
	"context"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// IdleInput names a project whose clusters are to be at rest.
type IdleInput struct {
	ProjectID string    `json:"projectId"`
	Until     time.Time `json:"until,omitzero"`
}

// ObserveIdle returns once every cluster of the project is IDLE or paused, and the project uses no access key; until the
// former it fails with NotReady, without the latter with ErrForeign.
func (a *Atlas) ObserveIdle(ctx context.Context, in IdleInput) error {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	if now.Enabled && now.RoleID == "" {
		return final(cmk.ErrForeign, "project %s still uses its key through access key %s", in.ProjectID, now.AccessKeyID)
	}
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	return a.atRest(ctx, clusters, in.Until)
}
