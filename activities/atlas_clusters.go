package activities

import (
	"context"
	"maps"
	"slices"
	"strings"
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

// EncryptClustersInput asks for clusters to be switched to the project's key.
type EncryptClustersInput struct {
	Lease     Lease    `json:"lease"`
	ProjectID string   `json:"projectId"`
	Clusters  []string `json:"clusters"`
	// Approved are the endpoints that may be relied on.
	Approved []string `json:"approved"`
	// RoleID and RoleARN are the role through which the project uses its key, as it was seen last.
	RoleID  string `json:"roleId"`
	RoleARN string `json:"roleArn"`
	// After are clusters that must be IDLE with the key first: those switched before, looked at once more.
	After []string `json:"after,omitempty"`
}

// EncryptClusters switches clusters to the project's key, after it has seen in the same breath that every node of them
// will reach it: encryption at rest enabled and valid, private networking required, and an ACTIVE approved endpoint in
// each region where they have nodes. Each cluster then re-syncs, which takes as long as its data is large.
func (a *Atlas) EncryptClusters(ctx context.Context, in EncryptClustersInput) ([]ClusterState, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	all, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if slices.Contains(in.After, c.Name) && (c.State != cmk.ClusterIdle || c.Provider != cmk.ProviderAWS) {
			return nil, notReady(a.wait(ctx, time.Time{}), "cluster %s, switched before, is %s with provider %s", c.Name, c.State, c.Provider)
		}
	}
	states := make([]ClusterState, len(in.Clusters))
	var waiting []int
	for i, name := range in.Clusters {
		at := slices.IndexFunc(all, func(c Cluster) bool { return c.Name == name })
		if at < 0 {
			return nil, final("CLUSTER_NOT_FOUND", "cluster %s is not there any more", name)
		}
		c := all[at]
		states[i] = stateOf(c)
		if c.Provider == cmk.ProviderAWS {
			continue // an earlier attempt did it
		}
		if err := a.switchable(ctx, c); err != nil {
			return nil, err
		}
		waiting = append(waiting, i)
	}
	if len(waiting) == 0 {
		return states, nil
	}
	if err := a.reach(ctx, in, all); err != nil {
		return nil, err
	}
	if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {
		return nil, err
	}
	provider := cmk.ProviderAWS
	for _, i := range waiting {
		got, response, err := a.api.ClustersApi.UpdateCluster(ctx, in.ProjectID, in.Clusters[i],
			&admin.ClusterDescription20240805{EncryptionAtRestProvider: &provider}).Execute()
		if err != nil {
			return nil, atlasError(err, response, "switch cluster %s to the customer-managed key", in.Clusters[i])
		}
		states[i] = stateOf(clusterOf(got))
	}
	return states, nil
}

func stateOf(c Cluster) ClusterState {
	return ClusterState{Name: c.Name, State: c.State, Provider: c.Provider, Paused: c.Paused}
}

// switchable refuses a cluster that cannot be changed, or not yet.
func (a *Atlas) switchable(ctx context.Context, c Cluster) error {
	if c.Paused {
		return final(cmk.ErrForeign, "cluster %s is paused: resume it, since a paused cluster cannot be changed", c.Name)
	}
	if c.State != cmk.ClusterIdle {
		return notReady(a.wait(ctx, time.Time{}), "cluster %s is %s: it is switched when it is IDLE", c.Name, c.State)
	}
	return nil
}

// reach makes sure that every node of the clusters will reach the key.
func (a *Atlas) reach(ctx context.Context, in EncryptClustersInput, all []Cluster) error {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	if !now.Enabled || !now.Valid || !now.RequirePrivateNetworking {
		return final(cmk.ErrForeign, "no cluster is switched: the project's encryption at rest is enabled %t, valid %t, requires private networking %t", now.Enabled, now.Valid, now.RequirePrivateNetworking)
	}
	endpoints, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	for _, c := range all {
		if !slices.Contains(in.Clusters, c.Name) {
			continue
		}
		for _, region := range c.Regions {
			if !slices.ContainsFunc(endpoints, func(e Endpoint) bool {
				return e.Region == region && e.Status == cmk.EndpointActive && slices.Contains(in.Approved, e.ID)
			}) {
				return final(cmk.ErrNoPath, "cluster %s is not switched: it has nodes in %s, where no approved private endpoint is ACTIVE", c.Name, region)
			}
		}
	}
	// Who gives the role another ARN is found in the feed.
	if now.RoleID != in.RoleID {
		return final(cmk.ErrForeign, "no cluster is switched: the project uses its key through role %s, not %s, which was looked at", now.RoleID, in.RoleID)
	}
	return a.usable(ctx, now, in.RoleARN, named(all, in.Clusters))
}

// named picks clusters by name.
func named(clusters []Cluster, names []string) []Cluster {
	return slices.DeleteFunc(slices.Clone(clusters), func(c Cluster) bool { return !slices.Contains(names, c.Name) })
}

// usable makes sure that the key can be used where the clusters have nodes: Atlas looks at it from one place only, and
// minutes or days have passed since preflight.
func (a *Atlas) usable(ctx context.Context, now Encryption, arn string, clusters []Cluster) error {
	key, err := a.keys.ReadKey(ctx, KeyInput{Key: now.KeyID, Region: now.Region, RoleName: arn[strings.LastIndex(arn, "/")+1:]})
	if err != nil {
		return err
	}
	for _, c := range clusters {
		for _, region := range c.Regions {
			at := slices.IndexFunc(key.Replicas, func(r KeyReplica) bool { return r.Region == region })
			switch {
			case at < 0:
				return final(cmk.ErrForeign, "cluster %s cannot use the key: it has nodes in %s, where the key has no replica", c.Name, region)
			case key.Replicas[at].State != keyEnabled:
				return final(cmk.ErrForeign, "cluster %s cannot use the key: it is %s in %s", c.Name, key.Replicas[at].State, region)
			case key.Replicas[at].Policy.Unread == "" && !key.Replicas[at].Policy.Admitted(arn):
				return final(cmk.ErrForeign, "cluster %s cannot use the key: its policy in %s does not admit role %s", c.Name, region, arn)
			}
		}
	}
	return nil
}

// keyEnabled is the state of a key that can be used.
const keyEnabled = "Enabled"

// ObserveClustersInput asks for the state of some clusters as soon as it differs from what was last seen.
type ObserveClustersInput struct {
	ProjectID string         `json:"projectId"`
	LastSeen  []ClusterState `json:"lastSeen"`
	// Began is when the last of them began; zero means with this wait.
	Began time.Time `json:"began,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Looked is when LastSeen was seen: just after it nothing is to be expected.
	Looked time.Time `json:"looked,omitzero"`
	// Due is how long the run's fastest cluster has taken; zero leaves what to expect to the worker's own experience.
	Due time.Duration `json:"due,omitempty"`
}

// ObserveClusters returns the state of the clusters in LastSeen once it differs; until then it fails with NotReady. A
// cluster that is IDLE after it was seen UPDATING has settled. One that was not is so only when a second look, Pace.Settle
// later, finds it IDLE still: Atlas has shown IDLE just before it began the change that was asked of it.
func (a *Atlas) ObserveClusters(ctx context.Context, in ObserveClustersInput) ([]ClusterState, error) {
	if a.seenJustNow(in.Looked) {
		return nil, notReady(a.nextClusters(ctx, in), "the clusters were looked at just now")
	}
	all, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	idle := a.idleSince(ctx)
	before := maps.Clone(idle)
	now := a.pace.clock().Now()
	settling := false
	seen := make([]ClusterState, len(in.LastSeen))
	for i, last := range in.LastSeen {
		at := slices.IndexFunc(all, func(c Cluster) bool { return c.Name == last.Name })
		if at < 0 {
			seen[i] = ClusterState{Name: last.Name, State: cmk.ClusterDeleting}
			continue
		}
		c := all[at]
		seen[i] = stateOf(c)
		if c.State != cmk.ClusterIdle {
			delete(idle, c.Name)
			continue
		}
		if _, before := idle[c.Name]; !before {
			idle[c.Name] = now
		}
		seen[i].Settled = last.State == cmk.ClusterUpdating || now.Sub(idle[c.Name]) >= a.pace.Settle
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
		a.learnClusters(in, seen)
		return seen, nil
	}
	if !maps.Equal(idle, before) { // the server keeps what it was told last
		activity.RecordHeartbeat(ctx, idle)
	}
	if settling {
		return nil, notReady(a.pace.Settle, "a cluster is IDLE, and looked at once more")
	}
	return nil, notReady(a.nextClusters(ctx, in), "the clusters have not changed")
}

// nextClusters is the delay until the next look at clusters.
func (a *Atlas) nextClusters(ctx context.Context, in ObserveClustersInput) time.Duration {
	due := a.pace.expected(clusterChanged)
	if in.Due > 0 {
		due = alike(in.Due)
	}
	return a.next(ctx, wait{since: in.Began, until: in.Until, due: due})
}

// learnClusters remembers how long a run's first cluster took. The others, which take alike, would only crowd out what other
// projects have taught.
func (a *Atlas) learnClusters(in ObserveClustersInput, seen []ClusterState) {
	for i, last := range in.LastSeen {
		if last.State == cmk.ClusterUpdating && seen[i].Settled && !in.Began.IsZero() && in.Due == 0 {
			a.pace.Experience.learn(clusterChanged, a.pace.clock().Now().Sub(in.Began))
			return
		}
	}
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
