package cmk

// Error types: the type of the application error with which a change, or a step of one, fails. Errors of Atlas and AWS
// have their service's own code as type (CANNOT_ASSUME_ROLE, AccessDeniedException).
const (
	// ErrInvalidRequest: the input is wrong; every problem is named.
	ErrInvalidRequest = "InvalidRequest"
	// ErrPreflightFailed: preflight found an error; nothing was written. Details hold the Report.
	ErrPreflightFailed = "PreflightFailed"
	// ErrProjectBusy: another change holds the project. Details hold the Holder.
	ErrProjectBusy = "ProjectBusy"
	// ErrLeaseLost: the lease on the project ended under the change; nothing more was written.
	ErrLeaseLost = "LeaseLost"
	// ErrRejected: a person rejected the plan or an endpoint. Details hold the Report.
	ErrRejected = "Rejected"
	// ErrExpired: a wait passed its deadline. Details hold the Report.
	ErrExpired = "Expired"
	// ErrAborted: a person ended a step that could not go on. Details hold the Report.
	ErrAborted = "Aborted"
	// ErrForeign: something that is not ours stands where the change would write.
	ErrForeign = "Foreign"
	// ErrDisturbed: somebody else has changed the project's encryption at rest while the change was under way; a person is
	// asked whether it goes on.
	ErrDisturbed = "Disturbed"
	// ErrNoPath: a cluster is not switched, because the private endpoint of a region where it has nodes is not ACTIVE, or
	// not approved.
	ErrNoPath = "NoPath"
	// ErrNotVerified: all was written, but the final look did not find what was asked for. Details hold the Report.
	ErrNotVerified = "NotVerified"
	// ErrRoleDenied: the policies of the IAM role do not let it use the key.
	ErrRoleDenied = "RoleDenied"
	// ErrNotReady: what is awaited has not happened yet. It is benign, and retried.
	ErrNotReady = "NotReady"
	// ErrUnreachable: a service could not be reached or gave no usable answer. Retried.
	ErrUnreachable = "Unreachable"
	// ErrNotDelivered: the receiver of a notification has refused it.
	ErrNotDelivered = "NotDelivered"
	// ErrMisconfigured: the worker lacks something that the step needs, such as credentials.
	ErrMisconfigured = "Misconfigured"
	// ErrOrganizationUnseen: the worker's credentials see no project of the organization.
	ErrOrganizationUnseen = "OrganizationUnseen"
)

// Holder is who holds a project.
type Holder struct {
	WorkflowID   string `json:"workflowId"`
	RunID        string `json:"runId"`
	WorkflowType string `json:"workflowType"`
	Since        string `json:"since"`
}
