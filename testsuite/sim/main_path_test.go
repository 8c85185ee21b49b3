package sim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

func TestFromNothingToPrivateKeysOnAClusterAndBack(t *testing.T) { fromNothingAndBack(t) }

func fromNothingAndBack(t *testing.T) *sim.Running {
	t.Helper()
	ctx := t.Context()
	r, clock := start(t, sim.Options{Seed: 1})
	client := owner(t, r)
	access, rest, clusters := client.CloudProviderAccessApi, client.EncryptionAtRestUsingCustomerKeyManagementApi, client.ClustersApi

	role, _, err := access.CreateCloudProviderAccess(ctx, sim.ProjectA, &admin.CloudProviderAccessRoleRequest{ProviderName: "AWS"}).Execute()
	require.NoError(t, err)
	_, response, err := access.AuthorizeProviderAccessRole(ctx, sim.ProjectA, role.GetRoleId(),
		&admin.CloudProviderAccessRoleRequestUpdate{ProviderName: "AWS", IamAssumedRoleArn: admin.PtrString(roleARN)}).Execute()
	require.True(t, admin.IsErrorCode(err, "CANNOT_ASSUME_ROLE"), "%v", err)
	require.Equal(t, "CANNOT_ASSUME_ROLE", response.Header.Get("X-Error-Code"))
	grantRole(t, r, clock, role.GetAtlasAWSAccountArn(), role.GetAtlasAssumedRoleExternalId())
	_, _, err = access.AuthorizeProviderAccessRole(ctx, sim.ProjectA, role.GetRoleId(),
		&admin.CloudProviderAccessRoleRequestUpdate{ProviderName: "AWS", IamAssumedRoleArn: admin.PtrString(roleARN)}).Execute()
	require.NoError(t, err)

	roles, _, err := access.ListCloudProviderAccess(ctx, sim.ProjectA).Execute()
	require.NoError(t, err)
	require.Len(t, roles.GetAwsIamRoles(), 1)
	got, _, err := access.GetCloudProviderAccess(ctx, sim.ProjectA, role.GetRoleId()).Execute()
	require.NoError(t, err)
	require.Equal(t, roleARN, got.GetIamAssumedRoleArn())

	kms := &admin.AWSKMSConfiguration{
		Enabled: admin.PtrBool(true), RoleId: role.RoleId, Region: admin.PtrString("US_EAST_1"),
		CustomerMasterKeyID: admin.PtrString(awssim.MultiRegionKeyARN), RequirePrivateNetworking: admin.PtrBool(true),
	}
	config, _, err := rest.UpdateEncryptionAtRest(ctx, sim.ProjectA, &admin.EncryptionAtRest{AwsKms: kms}).Execute()
	require.NoError(t, err)
	require.True(t, config.AwsKms.GetValid())

	for _, region := range []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"} {
		e, _, err := rest.CreateRestPrivateEndpoint(ctx, sim.ProjectA, "AWS", &admin.EARPrivateEndpoint{RegionName: admin.PtrString(region)}).Execute()
		require.NoError(t, err)
		require.Equal(t, "INITIATING", e.GetStatus())
		_, err = rest.RequestPrivateEndpointDeletion(ctx, sim.ProjectA, "AWS", e.GetId()).Execute()
		require.True(t, admin.IsErrorCode(err, "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING"), "%v", err)
	}
	clock.wind(20 * time.Minute)
	endpoints, _, err := rest.ListRestPrivateEndpoints(ctx, sim.ProjectA, "AWS").Execute()
	require.NoError(t, err)
	require.Len(t, endpoints.GetResults(), 3)
	for _, e := range endpoints.GetResults() {
		one, _, err := rest.GetRestPrivateEndpoint(ctx, sim.ProjectA, "AWS", e.GetId()).Execute()
		require.NoError(t, err)
		require.Equal(t, "ACTIVE", one.GetStatus())
	}
	shown, _, err := rest.GetEncryptionAtRest(ctx, sim.ProjectA).Execute()
	require.NoError(t, err)
	require.True(t, shown.AwsKms.GetRequirePrivateNetworking())

	turn := func(provider string) {
		c, _, err := clusters.UpdateCluster(ctx, sim.ProjectA, sim.ClusterGlobal, &admin.ClusterDescription20240805{EncryptionAtRestProvider: &provider}).Execute()
		require.NoError(t, err)
		require.Equal(t, "UPDATING", c.GetStateName())
		clock.wind(24 * time.Hour)
		c, _, err = clusters.GetCluster(ctx, sim.ProjectA, sim.ClusterGlobal).Execute()
		require.NoError(t, err)
		require.Equal(t, "IDLE", c.GetStateName())
		require.Equal(t, provider, c.GetEncryptionAtRestProvider())
	}
	turn("AWS")

	_, _, err = rest.UpdateEncryptionAtRest(ctx, sim.ProjectA, &admin.EncryptionAtRest{AwsKms: &admin.AWSKMSConfiguration{Enabled: admin.PtrBool(false)}}).Execute()
	require.True(t, admin.IsErrorCode(err, "CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS"), "%v", err)
	turn("NONE")
	for _, e := range endpoints.GetResults() {
		response, err := rest.RequestPrivateEndpointDeletion(ctx, sim.ProjectA, "AWS", e.GetId()).Execute()
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, response.StatusCode)
	}
	clock.wind(10 * time.Minute)
	kms.RequirePrivateNetworking = admin.PtrBool(false)
	_, _, err = rest.UpdateEncryptionAtRest(ctx, sim.ProjectA, &admin.EncryptionAtRest{AwsKms: kms}).Execute()
	require.NoError(t, err)
	config, _, err = rest.UpdateEncryptionAtRest(ctx, sim.ProjectA, &admin.EncryptionAtRest{AwsKms: &admin.AWSKMSConfiguration{Enabled: admin.PtrBool(false)}}).Execute()
	require.NoError(t, err)
	require.False(t, config.AwsKms.GetEnabled())
	_, err = access.DeauthorizeProviderAccessRole(ctx, sim.ProjectA, "AWS", role.GetRoleId()).Execute()
	require.NoError(t, err)
	_, err = client.ProjectsApi.DeleteGroup(ctx, sim.ProjectA).Execute()
	require.True(t, admin.IsErrorCode(err, "CANNOT_CLOSE_GROUP_ACTIVE_ATLAS_CLUSTERS"), "%v", err)

	require.NoError(t, r.Act(sim.Act{Act: atlassim.Act{Kind: atlassim.FinishChange, Project: sim.ProjectA}}))
	require.Equal(t, []int{atlassim.RuleOff}, broken(t, r), "for the attempt above, which Atlas refused")
	for _, e := range r.Journal.Entries() {
		require.NotContains(t, e.Request+e.Response, sim.ClientSecret)
		require.NotContains(t, e.Response, "eyJ", "a bearer token")
	}
	return r
}
