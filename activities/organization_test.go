package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// An organization's projects are told by whether they use a key; what may not be read, or is not to be seen, is not taken
// for gone. What was seen to use a key is not read again.
func TestObserveOrganization(t *testing.T) {
	t.Parallel()
	const hidden, gone = "6a00000000000000000000cc", "6a00000000000000000000ff"
	config := sim.DefaultConfig()
	config.Atlas.Projects = append(config.Atlas.Projects, atlassim.Project{ID: hidden, Name: "hidden"})
	world := sim.Start(t, sim.Options{World: &config})
	api, err := activities.AtlasAccess{BaseURL: world.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client(activities.Agent("test"))
	require.NoError(t, err)
	atlas := activities.NewAtlas(api, nil, nil, activities.DefaultPace())
	look := func(in activities.ObserveOrganizationInput) (*activities.Organization, error) {
		in.Interval = cmk.Duration(1e9)
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		env.RegisterActivity(atlas.ObserveOrganization)
		got, err := env.ExecuteActivity(atlas.ObserveOrganization, in)
		if err != nil {
			return nil, err
		}
		var seen activities.Organization
		return &seen, got.Get(&seen)
	}
	asked := func() (n int) {
		for _, e := range world.Journal.Entries() {
			if e.Operation == "getGroupEncryptionAtRest" {
				n++
			}
		}
		return n
	}

	seen, err := look(activities.ObserveOrganizationInput{OrganizationID: sim.OrganizationID, Kept: []string{gone, hidden}})
	require.NoError(t, err)
	require.Equal(t, []string{sim.ProjectB}, seen.Encrypted)
	require.Equal(t, []string{gone}, seen.Left)
	require.Equal(t, []string{hidden}, seen.Unread)
	require.Equal(t, 2, asked())

	seen.Left = nil
	_, err = look(activities.ObserveOrganizationInput{OrganizationID: sim.OrganizationID, LastSeen: seen, Kept: []string{hidden}})
	require.ErrorContains(t, err, "have not changed")
	require.Equal(t, 3, asked(), "project B was seen to use a key")

	_, err = look(activities.ObserveOrganizationInput{OrganizationID: "6a0000000000000000000009", Kept: []string{sim.ProjectB}})
	require.ErrorContains(t, err, "shows the worker's credentials no project")
}
