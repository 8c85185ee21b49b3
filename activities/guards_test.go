package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// step has a step carried out as a worker does.
func step(method, in any) error { return steps(method, in, nil) }

// steps does so too, and takes what it returns.
func steps(method, in, out any) error {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(method)
	got, err := env.ExecuteActivity(method, in)
	if err != nil || out == nil {
		return err
	}
	return got.Get(out)
}

// No step that writes to Atlas does so once its lease has ended: it does not even look.
func TestAtlasIsNotWrittenWithoutTheLease(t *testing.T) {
	s, _ := rotatableWorld(t)
	api, err := activities.AtlasAccess{BaseURL: s.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	lost := &held{lost: temporal.NewNonRetryableApplicationError("lost", cmk.ErrLeaseLost, nil)}
	atlas := activities.NewAtlas(api, nil, lost, activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond}, sim.ClientID)
	leave := activities.LeaveInput{ProjectID: sim.ProjectA}
	for name, do := range map[string]func() error{
		"EnsureEncryption":  func() error { return step(atlas.EnsureEncryption, activities.EncryptionInput{ProjectID: sim.ProjectA}) },
		"DisableEncryption": func() error { return step(atlas.DisableEncryption, activities.DisableInput{ProjectID: sim.ProjectA}) },
		"EnsureEndpoints": func() error {
			return step(atlas.EnsureEndpoints, activities.EndpointsInput{ProjectID: sim.ProjectA, Regions: []string{"AP_SOUTH_1"}})
		},
		"RemoveEndpoints": func() error {
			return step(atlas.RemoveEndpoints, activities.RemoveEndpointsInput{ProjectID: sim.ProjectA, Regions: []string{"US_EAST_1"}, Window: true})
		},
		"LeavePrivateNetworking": func() error { return step(atlas.LeavePrivateNetworking, leave) },
		"DeleteEndpoints":        func() error { return step(atlas.DeleteEndpoints, leave) },
		"EnsureAccessRole": func() error {
			return step(atlas.EnsureAccessRole, activities.AccessRoleInput{ProjectID: sim.ProjectA, RoleARN: "arn:aws:iam::111122223333:role/new"})
		},
		"AuthorizeAccessRole": func() error {
			return step(atlas.AuthorizeAccessRole, activities.AuthorizeInput{ProjectID: sim.ProjectA, RoleID: usableRole, RoleARN: uselessARN})
		},
		"RemoveAccessRole": func() error {
			return step(atlas.RemoveAccessRole, activities.RemoveAccessRoleInput{ProjectID: sim.ProjectA, RoleID: usableRole})
		},
		"EncryptClusters": func() error {
			return step(atlas.EncryptClusters, activities.EncryptClustersInput{ProjectID: sim.ProjectA, Clusters: []string{sim.ClusterWest}})
		},
		"ReleaseClusters": func() error {
			return step(atlas.ReleaseClusters, activities.ReleaseInput{ProjectID: sim.ProjectA, Clusters: []string{sim.ClusterWest}})
		},
		"ResumeClusters": func() error {
			return step(atlas.ResumeClusters, activities.ReleaseInput{ProjectID: sim.ProjectA, Clusters: []string{sim.ClusterWest}})
		},
		"EnsureSearchNodes": func() error {
			return step(atlas.EnsureSearchNodes, activities.SearchNodesInput{ProjectID: sim.ProjectA, Enabled: true})
		},
		"SwitchToRole": func() error { return step(atlas.SwitchToRole, switchTo(usableRole, time.Minute)) },
		"RotateKey":    func() error { return step(atlas.RotateKey, rotateTo(nextKeyARN, time.Minute)) },
	} {
		require.Equal(t, cmk.ErrLeaseLost, typeOf(do()), name)
		require.Zero(t, s.Journal.Len(), name)
	}
}

// Encryption at rest is not turned off while search nodes are set to the key, nor while any is on it still; and then it is.
func TestEncryptionStaysOn(t *testing.T) {
	config := sim.DefaultConfig()
	config.AWS.Delays = awssim.NoDelays()
	config.AWS.Accounts[0].Roles = []awssim.Role{{
		Name: "usable", Trust: `{"Version":"2012-10-17","Statement":[` + ourTrust(sim.ProjectA) + `]}`,
		Inline: map[string]string{activities.PolicyName(sim.ProjectA): ourPolicy(sim.ProjectA, "", awssim.MultiRegionKeyARN)},
	}}
	config.Atlas.Durations.SearchChange = world.Always(48 * time.Hour) // longer than any re-sync
	p := &config.Atlas.Projects[0]
	p.Roles = []atlassim.AccessRole{{ID: usableRole, ExternalID: roleExternal, ARN: usableARN}}
	p.Encryption = &atlassim.Encryption{Key: awssim.MultiRegionKeyARN, Region: "US_EAST_1", RoleID: usableRole, SearchNodes: true}
	p.Clusters = []atlassim.Cluster{{
		Name: "searched", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}, Provider: cmk.ProviderAWS, Search: &atlassim.Search{Nodes: 2},
	}}
	clock := &wound{now: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}
	s := sim.Start(t, sim.Options{World: &config, Clock: clock})
	api, err := activities.AtlasAccess{BaseURL: s.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	atlas := activities.NewAtlas(api, nil, &held{}, activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond, Clock: clock}, sim.ClientID)
	off := func() error { return step(atlas.DisableEncryption, activities.DisableInput{ProjectID: sim.ProjectA}) }

	err = off()
	require.Equal(t, cmk.ErrForeign, typeOf(err))
	require.ErrorContains(t, err, "its search nodes use the key")
	require.NoError(t, step(atlas.EnsureSearchNodes, activities.SearchNodesInput{ProjectID: sim.ProjectA}))
	require.NoError(t, step(atlas.ReleaseClusters, activities.ReleaseInput{ProjectID: sim.ProjectA, Clusters: []string{"searched"}}))
	clock.wind(time.Second)
	err = off()
	require.Equal(t, cmk.ErrForeign, typeOf(err))
	require.ErrorContains(t, err, "cluster searched has provider")
	clock.wind(24 * time.Hour)
	err = off()
	require.Equal(t, cmk.ErrForeign, typeOf(err))
	require.ErrorContains(t, err, "the search nodes of cluster searched use provider AWS")
	clock.wind(48 * time.Hour)
	require.NoError(t, off())
	require.Empty(t, s.Violations())
}

// An access key is not touched while a project uses its key through it, whatever people have accepted.
func TestAccessKeyIsSpared(t *testing.T) {
	w := newRoleWorld(t, func(c *sim.Config, _ *awssim.Role) {
		for i := range c.Atlas.Projects {
			if p := &c.Atlas.Projects[i]; p.ID == sim.ProjectB {
				p.Encryption = &atlassim.Encryption{
					Key: awssim.SingleRegionKeyID, Region: "US_EAST_1", AccessKeyID: awssim.AtlasUserAccessKeyID, SecretAccessKey: awssim.AtlasUserSecret,
				}
			}
		}
	})
	in := activities.WithdrawAccessKeyInput{
		Justification: activities.Justification{ProjectIDs: []string{sim.ProjectB}, Before: time.Now(), LossAccepted: true},
		AccessKeyID:   awssim.AtlasUserAccessKeyID, UnusedSince: time.Now().Add(time.Hour),
	}
	for _, err := range []error{w.access.DeactivateAccessKey(t.Context(), in), w.access.DeleteAccessKey(t.Context(), in)} {
		require.Equal(t, cmk.ErrForeign, typeOf(err), "%v", err)
		require.ErrorContains(t, err, "uses its key through access key")
	}
	require.Zero(t, w.awsWrites())
}
