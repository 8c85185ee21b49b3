package atlassim

import "net/http"

// Documented is a code under which Atlas refuses an operation: documented, or seen of the live service.
type Documented struct {
	Operation string
	Code      string
	Status    int
}

// Catalogue lists the codes under which Atlas may refuse to change a project's encryption at rest, its private endpoints and
// its clusters, whether the simulated world comes to refuse so by itself or a fault has to have it do so.
func Catalogue() []Documented {
	var all []Documented
	add := func(operation string, status int, codes ...string) {
		for _, code := range codes {
			all = append(all, Documented{operation, code, status})
		}
	}
	const encryption, endpoint, cluster = "updateGroupEncryptionAtRest", "requestGroupEncryptionAtRestPrivateEndpointDeletion", "updateGroupCluster"
	add(encryption, http.StatusBadRequest,
		"CANNOT_ASSUME_ROLE", "INVALID_AWS_CREDENTIALS", "CLOUD_PROVIDER_ACCESS_ROLE_NOT_AUTHORIZED", "NO_PERMISSION_TO_ENCRYPT_DECRYPT",
		"AWS_KMS_CUSTOMER_MASTER_KEY_NOT_ENABLED", "AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_DELETION", "AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_IMPORT",
		"AWS_KMS_REGION_NOT_SUPPORTED", "AWS_KMS_CREDENTIALS_AUTH_DEPRECATED", "ENCRYPTION_AT_REST_SETTINGS_INVALID",
		"MISSING_ENCRYPTION_AT_REST_PROVIDER", "INVALID_ENCRYPTION_AT_REST_PROVIDER", "ENCRYPTION_AT_REST_PROVIDER_NOT_SUPPORTED",
		"ENCRYPTION_AT_REST_NOT_ENABLED",
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_REQUIRE_PRIVATE_NETWORKING_WHILE_PRIVATE_ENDPOINTS_EXIST",
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS",
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_WITH_BACKUP_COMPLIANCE_POLICY",
		"CAN_NOT_DISABLE_ALL_ENCRYPTION_AT_REST_SETTINGS_WHILE_BACKUP_COMPLIANCE_POLICY_ENCRYPTION_ENABLED")
	add(encryption, http.StatusNotFound, "AWS_CUSTOMER_MASTER_KEY_NOT_FOUND")
	add(encryption, http.StatusConflict, "CANNOT_DISABLE_ENCRYPTION_AT_REST")
	add(endpoint, http.StatusBadRequest,
		"ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING", "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_IN_USE")
	add(cluster, http.StatusBadRequest,
		"CANNOT_USE_ENCRYPTION_AT_REST_TENANT", "INSUFFICIENT_INSTANCE_SIZE", "CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API",
		"CLUSTER_RESTORE_IN_PROGRESS_CANNOT_UPDATE",
		"CAN_NOT_DISABLE_ALL_ENCRYPTION_AT_REST_SETTINGS_WHILE_BACKUP_COMPLIANCE_POLICY_ENCRYPTION_ENABLED")
	add(cluster, http.StatusNotFound, "CLUSTER_NOT_FOUND")
	add(cluster, http.StatusConflict, "OUT_OF_CAPACITY")
	add(cluster, http.StatusMethodNotAllowed, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES")
	for _, operation := range []string{encryption, endpoint, cluster} {
		add(operation, http.StatusNotFound, "GROUP_NOT_FOUND", "INVALID_ATLAS_GROUP")
		add(operation, http.StatusUnauthorized, "NOT_IN_GROUP", "USER_CANNOT_ACCESS_GROUP")
		add(operation, http.StatusPaymentRequired, "ACCOUNT_SUSPENDED")
		add(operation, http.StatusTooManyRequests, "RATE_LIMITED_TOKEN_BUCKET")
	}
	return all
}
