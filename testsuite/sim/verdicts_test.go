package sim_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// Every way to break a rule has a verdict of its own; these are those that the tests of the rules leave out.
func TestVerdicts(t *testing.T) {
	const off = `{"awsKms":{"enabled":false}}`
	endpoints := in("/encryptionAtRest/AWS/privateEndpoints")
	type stage struct {
		*testing.T
		r     *sim.Running
		clock *handWound
		*script
	}
	roleOf := func(x stage) string {
		return x.do("GET", in("/encryptionAtRest"), "").json(x.T)["awsKms"].(map[string]any)["roleId"].(string)
	}
	removeWest := func(x stage) {
		for _, e := range x.r.State().Atlas.Projects[0].Endpoints {
			if e.Region == "US_WEST_2" {
				require.Equal(x, 204, x.do("DELETE", endpoints+"/"+e.ID, "").status)
			}
		}
	}
	for verdict, c := range map[string]struct {
		rule   int
		on     string // the cluster that is on the customer's key
		breaks func(x stage)
	}{
		"while cluster east is UPDATING": {atlassim.RuleOff, "", func(x stage) {
			x.do("PATCH", in("/clusters/east"), `{"redactClientLogData":true}`)
			x.do("PATCH", in("/encryptionAtRest"), off)
		}},
		"while the search nodes of cluster east are UPDATING": {atlassim.RuleOff, "", func(x stage) {
			x.do("PATCH", in("/clusters/east/search/deployment"), `{"specs":[{"instanceSize":"S20_HIGHCPU_NVME","nodeCount":3}]}`)
			x.do("PATCH", in("/encryptionAtRest"), off)
		}},
		"while it is on for search nodes": {atlassim.RuleOff, "", func(x stage) {
			x.do("PATCH", in("/encryptionAtRest"), `{"enabledForSearchNodes":true}`)
			x.clock.wind(time.Hour)
			x.do("PATCH", in("/encryptionAtRest"), off)
		}},
		"which its nodes in US_WEST_2 cannot use": {atlassim.RulePath, "", func(x stage) {
			require.NoError(x, x.r.Act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_WEST_2"}, Key: awssim.MultiRegionKeyID}))
			x.clock.wind(time.Minute)
			x.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`)
		}},
		"is entered during maintenance": {atlassim.RulePath, "west", func(x stage) {
			do(x.T, x.r, atlassim.Act{Kind: atlassim.StartMaintenance})
			removeWest(x)
		}},
		"while the endpoint in CA_CENTRAL_1 cannot be deleted": {atlassim.RulePath, "west", func(x stage) {
			endpointIn(x.T, x.script, "CA_CENTRAL_1")
			removeWest(x)
		}},
		"has been left open": {atlassim.RulePath, "west", func(x stage) {
			// Private networking on before the endpoints are there, where that cuts the public path.
			for _, e := range x.r.State().Atlas.Projects[0].Endpoints {
				x.do("DELETE", endpoints+"/"+e.ID, "")
			}
			x.clock.wind(20 * time.Minute)
			require.Equal(x, 200, x.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleOf(x), awssim.MultiRegionKeyARN, false)).status)
			x.clock.wind(20 * time.Minute)
			settings, err := json.Marshal(map[string]bool{"publicPathCut": true})
			require.NoError(x, err)
			do(x.T, x.r, atlassim.Act{Kind: atlassim.Assume, Settings: settings})
			require.Empty(x, x.r.Violations())
			require.Equal(x, 200, x.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleOf(x), awssim.MultiRegionKeyARN, true)).status)
			x.clock.wind(3 * time.Hour)
		}},
		"the private endpoint in US_EAST_1 is left over": {atlassim.RuleOnce, "-", func(x stage) {
			settings, err := json.Marshal(map[string]bool{"endpointNeedsPrivateNetworking": false})
			require.NoError(x, err)
			do(x.T, x.r, atlassim.Act{Kind: atlassim.Assume, Settings: settings})
			roleID := ready(x.T, x.r, x.clock, x.script)
			require.Equal(x, 200, x.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleID, awssim.MultiRegionKeyARN, false)).status)
			endpointIn(x.T, x.script, "US_EAST_1")
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
		"the private endpoint in US_WEST_2 is left FAILED": {atlassim.RuleOnce, "", func(x stage) {
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FailEndpoint, Region: "US_WEST_2"})
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
		"with an invalid configuration": {atlassim.RulePivot, "", func(x stage) {
			require.NoError(x, x.r.Act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyID}))
			x.clock.wind(time.Hour)
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
		"with nodes that cannot use their key": {atlassim.RulePivot, "west", func(x stage) {
			removeWest(x)
			x.clock.wind(10 * time.Minute)
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
	} {
		t.Run(verdict, func(t *testing.T) {
			var x stage
			if c.on == "-" { // nothing at all yet
				r, clock := start(t, sim.Options{Seed: 40})
				x = stage{t, r, clock, newScript(t, r)}
			} else {
				r, clock, s := protected(t, sim.Options{Seed: 40}, c.on)
				x = stage{t, r, clock, s}
			}
			require.Empty(t, x.r.Violations())
			c.breaks(x)
			require.Contains(t, fmt.Sprint(x.r.Violations()), verdict)
			require.Contains(t, broken(t, x.r), c.rule)
		})
	}
}
