// Package cmk is the contract of atlas-cmk: the names, requests, results, signals, statuses and findings that cross its
// boundary, as plain JSON. It imports neither Temporal nor a cloud SDK, so that any Go program may use it; any other
// language needs only the JSON.
package cmk

// TaskQueue is the task queue that the worker serves.
const TaskQueue = "atlas-cmk"

// Workflow types.
const (
	// EnableWithPrivateEndpoints turns on encryption at rest with a customer-managed key, reached over private
	// endpoints, for a project and its clusters.
	EnableWithPrivateEndpoints = "EnableWithPrivateEndpoints"
	// AddPrivateEndpoints gives an enabled project private endpoints in more regions.
	AddPrivateEndpoints = "AddPrivateEndpoints"
	// EncryptClusters puts more clusters of an enabled project on its key.
	EncryptClusters = "EncryptClusters"
	// SafeDisableCMK takes a project and its clusters off the customer-managed key, in an order that keeps every node in
	// reach of its key for as long as it needs it.
	SafeDisableCMK = "SafeDisableCMK"
	// DisablePrivateNetworking deletes the private endpoints and stops requiring private networking; the key stays.
	DisablePrivateNetworking = "DisablePrivateNetworking"
	// RemovePrivateEndpoints deletes private endpoints that no cluster needs.
	RemovePrivateEndpoints = "RemovePrivateEndpoints"
	// MigrateUserToRole moves a project from an IAM user's access key to an IAM role. The key stays the same.
	MigrateUserToRole = "MigrateUserToRole"
	// RotateKey moves a project to another customer-managed key, or to another region of its multi-Region key. The former
	// key, and the role's use of it, are kept.
	RotateKey = "RotateKey"
	// RetireAccess withdraws an access key, a role or a grant that no project uses any more, once no snapshot needs it.
	RetireAccess = "RetireAccess"
	// LeaseWorkflow is the lease that every change of a project holds while it may write. It is started by changes
	// alone, never by hand.
	LeaseWorkflow = "Lease"
)

// WorkflowID is the recommended workflow id of a change of a project. Any id works: what keeps two changes of one
// project apart is the lease, not the id.
func WorkflowID(projectID string) string { return "cmk-" + projectID }

// LeaseID is the workflow id of the lease on a project.
func LeaseID(projectID string) string { return "cmk-lease-" + projectID }

// OwnRoleName is the name of the IAM role that is made for a project, unless the request gives another.
func OwnRoleName(projectID string) string { return roleNameDefault + projectID }

// RoleLeaseID is the workflow id of the lease on an IAM role's documents, which all projects that share it edit.
func RoleLeaseID(roleARN string) string { return "cmk-lease-" + roleARN }

// QueryStatus is the query that answers with a Status, of an open run and of a closed one.
const QueryStatus = "status"

// Signals; each is also an update of the same name, which answers whether the decision was taken.
const (
	SignalApprove         = "approve"
	SignalReject          = "reject"
	SignalApproveEndpoint = "approve-endpoint"
	SignalRejectEndpoint  = "reject-endpoint"
	SignalRetry           = "retry"
	SignalSkip            = "skip"
	SignalAbort           = "abort"
	// SignalIAMReady says that the IAM role has been prepared by hand (role.mode "readOnly").
	SignalIAMReady = "iam-ready"
	// SignalRestore and SignalStop end a way out before its point of no return: everything is put back, or left in a state
	// that the report names.
	SignalRestore = "restore"
	SignalStop    = "stop"
)

// Search attributes, all of type Keyword.
const (
	SearchAttributeProjectID = "AtlasProjectId"
	SearchAttributePhase     = "CmkPhase"
	SearchAttributeAwaiting  = "CmkAwaiting"
)

// SearchAttributes lists the search attributes that a Temporal namespace must know before a worker can serve it.
func SearchAttributes() []string {
	return []string{SearchAttributeProjectID, SearchAttributePhase, SearchAttributeAwaiting}
}

// Phase is where a change stands. It is the value of the search attribute CmkPhase.
type Phase string

// The phases, in the order in which an enable passes them.
const (
	PhasePreflight    Phase = "preflight"
	PhasePlanApproval Phase = "plan-approval"
	PhaseKey          Phase = "key"
	PhaseRole         Phase = "role"
	PhaseEncryption   Phase = "encryption"
	PhaseNetworking   Phase = "networking"
	PhaseEndpoints    Phase = "endpoints"
	PhaseClusters     Phase = "clusters"
	PhaseVerification Phase = "verification"
	// Those of the ways out, besides: waiting until a window can be entered, the window, and the last steps.
	PhaseReadiness    Phase = "readiness"
	PhaseWindow       Phase = "window"
	PhaseSearchNodes  Phase = "search-nodes"
	PhaseProject      Phase = "project"
	PhaseCompensation Phase = "compensation"
	// PhaseDone: the change is complete and verified. PhasePlanned: a dry run returned its plan.
	PhaseDone    Phase = "done"
	PhasePlanned Phase = "planned"
	// PhaseRefused: nothing was written. PhaseCompensated: everything written was taken back. PhaseStopped: the change
	// ended part-way in a state that its report names.
	PhaseRefused     Phase = "refused"
	PhaseCompensated Phase = "compensated"
	PhaseStopped     Phase = "stopped"
)

// Awaiting is what a change waits for. It is the value of the search attribute CmkAwaiting.
type Awaiting string

// What a change can wait for.
const (
	AwaitingNothing          Awaiting = "nothing"
	AwaitingPlanApproval     Awaiting = "plan-approval"
	AwaitingEndpointApproval Awaiting = "endpoint-approval"
	AwaitingEndpoint         Awaiting = "endpoint"
	AwaitingCluster          Awaiting = "cluster"
	AwaitingDecision         Awaiting = "decision"
	AwaitingCalm             Awaiting = "calm"
	// AwaitingPropagation: IAM has yet to show Atlas what was written. It passes by itself.
	AwaitingPropagation Awaiting = "propagation"
	AwaitingIAM         Awaiting = "iam"
	AwaitingReadiness   Awaiting = "readiness"
	AwaitingSearchNodes Awaiting = "search-nodes"
)

// Providers of encryption at rest, as Atlas reports them of a cluster.
const (
	ProviderNone = "NONE"
	ProviderAWS  = "AWS"
)

// EndpointStatus is Atlas's own status of a private endpoint.
type EndpointStatus string

// The six statuses of a private endpoint.
const (
	EndpointInitiating        EndpointStatus = "INITIATING"
	EndpointPendingAcceptance EndpointStatus = "PENDING_ACCEPTANCE"
	EndpointActive            EndpointStatus = "ACTIVE"
	EndpointFailed            EndpointStatus = "FAILED"
	EndpointPendingRecreation EndpointStatus = "PENDING_RECREATION"
	EndpointDeleting          EndpointStatus = "DELETING"
)

// States of a cluster, as Atlas reports them.
const (
	ClusterIdle      = "IDLE"
	ClusterCreating  = "CREATING"
	ClusterUpdating  = "UPDATING"
	ClusterDeleting  = "DELETING"
	ClusterRepairing = "REPAIRING"
)

// WatchID is the workflow id of the watch of a project.
func WatchID(projectID string) string { return "cmk-watch-" + projectID }
