package cmk

// Severity ranks a finding.
type Severity string

// The severities. An error ends a change before it writes anything.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
)

// FindingCode is the stable name of a finding.
type FindingCode string

// Finding is something that preflight found out, with what to do about it.
type Finding struct {
	Code     FindingCode `json:"code"`
	Severity Severity    `json:"severity"`
	// Object is what it is about: a cluster, a region, a key ARN, a role.
	Object string `json:"object,omitempty"`
	// Detail says what was found; Remedy what to do.
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Findings of preflight.
const (
	FindingEnabledWithCredentials FindingCode = "ENABLED_WITH_CREDENTIALS"
	FindingEnabledWithOtherKey    FindingCode = "ENABLED_WITH_OTHER_KEY"
	FindingEnabledWithOtherRole   FindingCode = "ENABLED_WITH_OTHER_ROLE"
	FindingSettingsInvalid        FindingCode = "SETTINGS_INVALID"
	FindingOtherProvider          FindingCode = "OTHER_PROVIDER_ENABLED"

	FindingKeyNotEncrypting   FindingCode = "KEY_NOT_FOR_ENCRYPTION"
	FindingKeyNotEnabled      FindingCode = "KEY_NOT_ENABLED"
	FindingKeyAWSManaged      FindingCode = "KEY_AWS_MANAGED"
	FindingKeyOtherPartition  FindingCode = "KEY_OTHER_PARTITION"
	FindingKeyExpires         FindingCode = "KEY_MATERIAL_EXPIRES"
	FindingKeyCustomStore     FindingCode = "KEY_IN_CUSTOM_STORE"
	FindingKeyNotRotated      FindingCode = "KEY_NOT_ROTATED"
	FindingKeySingleRegion    FindingCode = "KEY_SINGLE_REGION"
	FindingReplicaMissing     FindingCode = "REPLICA_MISSING"
	FindingReplicaMade        FindingCode = "REPLICA_MADE"
	FindingReplicaNotEnabled  FindingCode = "REPLICA_NOT_ENABLED"
	FindingKeyPolicyNoAccess  FindingCode = "KEY_POLICY_NO_ACCESS"
	FindingKeyPolicyDeny      FindingCode = "KEY_POLICY_DENY"
	FindingKeyPolicyCondition FindingCode = "KEY_POLICY_CONDITION"
	FindingKeyPolicyUnread    FindingCode = "KEY_POLICY_UNREAD"

	FindingRoleMissing         FindingCode = "ROLE_MISSING"
	FindingRoleBoundary        FindingCode = "ROLE_BOUNDARY"
	FindingTrustTooLong        FindingCode = "TRUST_POLICY_TOO_LONG"
	FindingInlineTooLong       FindingCode = "INLINE_POLICIES_TOO_LONG"
	FindingPendingRolesUnknown FindingCode = "PENDING_ROLES_UNKNOWN"

	FindingClusterMissing    FindingCode = "CLUSTER_MISSING"
	FindingClusterNotOnAWS   FindingCode = "CLUSTER_NOT_ON_AWS"
	FindingClusterTooSmall   FindingCode = "CLUSTER_TIER_TOO_SMALL"
	FindingClusterPaused     FindingCode = "CLUSTER_PAUSED"
	FindingClusterNotIdle    FindingCode = "CLUSTER_NOT_IDLE"
	FindingClusterOtherKMS   FindingCode = "CLUSTER_OTHER_PROVIDER"
	FindingClusterUncovered  FindingCode = "CLUSTER_REGION_UNCOVERED"
	FindingRegionUncovered   FindingCode = "REGION_UNCOVERED"
	FindingClusterReencrypts FindingCode = "CLUSTER_REENCRYPTS"
	FindingClusterAppeared   FindingCode = "CLUSTER_APPEARED"
	FindingClusterDeleting   FindingCode = "CLUSTER_DELETING"
	FindingEndpointExists    FindingCode = "ENDPOINT_EXISTS"
	FindingEndpointStuck     FindingCode = "ENDPOINT_NOT_READY"
	FindingNetworkingNoPath  FindingCode = "NETWORKING_WITHOUT_ENDPOINTS"
	FindingWindow            FindingCode = "WINDOW"
	FindingNothingToDo       FindingCode = "NOTHING_TO_DO"
	FindingNotEvaluated      FindingCode = "NOT_EVALUATED"
	FindingBackupCompliance  FindingCode = "BACKUP_COMPLIANCE"
	FindingNoRegions         FindingCode = "NO_REGIONS"
	FindingSnapshotsNeedRole FindingCode = "SNAPSHOTS_NEED_ROLE"
	FindingPublicPathClosed  FindingCode = "PUBLIC_PATH_CLOSED"
	FindingPublicExposure    FindingCode = "PUBLIC_EXPOSURE"
	FindingSearchNodes       FindingCode = "SEARCH_NODES"
	FindingEndpointMissing   FindingCode = "ENDPOINT_MISSING"
	FindingEndpointInUse     FindingCode = "ENDPOINT_IN_USE"

	FindingCallerRights       FindingCode = "CALLER_RIGHTS"
	FindingAlertMissing       FindingCode = "ALERT_MISSING"
	FindingMaintenance        FindingCode = "MAINTENANCE_DUE"
	FindingRestoreRunning     FindingCode = "RESTORE_RUNNING"
	FindingOutageSimulation   FindingCode = "OUTAGE_SIMULATION"
	FindingClusterScales      FindingCode = "CLUSTER_AUTOSCALES"
	FindingResyncPastOplog    FindingCode = "RESYNC_PAST_OPLOG"
	FindingSnapshotsBeforeKey FindingCode = "SNAPSHOTS_BEFORE_KEY"
	FindingTooMuchAtOnce      FindingCode = "TOO_MUCH_AT_ONCE"

	FindingNotEnabled           FindingCode = "NOT_ENABLED"
	FindingNetworkingOff        FindingCode = "PRIVATE_NETWORKING_OFF"
	FindingPlannedCovered       FindingCode = "PLANNED_CLUSTER_COVERED"
	FindingPlannedUncovered     FindingCode = "PLANNED_CLUSTER_UNCOVERED"
	FindingKeySpelling          FindingCode = "KEY_SPELLING"
	FindingRewrapUnseen         FindingCode = "REWRAP_NOT_OBSERVABLE"
	FindingOnRoleAlready        FindingCode = "ON_ROLE_ALREADY"
	FindingRoleDenied           FindingCode = "ROLE_DENIED"
	FindingSettleShort          FindingCode = "SETTLE_SHORT"
	FindingAccessKeyUnknown     FindingCode = "ACCESS_KEY_UNKNOWN"
	FindingAccessKeyNeeded      FindingCode = "ACCESS_KEY_NEEDED"
	FindingAccessKeyInUse       FindingCode = "ACCESS_KEY_IN_USE"
	FindingAccessKeyShared      FindingCode = "ACCESS_KEY_MAY_BE_SHARED"
	FindingProjectOnCredentials FindingCode = "PROJECT_ON_CREDENTIALS"
	FindingRoleInUse            FindingCode = "ROLE_IN_USE"
	FindingRoleNeeded           FindingCode = "ROLE_NEEDED"
	FindingRoleShared           FindingCode = "ROLE_SHARED"
)

// Step is one thing that a plan will do, or finds done.
type Step struct {
	// Action is what is done, in words that do not change: they are part of the plan's hash.
	Action string `json:"action"`
	Object string `json:"object,omitempty"`
	// Exists is true when the step will find nothing to write.
	Exists bool `json:"exists"`
	// Irreversible says what cannot be taken back, if anything.
	Irreversible string `json:"irreversible,omitempty"`
	// Exposure says what is at risk while the step runs, if anything.
	Exposure string `json:"exposure,omitempty"`
}

// Plan is what a change will do, in order.
type Plan struct {
	// Hash identifies the plan: an approval of a plan is an approval of this hash.
	Hash  string `json:"hash"`
	Steps []Step `json:"steps"`
}

// Writes counts the steps that will write.
func (p Plan) Writes() int {
	n := 0
	for _, s := range p.Steps {
		if !s.Exists {
			n++
		}
	}
	return n
}
