package activities

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
)

// Snapshot is a backup that needs what its cluster used at the time.
type Snapshot struct {
	ProjectID string    `json:"projectId"`
	Cluster   string    `json:"cluster"`
	ID        string    `json:"id,omitempty"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// Window is true of a window of point-in-time restores rather than a snapshot.
	Window bool `json:"window,omitempty"`
}

// Backups are the backups of a project from before a time.
type Backups struct {
	Count int `json:"count"`
	// Until is when the last of them that is listed expires; zero when there is none. Snapshots of deleted clusters are
	// not listed, so that it means "at least until".
	Until time.Time `json:"until,omitzero"`
	// Some are the longest-lived of them.
	Some []Snapshot `json:"some,omitempty"`
}

// BackupsInput names a project and a time.
type BackupsInput struct {
	ProjectID string    `json:"projectId"`
	Before    time.Time `json:"before"`
	// Patient bears an Atlas that does not answer for as long as the step has; otherwise it is given up soon.
	Patient bool `json:"patient,omitempty"`
}

// most is how many backups are listed by name.
const most = 50

// ReadBackups lists the snapshots and the point-in-time windows of a project's clusters that reach back before a time and
// may need a customer-managed key to be restored.
func (a *Atlas) ReadBackups(ctx context.Context, in BackupsInput) (*Backups, error) {
	patience := silence
	if in.Patient {
		patience = bear
	}
	clusters, err := a.described(ctx, in.ProjectID)
	if err != nil {
		return nil, unlessSilentFor(ctx, a.pace.clock(), patience, err)
	}
	found, err := ofEach(ctx, a.pace.clock(), patience, slices.Collect(maps.Keys(clusters)), func(ctx context.Context, name string) ([]Snapshot, error) {
		return a.backupsOf(ctx, in, clusters[name])
	})
	if err != nil {
		return nil, err
	}
	return summed(found), nil
}

// backups does so within a step that has more to do.
func (a *Atlas) backups(ctx context.Context, in BackupsInput) (*Backups, error) {
	clusters, err := a.described(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	found, err := each(ctx, slices.Collect(maps.Keys(clusters)), func(ctx context.Context, name string) ([]Snapshot, error) {
		return a.backupsOf(ctx, in, clusters[name])
	})
	if err != nil {
		return nil, err
	}
	return summed(found), nil
}

// summed are the backups of all clusters, those that stay longest first.
func summed(found map[string][]Snapshot) *Backups {
	var all []Snapshot
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name]...)
	}
	slices.SortStableFunc(all, func(x, y Snapshot) int { return y.ExpiresAt.Compare(x.ExpiresAt) })
	out := &Backups{Count: len(all), Some: all[:min(len(all), most)]}
	if len(all) > 0 {
		out.Until = all[0].ExpiresAt
	}
	return out
}

// described are a project's clusters as Atlas describes them, by name.
func (a *Atlas) described(ctx context.Context, projectID string) (map[string]*admin.ClusterDescription20240805, error) {
	all := map[string]*admin.ClusterDescription20240805{}
	for page := 1; ; page++ {
		got, response, err := a.api.ClustersApi.ListClusters(ctx, projectID).ItemsPerPage(pageSize).PageNum(page).Execute()
		if err != nil {
			return nil, atlasError(err, response, "list the clusters of project %s", projectID)
		}
		for _, c := range got.GetResults() {
			all[c.GetName()] = &c
		}
		if len(got.GetResults()) < pageSize {
			return all, nil
		}
	}
}

// backupsOf lists those of one cluster. Once they have expired Atlas lists them no more, or with a time that has passed.
func (a *Atlas) backupsOf(ctx context.Context, in BackupsInput, c *admin.ClusterDescription20240805) ([]Snapshot, error) {
	all, err := a.allSnapshots(ctx, in.ProjectID, c)
	if err != nil {
		return nil, err
	}
	var out []Snapshot
	now := a.pace.clock().Now()
	for _, s := range all {
		if s.created.Before(in.Before) && s.expires.After(now) {
			out = append(out, Snapshot{ProjectID: in.ProjectID, Cluster: c.GetName(), ID: s.id, ExpiresAt: s.expires.UTC()})
		}
	}
	if !c.GetPitEnabled() {
		return out, nil
	}
	days, err := a.restoreWindow(ctx, in.ProjectID, c.GetName())
	if err != nil {
		return nil, err
	}
	if end := in.Before.AddDate(0, 0, days).UTC(); end.After(now) {
		out = append(out, Snapshot{ProjectID: in.ProjectID, Cluster: c.GetName(), ExpiresAt: end, Window: true})
	}
	return out, nil
}

func (a *Atlas) allSnapshots(ctx context.Context, projectID string, c *admin.ClusterDescription20240805) ([]backup, error) {
	if kind := c.GetClusterType(); kind != "" && kind != "REPLICASET" {
		return a.shardedSnapshots(ctx, projectID, c.GetName())
	}
	return a.snapshots(ctx, projectID, c.GetName())
}

// backup is what the lists of replica sets and of sharded clusters have in common.
type backup struct {
	id, description  string
	created, expires time.Time
}

// undated is for how long a snapshot without a date of expiry, such as one that is being taken, counts as needed before it
// is looked at again.
const undated = time.Hour

func (a *Atlas) backupOf(id, description string, created, expires time.Time) backup {
	if expires.IsZero() {
		expires = a.pace.clock().Now().Add(undated)
	}
	return backup{id, description, created, expires}
}

func (a *Atlas) snapshots(ctx context.Context, projectID, cluster string) ([]backup, error) {
	var all []backup
	for page := 1; ; page++ {
		got, response, err := a.api.CloudBackupsApi.ListBackupSnapshots(ctx, projectID, cluster).ItemsPerPage(pageSize).PageNum(page).Execute()
		if err != nil {
			return nil, atlasError(err, response, "list the snapshots of cluster %s", cluster)
		}
		for _, s := range got.GetResults() {
			if s.GetStatus() != "failed" {
				all = append(all, a.backupOf(s.GetId(), s.GetDescription(), s.GetCreatedAt(), s.GetExpiresAt()))
			}
		}
		if len(got.GetResults()) < pageSize {
			return all, nil
		}
	}
}

// shardedSnapshots lists those of a sharded cluster, all at once: that list has no pages.
func (a *Atlas) shardedSnapshots(ctx context.Context, projectID, cluster string) ([]backup, error) {
	got, response, err := a.api.CloudBackupsApi.ListBackupShardedClusters(ctx, projectID, cluster).Execute()
	if err != nil {
		return nil, atlasError(err, response, "list the snapshots of cluster %s", cluster)
	}
	var all []backup
	for _, s := range got.GetResults() {
		if s.GetStatus() != "failed" {
			all = append(all, a.backupOf(s.GetId(), s.GetDescription(), s.GetCreatedAt(), s.GetExpiresAt()))
		}
	}
	return all, nil
}

// defaultRestoreWindow is Atlas's own, in days.
const defaultRestoreWindow = 7

// restoreWindow is how many days back a cluster can be restored to any point in time.
func (a *Atlas) restoreWindow(ctx context.Context, projectID, cluster string) (int, error) {
	schedule, response, err := a.api.CloudBackupsApi.GetBackupSchedule(ctx, projectID, cluster).Execute()
	if response != nil && response.StatusCode == http.StatusNotFound {
		return defaultRestoreWindow, nil
	}
	if err != nil {
		return 0, atlasError(err, response, "read the backup schedule of cluster %s", cluster)
	}
	return max(schedule.GetRestoreWindowDays(), 1), nil
}
