package sim_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// TestMain sets how many histories the property is tried on: ATLAS_CMK_SIM_CHECKS, or few enough for every day. The flag
// -rapid.checks overrides both.
func TestMain(m *testing.M) {
	checks := os.Getenv("ATLAS_CMK_SIM_CHECKS")
	if checks == "" {
		checks = "15"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		fmt.Fprintln(os.Stderr, "ATLAS_CMK_SIM_CHECKS:", err)
		os.Exit(2)
	}
	os.Exit(m.Run()) // which parses the command line
}

// Whatever clients and others do in whatever order, Atlas answers as its description says and never fails by itself.
func TestAnyOrderOfEventsIsAnswered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := sim.DefaultConfig()
		config.Atlas.Chances = atlassim.Chances{EndpointFails: 0.2, EndpointStuck: 0.1}
		clock := newClock()
		r := sim.Start(t, sim.Options{Clock: clock, World: &config, Seed: rapid.Uint64().Draw(rt, "seed")})
		s := newScript(t, r)
		roleID := ready(t, r, clock, s)
		clusters := []string{"east", "west", "ireland", "global", "extra"}
		regions := []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"}
		pick := func(from []string) string { return rapid.SampledFrom(from).Draw(rt, "which") }
		request := func(method, path, body string, options ...func(*http.Request)) {
			a := s.do(method, in(path), body, options...)
			require.NotEqual(rt, http.StatusInternalServerError, a.status, "%s %s: %s", method, path, a.body)
		}
		act := func(a sim.Act) {
			a.Project = sim.ProjectA
			_ = r.Act(a) // what cannot be done now is refused
		}
		endpoints := "/encryptionAtRest/AWS/privateEndpoints"
		rt.Repeat(map[string]func(*rapid.T){
			"time passes": func(*rapid.T) { clock.wind(time.Duration(rapid.IntRange(1, 7200).Draw(rt, "seconds")) * time.Second) },
			"configure": func(*rapid.T) {
				request("PATCH", "/encryptionAtRest", kmsBlock(roleID, awssim.MultiRegionKeyARN, rapid.Bool().Draw(rt, "private")))
			},
			"switch off": func(*rapid.T) { request("PATCH", "/encryptionAtRest", `{"awsKms":{"enabled":false}}`) },
			"search on or off": func(*rapid.T) {
				request("PATCH", "/encryptionAtRest", fmt.Sprintf(`{"enabledForSearchNodes":%t}`, rapid.Bool().Draw(rt, "on")))
			},
			"create endpoint": func(*rapid.T) { request("POST", endpoints, `{"regionName":"`+pick(regions)+`"}`) },
			"delete endpoints": func(*rapid.T) {
				for _, e := range r.State().Atlas.Projects[0].Endpoints {
					request("DELETE", endpoints+"/"+e.ID, "")
				}
			},
			"protect":   func(*rapid.T) { request("PATCH", "/clusters/"+pick(clusters), `{"encryptionAtRestProvider":"AWS"}`) },
			"unprotect": func(*rapid.T) { request("PATCH", "/clusters/"+pick(clusters), `{"encryptionAtRestProvider":"NONE"}`) },
			"pause":     func(*rapid.T) { request("PATCH", "/clusters/"+pick(clusters), `{"paused":true}`) },
			"resume":    func(*rapid.T) { request("PATCH", "/clusters/"+pick(clusters), `{"paused":false}`) },
			"move": func(*rapid.T) {
				request("PATCH", "/clusters/"+pick(clusters), `{"replicationSpecs":[{"regionConfigs":[{"providerName":"AWS","regionName":"`+pick(regions)+`","priority":7,"electableSpecs":{"instanceSize":"M30","nodeCount":3}}]}]}`)
			},
			"move in the words of 2023": func(*rapid.T) {
				request("PATCH", "/clusters/"+pick(clusters), fmt.Sprintf(`{"diskSizeGB":60,"replicationSpecs":[{"numShards":%d,"regionConfigs":[{"providerName":"AWS","regionName":"%s","priority":7,"electableSpecs":{"instanceSize":"M30","nodeCount":3}}]}]}`,
					rapid.IntRange(1, 2).Draw(rt, "shards"), pick(regions)), dated(february))
				request("GET", "/clusters", "", dated(february))
			},
			"delete cluster": func(*rapid.T) { request("DELETE", "/clusters/"+pick(clusters), "") },
			"take a snapshot": func(*rapid.T) {
				request("POST", "/clusters/"+pick(clusters)+"/backup/snapshots", `{"description":"x","retentionInDays":1}`)
			},
			"search deployment": func(*rapid.T) {
				method := pick([]string{"POST", "PATCH"})
				request(method, "/clusters/"+pick(clusters)+"/search/deployment", `{"specs":[{"instanceSize":"S20_HIGHCPU_NVME","nodeCount":2}]}`)
			},
			"no search": func(*rapid.T) { request("DELETE", "/clusters/"+pick(clusters)+"/search/deployment", "") },
			"others": func(*rapid.T) {
				act(sim.Act{Act: atlassim.Act{
					Kind: pick([]string{
						atlassim.RejectEndpoint, atlassim.FailEndpoint, atlassim.HoldEndpoint, atlassim.LoseNetwork, atlassim.RestoreNetwork,
						atlassim.StartMaintenance, atlassim.StopMaintenance, atlassim.RestartNode, atlassim.ScaleCluster, atlassim.CheckKeys, atlassim.FinishChange,
						atlassim.RemoveCluster, atlassim.AddCluster, sim.DisableKey, sim.EnableKey,
					}),
					Region: pick(regions), Cluster: pick(clusters), Size: "M40", Status: pick([]string{"", "PENDING_ACCEPTANCE", "ACTIVE", "INITIATING", "DELETING"}),
					Add: &atlassim.Cluster{Name: "extra", Regions: []atlassim.Region{{Name: pick(regions), Electable: 3}}},
				}, Key: awssim.MultiRegionKeyID})
			},
			"": func(*rapid.T) {
				for _, path := range []string{"", "/encryptionAtRest", endpoints, "/clusters", "/cloudProviderAccess"} {
					request("GET", path, "")
				}
				require.Empty(rt, r.Mismatches())
			},
		})
	})
}
