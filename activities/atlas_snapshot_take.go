package activities

import (
	"context"
	"slices"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
)

// TakeSnapshotInput asks for a snapshot of a cluster, to be kept for some days. Its description tells it from all others.
type TakeSnapshotInput struct {
	Lease       Lease  `json:"lease"`
	ProjectID   string `json:"projectId"`
	Cluster     string `json:"cluster"`
	Days        int    `json:"days"`
	Description string `json:"description"`
}

// TakeSnapshot asks Atlas for an on-demand snapshot, unless one of that description is there. It does not wait for it.
func (a *Atlas) TakeSnapshot(ctx context.Context, in TakeSnapshotInput) error {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return err
	}
	c, response, err := a.api.ClustersApi.GetCluster(ctx, in.ProjectID, in.Cluster).Execute()
	if err != nil {
		return atlasError(err, response, "read cluster %s", in.Cluster)
	}
	all, err := a.allSnapshots(ctx, in.ProjectID, c)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(s backup) bool { return s.description == in.Description }) {
		return nil
	}
	_, response, err = a.api.CloudBackupsApi.TakeSnapshots(ctx, in.ProjectID, in.Cluster,
		&admin.DiskBackupOnDemandSnapshotRequest{Description: &in.Description, RetentionInDays: &in.Days}).Execute()
	return atlasError(err, response, "take a snapshot of cluster %s", in.Cluster)
}
