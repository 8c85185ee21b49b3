package atlassim

import "net/http"

// operation is one operation of the Administration API, by the id that the service's own description gives it.
type operation struct {
	id, method, path string
	// versions of the resource that are served, oldest first.
	versions []version
	// status of success.
	status int
	// role is the least that may call it.
	role   string
	set    string
	public bool // needs no authentication
	write  bool
	// handle does the work, within World.Do; a nil result answers no body.
	handle func(*call) (any, error)
	// raw serves what is not of the Administration API's format. It is not within World.Do.
	raw func(*call, http.ResponseWriter)
}

// version is a dated version of a resource. A deprecated one says since when and until when it is served.
type version struct {
	date, deprecated, sunset string
	// status of success where it was another then.
	status int
	// alike is set where bodies have been the same since, so that today's description holds.
	alike bool
}

const (
	apiRoot = "/api/atlas/v2"
	inGroup = apiRoot + "/groups/{groupId}"
	ofOne   = inGroup + "/clusters/{clusterName}"
	rest    = inGroup + "/encryptionAtRest"
	access  = inGroup + "/cloudProviderAccess"
	private = rest + "/{cloudProvider}/privateEndpoints"
	// groupByName overlaps the paths below inGroup, of which none is meant when it matches.
	groupByName = apiRoot + "/groups/byName/{groupName}"

	reader  = "GROUP_READ_ONLY"
	manager = "GROUP_CLUSTER_MANAGER"
	owner   = "GROUP_OWNER"
)

func read(id, path, date, role, set string, h func(*call) (any, error)) operation {
	return operation{id: id, method: http.MethodGet, path: path, versions: []version{{date: date}}, status: http.StatusOK, role: role, set: set, handle: h}
}

func write(id, method, path, date string, status int, role, set string, h func(*call) (any, error)) operation {
	return operation{id: id, method: method, path: path, versions: []version{{date: date}}, status: status, role: role, set: set, handle: h, write: true}
}

// since adds older versions to an operation.
func (op operation) since(older ...version) operation {
	op.versions = append(older, op.versions...)
	return op
}

// unauthenticated opens an operation to everybody.
func (op operation) unauthenticated() operation {
	op.public = true
	return op
}

// Operations are the ids of all operations that are served.
func Operations() []string {
	var ids []string
	for _, op := range operations() {
		ids = append(ids, op.id)
	}
	return ids
}

// operations are all that are served.
func operations() []operation {
	const (
		post, patch, put, del      = http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete
		v2023, vFeb, vOct, vNov    = "2023-01-01", "2023-02-01", "2023-10-01", "2023-11-15"
		v2024, vAug, vOct24, v2025 = "2024-05-30", "2024-08-05", "2024-10-23", "2025-03-12"
		vNov24, v2025Feb           = "2024-11-13", "2025-02-19"
	)
	const endOf2023 = "Thu, 1 Jul 2027 00:00:00 GMT"
	augustCluster := version{date: vAug, deprecated: "Wed, 23 Oct 2024 00:00:00 GMT", sunset: "Mon, 1 Mar 2027 00:00:00 GMT", alike: true}
	februaryCluster := version{date: vFeb, deprecated: "Mon, 5 Aug 2024 00:00:00 GMT", sunset: endOf2023}
	firstArgs := version{date: v2023, deprecated: "Mon, 5 Aug 2024 00:00:00 GMT", sunset: endOf2023}
	firstSearch := version{date: v2023, deprecated: "Thu, 30 May 2024 00:00:00 GMT", sunset: endOf2023, status: http.StatusOK}
	ops := []operation{
		read("listGroups", apiRoot+"/groups", v2023, "", setInspection, listGroups),
		read("getGroup", inGroup, v2023, reader, setGroups, getGroup),
		read("getGroupByName", groupByName, v2023, "", setGroups, getGroupByName),
		read("getGroupSettings", inGroup+"/settings", v2023, reader, setGroups, getSettings),
		read("listGroupLimits", inGroup+"/limits", v2023, reader, setGroups, listLimits),
		read("listGroupTeams", inGroup+"/teams", v2023, reader, setGroups, listTeams),
		read("listGroupUsers", inGroup+"/users", v2025Feb, reader, setGroups, listUsers).since(version{date: v2023, deprecated: "Wed, 19 Feb 2025 00:00:00 GMT", sunset: endOf2023}),
		read("getGroupManagedSlowMs", inGroup+"/managedSlowMs", v2023, reader, setGroups, getManagedSlowMs),
		read("listGroupContainers", inGroup+"/containers", v2023, reader, setGroups, listContainers),
		read("listGroupFlexClusters", inGroup+"/flexClusters", vNov24, reader, setClusters, listFlexClusters),
		write("deleteGroup", del, inGroup, v2023, 204, owner, setGroups, deleteGroup),

		read("listGroupCloudProviderAccess", access, v2023, reader, setAccess, listAccess),
		write("createGroupCloudProviderAccess", post, access, v2023, 200, owner, setAccess, createAccess),
		read("getGroupCloudProviderAccess", access+"/{roleId}", v2023, reader, setAccess, getAccess),
		write("authorizeGroupCloudProviderAccessRole", patch, access+"/{roleId}", v2023, 200, owner, setAccess, authorizeAccess),
		write("deauthorizeGroupCloudProviderAccessRole", del, access+"/{cloudProvider}/{roleId}", v2023, 204, owner, setAccess, deauthorizeAccess),

		read("getGroupEncryptionAtRest", rest, v2023, reader, setEncryption, getEncryption),
		write("updateGroupEncryptionAtRest", patch, rest, v2023, 200, owner, setEncryption, updateEncryption),
		read("listGroupEncryptionAtRestPrivateEndpoints", private, v2023, owner, setEncryption, listEndpoints),
		write("createGroupEncryptionAtRestPrivateEndpoint", post, private, v2023, 202, owner, setEncryption, createEndpoint),
		read("getGroupEncryptionAtRestPrivateEndpoint", private+"/{endpointId}", v2023, owner, setEncryption, getEndpoint),
		write("requestGroupEncryptionAtRestPrivateEndpointDeletion", del, private+"/{endpointId}", v2023, 204, owner, setEncryption, deleteEndpoint),

		read("listGroupClusters", inGroup+"/clusters", vAug, reader, setClusters, listClusters).since(februaryCluster),
		read("getGroupCluster", ofOne, vAug, reader, setClusters, getCluster).since(februaryCluster),
		write("createGroupCluster", post, inGroup+"/clusters", vOct24, 201, manager, setClusters, createCluster).since(februaryCluster, augustCluster),
		write("updateGroupCluster", patch, ofOne, vOct24, 200, manager, setClusters, updateCluster).since(februaryCluster, augustCluster),
		write("deleteGroupCluster", del, ofOne, vFeb, 202, owner, setClusters, deleteCluster),

		read("getGroupClusterSearchDeployment", ofOne+"/search/deployment", v2025, reader, setSearch, getSearch).since(firstSearch, version{date: v2024, alike: true}),
		write("createGroupClusterSearchDeployment", post, ofOne+"/search/deployment", v2024, 201, manager, setSearch, createSearch).since(firstSearch),
		write("updateGroupClusterSearchDeployment", patch, ofOne+"/search/deployment", v2024, 200, manager, setSearch, updateSearch).since(firstSearch),
		write("deleteGroupClusterSearchDeployment", del, ofOne+"/search/deployment", v2024, 204, manager, setSearch, deleteSearch).since(firstSearch),
		read("getGroupClusterOutageSimulation", ofOne+"/outageSimulation", v2023, reader, setClusters, getOutage),
		read("getGroupClusterProcessArgs", ofOne+"/processArgs", vAug, reader, setClusters, getProcessArgs).since(firstArgs),
		write("updateGroupClusterProcessArgs", patch, ofOne+"/processArgs", vAug, 200, manager, setClusters, updateProcessArgs).since(firstArgs),

		read("listGroupClusterBackupSnapshots", ofOne+"/backup/snapshots", v2023, reader, setBackup, listSnapshots),
		write("takeGroupClusterBackupSnapshots", post, ofOne+"/backup/snapshots", v2023, 200, owner, setBackup, takeSnapshot),
		read("getGroupClusterBackupSnapshot", ofOne+"/backup/snapshots/{snapshotId}", v2023, reader, setBackup, getSnapshot),
		write("deleteGroupClusterBackupSnapshot", del, ofOne+"/backup/snapshots/{snapshotId}", v2023, 204, owner, setBackup, deleteSnapshot),
		read("listGroupClusterBackupSnapshotShardedClusters", ofOne+"/backup/snapshots/shardedClusters", v2023, reader, setBackup, listShardedSnapshots),
		read("getGroupClusterBackupSnapshotShardedCluster", ofOne+"/backup/snapshots/shardedCluster/{snapshotId}", v2023, reader, setBackup, getSnapshot),
		write("deleteGroupClusterBackupSnapshotShardedCluster", del, ofOne+"/backup/snapshots/shardedCluster/{snapshotId}", v2023, 204, owner, setBackup, deleteSnapshot),
		read("getGroupClusterBackupSchedule", ofOne+"/backup/schedule", vAug, reader, setBackup, getSchedule),
		read("listGroupClusterBackupRestoreJobs", ofOne+"/backup/restoreJobs", v2023, reader, setBackup, listRestores),
		write("createGroupClusterBackupRestoreJob", post, ofOne+"/backup/restoreJobs", v2023, 200, owner, setBackup, createRestore),
		read("getGroupClusterBackupRestoreJob", ofOne+"/backup/restoreJobs/{restoreJobId}", v2023, reader, setBackup, getRestore),
		write("cancelGroupClusterBackupRestoreJob", del, ofOne+"/backup/restoreJobs/{restoreJobId}", v2023, 204, owner, setBackup, cancelRestore),
		read("getGroupBackupCompliancePolicy", inGroup+"/backupCompliancePolicy", vOct, reader, setBackup, getCompliance),
		write("updateGroupBackupCompliancePolicy", put, inGroup+"/backupCompliancePolicy", vOct, 200, owner, setBackup, updateCompliance),

		read("getGroupIpAddresses", inGroup+"/ipAddresses", v2023, reader, setMonitoring, getAddresses),
		read("listControlPlaneIpAddresses", apiRoot+"/unauth/controlPlaneIPAddresses", vNov, "", setUnauth, listControlPlane).unauthenticated(),
		read("getGroupMaintenanceWindow", inGroup+"/maintenanceWindow", v2023, reader, setMonitoring, getWindow),
		write("updateGroupMaintenanceWindow", patch, inGroup+"/maintenanceWindow", v2023, 200, owner, setMonitoring, updateWindow),
		write("resetGroupMaintenanceWindow", del, inGroup+"/maintenanceWindow", v2023, 204, owner, setMonitoring, resetWindow),
		read("listGroupAlertConfigs", inGroup+"/alertConfigs", v2023, reader, setMonitoring, listAlertConfigs),
		read("getSystemStatus", apiRoot, v2023, "", setInspection, getStatus),
		read("listRateLimits", apiRoot+"/rateLimits", v2025, "", setInspection, listRateLimits),
		read("getRateLimit", apiRoot+"/rateLimits/{endpointSetId}", v2025, "", setInspection, getRateLimit),

		read("listGroupEvents", inGroup+"/events", v2023, reader, setMonitoring, listEvents),
		read("getGroupEvent", inGroup+"/events/{eventId}", v2023, reader, setMonitoring, getEvent),
	}
	return append(ops,
		operation{id: "issueToken", method: post, path: tokenPath, raw: issueToken},
		operation{id: "revokeToken", method: post, path: revokePath, raw: revokeToken},
	)
}
