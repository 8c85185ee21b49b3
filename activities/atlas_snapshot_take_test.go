package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// A snapshot whose answer was lost is found by its description, and not taken again; a cluster without backup has none, and
// says so.
func TestSnapshotIsTakenOnce(t *testing.T) {
	s := sim.Start(t, sim.Options{})
	api, err := activities.AtlasAccess{BaseURL: s.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	atlas := activities.NewAtlas(api, nil, &held{}, activities.Pace{}, sim.ClientID)
	for _, c := range []atlassim.Cluster{{Name: "backed", Backup: true}, {Name: "bare"}} {
		c.Regions = []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}
		require.NoError(t, s.Act(sim.Act{Act: atlassim.Act{Kind: atlassim.AddCluster, Project: sim.ProjectA, Add: &c}}))
	}
	in := activities.TakeSnapshotInput{ProjectID: sim.ProjectA, Cluster: "backed", Days: 3, Description: "atlas-cmk one"}
	for range 2 {
		require.NoError(t, atlas.TakeSnapshot(t.Context(), in))
	}
	in.Description = "atlas-cmk two"
	require.NoError(t, atlas.TakeSnapshot(t.Context(), in))
	taken, _, err := api.CloudBackupsApi.ListBackupSnapshots(t.Context(), sim.ProjectA, "backed").Execute()
	require.NoError(t, err)
	require.Len(t, taken.GetResults(), 2)

	in.Cluster = "bare"
	err = atlas.TakeSnapshot(t.Context(), in)
	require.Error(t, err)
	require.Contains(t, typeOf(err), "BACKUP")
	require.NotEqual(t, cmk.ErrNotReady, typeOf(err))
}
