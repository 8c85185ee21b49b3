package sim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// A cluster that is moved to another region while its nodes are restarted one after another gets there.
func TestMovingAClusterWhileItsNodesRoll(t *testing.T) {
	for _, kind := range []string{atlassim.ScaleCluster, atlassim.StartMaintenance} {
		t.Run(kind, func(t *testing.T) {
			r, clock := start(t, sim.Options{Seed: 5})
			s := newScript(t, r)
			require.NoError(t, r.Act(sim.Act{Act: atlassim.Act{Kind: kind, Project: sim.ProjectA, Cluster: "east", Size: "M40"}}))
			a := s.do("PATCH", in("/clusters/east"), `{"replicationSpecs":[{"regionConfigs":[{"providerName":"AWS","regionName":"US_WEST_2","priority":7,"electableSpecs":{"instanceSize":"M40","nodeCount":3}}]}]}`)
			require.Equal(t, 200, a.status, "%s", a.body)
			clock.wind(24 * time.Hour)
			require.Equal(t, "IDLE", s.do("GET", in("/clusters/east"), "").json(t)["stateName"])
			for _, c := range r.State().Atlas.Projects[0].Clusters {
				for _, n := range c.Nodes {
					require.True(t, n.Up, "%s of %s", n.ID, c.Name)
				}
			}
		})
	}
}
