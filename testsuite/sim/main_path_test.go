package sim_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.mongodb.org/atlas-sdk/v20250312020/auth/clientcredentials"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// handWound is a clock that a test winds.
type handWound struct{ now time.Time }

func (c *handWound) Now() time.Time { return c.now }

func (c *handWound) wind(d time.Duration) { c.now = c.now.Add(d) }

func newClock() *handWound { return &handWound{time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)} }

// owner is the Atlas SDK's own client, with the service account that owns both projects.
func owner(t *testing.T, r *sim.Running) *admin.APIClient {
	t.Helper()
	config := clientcredentials.NewConfig(sim.ClientID, sim.ClientSecret)
	config.TokenURL = r.AtlasURL + clientcredentials.TokenAPIPath
	config.RevokeURL = r.AtlasURL + clientcredentials.RevokeAPIPath
	client, err := admin.NewClient(admin.UseBaseURL(r.AtlasURL), admin.UseHTTPClient(config.Client(context.Background())))
	require.NoError(t, err)
	return client
}

// start serves a world that is checked against the description of the API, on a hand-wound clock.
func start(t *testing.T, o sim.Options) (*sim.Running, *handWound) {
	t.Helper()
	schema, err := atlassim.LoadSchema()
	require.NoError(t, err)
	clock := newClock()
	o.Clock, o.Schema = clock, schema
	return sim.Start(t, o), clock
}

const roleARN = "arn:aws:iam::" + awssim.CustomerAccount + ":role/atlas-cmk"

// grantRole makes the IAM role that a project's cloud provider access role may assume, and winds until it works.
func grantRole(t *testing.T, r *sim.Running, clock *handWound, atlas, externalID string) {
	t.Helper()
	require.NoError(t, r.Act(sim.Act{
		Act: atlassim.Act{Kind: sim.CreateRole}, Role: roleARN,
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + atlas + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"` + externalID + `"}}}]}`,
	}))
	require.NoError(t, r.Act(sim.Act{
		Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: roleARN, Name: "kms",
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Decrypt","kms:Encrypt","kms:DescribeKey"],"Resource":"*"}]}`,
	}))
	clock.wind(5 * time.Minute)
}

func TestFromNothingToPrivateKeysOnAClusterAndBack(t *testing.T) {
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
		require.Equal(t, "ACTIVE", e.GetStatus())
	}

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

	for _, e := range r.Journal.Entries() {
		require.NotContains(t, e.Request+e.Response, sim.ClientSecret)
		require.NotContains(t, e.Response, "eyJ", "a bearer token")
	}
}
