package atlassim

import (
	"fmt"
	"net/http"
)

// APIError is a refusal in Atlas's own format.
type APIError struct {
	Status           int               `json:"error"`
	Code             string            `json:"errorCode"`
	Detail           string            `json:"detail"`
	Reason           string            `json:"reason"`
	Parameters       []any             `json:"parameters"`
	BadRequestDetail *BadRequestDetail `json:"badRequestDetail,omitempty"`

	// retryAfter is the header of that name, in seconds; 0 means none.
	retryAfter int
}

// BadRequestDetail lists the fields of a body that were refused.
type BadRequestDetail struct {
	Fields []FieldViolation `json:"fields"`
}

// FieldViolation says what is wrong with a field.
type FieldViolation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

func (e *APIError) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Detail) }

func refusal(status int, code, detail string, parameters ...any) *APIError {
	if parameters == nil {
		parameters = []any{}
	}
	return &APIError{Status: status, Code: code, Detail: detail, Reason: http.StatusText(status), Parameters: parameters}
}

func badRequest(code, detail string, parameters ...any) *APIError {
	return refusal(http.StatusBadRequest, code, detail, parameters...)
}

// The refusals whose wording was seen of the live service, letter by letter.

func unauthorized() *APIError {
	return refusal(http.StatusUnauthorized, "UNEXPECTED_ERROR", "You are not authorized for this resource.")
}

func groupNotFound(id string) *APIError {
	return refusal(http.StatusNotFound, "GROUP_NOT_FOUND", fmt.Sprintf("No group with ID %s exists.", id), id)
}

func clusterNotFound(name, group string) *APIError {
	return refusal(http.StatusNotFound, "CLUSTER_NOT_FOUND",
		fmt.Sprintf("No cluster named %s exists in group %s.", name, group), name, group)
}

func cannotAssumeRole(arn string) *APIError {
	return badRequest("CANNOT_ASSUME_ROLE", fmt.Sprintf("Atlas cannot assume the specified role (%s).", arn), arn)
}

func roleNotAuthorized(roleID string) *APIError {
	return badRequest("CLOUD_PROVIDER_ACCESS_ROLE_NOT_AUTHORIZED",
		fmt.Sprintf("The specified Cloud Provider Access role (%s) has not been authorized.", roleID), roleID)
}

func credentialsDeprecated() *APIError {
	return badRequest("AWS_KMS_CREDENTIALS_AUTH_DEPRECATED", "Credentials based authentication is no longer supported for AWS KMS.")
}

func privateNetworkingInUse(regions string) *APIError {
	return badRequest("CANNOT_DISABLE_ENCRYPTION_AT_REST_REQUIRE_PRIVATE_NETWORKING_WHILE_PRIVATE_ENDPOINTS_EXIST",
		fmt.Sprintf("Cannot disable requirePrivateNetworking field when there are private endpoints. Remove private endpoints in region(s) %s to disable requirePrivateNetworking.", regions),
		regions)
}

func privateEndpointsPresent() *APIError {
	return badRequest("CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS",
		"Encryption at Rest cannot be disabled when private endpoints are present.")
}

func deleteBlocked(endpointID string) *APIError {
	bracketed := "[" + endpointID + "]"
	return badRequest("ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING",
		fmt.Sprintf("Failed to delete Encryption at Rest Private endpoint with id %s during IN_PROGRESS state. Please try again later.", bracketed),
		bracketed)
}

func tokenRateLimited() *APIError {
	e := refusal(http.StatusTooManyRequests, "RATE_LIMITED",
		fmt.Sprintf("Resource %s is limited to %d requests every %d minutes.", tokenPath, tokenRequests, tokenMinutes),
		tokenPath, tokenRequests, tokenMinutes)
	return e
}

func rateLimited(path string, retryAfter, capacity, refill, seconds int) *APIError {
	e := refusal(http.StatusTooManyRequests, "RATE_LIMITED_TOKEN_BUCKET",
		fmt.Sprintf("Rate limit exceeded for %s. Please retry after %d seconds. Request capacity: %d. Refill rate: %d per %d seconds.",
			path, retryAfter, capacity, refill, seconds),
		path, retryAfter, capacity, refill, seconds)
	e.retryAfter = retryAfter
	return e
}

// The refusals that MongoDB's catalogue of error codes documents: status, code and wording are its own.

func invalidVersionDate(given string) *APIError {
	return badRequest("INVALID_VERSION_DATE", fmt.Sprintf("Invalid version date in the header: %q.", given), given)
}

func versionGone(given string) *APIError {
	return refusal(http.StatusGone, "VERSION_GONE", fmt.Sprintf("Version %s of this resource has been removed.", given), given)
}

func resourceNotFound(path string) *APIError {
	return refusal(http.StatusNotFound, "RESOURCE_NOT_FOUND", fmt.Sprintf("Cannot find resource %s.", path), path)
}

func notInGroup() *APIError {
	return refusal(http.StatusUnauthorized, "NOT_IN_GROUP", "The current user is not in the group, or the group does not exist.")
}

func cannotAccessGroup() *APIError {
	return refusal(http.StatusUnauthorized, "USER_CANNOT_ACCESS_GROUP", "User cannot access this group.")
}

func invalidGroup(id string) *APIError {
	return refusal(http.StatusNotFound, "INVALID_ATLAS_GROUP", fmt.Sprintf("Atlas group %s is in an invalid state and cannot be loaded.", id), id)
}

func accountSuspended() *APIError {
	return refusal(http.StatusPaymentRequired, "ACCOUNT_SUSPENDED", "Organization has an unpaid invoice that is more than 30 days old.")
}

func accessListRequired() *APIError {
	return refusal(http.StatusForbidden, "RESOURCE_REQUIRES_WHITELIST", "This resource requires access through a whitelist of ip ranges.")
}

func outOfCapacity() *APIError {
	return refusal(http.StatusConflict, "OUT_OF_CAPACITY", "The requested region is currently out of capacity for the requested instance size.")
}

func missingProvider() *APIError {
	return badRequest("MISSING_ENCRYPTION_AT_REST_PROVIDER", "At least one Encryption at Rest provider must be specified.")
}

func settingsInvalid() *APIError {
	return badRequest("ENCRYPTION_AT_REST_SETTINGS_INVALID",
		"Atlas is unable to access your encryption key. You cannot change your encryption key until access to your current encryption key has been restored.")
}

func stillOnClusters() *APIError {
	return refusal(http.StatusConflict, "CANNOT_DISABLE_ENCRYPTION_AT_REST",
		"Cannot disable Encryption at Rest on the group because it is still enabled on one or more clusters in the group.")
}

func invalidQuery(name string) *APIError {
	return badRequest("INVALID_QUERY_PARAMETER", fmt.Sprintf("Invalid query parameter %s specified.", name), name)
}

func notPermitted() *APIError {
	return refusal(http.StatusUnauthorized, "USER_UNAUTHORIZED", "Current user is not authorized to perform this action.")
}

func addressNotAllowed(ip string) *APIError {
	return refusal(http.StatusForbidden, "IP_ADDRESS_NOT_ON_WHITELIST", fmt.Sprintf("IP address %s is not allowed to access this resource.", ip), ip)
}

func missingAttribute(name string) *APIError {
	return badRequest("MISSING_ATTRIBUTE", fmt.Sprintf("The required attribute %s was not specified.", name), name)
}

func invalidAttribute(name string) *APIError {
	return badRequest("INVALID_ATTRIBUTE", fmt.Sprintf("Invalid attribute %s specified.", name), name)
}

func malformedJSON() *APIError {
	return badRequest("MALFORMED_JSON", "Received JSON is malformed.")
}

func notEnabled(group string) *APIError {
	return badRequest("ENCRYPTION_AT_REST_NOT_ENABLED", fmt.Sprintf("Encryption at Rest is not enabled for group %s.", group), group)
}
