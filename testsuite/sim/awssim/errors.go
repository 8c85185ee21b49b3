package awssim

import "fmt"

// AWS's error codes that are used in more than one place.
const (
	codeNotFound        = "NotFoundException"
	codeDisabled        = "DisabledException"
	codeInvalidState    = "KMSInvalidStateException"
	codeAccessDenied    = "AccessDenied"
	codeAccessDeniedKMS = "AccessDeniedException"
	codeValidation      = "ValidationException"
	codeValidationIAM   = "ValidationError"
	codeUnsupported     = "UnsupportedOperationException"
	codeMalformedKMS    = "MalformedPolicyDocumentException"
	codeMalformedIAM    = "MalformedPolicyDocument"
	codeNoSuchEntity    = "NoSuchEntity"
	codeExists          = "EntityAlreadyExists"
	codeLimit           = "LimitExceeded"
	codeLimitKMS        = "LimitExceededException"
	codeInvalidToken    = "InvalidClientTokenId"
	codeBadSignature    = "SignatureDoesNotMatch"
	codeExpiredToken    = "ExpiredToken"
)

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
