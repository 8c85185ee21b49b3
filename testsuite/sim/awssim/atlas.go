package awssim

import "fmt"

// What the simulated Atlas does in AWS, it does through these calls rather than over HTTP, so that both are judged by
// the same policies at the same instant. All are made from within World.Do.

// Identity is who calls AWS: the session of an assumed role, or the holder of an access key. Exactly one is set.
type Identity struct {
	// Role: Principal assumes RoleARN with ExternalID.
	Principal, RoleARN, ExternalID string
	// Credentials of an IAM user.
	AccessKeyID, SecretAccessKey string
}

// Path is the network path of a call to KMS.
type Path struct {
	// SourceIP is the public address that the call comes from, when it crosses the internet.
	SourceIP string
	// VPCEndpoint and VPC identify the interface endpoint that the call comes through, when it does not.
	VPCEndpoint, VPC string
}

// Error is a refusal by AWS, with AWS's own code: AccessDenied (sts), AccessDeniedException, NotFoundException,
// DisabledException, KMSInvalidStateException, InvalidClientTokenId, SignatureDoesNotMatch ...
type Error struct {
	Code    string
	Message string
	// KeyState is the state of the key that the call was about, if it reached one ("PendingDeletion").
	KeyState string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }
