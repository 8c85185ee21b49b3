package atlassim

import (
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// Config describes the Atlas that a simulation starts from, and to which Reset goes back.
type Config struct {
	Organization Organization `yaml:"organization" json:"organization"`
	// AccountARN is the principal as which Atlas assumes roles: the root of its AWS account.
	AccountARN string `yaml:"accountArn" json:"accountArn"`
	// ControlPlane are the outbound addresses from which Atlas's control plane reaches KMS, in CIDR form.
	ControlPlane    []string         `yaml:"controlPlane,omitempty" json:"controlPlane,omitempty"`
	APIKeys         []APIKey         `yaml:"apiKeys,omitempty" json:"apiKeys,omitempty"`
	ServiceAccounts []ServiceAccount `yaml:"serviceAccounts,omitempty" json:"serviceAccounts,omitempty"`
	Projects        []Project        `yaml:"projects" json:"projects"`
	Durations       Durations        `yaml:"durations" json:"durations"`
	Chances         Chances          `yaml:"chances,omitempty" json:"chances,omitempty"`
	// RateLimits replace the defaults of the endpoint sets they name.
	RateLimits  map[string]RateLimit `yaml:"rateLimits,omitempty" json:"rateLimits,omitempty"`
	Assumptions *Assumptions         `yaml:"assumptions,omitempty" json:"assumptions,omitempty"`
}

// Organization owns all projects of the simulation.
type Organization struct {
	ID   string `yaml:"id" json:"id"`
	Name string `yaml:"name" json:"name"`
	// RequireAccessList refuses every caller that has no access list.
	RequireAccessList bool `yaml:"requireAccessList,omitempty" json:"requireAccessList,omitempty"`
}

// APIKey is a programmatic key pair, used with HTTP digest.
type APIKey struct {
	Public  string  `yaml:"public" json:"public"`
	Private string  `yaml:"private" json:"-"`
	Roles   []Grant `yaml:"roles" json:"roles"`
	// AccessList are the addresses that may use it, in CIDR form; empty admits all.
	AccessList []string `yaml:"accessList,omitempty" json:"accessList,omitempty"`
}

// ServiceAccount is an OAuth 2.0 client.
type ServiceAccount struct {
	ClientID   string   `yaml:"clientId" json:"clientId"`
	Secret     string   `yaml:"secret" json:"-"`
	Roles      []Grant  `yaml:"roles" json:"roles"`
	AccessList []string `yaml:"accessList,omitempty" json:"accessList,omitempty"`
}

// Grant is a role in a project, or with Project empty in the organization (ORG_OWNER is an owner of every project).
type Grant struct {
	Project string `yaml:"project,omitempty" json:"project,omitempty"`
	// Role is GROUP_OWNER, GROUP_CLUSTER_MANAGER, GROUP_READ_ONLY or ORG_OWNER.
	Role string `yaml:"role" json:"role"`
}

// Project is a project and what it holds.
type Project struct {
	// ID has 24 hexadecimal digits.
	ID         string             `yaml:"id" json:"id"`
	Name       string             `yaml:"name" json:"name"`
	Tags       map[string]string  `yaml:"tags,omitempty" json:"tags,omitempty"`
	Roles      []AccessRole       `yaml:"roles,omitempty" json:"roles,omitempty"`
	Encryption *Encryption        `yaml:"encryption,omitempty" json:"encryption,omitempty"`
	Endpoints  []Endpoint         `yaml:"endpoints,omitempty" json:"endpoints,omitempty"`
	Clusters   []Cluster          `yaml:"clusters,omitempty" json:"clusters,omitempty"`
	Compliance *Compliance        `yaml:"backupCompliance,omitempty" json:"backupCompliance,omitempty"`
	Window     *MaintenanceWindow `yaml:"maintenanceWindow,omitempty" json:"maintenanceWindow,omitempty"`
	// State is what keeps all callers from the project: "invalid" or "suspended"; none if empty.
	State string `yaml:"state,omitempty" json:"state,omitempty"`
	// NoKMSAlert leaves out the alert that new projects have on nodes that cannot reach KMS.
	NoKMSAlert bool `yaml:"noKmsAlert,omitempty" json:"noKmsAlert,omitempty"`
}

// What can be the matter with a project.
const (
	// StateInvalid: it cannot be loaded.
	StateInvalid = "invalid"
	// StateSuspended: its organization's account is suspended.
	StateSuspended = "suspended"
)

// AccessRole is a cloud provider access role. Without an ARN it is pending.
type AccessRole struct {
	ID         string `yaml:"id,omitempty" json:"id,omitempty"`
	ExternalID string `yaml:"externalId,omitempty" json:"externalId,omitempty"`
	ARN        string `yaml:"arn,omitempty" json:"arn,omitempty"`
}

// Encryption is a project's configuration of customer-managed keys; it uses a role or an access key.
type Encryption struct {
	Key             string `yaml:"key" json:"key"`
	Region          string `yaml:"region" json:"region"`
	RoleID          string `yaml:"roleId,omitempty" json:"roleId,omitempty"`
	AccessKeyID     string `yaml:"accessKeyId,omitempty" json:"accessKeyId,omitempty"`
	SecretAccessKey string `yaml:"secretAccessKey,omitempty" json:"-"`
	Private         bool   `yaml:"requirePrivateNetworking,omitempty" json:"requirePrivateNetworking,omitempty"`
	SearchNodes     bool   `yaml:"enabledForSearchNodes,omitempty" json:"enabledForSearchNodes,omitempty"`
}

// Endpoint is a private endpoint that exists from the start. Status is ACTIVE if empty.
type Endpoint struct {
	ID     string `yaml:"id,omitempty" json:"id,omitempty"`
	Region string `yaml:"region" json:"region"`
	Status string `yaml:"status,omitempty" json:"status,omitempty"`
}

// Cluster is a cluster that exists from the start, or that someone adds.
type Cluster struct {
	Name string `yaml:"name" json:"name"`
	// Type is REPLICASET (the default), SHARDED or GEOSHARDED; Shards is 1 if 0.
	Type   string `yaml:"type,omitempty" json:"type,omitempty"`
	Shards int    `yaml:"shards,omitempty" json:"shards,omitempty"`
	// Size is the instance size, M30 if empty; DiskGB the provisioned disk, 40 if 0; DataGB what is on it and what a
	// re-sync has to copy, a quarter of the disk if 0.
	Size    string   `yaml:"size,omitempty" json:"size,omitempty"`
	DiskGB  float64  `yaml:"diskGB,omitempty" json:"diskGB,omitempty"`
	DataGB  float64  `yaml:"dataGB,omitempty" json:"dataGB,omitempty"`
	Regions []Region `yaml:"regions" json:"regions"`
	// Provider is encryptionAtRestProvider, NONE if empty.
	Provider    string `yaml:"encryptionAtRestProvider,omitempty" json:"encryptionAtRestProvider,omitempty"`
	Paused      bool   `yaml:"paused,omitempty" json:"paused,omitempty"`
	Backup      bool   `yaml:"backup,omitempty" json:"backup,omitempty"`
	PointInTime bool   `yaml:"pointInTime,omitempty" json:"pointInTime,omitempty"`
	// RestoreWindowDays is how far back it can be restored to any moment, with pointInTime; 7 if 0.
	RestoreWindowDays     int          `yaml:"restoreWindowDays,omitempty" json:"restoreWindowDays,omitempty"`
	TerminationProtection bool         `yaml:"terminationProtection,omitempty" json:"terminationProtection,omitempty"`
	AutoScaling           *AutoScaling `yaml:"autoScaling,omitempty" json:"autoScaling,omitempty"`
	Search                *Search      `yaml:"search,omitempty" json:"search,omitempty"`
	Snapshots             []Snapshot   `yaml:"snapshots,omitempty" json:"snapshots,omitempty"`
	// Creating starts the cluster in the state CREATING, as one just ordered.
	Creating bool `yaml:"creating,omitempty" json:"creating,omitempty"`
	// Outage says that the outage of a region is being simulated.
	Outage bool `yaml:"outageSimulation,omitempty" json:"outageSimulation,omitempty"`
	// Flex makes it a Flex cluster, which the API for clusters refuses to know.
	Flex bool `yaml:"flex,omitempty" json:"flex,omitempty"`
}

// Region is where a cluster has nodes, in Atlas's spelling.
type Region struct {
	Name string `yaml:"name" json:"name"`
	// Cloud is AWS if empty.
	Cloud     string `yaml:"cloud,omitempty" json:"cloud,omitempty"`
	Electable int    `yaml:"electable,omitempty" json:"electable,omitempty"`
	ReadOnly  int    `yaml:"readOnly,omitempty" json:"readOnly,omitempty"`
	Analytics int    `yaml:"analytics,omitempty" json:"analytics,omitempty"`
}

// AutoScaling lets a cluster grow by itself.
type AutoScaling struct {
	Min string `yaml:"min" json:"min"`
	Max string `yaml:"max" json:"max"`
}

// Search is a deployment of search nodes: Nodes for each shard in each region of the cluster.
type Search struct {
	Size  string `yaml:"size,omitempty" json:"size,omitempty"`
	Nodes int    `yaml:"nodes" json:"nodes"`
}

// Snapshot exists from the start; it was taken Age ago and is kept for Retention from then.
type Snapshot struct {
	Age       time.Duration `yaml:"age" json:"age"`
	Retention time.Duration `yaml:"retention" json:"retention"`
	// Provider is how it is encrypted, the cluster's provider if empty.
	Provider    string   `yaml:"encryptionAtRestProvider,omitempty" json:"encryptionAtRestProvider,omitempty"`
	CopyRegions []string `yaml:"copyRegions,omitempty" json:"copyRegions,omitempty"`
}

// Compliance is a project's Backup Compliance Policy.
type Compliance struct {
	Email      string `yaml:"email" json:"email"`
	FirstName  string `yaml:"firstName" json:"firstName"`
	LastName   string `yaml:"lastName" json:"lastName"`
	Encryption bool   `yaml:"encryptionAtRestEnabled" json:"encryptionAtRestEnabled"`
}

// MaintenanceWindow is when Atlas may maintain a project's clusters: Day 1 (Sunday) to 7, Hour 0 to 23, UTC.
type MaintenanceWindow struct {
	Day  int `yaml:"day" json:"day"`
	Hour int `yaml:"hour" json:"hour"`
}

// Chances are probabilities from 0 to 1 of what goes wrong by itself.
type Chances struct {
	// EndpointFails: creation ends FAILED. EndpointStuck: creation never ends.
	EndpointFails float64 `yaml:"endpointFails,omitempty" json:"endpointFails,omitempty"`
	EndpointStuck float64 `yaml:"endpointStuck,omitempty" json:"endpointStuck,omitempty"`
}

// RateLimit is a token bucket: Capacity tokens, of which Refill come back every Seconds.
type RateLimit struct {
	Capacity int `yaml:"capacity" json:"capacity"`
	Refill   int `yaml:"refill" json:"refill"`
	Seconds  int `yaml:"seconds" json:"seconds"`
}

// Durations are how long Atlas takes, in simulated time.
type Durations struct {
	EndpointCreate world.Distribution `yaml:"endpointCreate" json:"endpointCreate"`
	EndpointDelete world.Distribution `yaml:"endpointDelete" json:"endpointDelete"`
	// EndpointRecreate is how long after losing an endpoint Atlas starts to build its successor.
	EndpointRecreate world.Distribution `yaml:"endpointRecreate" json:"endpointRecreate"`
	// EndpointStatusLag is how late the status of an endpoint is shown.
	EndpointStatusLag world.Distribution `yaml:"endpointStatusLag" json:"endpointStatusLag"`
	// DisableGrace is for how long after the last endpoint is gone disabling is still refused.
	DisableGrace world.Distribution `yaml:"disableGrace" json:"disableGrace"`
	// ResyncNode is the fixed part of the initial sync of one node, ResyncGB the part for each GB of data.
	ResyncNode    world.Distribution `yaml:"resyncNode" json:"resyncNode"`
	ResyncGB      world.Distribution `yaml:"resyncGB" json:"resyncGB"`
	ClusterChange world.Distribution `yaml:"clusterChange" json:"clusterChange"`
	ClusterCreate world.Distribution `yaml:"clusterCreate" json:"clusterCreate"`
	ClusterDelete world.Distribution `yaml:"clusterDelete" json:"clusterDelete"`
	// Rewrap is how long a cluster takes to wrap its master keys with another key.
	Rewrap       world.Distribution `yaml:"rewrap" json:"rewrap"`
	NodeRestart  world.Distribution `yaml:"nodeRestart" json:"nodeRestart"`
	SearchCreate world.Distribution `yaml:"searchCreate" json:"searchCreate"`
	SearchChange world.Distribution `yaml:"searchChange" json:"searchChange"`
	Snapshot     world.Distribution `yaml:"snapshot" json:"snapshot"`
	Restore      world.Distribution `yaml:"restore" json:"restore"`
	Compliance   world.Distribution `yaml:"compliance" json:"compliance"`
	// KeyCheck is the interval at which Atlas validates the key of a project and has nodes check theirs.
	KeyCheck time.Duration `yaml:"keyCheck" json:"keyCheck"`
}

// DefaultDurations are what is documented or was seen of the live service.
func DefaultDurations() Durations {
	d := func(median, p95, atLeast time.Duration) world.Distribution {
		return world.Distribution{Median: median, P95: p95, Min: atLeast}
	}
	return Durations{
		EndpointCreate:    d(90*time.Second, 180*time.Second, 30*time.Second),
		EndpointDelete:    d(85*time.Second, 120*time.Second, 60*time.Second),
		EndpointRecreate:  d(20*time.Second, 60*time.Second, 5*time.Second),
		EndpointStatusLag: d(10*time.Second, 60*time.Second, 0),
		DisableGrace:      d(10*time.Second, 40*time.Second, 2*time.Second),
		ResyncNode:        d(4*time.Minute, 8*time.Minute, 2*time.Minute),
		ResyncGB:          d(20*time.Second, 40*time.Second, 5*time.Second),
		ClusterChange:     d(time.Minute, 4*time.Minute, 15*time.Second),
		ClusterCreate:     d(8*time.Minute, 13*time.Minute, 5*time.Minute),
		ClusterDelete:     d(3*time.Minute, 4*time.Minute, 2*time.Minute),
		Rewrap:            d(2*time.Minute, 5*time.Minute, 30*time.Second),
		NodeRestart:       d(time.Minute, 2*time.Minute, 20*time.Second),
		SearchCreate:      d(9*time.Minute, 14*time.Minute, 5*time.Minute),
		SearchChange:      d(14*time.Minute, 20*time.Minute, 5*time.Minute),
		Snapshot:          d(4*time.Minute, 12*time.Minute, time.Minute),
		Restore:           d(10*time.Minute, 30*time.Minute, 3*time.Minute),
		Compliance:        d(time.Minute, 3*time.Minute, 10*time.Second),
		KeyCheck:          15 * time.Minute,
	}
}
