package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// ReleaseInput asks for clusters to be taken off the project's key.
type ReleaseInput struct {
	Lease     Lease    `json:"lease"`
	ProjectID string   `json:"projectId"`
	Clusters  []string `json:"clusters"`
}

// ReleaseClusters takes clusters off the project's key, after it has seen that their nodes can reach the key meanwhile,
// which they need until the last of them has re-synced.
func (a *Atlas) ReleaseClusters(ctx context.Context, in ReleaseInput) ([]ClusterState, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	all, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	states := make([]ClusterState, len(in.Clusters))
	var waiting []int
	var leaving []Cluster
	for i, name := range in.Clusters {
		at := slices.IndexFunc(all, func(c Cluster) bool { return c.Name == name })
		if at < 0 {
			return nil, final("CLUSTER_NOT_FOUND", "cluster %s is not there any more", name)
		}
		c := all[at]
		if states[i] = stateOf(c); c.Provider == cmk.ProviderNone {
			continue // an earlier attempt did it
		}
		if err := a.switchable(ctx, c); err != nil {
			return nil, err
		}
		waiting, leaving = append(waiting, i), append(leaving, c)
	}
	if len(waiting) == 0 {
		return states, nil
	}
	if err := a.reachable(ctx, in.ProjectID, leaving...); err != nil {
		return nil, err
	}
	if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {
		return nil, err
	}
	provider := cmk.ProviderNone
	for _, i := range waiting {
		got, response, err := a.api.ClustersApi.UpdateCluster(ctx, in.ProjectID, in.Clusters[i],
			&admin.ClusterDescription20240805{EncryptionAtRestProvider: &provider}).Execute()
		if err != nil {
			return nil, atlasError(err, response, "take cluster %s off the customer-managed key", in.Clusters[i])
		}
		states[i] = stateOf(clusterOf(got))
	}
	return states, nil
}

// reachable refuses while one of some clusters on the key could not reach it.
func (a *Atlas) reachable(ctx context.Context, projectID string, clusters ...Cluster) error {
	now, err := a.encryption(ctx, projectID)
	if err != nil {
		return err
	}
	if !now.Enabled || !now.Valid {
		return final(cmk.ErrForeign, "cluster %s stays as it is: the project's encryption at rest is enabled %t, valid %t", clusters[0].Name, now.Enabled, now.Valid)
	}
	if !now.RequirePrivateNetworking {
		return nil
	}
	endpoints, err := a.endpoints(ctx, projectID)
	if err != nil {
		return err
	}
	for _, c := range clusters {
		for _, region := range c.Regions {
			if !slices.ContainsFunc(endpoints, func(e Endpoint) bool { return e.Region == region && e.Status == cmk.EndpointActive }) {
				return final(cmk.ErrForeign, "cluster %s stays as it is: it has nodes in %s, where no private endpoint is ACTIVE", c.Name, region)
			}
		}
	}
	return nil
}

// ResumeClusters resumes those of the clusters that are paused.
func (a *Atlas) ResumeClusters(ctx context.Context, in ReleaseInput) ([]ClusterState, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	all, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	var states []ClusterState
	for _, c := range all {
		if !slices.Contains(in.Clusters, c.Name) {
			continue
		}
		if c.Paused {
			if err := a.reachable(ctx, in.ProjectID, c); err != nil {
				return nil, err
			}
			paused := false
			got, response, err := a.api.ClustersApi.UpdateCluster(ctx, in.ProjectID, c.Name, &admin.ClusterDescription20240805{Paused: &paused}).Execute()
			if err != nil {
				return nil, atlasError(err, response, "resume cluster %s", c.Name)
			}
			c = clusterOf(got)
		}
		states = append(states, stateOf(c))
	}
	return states, nil
}

// SearchNodesInput asks for the search nodes to be on the project's key, or not.
type SearchNodesInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	Enabled   bool   `json:"enabled"`
}

// EnsureSearchNodes sets whether search nodes use the project's key. Atlas then replaces them, and they rebuild their
// indexes.
func (a *Atlas) EnsureSearchNodes(ctx context.Context, in SearchNodesInput) error {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return err
	}
	got, response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.GetEncryptionAtRest(ctx, in.ProjectID).Execute()
	if err != nil {
		return atlasError(err, response, "read the encryption at rest of project %s", in.ProjectID)
	}
	if got.GetEnabledForSearchNodes() == in.Enabled {
		return nil
	}
	if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {
		return err
	}
	change := &admin.EncryptionAtRest{EnabledForSearchNodes: &in.Enabled}
	if now := encryptionOf(got); now.RoleID != "" {
		// The whole block goes along: what Atlas makes of one that is left out is not documented.
		change.AwsKms = &admin.AWSKMSConfiguration{
			Enabled: &now.Enabled, CustomerMasterKeyID: &now.KeyID, Region: &now.Region, RoleId: &now.RoleID, RequirePrivateNetworking: &now.RequirePrivateNetworking,
		}
	}
	_, response, err = a.api.EncryptionAtRestUsingCustomerKeyManagementApi.UpdateEncryptionAtRest(ctx, in.ProjectID, change).Execute()
	return atlasError(err, response, "change the encryption of the search nodes of project %s", in.ProjectID)
}

// ObserveSearchInput asks whether search nodes have come to rest.
type ObserveSearchInput struct {
	ProjectID string    `json:"projectId"`
	Clusters  []string  `json:"clusters"`
	Until     time.Time `json:"until,omitzero"`
	// Off also asks that they are off the key, On that they are on it.
	Off bool `json:"off,omitempty"`
	On  bool `json:"on,omitempty"`
}

// ObserveSearch returns once the search nodes of the clusters are IDLE, and off the key if that is asked; until then it
// fails with NotReady.
func (a *Atlas) ObserveSearch(ctx context.Context, in ObserveSearchInput) error {
	for _, cluster := range in.Clusters {
		s, err := a.searchOf(ctx, in.ProjectID, cluster)
		if err != nil {
			return err
		}
		if s != nil && (s.State == cmk.ClusterUpdating || in.Off && s.Provider != cmk.ProviderNone || in.On && s.Provider != cmk.ProviderAWS) {
			return notReady(a.wait(ctx, in.Until), "the search nodes of cluster %s are %s with provider %s", cluster, s.State, s.Provider)
		}
	}
	return nil
}

// ObserveQuietInput asks whether a project has come to rest.
type ObserveQuietInput struct {
	ProjectID string `json:"projectId"`
	// Search are the clusters with search nodes.
	Search []string  `json:"search,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// ObserveQuiet returns the project's clusters and endpoints once every cluster is IDLE or paused, and the search nodes are
// IDLE; until then it fails with NotReady.
func (a *Atlas) ObserveQuiet(ctx context.Context, in ObserveQuietInput) (*Project, error) {
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if err := a.atRest(ctx, clusters, in.Until); err != nil {
		return nil, err
	}
	endpoints, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	p := &Project{ID: in.ProjectID, At: a.pace.clock().Now().UTC(), Clusters: clusters, Endpoints: endpoints}
	return p, a.ObserveSearch(ctx, ObserveSearchInput{ProjectID: in.ProjectID, Clusters: in.Search, Until: in.Until})
}

// VerifyExitInput says what the final look of a way out must find.
type VerifyExitInput struct {
	ProjectID string `json:"projectId"`
	// Off: the project has no key, and no cluster is on one. Public: private networking is not required, and the key is
	// valid. Gone are endpoints that must not be listed; with Off or Public none may.
	Off    bool      `json:"off,omitempty"`
	Public bool      `json:"public,omitempty"`
	Gone   []string  `json:"gone,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// VerifyExit looks at everything once more, and returns the state if it is what was asked for; if not it fails with
// NotReady, which names what is missing.
func (a *Atlas) VerifyExit(ctx context.Context, in VerifyExitInput) (*Encryption, error) {
	now, _, err := a.verifyExit(ctx, in)
	return now, err
}

func (a *Atlas) verifyExit(ctx context.Context, in VerifyExitInput) (*Encryption, []Cluster, error) {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return nil, nil, err
	}
	endpoints, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return nil, nil, err
	}
	var clusters []Cluster
	if in.Off || in.Public {
		if clusters, err = a.clusters(ctx, in.ProjectID); err != nil {
			return nil, nil, err
		}
	}
	var missing []string
	lack := func(is bool, what string, args ...any) {
		if is {
			missing = append(missing, fmt.Sprintf(what, args...))
		}
	}
	lack(in.Off && now.Enabled, "encryption at rest is still enabled")
	lack(in.Public && (!now.Enabled || !now.Valid || now.RequirePrivateNetworking), "encryption at rest is enabled %t, valid %t, requires private networking %t", now.Enabled, now.Valid, now.RequirePrivateNetworking)
	for _, e := range endpoints {
		lack(in.Off || in.Public || slices.Contains(in.Gone, e.ID), "private endpoint %s in %s is %s", e.ID, e.Region, e.Status)
	}
	for _, c := range clusters {
		lack(in.Off && c.Provider != cmk.ProviderNone, "cluster %s has provider %s", c.Name, c.Provider)
		lack(in.Public && c.State != cmk.ClusterIdle && !c.Paused, "cluster %s is %s", c.Name, c.State)
	}
	if len(missing) > 0 {
		return nil, nil, notReady(a.wait(ctx, in.Until), "not verified: %s", brief(strings.Join(missing, "; ")))
	}
	return &now, clusters, nil
}

// VerifyOffInput names a project that is to have no key any more.
type VerifyOffInput struct {
	ProjectID string `json:"projectId"`
	// OnKey are clusters that were on the key when the change began: their snapshots need it.
	OnKey []string  `json:"onKey,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Off is a project without a key, and what still needs the one that it had.
type Off struct {
	Encryption Encryption  `json:"encryption"`
	Snapshots  []Snapshots `json:"snapshots,omitempty"`
}

// VerifyOff looks at everything once more, as VerifyExit does; and if the project has no key, at the snapshots that still need
// one, those of clusters that have backups.
func (a *Atlas) VerifyOff(ctx context.Context, in VerifyOffInput) (*Off, error) {
	now, clusters, err := a.verifyExit(ctx, VerifyExitInput{ProjectID: in.ProjectID, Off: true, Until: in.Until})
	if err != nil {
		return nil, err
	}
	var out Dependents
	if err := a.readOfClusters(ctx, in.ProjectID, clusters, asked{onKey: in.OnKey, patience: bear}, &out); err != nil {
		return nil, err
	}
	return &Off{Encryption: *now, Snapshots: out.Snapshots}, nil
}
