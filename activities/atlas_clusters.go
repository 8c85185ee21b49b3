package activities

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/activity"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// ClusterState is what changes of a cluster while it is switched.
type ClusterState struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Provider string `json:"provider"`
	Paused   bool   `json:"paused,omitempty"`
	// Settled is true of a cluster that was IDLE with the same provider in more than one look.
	Settled bool `json:"settled,omitempty"`
}

// EncryptClusterInput asks for a cluster to be switched to the project's key.
type EncryptClusterInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	Cluster   string `json:"cluster"`
	// Approved are the endpoints that may be relied on.
	Approved []string `json:"approved"`
}

// EncryptCluster switches a cluster to the project's key, after it has seen in the same breath that every node will
// reach it: encryption at rest enabled and valid, private networking required, and an ACTIVE approved endpoint in each
// region where the cluster has nodes. The cluster then re-syncs, which takes as long as its data is large.
func (a *Atlas) EncryptCluster(ctx context.Context, in EncryptClusterInput) (*ClusterState, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	got, response, err := a.api.ClustersApi.GetCluster(ctx, in.ProjectID, in.Cluster).Execute()
	if err != nil {
		return nil, atlasError(err, response, "read cluster %s", in.Cluster)
	}
	c := clusterOf(got)
	if c.Provider == cmk.ProviderAWS {
		return &ClusterState{Name: c.Name, State: c.State, Provider: c.Provider, Paused: c.Paused}, nil
	}
	if c.Paused {
		return nil, final(cmk.ErrForeign, "cluster %s is paused: resume it, since a paused cluster cannot be changed", c.Name)
	}
	if c.State != cmk.ClusterIdle {
		return nil, notReady(a.wait(ctx, time.Time{}, false), "cluster %s is %s: it is switched when it is IDLE", c.Name, c.State)
	}
	if err := a.reaches(ctx, in, c); err != nil {
		return nil, err
	}
	provider := cmk.ProviderAWS
	got, response, err = a.api.ClustersApi.UpdateCluster(ctx, in.ProjectID, in.Cluster,
		&admin.ClusterDescription20240805{EncryptionAtRestProvider: &provider}).Execute()
	if err != nil {
		return nil, atlasError(err, response, "switch cluster %s to the customer-managed key", in.Cluster)
	}
	c = clusterOf(got)
	return &ClusterState{Name: c.Name, State: c.State, Provider: c.Provider, Paused: c.Paused}, nil
}

// reaches makes sure that every node of c will reach the key.
func (a *Atlas) reaches(ctx context.Context, in EncryptClusterInput, c Cluster) error {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	if !now.Enabled || !now.Valid || !now.RequirePrivateNetworking {
		return final(cmk.ErrForeign, "cluster %s is not switched: the project's encryption at rest is enabled %t, valid %t, requires private networking %t", c.Name, now.Enabled, now.Valid, now.RequirePrivateNetworking)
	}
	endpoints, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	for _, region := range c.Regions {
		if !slices.ContainsFunc(endpoints, func(e Endpoint) bool {
			return e.Region == region && e.Status == cmk.EndpointActive && slices.Contains(in.Approved, e.ID)
		}) {
			return final(cmk.ErrForeign, "cluster %s is not switched: it has nodes in %s, where no approved private endpoint is ACTIVE", c.Name, region)
		}
	}
	return nil
}

// ObserveClustersInput asks for the state of some clusters as soon as it differs from what was last seen.
type ObserveClustersInput struct {
	ProjectID string         `json:"projectId"`
	LastSeen  []ClusterState `json:"lastSeen"`
	Until     time.Time      `json:"until,omitzero"`
}

// ObserveClusters returns the state of the clusters in LastSeen once it differs; until then it fails with NotReady. A
// cluster that is IDLE is reported as settled only when a second look, Pace.Settle later, finds it so still: Atlas has
// shown IDLE just before it began the change that was asked of it.
func (a *Atlas) ObserveClusters(ctx context.Context, in ObserveClustersInput) ([]ClusterState, error) {
	all, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	idle := a.idleSince(ctx)
	now := time.Now()
	settling := false
	seen := make([]ClusterState, len(in.LastSeen))
	for i, last := range in.LastSeen {
		at := slices.IndexFunc(all, func(c Cluster) bool { return c.Name == last.Name })
		if at < 0 {
			seen[i] = ClusterState{Name: last.Name, State: cmk.ClusterDeleting}
			continue
		}
		c := all[at]
		seen[i] = ClusterState{Name: c.Name, State: c.State, Provider: c.Provider, Paused: c.Paused}
		if c.State != cmk.ClusterIdle {
			delete(idle, c.Name)
			continue
		}
		if _, before := idle[c.Name]; !before {
			idle[c.Name] = now
		}
		seen[i].Settled = now.Sub(idle[c.Name]) >= a.pace.Settle
		settling = settling || !seen[i].Settled
	}
	if settling {
		// An IDLE that has not settled is not news yet: it is remembered for the next look, and the last state stands.
		for i, last := range in.LastSeen {
			if seen[i].State == cmk.ClusterIdle && !seen[i].Settled {
				seen[i] = last
			}
		}
	}
	if !slices.Equal(seen, in.LastSeen) {
		return seen, nil
	}
	activity.RecordHeartbeat(ctx, idle)
	if settling {
		return nil, notReady(a.pace.Settle, "a cluster is IDLE, and looked at once more")
	}
	return nil, notReady(a.wait(ctx, in.Until, false), "the clusters have not changed")
}

// idleSince is what earlier attempts remembered: since when each cluster has been IDLE.
func (a *Atlas) idleSince(ctx context.Context) map[string]time.Time {
	idle := map[string]time.Time{}
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &idle); err != nil {
			activity.GetLogger(ctx).Warn("unreadable heartbeat, starting anew", "error", err)
		}
	}
	return idle
}
