package atlassim

import (
	"errors"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// Amazon is what Atlas does in AWS. It is called from within World.Do; its errors are *awssim.Error.
type Amazon interface {
	// Assume says whether the identity is admitted.
	Assume(id awssim.Identity) error
	// UseKey says whether the identity may do actions ("kms:Decrypt") with the key in region, over path, and the key
	// is able to.
	UseKey(id awssim.Identity, actions []string, keyRef, region string, path awssim.Path) error
	// CheckKey says what UseKey would, and leaves no trace.
	CheckKey(id awssim.Identity, actions []string, keyRef, region string, path awssim.Path) error
	// ResolveKey is the key that a reference means in a region.
	ResolveKey(keyRef, region string) (awssim.KeyView, error)
	// State is everything as it was last written.
	State() awssim.State
}

// awsRegion is Atlas's US_EAST_1 in AWS's spelling, us-east-1.
func awsRegion(atlas string) string {
	return strings.ReplaceAll(strings.ToLower(atlas), "_", "-")
}

// keyID is the id in any spelling of a key: itself, or what an ARN ends with.
func keyID(ref string) string {
	if _, id, ok := strings.Cut(ref, ":key/"); ok {
		return id
	}
	return ref
}

// keyIn is how a node in region asks for the key.
func (a *Atlas) keyIn(ref, region string) string {
	parts := strings.Split(ref, ":")
	if !a.assume.RegionalARNs || len(parts) < 6 || parts[0] != "arn" || !strings.HasPrefix(keyID(ref), "mrk-") {
		return ref
	}
	parts[3] = region
	return strings.Join(parts, ":")
}

// named is the id of the key that a reference means in a region, or what it looks like if there is none.
func (a *Atlas) named(ref, region string) string {
	if k, err := a.aws.ResolveKey(ref, awsRegion(region)); err == nil {
		return k.ID
	}
	return keyID(ref)
}

// isAlias is true of alias/x and of its ARN.
func isAlias(ref string) bool {
	return strings.HasPrefix(ref, "alias/") || strings.Contains(ref, ":alias/")
}

// test is whether a node or the control plane could use the key: it describes it, encrypts and decrypts.
func (a *Atlas) test(id awssim.Identity, key, region string, path awssim.Path) error {
	return a.aws.UseKey(id, tested(), key, region, path)
}

// couldUse is test without a trace.
func (a *Atlas) couldUse(id awssim.Identity, key, region string, path awssim.Path) error {
	return a.aws.CheckKey(id, tested(), key, region, path)
}

// question is what is asked of AWS about the use of a key.
type question struct {
	id          awssim.Identity
	key, region string
	path        awssim.Path
}

// couldUseOnce is couldUse for a question that is asked of AWS once, however many nodes have it.
func (a *Atlas) couldUseOnce(q question, seen map[question]error) error {
	answer, asked := seen[q]
	if !asked {
		answer = a.couldUse(q.id, q.key, q.region, q.path)
		seen[q] = answer
	}
	return answer
}

func tested() []string { return []string{"kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"} }

// refusedByAWS is how Atlas reports what AWS answered when it tested a key.
func refusedByAWS(err error, id awssim.Identity, group string) *APIError {
	var refused *awssim.Error
	if !errors.As(err, &refused) {
		return badRequest("ENCRYPTION_AT_REST_SETTINGS_INVALID", err.Error())
	}
	state := func(code, what string) *APIError {
		return badRequest(code, "AWS KMS Customer Master Key is "+what+".")
	}
	switch refused.Code {
	case "AccessDenied":
		return cannotAssumeRole(id.RoleARN)
	case "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException":
		return badRequest("INVALID_AWS_CREDENTIALS", "Invalid AWS credentials.")
	case "AccessDeniedException":
		return badRequest("NO_PERMISSION_TO_ENCRYPT_DECRYPT", "The provided credentials do not have permission to encrypt or decrypt with the key.")
	case "NotFoundException", "ValidationException", "InvalidArnException":
		return refusal(404, "AWS_CUSTOMER_MASTER_KEY_NOT_FOUND", "No AWS customer master key found for group "+group+".", group)
	case "DisabledException":
		return state("AWS_KMS_CUSTOMER_MASTER_KEY_NOT_ENABLED", "not enabled")
	case "KMSInvalidStateException":
		switch refused.KeyState {
		case "PendingDeletion", "PendingReplicaDeletion":
			return state("AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_DELETION", "pending deletion")
		case "PendingImport":
			return state("AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_IMPORT", "pending import")
		}
	}
	return state("AWS_KMS_CUSTOMER_MASTER_KEY_NOT_ENABLED", "not enabled")
}
