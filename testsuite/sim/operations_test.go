package sim_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// Every operation, driven by the Atlas SDK's own client; that requests and answers are as described is checked by the
// world itself. The path through keys and endpoints has a test of its own.
func TestSDKDrivesEveryOperation(t *testing.T) {
	ctx := t.Context()
	r, clock := start(t, sim.Options{Seed: 2})
	c := owner(t, r)
	status := func(response *http.Response, err error, want int) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, want, response.StatusCode)
	}

	groups, response, err := c.ProjectsApi.ListGroups(ctx).Execute()
	status(response, err, 200)
	require.Equal(t, 2, groups.GetTotalCount())
	group, response, err := c.ProjectsApi.GetGroup(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	require.EqualValues(t, 4, group.ClusterCount)

	system, response, err := c.RootApi.GetSystemStatus(ctx).Execute()
	status(response, err, 200)
	require.Equal(t, "MongoDB Atlas", system.AppName)
	limits, response, err := c.RateLimitingApi.ListRateLimits(ctx).Execute()
	status(response, err, 200)
	require.NotEmpty(t, limits.GetResults())
	limit, response, err := c.RateLimitingApi.GetRateLimit(ctx, "clusters").Execute()
	status(response, err, 200)
	require.Equal(t, int64(10000), limit.Capacity.GetValue())

	_, response, err = c.ProjectsApi.GetGroupByName(ctx, "payments").Execute()
	status(response, err, 200)
	_, response, err = c.ProjectsApi.GetGroupSettings(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	_, response, err = c.ProjectsApi.ListGroupLimits(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	_, response, err = c.TeamsApi.ListGroupTeams(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	_, response, err = c.MongoDBCloudUsersApi.ListGroupUsers(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	slow, response, err := c.PerformanceAdvisorApi.GetManagedSlowMs(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	require.True(t, slow)
	containers, response, err := c.NetworkPeeringApi.ListGroupContainers(ctx, sim.ProjectA).ProviderName("AWS").Execute()
	status(response, err, 200)
	require.Len(t, containers.GetResults(), 3)
	_, response, err = c.FlexClustersApi.ListFlexClusters(ctx, sim.ProjectA).Execute()
	status(response, err, 200)

	addresses, response, err := c.ProjectsApi.GetGroupIpAddresses(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	require.Len(t, addresses.Services.GetClusters(), 4)
	_, response, err = c.RootApi.ListControlPlaneAddresses(ctx).Execute()
	status(response, err, 200)

	response, err = c.MaintenanceWindowsApi.UpdateMaintenanceWindow(ctx, sim.ProjectA, &admin.GroupMaintenanceWindow{DayOfWeek: 3, HourOfDay: admin.PtrInt(4)}).Execute()
	status(response, err, 200)
	window, response, err := c.MaintenanceWindowsApi.GetMaintenanceWindow(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	require.Equal(t, 3, window.DayOfWeek)
	response, err = c.MaintenanceWindowsApi.ResetMaintenanceWindow(ctx, sim.ProjectA).Execute()
	status(response, err, 204)

	alerts, response, err := c.AlertConfigurationsApi.ListAlertConfigs(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	require.Len(t, alerts.GetResults(), 2)

	cluster, response, err := c.ClustersApi.CreateCluster(ctx, sim.ProjectA, &admin.ClusterDescription20240805{
		Name: admin.PtrString("fresh"), ClusterType: admin.PtrString("SHARDED"), BackupEnabled: admin.PtrBool(true),
		ReplicationSpecs: &[]admin.ReplicationSpec20240805{shardIn("US_EAST_1"), shardIn("US_WEST_2")},
	}).Execute()
	status(response, err, 201)
	require.Equal(t, "CREATING", cluster.GetStateName())
	clock.wind(time.Hour)
	cluster, response, err = c.ClustersApi.GetCluster(ctx, sim.ProjectA, "fresh").Execute()
	status(response, err, 200)
	require.Equal(t, "IDLE", cluster.GetStateName())
	listed, response, err := c.ClustersApi.ListClusters(ctx, sim.ProjectA).ItemsPerPage(2).PageNum(2).Execute()
	status(response, err, 200)
	require.Len(t, listed.GetResults(), 2)
	require.Equal(t, 5, listed.GetTotalCount())

	arguments, response, err := c.ClustersApi.UpdateProcessArgs(ctx, sim.ProjectA, "fresh", &admin.ClusterDescriptionProcessArgs20240805{NoTableScan: admin.PtrBool(true)}).Execute()
	status(response, err, 200)
	require.True(t, arguments.GetNoTableScan())
	_, response, err = c.ClustersApi.GetProcessArgs(ctx, sim.ProjectA, "fresh").Execute()
	status(response, err, 200)
	_, response, err = c.ClusterOutageSimulationApi.GetOutageSimulation(ctx, sim.ProjectA, "fresh").Execute()
	require.Error(t, err)
	require.Equal(t, 404, response.StatusCode)

	specs := admin.ApiSearchDeploymentRequest{Specs: []admin.ApiSearchDeploymentRequestSpec{{InstanceSize: "S20_HIGHCPU_NVME", NodeCount: admin.PtrInt(2)}}}
	none, response, err := c.AtlasSearchApi.GetClusterSearchDeployment(ctx, sim.ProjectA, "fresh").Execute()
	status(response, err, 200)
	require.Empty(t, none.GetId())
	deployment, response, err := c.AtlasSearchApi.CreateClusterSearchDeployment(ctx, sim.ProjectA, "fresh", &specs).Execute()
	status(response, err, 201)
	require.Equal(t, "UPDATING", deployment.GetStateName())
	clock.wind(time.Hour)
	_, response, err = c.AtlasSearchApi.UpdateClusterSearchDeployment(ctx, sim.ProjectA, "fresh", &specs).Execute()
	status(response, err, 200)
	clock.wind(time.Hour)
	deployment, response, err = c.AtlasSearchApi.GetClusterSearchDeployment(ctx, sim.ProjectA, "fresh").Execute()
	status(response, err, 200)
	require.Equal(t, "IDLE", deployment.GetStateName())
	response, err = c.AtlasSearchApi.DeleteClusterSearchDeployment(ctx, sim.ProjectA, "fresh").Execute()
	status(response, err, 204)

	backups := c.CloudBackupsApi
	_, response, err = backups.TakeSnapshots(ctx, sim.ProjectA, "fresh", &admin.DiskBackupOnDemandSnapshotRequest{Description: admin.PtrString("before"), RetentionInDays: admin.PtrInt(3)}).Execute()
	status(response, err, 200)
	clock.wind(time.Hour)
	sharded, response, err := backups.ListBackupShardedClusters(ctx, sim.ProjectA, "fresh").Execute()
	status(response, err, 200)
	require.Len(t, sharded.GetResults(), 1)
	_, response, err = backups.GetBackupShardedCluster(ctx, sim.ProjectA, "fresh", sharded.GetResults()[0].GetId()).Execute()
	status(response, err, 200)
	response, err = backups.DeleteBackupShardedCluster(ctx, sim.ProjectA, "fresh", sharded.GetResults()[0].GetId()).Execute()
	status(response, err, 204)

	schedule, response, err := backups.GetBackupSchedule(ctx, sim.ProjectA, sim.ClusterEast).Execute()
	status(response, err, 200)
	require.Equal(t, 7, schedule.GetRestoreWindowDays())
	snapshots, response, err := backups.ListBackupSnapshots(ctx, sim.ProjectA, sim.ClusterEast).Execute()
	status(response, err, 200)
	require.Len(t, snapshots.GetResults(), 1)
	snapshot := snapshots.GetResults()[0].GetId()
	_, response, err = backups.GetClusterBackupSnapshot(ctx, sim.ProjectA, sim.ClusterEast, snapshot).Execute()
	status(response, err, 200)
	restore := admin.DiskBackupSnapshotRestoreJob{
		DeliveryType: "automated", SnapshotId: &snapshot, TargetClusterName: admin.PtrString(sim.ClusterEast), TargetGroupId: admin.PtrString(sim.ProjectA),
	}
	job, response, err := backups.CreateBackupRestoreJob(ctx, sim.ProjectA, sim.ClusterEast, &restore).Execute()
	status(response, err, 200)
	clock.wind(time.Hour)
	job, response, err = backups.GetBackupRestoreJob(ctx, sim.ProjectA, sim.ClusterEast, job.GetId()).Execute()
	status(response, err, 200)
	require.False(t, job.GetFailed())
	require.NotZero(t, job.GetFinishedAt())
	_, response, err = backups.ListBackupRestoreJobs(ctx, sim.ProjectA, sim.ClusterEast).Execute()
	status(response, err, 200)
	job, _, err = backups.CreateBackupRestoreJob(ctx, sim.ProjectA, sim.ClusterEast, &restore).Execute()
	require.NoError(t, err)
	response, err = backups.CancelBackupRestoreJob(ctx, sim.ProjectA, sim.ClusterEast, job.GetId()).Execute()
	status(response, err, 204)
	response, err = backups.DeleteClusterBackupSnapshot(ctx, sim.ProjectA, sim.ClusterEast, snapshot).Execute()
	status(response, err, 204)

	_, response, err = backups.GetCompliancePolicy(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	_, response, err = backups.UpdateCompliancePolicy(ctx, sim.ProjectA, &admin.DataProtectionSettings20231001{
		AuthorizedEmail: "a@example.com", AuthorizedUserFirstName: "A", AuthorizedUserLastName: "B",
	}).Execute()
	status(response, err, 200)
	policy, response, err := backups.GetCompliancePolicy(ctx, sim.ProjectA).Execute()
	status(response, err, 200)
	require.Equal(t, "a@example.com", policy.AuthorizedEmail)

	response, err = c.ClustersApi.DeleteCluster(ctx, sim.ProjectA, "fresh").Execute()
	status(response, err, 202)
	clock.wind(time.Hour)
	_, response, err = c.ClustersApi.GetCluster(ctx, sim.ProjectA, "fresh").Execute()
	require.True(t, admin.IsErrorCode(err, "CLUSTER_NOT_FOUND"))
	require.Equal(t, 404, response.StatusCode)

	events, response, err := c.EventsApi.ListGroupEvents(ctx, sim.ProjectA).EventType([]string{"CLUSTER_CREATED"}).Execute()
	status(response, err, 200)
	require.Len(t, events.GetResults(), 1)
	_, response, err = c.EventsApi.GetGroupEvent(ctx, sim.ProjectA, events.GetResults()[0].GetId()).Execute()
	status(response, err, 200)

	token, err := serviceAccount(r).Token(ctx)
	require.NoError(t, err)
	require.NoError(t, serviceAccount(r).RevokeToken(ctx, token))

	missing := atlassim.Operations()
	for _, e := range append(r.Journal.Entries(), fromNothingAndBack(t).Journal.Entries()...) {
		missing = slices.DeleteFunc(missing, func(id string) bool { return id == e.Operation })
	}
	require.Empty(t, missing)
}

func shardIn(region string) admin.ReplicationSpec20240805 {
	return admin.ReplicationSpec20240805{RegionConfigs: &[]admin.CloudRegionConfig20240805{{
		ProviderName: admin.PtrString("AWS"), RegionName: admin.PtrString(region), Priority: admin.PtrInt(7),
		ElectableSpecs: &admin.HardwareSpec20240805{InstanceSize: admin.PtrString("M30"), NodeCount: admin.PtrInt(3)},
	}}}
}
