package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// Private networking takes clusters to the key of their own region: it is not required while the key cannot be used in one
// of them.
func TestNetworkingGoesPrivateOnlyWhereTheKeyIs(t *testing.T) {
	t.Parallel()
	s, _ := legacyWorld(t, func(config *sim.Config) {
		p := &config.Atlas.Projects[0]
		p.Roles = []atlassim.AccessRole{{ID: usableRole, ExternalID: roleExternal, ARN: usableARN}}
		p.Encryption = &atlassim.Encryption{Key: awssim.MultiRegionKeyARN, Region: "US_EAST_1", RoleID: usableRole}
		p.Clusters = []atlassim.Cluster{{Name: "on", Provider: cmk.ProviderAWS, Regions: []atlassim.Region{{Name: "US_WEST_2", Electable: 3}}}}
	})
	api, err := activities.AtlasAccess{BaseURL: s.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	private := true
	demand := func(key oneReplica, roleARN string) error {
		atlas := activities.NewAtlas(api, key, &held{}, activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond}, sim.ClientID)
		return step(atlas.EnsureEncryption, activities.EncryptionInput{
			ProjectID: sim.ProjectA, KeyID: awssim.MultiRegionKeyARN, Region: "US_EAST_1", RoleID: usableRole, RequirePrivateNetworking: &private, RoleARN: roleARN,
		})
	}
	read := activities.KeyPolicy{Unread: "of no matter here"}
	for _, key := range []oneReplica{
		{Region: "US_EAST_1", State: "Enabled", Policy: read}, {Region: "US_WEST_2", State: "Disabled", Policy: read}, {Region: "US_WEST_2", State: "Enabled"},
	} {
		require.Equal(t, cmk.ErrForeign, typeOf(demand(key, usableARN)), "%+v", key)
		require.False(t, s.State().Atlas.Projects[0].Encryption.Private)
	}
	require.NoError(t, demand(oneReplica{Region: "US_WEST_2", State: "Enabled", Policy: read}, usableARN))
	require.True(t, s.State().Atlas.Projects[0].Encryption.Private)
}

// A replica that is not Enabled and does not come to be so by itself is not waited for.
func TestReplicaIsWaitedForOnlyWhileItComes(t *testing.T) {
	t.Parallel()
	a := newAmazon(t, nil)
	ensure := func() error {
		return a.kms.EnsureReplicas(t.Context(), activities.ReplicasInput{Key: awssim.MultiRegionKeyID, Region: "US_EAST_1", Regions: []string{"EU_WEST_1"}})
	}
	require.NoError(t, ensure())
	a.world.Do(func() { require.NoError(t, a.DisableKey("eu-west-1", awssim.MultiRegionKeyID)) })
	err := ensure()
	require.True(t, isFinal(err), "%v", err)
	require.ErrorContains(t, err, "Disabled")
}
