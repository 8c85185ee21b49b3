package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/testsuite"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// usableKey is a key that its role may use.
type usableKey struct{}

func (usableKey) ReadKey(context.Context, activities.KeyInput) (*activities.Key, error) {
	return &activities.Key{Replicas: []activities.KeyReplica{{Region: "US_EAST_1", State: "Enabled", Policy: activities.KeyPolicy{Unread: "of no matter here"}}}}, nil
}

// A cluster is switched through the role that was looked at, and not when the project has come to use another, nor when
// somebody else has given Atlas's role another IAM role.
func TestClustersAreSwitchedThroughTheRoleThatWasLookedAt(t *testing.T) {
	s, _ := rotatableWorld(t)
	api, err := activities.AtlasAccess{BaseURL: s.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	atlas := activities.NewAtlas(api, usableKey{}, &held{}, activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond}, sim.ClientID)
	require.NoError(t, s.Act(sim.Act{Act: atlassim.Act{Kind: atlassim.AddCluster, Project: sim.ProjectA, Add: &atlassim.Cluster{
		Name: "new", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}},
	}}}))
	seen, err := atlas.ReadProject(t.Context(), activities.ProjectInput{ProjectID: sim.ProjectA})
	require.NoError(t, err)
	in := activities.EncryptClustersInput{
		Lease: activities.Lease{Feed: seen.Feed}, ProjectID: sim.ProjectA, Clusters: []string{"new"}, RoleID: uselessRole, RoleARN: uselessARN,
	}
	for _, e := range seen.Endpoints {
		in.Approved = append(in.Approved, e.ID)
	}
	encrypt := func() error {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(atlas.EncryptClusters)
		_, err := env.ExecuteActivity(atlas.EncryptClusters, in)
		return err
	}
	err = encrypt()
	require.Equal(t, cmk.ErrForeign, typeOf(err), "%v", err)
	require.ErrorContains(t, err, "through role "+usableRole)

	in.RoleID, in.RoleARN = usableRole, usableARN
	others, err := activities.AtlasAccess{BaseURL: s.AtlasURL, PublicKey: sim.APIPublicKey, PrivateKey: sim.APIPrivateKey}.Client("others")
	require.NoError(t, err)
	arn := usableARN
	_, _, err = others.CloudProviderAccessApi.AuthorizeProviderAccessRole(t.Context(), sim.ProjectA, usableRole,
		&admin.CloudProviderAccessRoleRequestUpdate{ProviderName: "AWS", IamAssumedRoleArn: &arn}).Execute()
	require.NoError(t, err)
	require.Equal(t, cmk.ErrDisturbed, typeOf(encrypt()))

	in.Lease.Feed = nil
	require.NoError(t, encrypt())
}
