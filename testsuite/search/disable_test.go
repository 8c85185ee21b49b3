package search

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// doneWorld is a project of three regions and five clusters on the key, that takes minutes for each change.
func doneWorld(change func(*sim.Config)) *sim.Config {
	config := costWorld(0, startDone)
	for i := range config.Atlas.Projects[0].Clusters {
		config.Atlas.Projects[0].Clusters[i].Provider = cmk.ProviderAWS
	}
	if change != nil {
		change(config)
	}
	return config
}

// disableRequest takes project A off its key.
func disableRequest(order cmk.DisableOrder) cmk.DisableRequest {
	return cmk.DisableRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA, Requester: requester}, Order: order, Parallel: 5}
}

// Atlas replaces search nodes for a while after the setting that has them use the key is off. Until they are replaced neither
// the private path that is kept for them goes, nor the key.
func TestSearchNodesAreStillOnTheKey(t *testing.T) {
	t.Parallel()
	for _, order := range []cmk.DisableOrder{cmk.OrderPage, cmk.OrderKeepPrivatePath} {
		t.Run(string(order), func(t *testing.T) {
			t.Parallel()
			s, err := newStage(doneWorld(func(c *sim.Config) {
				c.Atlas.Projects[0].Encryption.SearchNodes = true
				c.Atlas.Projects[0].Clusters[0].Search = &atlassim.Search{Nodes: 2}
			}), 0, fewLooks())
			require.NoError(t, err)
			r := s.newRun()
			r.approvePlan(alice)
			s.onWrite = func(served bool) {
				if served {
					r.stagehand.terminate()
				}
			}
			_, err = r.execute(cmk.SafeDisableCMK, disableRequest(cmk.OrderKeepPrivatePath))
			require.NoError(t, err)
			require.False(t, s.project().SearchNodes)
			searchOnKey := func() bool {
				return slices.ContainsFunc(s.project().Clusters[0].Nodes, func(n atlassim.NodeState) bool { return n.Kind == "search" && n.Encrypted })
			}
			require.True(t, searchOnKey())

			pathless := false
			s.onWrite = func(bool) {
				p := s.project()
				pathless = pathless || p.Encryption != nil && p.Encryption.Private && searchOnKey() &&
					slices.ContainsFunc(p.Endpoints, func(e atlassim.EndpointState) bool { return e.Status == string(cmk.EndpointDeleting) })
			}
			r = s.newRun()
			r.approvePlan(alice)
			o, err := r.execute(cmk.SafeDisableCMK, disableRequest(order))
			require.NoError(t, err)
			require.Empty(t, o.failed, o.report.Problem)
			require.Nil(t, s.project().Encryption)
			require.NoError(t, s.judged(func(sim.Violation) bool { return false }))
			require.Equal(t, order == cmk.OrderPage, pathless, "they share the window with the clusters, or have their path")
		})
	}
}
