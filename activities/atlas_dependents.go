package activities

import (
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Dependents is what depends on a project's key besides the nodes of its clusters, and what the way out must know.
type Dependents struct {
	// SearchNodes is the project's setting, Search are the deployments, unless SearchUnread.
	SearchNodes  bool               `json:"searchNodes"`
	Search       []SearchDeployment `json:"search,omitempty"`
	SearchUnread bool               `json:"searchUnread,omitempty"`
	Snapshots    []Snapshots        `json:"snapshots,omitempty"`
	// ComplianceRequires is true when a Backup Compliance Policy requires encryption with the project's own key.
	ComplianceRequires bool `json:"complianceRequires,omitempty"`
	// Addresses are those from which the nodes and Atlas's control plane reach the key over the public path.
	Addresses []string `json:"addresses,omitempty"`
}

// SearchDeployment are the search nodes of a cluster.
type SearchDeployment struct {
	Cluster  string `json:"cluster"`
	State    string `json:"state"`
	Provider string `json:"provider"`
}

// Snapshots are those of a cluster that may need the key.
type Snapshots struct {
	Cluster string `json:"cluster"`
	Count   int    `json:"count"`
	// Until is when the last of them expires; Forever is true when one never does.
	Until   time.Time `json:"until,omitzero"`
	Forever bool      `json:"forever,omitempty"`
}

// EncryptedProject is a project with what depends on its key.
type EncryptedProject struct {
	Project    *Project    `json:"project"`
	Dependents *Dependents `json:"dependents"`
}

// EncryptedProjectInput names a project.
type EncryptedProjectInput struct {
	ProjectID string `json:"projectId"`
	// PublicPath asks for the addresses too from which the key is reached over the public path.
	PublicPath bool `json:"publicPath,omitempty"`
	// SearchLast is for who keeps up a path to the key for the clusters until it goes, and looks at all search nodes just before
	// that: those of a project whose setting has them off the key are not read before.
	SearchLast bool `json:"searchLast,omitempty"`
}

// DependentsInput names a project.
type DependentsInput struct {
	ProjectID string `json:"projectId"`
	// OnKey are clusters that were on the key when the change began: their snapshots need it.
	OnKey []string `json:"onKey,omitempty"`
	// SnapshotsOnly leaves out all else, for who has just left the key.
	SnapshotsOnly bool `json:"snapshotsOnly,omitempty"`
}

// ReadEncryptedProject reads a project, and what depends on its key, which takes a call for each cluster, and one more for each
// that has backups: search nodes may be on the key for a while after the project's setting has been turned off. Where that matters
// last, and clusters are on the key in any case, the former is saved. An Atlas that does not answer is given up.
func (a *Atlas) ReadEncryptedProject(ctx context.Context, in EncryptedProjectInput) (*EncryptedProject, error) {
	p, err := a.ReadProject(ctx, ProjectInput{ProjectID: in.ProjectID})
	if err != nil {
		return nil, err
	}
	out := &Dependents{SearchNodes: p.Encryption.SearchNodes}
	if err := a.readOther(ctx, in, out); err != nil {
		return nil, unlessSilentFor(ctx, a.pace.clock(), silence, err)
	}
	onKey := slices.ContainsFunc(p.Clusters, func(c Cluster) bool { return c.Provider == cmk.ProviderAWS })
	out.SearchUnread = in.SearchLast && onKey && !out.SearchNodes
	ask := asked{search: !out.SearchUnread, patience: silence}
	if err := a.readOfClusters(ctx, in.ProjectID, p.Clusters, ask, out); err != nil {
		return nil, err
	}
	return &EncryptedProject{Project: p, Dependents: out}, nil
}

// ReadDependents reads what depends on a project's key, or the snapshots alone. An Atlas that does not answer is given up, unless
// it is only about the snapshots: by then all else is done.
func (a *Atlas) ReadDependents(ctx context.Context, in DependentsInput) (*Dependents, error) {
	ask := asked{search: !in.SnapshotsOnly, onKey: in.OnKey, patience: silence}
	if in.SnapshotsOnly {
		ask.patience = bear
	}
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, unlessSilentFor(ctx, a.pace.clock(), ask.patience, err)
	}
	out := &Dependents{}
	if !in.SnapshotsOnly {
		now, err := a.encryption(ctx, in.ProjectID)
		if err == nil {
			err = a.readOther(ctx, EncryptedProjectInput{ProjectID: in.ProjectID, PublicPath: true}, out)
		}
		if err != nil {
			return nil, unlessSilentFor(ctx, a.pace.clock(), ask.patience, err)
		}
		out.SearchNodes = now.SearchNodes
	}
	return out, a.readOfClusters(ctx, in.ProjectID, clusters, ask, out)
}

// asked is what is to be read of each cluster.
type asked struct {
	// search says whether to look for search nodes.
	search bool
	// onKey are clusters that have left the key of late: their snapshots need it.
	onKey    []string
	patience time.Duration
}

// dependentsOf is what depends on the key of a cluster.
type dependentsOf struct {
	Search    *SearchDeployment `json:"search,omitempty"`
	Snapshots *Snapshots        `json:"snapshots,omitempty"`
}

// readOfClusters reads what depends on the key of each cluster.
func (a *Atlas) readOfClusters(ctx context.Context, projectID string, clusters []Cluster, ask asked, out *Dependents) error {
	found, err := ofEach(ctx, a.pace.clock(), ask.patience, clusterNames(clusters), func(ctx context.Context, name string) (of dependentsOf, err error) {
		c := clusters[slices.IndexFunc(clusters, func(c Cluster) bool { return c.Name == name })]
		if ask.search {
			if of.Search, err = a.searchOf(ctx, projectID, name); err != nil {
				return of, err
			}
		}
		if !c.Backup {
			return of, nil // Atlas deletes a cluster's snapshots when its backups are turned off
		}
		needKey := c.Provider != cmk.ProviderNone || slices.Contains(ask.onKey, name)
		snapshots, err := a.snapshotsOf(ctx, projectID, c, needKey)
		if snapshots.Count > 0 {
			of.Snapshots = &snapshots
		}
		return of, err
	})
	if err != nil {
		return err
	}
	for _, c := range clusters {
		of := found[c.Name]
		if of.Search != nil {
			out.Search = append(out.Search, *of.Search)
		}
		if of.Snapshots != nil {
			out.Snapshots = append(out.Snapshots, *of.Snapshots)
		}
	}
	return nil
}

// readOther reads what depends on the key of the project as such, and where it is called from.
func (a *Atlas) readOther(ctx context.Context, in EncryptedProjectInput, out *Dependents) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { out.ComplianceRequires, err = a.complianceRequires(ctx, in.ProjectID); return })
	if in.PublicPath {
		group.Go(func() (err error) { out.Addresses, err = a.addresses(ctx, in.ProjectID); return })
	}
	return group.Wait()
}

// searchOf are a cluster's search nodes; nil when it has none.
func (a *Atlas) searchOf(ctx context.Context, projectID, cluster string) (*SearchDeployment, error) {
	got, response, err := a.api.AtlasSearchApi.GetClusterSearchDeployment(ctx, projectID, cluster).Execute()
	if absent(err, response) || response != nil && response.StatusCode == http.StatusBadRequest {
		return nil, nil // older versions of the API answer so for a cluster without search nodes
	}
	if err != nil {
		return nil, atlasError(err, response, "read the search nodes of cluster %s", cluster)
	}
	if got.GetId() == "" && got.GetStateName() == "" {
		return nil, nil
	}
	out := &SearchDeployment{Cluster: cluster, State: got.GetStateName(), Provider: got.GetEncryptionAtRestProvider()}
	if out.Provider == "" {
		out.Provider = cmk.ProviderNone
	}
	return out, nil
}

// snapshotsOf are the snapshots of a cluster that need a customer's key to be restored: those that name one, and where
// needKey is set all of them, since Atlas need not name it.
func (a *Atlas) snapshotsOf(ctx context.Context, projectID string, c Cluster, needKey bool) (Snapshots, error) {
	out := Snapshots{Cluster: c.Name}
	take := func(key string, expires time.Time) {
		if key == "" && !needKey {
			return
		}
		out.Count++
		out.Forever = out.Forever || expires.IsZero()
		if expires.After(out.Until) {
			out.Until = expires.UTC()
		}
	}
	if c.Sharded {
		got, response, err := a.api.CloudBackupsApi.ListBackupShardedClusters(ctx, projectID, c.Name).Execute()
		for _, s := range got.GetResults() {
			take(s.GetMasterKeyUUID(), s.GetExpiresAt())
		}
		return out, withoutBackups(atlasError(err, response, "list the snapshots of cluster %s", c.Name), response)
	}
	for page := 1; ; page++ {
		got, response, err := a.api.CloudBackupsApi.ListBackupSnapshots(ctx, projectID, c.Name).ItemsPerPage(pageSize).PageNum(page).Execute()
		if err != nil {
			return out, withoutBackups(atlasError(err, response, "list the snapshots of cluster %s", c.Name), response)
		}
		for _, s := range got.GetResults() {
			take(s.GetMasterKeyUUID(), s.GetExpiresAt())
		}
		if len(got.GetResults()) < pageSize {
			return out, nil
		}
	}
}

// withoutBackups takes the refusal to list the snapshots of a cluster that has no backups for an empty list.
func withoutBackups(err error, response *http.Response) error {
	if response != nil && (response.StatusCode == http.StatusBadRequest || response.StatusCode == http.StatusNotFound) {
		return nil
	}
	return err
}

func (a *Atlas) complianceRequires(ctx context.Context, projectID string) (bool, error) {
	got, response, err := a.api.CloudBackupsApi.GetCompliancePolicy(ctx, projectID).Execute()
	if response != nil && response.StatusCode == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, atlasError(err, response, "read the Backup Compliance Policy of project %s", projectID)
	}
	return got.GetEncryptionAtRestEnabled(), nil
}

// addresses are the public ones from which nodes and Atlas's control plane call, those announced for the future too.
func (a *Atlas) addresses(ctx context.Context, projectID string) ([]string, error) {
	nodes, response, err := a.api.ProjectsApi.GetGroupIpAddresses(ctx, projectID).Execute()
	if err != nil {
		return nil, atlasError(err, response, "read the IP addresses of project %s", projectID)
	}
	var all []string
	services := nodes.GetServices()
	for _, c := range services.GetClusters() {
		all = append(all, slices.Concat(c.GetOutbound(), c.GetFutureOutbound())...)
	}
	atlas, response, err := a.api.RootApi.ListControlPlaneAddresses(ctx).Execute()
	if err != nil {
		return nil, atlasError(err, response, "read the IP addresses of Atlas's control plane")
	}
	outbound := atlas.GetOutbound()
	for _, regional := range outbound.GetAws() {
		all = append(all, regional...)
	}
	return set(all), nil
}
