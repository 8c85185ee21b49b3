// Package activities holds the steps of the procedures, one receiver for each system that is spoken to. Every method
// either observes a state or ensures one: it reads, compares, and writes only the difference, so that it may be tried
// again at any time.
package activities

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Atlas is the Atlas Admin API.
type Atlas struct {
	api    *admin.APIClient
	keys   keyReader
	leases LeaseChecker
	pace   Pace
	// self are the names under which Atlas's activity feed shows the worker.
	self []string
}

// keyReader tells of a KMS key and its replicas.
type keyReader interface {
	ReadKey(ctx context.Context, in KeyInput) (*Key, error)
}

// NewAtlas makes the activities on Atlas. Every write asks leases first; a switch to the key, keys. self are the names under
// which Atlas's activity feed shows whose credentials api has; whoever has another is somebody else.
func NewAtlas(api *admin.APIClient, keys keyReader, leases LeaseChecker, pace Pace, self ...string) *Atlas {
	return &Atlas{api: api, keys: keys, leases: leases, pace: pace, self: self}
}

// LeaseChecker says whether a change still holds the lease under which it writes; if not, with ErrLeaseLost.
type LeaseChecker interface {
	Check(ctx context.Context, l Lease) error
}

// Lease names the run of the lease workflow under which a change writes.
type Lease struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Feed is how far the change has followed what others do to the project. Without it, a write does not look.
	Feed *Feed `json:"feed,omitempty"`
}

// Project is what Atlas shows of a project, as far as encryption at rest goes.
type Project struct {
	ID         string       `json:"id"`
	Encryption Encryption   `json:"encryption"`
	Roles      []AccessRole `json:"roles,omitempty"`
	Endpoints  []Endpoint   `json:"endpoints,omitempty"`
	Clusters   []Cluster    `json:"clusters,omitempty"`
	At         time.Time    `json:"at"`
	// Feed is the end of the project's activity feed, read before all else.
	Feed *Feed `json:"feed,omitempty"`
	// Circumstances are read where clusters are to be put on a key.
	Circumstances *Circumstances `json:"circumstances,omitempty"`
}

// Encryption is a project's setting of encryption at rest with AWS KMS.
type Encryption struct {
	Enabled                  bool   `json:"enabled"`
	Valid                    bool   `json:"valid"`
	KeyID                    string `json:"keyId,omitempty"`
	Region                   string `json:"region,omitempty"`
	RoleID                   string `json:"roleId,omitempty"`
	RequirePrivateNetworking bool   `json:"requirePrivateNetworking"`
	// AccessKeyID is set in a project that still uses an IAM user's credentials.
	AccessKeyID string `json:"accessKeyId,omitempty"`
	// SearchNodes is true when search nodes are to use the key too.
	SearchNodes bool `json:"searchNodes,omitempty"`
	// Other names another provider's key management that is enabled: Azure Key Vault or Google Cloud KMS.
	Other string `json:"other,omitempty"`
}

// AccessRole is a cloud provider access role: Atlas's side of an IAM role.
type AccessRole struct {
	ID string `json:"id"`
	// ARN is the IAM role it was authorized with; empty while it is pending.
	ARN string `json:"arn,omitempty"`
	// AtlasARN and ExternalID are what the IAM role's trust policy must admit.
	AtlasARN   string   `json:"atlasArn"`
	ExternalID string   `json:"externalId"`
	Authorized bool     `json:"authorized"`
	UsedBy     []string `json:"usedBy,omitempty"`
}

// Endpoint is a private endpoint for encryption at rest.
type Endpoint struct {
	ID     string             `json:"id"`
	Region string             `json:"region"`
	Status cmk.EndpointStatus `json:"status"`
	Error  string             `json:"error,omitempty"`
}

// Cluster is what matters of a cluster.
type Cluster struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Provider string `json:"provider"`
	Paused   bool   `json:"paused,omitempty"`
	// Regions are those with nodes of any kind, in order.
	Regions []string `json:"regions"`
	// Clouds are the cloud providers of those nodes.
	Clouds []string `json:"clouds"`
	// Tiers are the instance sizes.
	Tiers  []string `json:"tiers"`
	DiskGB float64  `json:"diskGb,omitempty"`
	// Backup clusters have snapshots; Scales is true of one that may change its own size.
	Backup bool `json:"backup,omitempty"`
	Scales bool `json:"scales,omitempty"`
	// Sharded clusters list their snapshots elsewhere.
	Sharded bool `json:"sharded,omitempty"`
}

// ProjectInput names a project.
type ProjectInput struct {
	ProjectID string `json:"projectId"`
	// Switching are the clusters that are to be put on a key; when given, the Circumstances are read too.
	Switching *cmk.ClusterSelection `json:"switching,omitempty"`
}

// ReadProject reads all that preflight needs of a project, and first of all how far its activity feed has come: what others
// do while the rest is being read counts as done after it. An Atlas that does not answer is given up.
func (a *Atlas) ReadProject(ctx context.Context, in ProjectInput) (*Project, error) {
	feed, err := a.feed(ctx, in.ProjectID)
	if err != nil {
		return nil, unlessSilentFor(ctx, a.pace.clock(), silence, err)
	}
	p, err := a.project(ctx, in)
	if err != nil {
		return nil, unlessSilentFor(ctx, a.pace.clock(), silence, err)
	}
	p.Feed = feed
	if in.Switching != nil {
		p.Circumstances, err = a.circumstances(ctx, p, *in.Switching)
	}
	return p, err
}

func (a *Atlas) project(ctx context.Context, in ProjectInput) (*Project, error) {
	p := &Project{ID: in.ProjectID, At: a.pace.clock().Now().UTC()}
	var err error
	if p.Encryption, err = a.encryption(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	if p.Roles, err = a.accessRoles(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	if p.Endpoints, err = a.endpoints(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	if p.Clusters, err = a.clusters(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	return p, nil
}

// clusterNames are the names of clusters.
func clusterNames(clusters []Cluster) []string {
	var names []string
	for _, c := range clusters {
		names = append(names, c.Name)
	}
	return names
}

const pageSize = 500

// clusters lists all dedicated clusters of a project.
func (a *Atlas) clusters(ctx context.Context, projectID string) ([]Cluster, error) {
	var all []Cluster
	for page := 1; ; page++ {
		got, response, err := a.api.ClustersApi.ListClusters(ctx, projectID).ItemsPerPage(pageSize).PageNum(page).Execute()
		if err != nil {
			return nil, atlasError(err, response, "list the clusters of project %s", projectID)
		}
		for _, c := range got.GetResults() {
			all = append(all, clusterOf(&c))
		}
		if len(got.GetResults()) < pageSize {
			slices.SortFunc(all, func(x, y Cluster) int { return strings.Compare(x.Name, y.Name) })
			return all, nil
		}
	}
}

func clusterOf(c *admin.ClusterDescription20240805) Cluster {
	out := Cluster{Name: c.GetName(), State: c.GetStateName(), Provider: c.GetEncryptionAtRestProvider(), Paused: c.GetPaused(), Backup: c.GetBackupEnabled()}
	out.Sharded = c.GetClusterType() == "SHARDED" || c.GetClusterType() == "GEOSHARDED"
	if out.Provider == "" {
		out.Provider = cmk.ProviderNone
	}
	specs := c.GetReplicationSpecs()
	// The effective specs are what runs; the others, what was asked for. Atlas leaves the former out at times.
	if effective := c.GetEffectiveReplicationSpecs(); len(effective) > 0 {
		specs = append(slices.Clone(effective), specs...)
	}
	for _, spec := range specs {
		for _, region := range spec.GetRegionConfigs() {
			out.addRegion(&region)
		}
	}
	out.Regions, out.Clouds, out.Tiers = set(out.Regions), set(out.Clouds), set(out.Tiers)
	return out
}

func (c *Cluster) addRegion(r *admin.CloudRegionConfig20240805) {
	electable, analytics, readOnly := r.GetElectableSpecs(), r.GetAnalyticsSpecs(), r.GetReadOnlySpecs()
	if electable.GetNodeCount()+analytics.GetNodeCount()+readOnly.GetNodeCount() == 0 {
		return
	}
	c.Regions = append(c.Regions, r.GetRegionName())
	cloud := r.GetProviderName()
	if backing := r.GetBackingProviderName(); backing != "" { // a shared tier stands on one
		cloud = backing
	}
	c.Clouds = append(c.Clouds, cloud)
	for _, tier := range []string{electable.GetInstanceSize(), analytics.GetInstanceSize(), readOnly.GetInstanceSize()} {
		if tier != "" {
			c.Tiers = append(c.Tiers, tier)
		}
	}
	c.DiskGB = max(c.DiskGB, electable.GetDiskSizeGB())
	c.Scales = c.Scales || scales(r)
}

// set sorts values and drops repetitions.
func set(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}
