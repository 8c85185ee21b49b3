package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// What else is the case in a project is read with as few calls as it takes.
func TestCircumstances(t *testing.T) {
	config := sim.DefaultConfig()
	p := &config.Atlas.Projects[0]
	p.NoKMSAlert = true
	p.Window = &atlassim.MaintenanceWindow{Day: 1, Hour: 3}
	p.Clusters = []atlassim.Cluster{
		{Name: "small", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}},
		{Name: "large", DiskGB: 4000, Backup: true, AutoScaling: &atlassim.AutoScaling{Min: "M30", Max: "M50"}, Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}},
		{Name: "wide", Outage: true, Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 2}, {Name: "US_WEST_2", Electable: 1}}},
	}
	s := sim.Start(t, sim.Options{World: &config})
	read := func(access activities.AtlasAccess, switching *cmk.ClusterSelection) (*activities.Project, int) {
		access.BaseURL = s.AtlasURL
		api, err := access.Client("test")
		require.NoError(t, err)
		before := len(s.Journal.Entries())
		var project activities.Project
		atlas := activities.NewAtlas(api, nil, &held{}, activities.DefaultPace(), access.Names()...)
		require.NoError(t, steps(atlas.ReadProject, activities.ProjectInput{ProjectID: sim.ProjectA, Switching: switching}, &project))
		return &project, len(s.Journal.Entries()) - before
	}
	account := activities.AtlasAccess{ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}
	key := activities.AtlasAccess{PublicKey: sim.APIPublicKey, PrivateKey: sim.APIPrivateKey}

	without, few := read(account, nil)
	require.Nil(t, without.Circumstances)
	project, more := read(account, &cmk.ClusterSelection{})
	require.Equal(t, 6, more-few, "three for the project, one for each cluster with backups, with several regions, with a large disk")
	c := project.Circumstances
	require.True(t, c.NoAlert)
	require.Equal(t, time.Sunday, c.MaintenanceAt.Weekday())
	require.Equal(t, []string{"wide"}, c.Outages)
	require.Equal(t, map[string]float64{"large": 24}, c.OplogHours)
	require.Empty(t, c.Restored)
	require.Empty(t, c.Unread)
	require.False(t, c.RightsRead, "of a service account they cannot be read")
	require.True(t, project.Clusters[0].Scales && project.Clusters[0].Backup, project.Clusters[0].Name)

	project, _ = read(key, &cmk.ClusterSelection{None: true})
	require.Equal(t, []string{"GROUP_OWNER"}, project.Circumstances.Rights)
	require.Empty(t, project.Circumstances.Outages, "clusters that are not switched are none of its business")
}
