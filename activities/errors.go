package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// retryable is the one table of what is worth trying again. An application error has the code of the service that
// refused as its type; codes that are not listed are final when the service answered 4xx, and tried again otherwise.
func retryable(code string, status int) bool {
	switch code {
	// What IAM's propagation looks like from Atlas: true the first time a role or policy is used, for seconds to minutes.
	case "CANNOT_ASSUME_ROLE", "INVALID_AWS_CREDENTIALS", "CLOUD_PROVIDER_ACCESS_ROLE_NOT_AUTHORIZED", "NO_PERMISSION_TO_ENCRYPT_DECRYPT":
		return true
	// Atlas is still at work on the endpoints; both pass by themselves.
	case "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING",
		stillEndpoints,
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_REQUIRE_PRIVATE_NETWORKING_WHILE_PRIVATE_ENDPOINTS_EXIST":
		return true
	// The cluster is busy with something else, or Atlas itself: it is being upgraded (405).
	case "CLUSTER_RESTORE_IN_PROGRESS_CANNOT_UPDATE", "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES":
		return true
	// AWS: throttling, and what its eventual consistency looks like.
	case "ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException",
		"ConcurrentModification", "ConcurrentModificationException", "KMSInternalException", "DependencyTimeoutException", "ServiceFailure":
		return true
	}
	return status == 0 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500
}

// remedy says what to do about a final error, for those whose own words do not.
func remedy(code string, status int) string {
	switch {
	case lacksRole(code):
		return "give the worker's credentials the role Project Owner in this project"
	case code == "IP_ADDRESS_NOT_ON_WHITELIST" || strings.HasSuffix(code, "_REQUIRES_WHITELIST"):
		return "put the worker's address on the access list of its credentials"
	case code == "ACCOUNT_SUSPENDED":
		return "settle the organization's account with MongoDB"
	case status == http.StatusUnauthorized:
		return "check the worker's credentials"
	case status == http.StatusForbidden || code == "AccessDenied" || code == "AccessDeniedException":
		return "give the worker the permission that this operation needs"
	case code == "LimitExceeded":
		return "use another IAM role for this project, or have the quota raised"
	case code == "GROUP_NOT_FOUND":
		return "check the project id, and that the worker's credentials reach this project"
	case code == "ENCRYPTION_AT_REST_SETTINGS_INVALID":
		return "make the present key usable again first: while Atlas cannot reach it, it can neither change nor disable it"
	}
	return ""
}

// lacksRole is whether the credentials were taken, and do not suffice: Atlas answers 401 to that too.
func lacksRole(code string) bool {
	return code == "USER_UNAUTHORIZED" || code == "NOT_IN_GROUP" || code == "USER_CANNOT_ACCESS_GROUP"
}

// atlasError types an error of the Atlas Admin API by its errorCode. doing says what was asked of what, for the reader.
func atlasError(err error, response *http.Response, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	doing = fmt.Sprintf(doing, args...)
	status := 0
	var wait time.Duration
	if response != nil {
		status = response.StatusCode
		wait = retryAfter(response.Header)
	}
	if api, ok := admin.AsError(err); ok && api.GetErrorCode() != "" {
		return typed(api.GetErrorCode(), status, wait, fmt.Sprintf("%s: Atlas answered %d %s: %s", doing, status, api.GetErrorCode(), brief(api.GetDetail())))
	}
	return unreachable(err, "Atlas", status, wait, doing)
}

// absent says whether Atlas has answered that what was asked for is not there. That its project is not, or cannot be loaded, is
// another matter.
func absent(err error, response *http.Response) bool {
	if err == nil || response == nil || response.StatusCode != http.StatusNotFound {
		return false
	}
	api, ok := admin.AsError(err)
	return !ok || api.GetErrorCode() != "GROUP_NOT_FOUND" && api.GetErrorCode() != "INVALID_ATLAS_GROUP"
}

// awsError types an error of an AWS service by its code.
func awsError(err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	doing = fmt.Sprintf(doing, args...)
	status := 0
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return typed(api.ErrorCode(), status, 0, fmt.Sprintf("%s: AWS answered %s: %s", doing, api.ErrorCode(), brief(api.ErrorMessage())))
	}
	return unreachable(err, "AWS", status, 0, doing)
}

func typed(code string, status int, wait time.Duration, message string) error {
	if r := remedy(code, status); r != "" {
		message += " (" + r + ")"
	}
	return temporal.NewApplicationErrorWithOptions(message, code, temporal.ApplicationErrorOptions{
		NonRetryable:   !retryable(code, status),
		NextRetryDelay: wait,
	})
}

// unreachable is for a service that gave no answer that can be read: no connection, a time-out, a body that is not its
// own. What it sent is not repeated, since nobody knows what is in it.
func unreachable(err error, service string, status int, wait time.Duration, doing string) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	answer := "no answer"
	if status != 0 {
		answer = "an answer that cannot be read, HTTP status " + strconv.Itoa(status)
	}
	message := fmt.Sprintf("%s: %s gave %s", doing, service, answer)
	var misconfigured *MisconfiguredError
	if errors.As(err, &misconfigured) {
		return temporal.NewApplicationErrorWithOptions(misconfigured.Error(), cmk.ErrMisconfigured, temporal.ApplicationErrorOptions{NonRetryable: true})
	}
	return temporal.NewApplicationErrorWithOptions(message, cmk.ErrUnreachable, temporal.ApplicationErrorOptions{
		NonRetryable:   status == http.StatusUnauthorized || status == http.StatusForbidden,
		NextRetryDelay: wait,
		Cause:          errors.New(brief(cause(err))),
	})
}

// incomplete is for an answer that came, and lacks what it always has: cut short on its way, or from something else.
func incomplete(doing string, args ...any) error {
	return temporal.NewApplicationError(fmt.Sprintf(doing, args...)+": AWS gave an answer that lacks what was asked for", cmk.ErrUnreachable)
}

// cause is the innermost error's text: "connection refused" rather than the whole URL before it.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// notReady says that what is awaited has not happened, and when to look again.
func notReady(wait time.Duration, what string, args ...any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf(what, args...), cmk.ErrNotReady, temporal.ApplicationErrorOptions{
		Category:       temporal.ApplicationErrorCategoryBenign,
		NextRetryDelay: wait,
	})
}

// retried refuses for a reason that may pass by itself.
func retried(errorType, why string, args ...any) error {
	return temporal.NewApplicationError(fmt.Sprintf(why, args...), errorType)
}

// final refuses to go on, for a reason that trying again does not change.
func final(errorType, why string, args ...any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf(why, args...), errorType, temporal.ApplicationErrorOptions{NonRetryable: true})
}

// MisconfiguredError is what the worker lacks to do its work: credentials, mostly.
type MisconfiguredError struct{ What string }

func (e *MisconfiguredError) Error() string { return e.What }

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// brief keeps what goes into history short: a failure is stored with every attempt.
func brief(s string) string {
	const most = 400
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
