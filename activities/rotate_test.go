package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

const (
	nextKey    = "mrk-00000000000000000000000000002027"
	nextKeyARN = "arn:aws:kms:us-east-1:" + awssim.CustomerAccount + ":key/" + nextKey
)

// rotatableWorld is project A on its key over private endpoints, with a role that may use another key as well.
func rotatableWorld(t *testing.T, changes ...func(*sim.Config)) (*sim.Running, *activities.Atlas) {
	t.Helper()
	return legacyWorld(t, func(config *sim.Config) {
		account := &config.AWS.Accounts[0]
		account.Keys = append(account.Keys, awssim.Key{ID: nextKey, Region: "us-east-1", Replicas: []awssim.Replica{{Region: "us-west-2"}, {Region: "eu-west-1"}}})
		p := &config.Atlas.Projects[0]
		p.Roles = []atlassim.AccessRole{{ID: usableRole, ExternalID: roleExternal, ARN: usableARN}}
		p.Encryption = &atlassim.Encryption{Key: awssim.MultiRegionKeyARN, Region: "US_EAST_1", RoleID: usableRole, Private: true}
		for _, region := range []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"} {
			p.Endpoints = append(p.Endpoints, atlassim.Endpoint{Region: region})
		}
		for i := range p.Clusters {
			p.Clusters[i].Provider = cmk.ProviderAWS
		}
		for _, change := range changes {
			change(config)
		}
	})
}

func rotateTo(keyID string, until time.Duration) activities.RotateInput {
	return activities.RotateInput{
		ProjectID: sim.ProjectA, KeyID: keyID, Region: "US_EAST_1", Regions: []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"}, Until: time.Now().Add(until),
		Before: activities.Encryption{Enabled: true, Valid: true, KeyID: awssim.MultiRegionKeyARN, Region: "US_EAST_1", RoleID: usableRole, RequirePrivateNetworking: true},
	}
}

// The key is not changed while a node could not use the new one, or something else has changed since preflight; and once
// that is over, it is.
func TestRotationIsRefused(t *testing.T) {
	t.Parallel()
	act := func(a atlassim.Act) sim.Act {
		a.Project = sim.ProjectA
		return sim.Act{Act: a}
	}
	for name, c := range map[string]struct {
		acts []sim.Act
		// late is true once the deadline is over.
		late    bool
		change  func(*activities.RotateInput)
		refused string
		says    string
	}{
		"a cluster has been paused": {
			acts:    []sim.Act{act(atlassim.Act{Kind: atlassim.PauseCluster, Cluster: sim.ClusterWest})},
			refused: cmk.ErrForeign, says: "cluster west has been paused meanwhile",
		},
		"a cluster is changing": {
			acts:    []sim.Act{act(atlassim.Act{Kind: atlassim.ScaleCluster, Cluster: sim.ClusterWest, Size: "M40"})},
			refused: cmk.ErrNotReady, says: "cluster west is UPDATING",
		},
		"a cluster goes on changing": {
			acts: []sim.Act{act(atlassim.Act{Kind: atlassim.ScaleCluster, Cluster: sim.ClusterWest, Size: "M40"})}, late: true,
			refused: cmk.ErrForeign, says: "cluster west is UPDATING",
		},
		"nodes in a region that was not looked at": {
			change:  func(in *activities.RotateInput) { in.Regions = []string{"US_EAST_1", "US_WEST_2"} },
			refused: cmk.ErrForeign, says: "EU_WEST_1, where the key was not looked at",
		},
		"an endpoint is not ACTIVE": {
			acts:    []sim.Act{act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2", Status: "PENDING_RECREATION"})},
			refused: cmk.ErrForeign, says: "US_WEST_2, where no private endpoint is ACTIVE",
		},
		"another setting": {
			change:  func(in *activities.RotateInput) { in.Before.Region = "US_WEST_2" },
			refused: cmk.ErrForeign, says: "is not as preflight saw it",
		},
		"the present key is not usable": {
			acts:    []sim.Act{{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyID}},
			refused: cmk.ErrForeign, says: "not valid",
		},
		"nothing": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, atlas := rotatableWorld(t)
			for _, a := range c.acts {
				require.NoError(t, s.Act(a))
			}
			in := rotateTo(nextKeyARN, time.Minute)
			if c.late {
				in.Until = time.Now()
			}
			if c.change != nil {
				c.change(&in)
			}
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.RegisterActivity(atlas.RotateKey)
			got, err := env.ExecuteActivity(atlas.RotateKey, in)
			if c.refused == "" {
				require.NoError(t, err)
				var now activities.Encryption
				require.NoError(t, got.Get(&now))
				require.Equal(t, nextKeyARN, now.KeyID)
				require.Equal(t, 1, patches(s))
				return
			}
			require.Equal(t, c.refused, typeOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.Zero(t, patches(s), "what is refused is not written")
		})
	}
}

// Whether a project uses a key does not depend on how the key is spelled, and does depend on the region, if that is asked.
func TestKeyIsUnused(t *testing.T) {
	_, atlas := rotatableWorld(t)
	for _, c := range []struct {
		key, region string
		used        bool
	}{
		{awssim.MultiRegionKeyARN, "", true},
		{awssim.MultiRegionKeyID, "", true},
		{awssim.MultiRegionKeyID, "US_EAST_1", true},
		{awssim.MultiRegionKeyID, "US_WEST_2", false},
		{nextKeyARN, "", false},
	} {
		err := atlas.ConfirmKeyUnused(t.Context(), activities.KeyUnusedInput{ProjectID: sim.ProjectA, KeyID: c.key, Region: c.region})
		if c.used {
			require.Equal(t, cmk.ErrForeign, typeOf(err), c)
		} else {
			require.NoError(t, err, c)
		}
	}
}
