package cmk

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// EnableRequest is the input of EnableWithPrivateEndpoints.
type EnableRequest struct {
	// ProjectID is the Atlas project (group), 24 hexadecimal digits.
	ProjectID string `json:"projectId"`
	// Key is the KMS key: an ARN, an id, or an alias. An alias is resolved once, at preflight; what is sent to Atlas is
	// the key's ARN.
	Key string `json:"key"`
	// KeyRegion is the region in which Key is looked up and which Atlas is told. It may be left out when Key is an ARN.
	KeyRegion string `json:"keyRegion,omitempty"`
	// Role is the IAM role through which Atlas uses the key. By default a role atlas-cmk-<projectId> is created.
	Role RoleRequest `json:"role,omitzero"`
	// Regions get a private endpoint each. By default every region in which the project's clusters have nodes.
	Regions []string `json:"regions,omitempty"`
	// Clusters are switched to the key, one by one, once the endpoints are ACTIVE and approved: "all" (default), "none",
	// or a list of names.
	Clusters ClusterSelection `json:"clusters,omitzero"`
	// Parallel is how many clusters may be re-encrypting at once, 1 by default. With more, the cluster that covers the
	// most regions goes first, alone.
	Parallel int `json:"parallel,omitempty"`
	// ResumePaused resumes paused clusters that are selected, which stay running; without it they are an error.
	ResumePaused bool `json:"resumePaused,omitempty"`
	// SearchNodes puts search nodes on the key too. Atlas replaces them, and they rebuild their indexes.
	SearchNodes bool `json:"searchNodes,omitempty"`
	// SnapshotDays, if positive, has an on-demand snapshot taken of every cluster with cloud backup once it is on the key,
	// which Atlas keeps for that many days: snapshots from before cannot be restored into it any more.
	SnapshotDays int `json:"snapshotDays,omitempty"`
	// Replicas says what to do about regions in which a multi-Region key has no replica: "check" (default) refuses,
	// "create" makes one, which this software never takes back.
	Replicas Replicas `json:"replicas,omitempty"`
	// Approval is the policy by which endpoints are approved.
	Approval ApprovalPolicy `json:"approval,omitzero"`
	// PlanApproval asks for the plan to be approved before anything is written.
	PlanApproval bool `json:"planApproval,omitempty"`
	// OnFailure says what happens to what was done when the change fails or is cancelled before its first cluster is
	// switched: "compensate" (default) takes it back, "stop" leaves it.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// Deadlines bound the waits.
	Deadlines Deadlines `json:"deadlines,omitzero"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
	// DryRun returns the plan and its findings, and writes nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// RoleMode says what may be done to the IAM role.
type RoleMode string

// The modes of an IAM role.
const (
	// RoleCreate makes the role if it does not exist and edits our statements in it.
	RoleCreate RoleMode = "create"
	// RoleAdopt edits our statements in a role that must exist.
	RoleAdopt RoleMode = "adopt"
	// RoleReadOnly writes nothing in IAM: the documents that are needed are shown, and the signal iam-ready awaited.
	RoleReadOnly RoleMode = "readOnly"
)

// Replicas is what to do about missing replicas of a key.
type Replicas string

// What can be done about missing replicas.
const (
	ReplicasCheck  Replicas = "check"
	ReplicasCreate Replicas = "create"
)

// RoleRequest names the IAM role.
type RoleRequest struct {
	Mode RoleMode `json:"mode,omitempty"`
	// Name is the role's name, without path. By default atlas-cmk-<projectId>.
	Name string `json:"name,omitempty"`
	// PermissionsBoundary is the ARN of the policy that bounds a role that is created.
	PermissionsBoundary string `json:"permissionsBoundary,omitempty"`
}

// OnFailure is what happens to a change's work when it fails before its pivot.
type OnFailure string

// What can happen on failure.
const (
	Compensate OnFailure = "compensate"
	Stop       OnFailure = "stop"
)

// ApprovalMode says which approvals a person or service must give for endpoints.
type ApprovalMode string

// The approval modes.
const (
	// ApproveUse: an endpoint counts only when it is ACTIVE and approved.
	ApproveUse ApprovalMode = "use"
	// ApproveCreate: each region is asked for before its endpoint is created.
	ApproveCreate ApprovalMode = "create"
	// ApproveProvider: Atlas's own status decides; a person is asked only while it is PENDING_ACCEPTANCE.
	ApproveProvider ApprovalMode = "provider"
)

// ApprovalPolicy is who must approve what.
type ApprovalPolicy struct {
	Mode ApprovalMode `json:"mode,omitempty"`
	// Approvers is how many distinct people must approve, 1 by default. The requester does not count.
	Approvers int `json:"approvers,omitempty"`
	// Reminder is how long people are waited for before they are asked again, and again each time that long, at most 50
	// times for the same; never by default. It reaches them as a notification of the webhook, a log line and a metric.
	Reminder Duration `json:"reminder,omitempty"`
}

// Deadlines bound the waits of a change. Each is counted from the moment its wait begins.
type Deadlines struct {
	// Propagation bounds the wait until IAM shows Atlas the role and its permissions; 10m by default.
	Propagation Duration `json:"propagation,omitempty"`
	// Endpoint bounds the wait for endpoints to become ACTIVE; 4h by default, since Atlas has taken more than three.
	Endpoint Duration `json:"endpoint,omitempty"`
	// Cluster bounds the re-encryption of one cluster, which re-syncs all its data; 72h by default.
	Cluster Duration `json:"cluster,omitempty"`
	// Approval bounds the wait for an approval; 168h by default.
	Approval Duration `json:"approval,omitempty"`
	// Verification bounds the final look; 30m by default.
	Verification Duration `json:"verification,omitempty"`
}

// ClusterSelection selects clusters: all (its zero value), none, or some by name.
type ClusterSelection struct {
	None  bool
	Names []string
}

// MarshalJSON writes "all", "none" or the list of names.
func (c ClusterSelection) MarshalJSON() ([]byte, error) {
	switch {
	case c.None:
		return []byte(`"none"`), nil
	case len(c.Names) == 0:
		return []byte(`"all"`), nil
	}
	return json.Marshal(c.Names)
}

// UnmarshalJSON reads "all", "none" or a list of names.
func (c *ClusterSelection) UnmarshalJSON(b []byte) error {
	*c = ClusterSelection{}
	switch string(b) {
	case `"all"`:
		return nil
	case `"none"`:
		c.None = true
		return nil
	}
	if err := json.Unmarshal(b, &c.Names); err != nil || len(c.Names) == 0 {
		return &InvalidRequestError{Problems: []Problem{{Field: "clusters", Value: string(b), Remedy: `give "all", "none", or a list of names`}}}
	}
	return nil
}

// Selects says whether the cluster of that name is selected.
func (c ClusterSelection) Selects(name string) bool {
	return !c.None && (len(c.Names) == 0 || slices.Contains(c.Names, name))
}

var (
	projectIDForm   = regexp.MustCompile(`^[0-9a-f]{24}$`)
	roleNameForm    = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]{1,64}$`)
	policyARNForm   = regexp.MustCompile(`^arn:(aws|aws-us-gov|aws-cn):iam::([0-9]{12}|aws):policy/.+$`)
	clusterNameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]*$`)
)

const (
	roleNameDefault = "atlas-cmk-"
	maxParallel     = 50
	maxRegions      = 40
	maxApprovers    = 5
	maxSnapshotDays = 3650
)

// DecodeEnable reads, completes and validates a request. What is left out is filled in with its default, regions are
// normalised to Atlas's spelling and put in order. The error, an *InvalidRequestError, names every problem at once.
func DecodeEnable(data []byte) (EnableRequest, error) { return read[EnableRequest](data) }

func (r *EnableRequest) complete() {
	r.KeyRegion = keyRegion(r.Key, r.KeyRegion)
	normalizeRegions(r.Regions)
	slices.Sort(r.Clusters.Names)
	if r.Role.Mode == "" {
		r.Role.Mode = RoleCreate
	}
	if r.Replicas == "" {
		r.Replicas = ReplicasCheck
	}
	if r.Role.Name == "" && r.Role.Mode == RoleCreate && projectIDForm.MatchString(r.ProjectID) {
		r.Role.Name = OwnRoleName(r.ProjectID)
	}
	if r.Parallel == 0 {
		r.Parallel = 1
	}
	r.Approval.complete()
	if r.OnFailure == "" {
		r.OnFailure = Compensate
	}
	r.Deadlines.complete()
}

func (a *ApprovalPolicy) complete() {
	if a.Mode == "" {
		a.Mode = ApproveUse
	}
	if a.Approvers == 0 {
		a.Approvers = 1
	}
}

// normalizeRegions puts regions into Atlas's spelling and in order.
func normalizeRegions(regions []string) {
	for i, s := range regions {
		if region, ok := ParseRegion(s); ok {
			regions[i] = string(region)
		}
	}
	slices.Sort(regions)
}

// defaultDeadlines are those that are left out.
func defaultDeadlines() Deadlines {
	return Deadlines{
		Propagation:  Duration(10 * time.Minute),
		Endpoint:     Duration(4 * time.Hour),
		Cluster:      Duration(72 * time.Hour),
		Approval:     Duration(168 * time.Hour),
		Verification: Duration(30 * time.Minute),
	}
}

func (d *Deadlines) complete() {
	defaults := defaultDeadlines()
	for _, f := range []struct {
		field *Duration
		value Duration
	}{
		{&d.Propagation, defaults.Propagation},
		{&d.Endpoint, defaults.Endpoint},
		{&d.Cluster, defaults.Cluster},
		{&d.Approval, defaults.Approval},
		{&d.Verification, defaults.Verification},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
}

func (r *EnableRequest) validate(p *problems) {
	validateProjectID(p, r.ProjectID)
	if r.Key == "" {
		p.add("key", "", "is missing: name the KMS key by ARN, id or alias")
	}
	validateKey(p, r.Key, r.KeyRegion)
	r.Role.validate(p)
	validateRegions(p, "regions", r.Regions)
	validateClusters(p, r.Clusters)
	validateParallel(p, r.Parallel)
	validateSnapshotDays(p, r.SnapshotDays)
	r.Approval.validate(p)
	validateReplicas(p, r.Replicas)
	validateOnFailure(p, r.OnFailure)
	r.Deadlines.validate(p)
}

func validateClusters(p *problems, c ClusterSelection) {
	for _, name := range c.Names {
		if !clusterNameForm.MatchString(name) {
			p.add("clusters", name, "is not the name of a cluster: letters, digits and hyphens, not starting with a hyphen")
		}
	}
	if dup := duplicate(c.Names); dup != "" {
		p.add("clusters", dup, "is named twice")
	}
}

func validateParallel(p *problems, n int) {
	if n < 1 || n > maxParallel {
		p.add("parallel", strconv.Itoa(n), "give a number from 1 to %d", maxParallel)
	}
}

func validateSnapshotDays(p *problems, days int) {
	if days < 0 || days > maxSnapshotDays {
		p.add("snapshotDays", strconv.Itoa(days), "give for how many days a snapshot is to be kept, up to %d, or leave it out for none", maxSnapshotDays)
	}
}

func validateReplicas(p *problems, r Replicas) {
	if r != ReplicasCheck && r != ReplicasCreate {
		p.add("replicas", string(r), `give "check" or "create"`)
	}
}

// validateOnFailure is for changes that can take back what they have made.
func validateOnFailure(p *problems, f OnFailure) {
	if f != Compensate && f != Stop {
		p.add("onFailure", string(f), `give "compensate" or "stop"`)
	}
}

func (r RoleRequest) validate(p *problems) {
	if r.Mode != RoleCreate && r.Mode != RoleAdopt && r.Mode != RoleReadOnly {
		p.add("role.mode", string(r.Mode), `give "create", "adopt" or "readOnly"`)
	}
	if r.Name == "" {
		if r.Mode == RoleAdopt || r.Mode == RoleReadOnly {
			p.add("role.name", "", "is missing: name the IAM role")
		}
	} else if !roleNameForm.MatchString(r.Name) {
		p.add("role.name", r.Name, "is not the name of an IAM role: give up to 64 letters, digits and +=,.@_-, without its path or ARN")
	}
	if r.PermissionsBoundary != "" {
		if !policyARNForm.MatchString(r.PermissionsBoundary) {
			p.add("role.permissionsBoundary", r.PermissionsBoundary, "give the ARN of an IAM policy")
		}
		if r.Mode != RoleCreate {
			p.add("role.permissionsBoundary", r.PermissionsBoundary, "belongs to a role that is created: leave it out when adopting one")
		}
	}
}

func (a ApprovalPolicy) validate(p *problems) {
	switch a.Mode {
	case ApproveUse, ApproveCreate, ApproveProvider:
	default:
		p.add("approval.mode", string(a.Mode), `give "use", "create" or "provider"`)
	}
	PlanPolicy{a.Approvers, a.Reminder}.validate(p)
}

func (d Deadlines) validate(p *problems) {
	for _, f := range []struct {
		name  string
		value Duration
	}{
		{"propagation", d.Propagation}, {"endpoint", d.Endpoint}, {"cluster", d.Cluster}, {"approval", d.Approval}, {"verification", d.Verification},
	} {
		if f.value < Duration(time.Second) {
			p.add("deadlines."+f.name, f.value.String(), "give at least 1s")
		}
	}
}

func validateProjectID(p *problems, id string) {
	if id == "" {
		p.add("projectId", "", "is missing: give the id of the Atlas project, 24 hexadecimal digits")
	} else if !projectIDForm.MatchString(id) {
		p.add("projectId", id, "is not the id of an Atlas project: give 24 lower-case hexadecimal digits")
	}
}

func validateRegions(p *problems, field string, regions []string) {
	for _, s := range regions {
		if _, ok := ParseRegion(s); !ok {
			p.add(field, s, "give AWS regions, such as US_EAST_1 or us-east-1")
		}
	}
	if dup := duplicate(regions); dup != "" {
		p.add(field, dup, "is named twice")
	}
	if len(regions) > maxRegions {
		p.add(field, strconv.Itoa(len(regions)), "name at most %d regions", maxRegions)
	}
}

// duplicate is the first value that stands twice in a sorted list, or empty.
func duplicate(sorted []string) string {
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return sorted[i]
		}
	}
	return ""
}
