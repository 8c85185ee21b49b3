package sim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// do has something happen in project A.
func do(t *testing.T, r *sim.Running, a atlassim.Act) {
	t.Helper()
	if a.Project == "" {
		a.Project = sim.ProjectA
	}
	require.NoError(t, r.Act(sim.Act{Act: a}))
}

func statusOf(t *testing.T, s *script, id string) string {
	t.Helper()
	a := s.do("GET", in("/encryptionAtRest/AWS/privateEndpoints/"+id), "")
	if a.status == 404 {
		return "404"
	}
	return a.json(t)["status"].(string)
}

// protected is project A with endpoints in three regions and one cluster on its key.
func protected(t *testing.T, o sim.Options, cluster string) (*sim.Running, *handWound, *script) {
	t.Helper()
	r, clock := start(t, o)
	s := newScript(t, r)
	ready(t, r, clock, s)
	for _, region := range []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"} {
		endpointIn(t, s, region)
	}
	clock.wind(20 * time.Minute)
	if cluster != "" {
		require.Equal(t, 200, s.do("PATCH", in("/clusters/"+cluster), `{"encryptionAtRestProvider":"AWS"}`).status)
		clock.wind(4 * time.Hour)
		require.Equal(t, "IDLE", s.do("GET", in("/clusters/"+cluster), "").json(t)["stateName"])
	}
	return r, clock, s
}

func nodesOf(t *testing.T, r *sim.Running, cluster string) []atlassim.NodeState {
	t.Helper()
	for _, p := range r.State().Atlas.Projects {
		for _, c := range p.Clusters {
			if p.ID == sim.ProjectA && c.Name == cluster {
				return c.Nodes
			}
		}
	}
	require.Fail(t, "no such cluster", cluster)
	return nil
}

func up(nodes []atlassim.NodeState) (n int) {
	for _, node := range nodes {
		if node.Up {
			n++
		}
	}
	return n
}

func events(t *testing.T, s *script, kind string) int {
	t.Helper()
	return int(s.do("GET", in("/events?eventType="+kind), "").json(t)["totalCount"].(float64))
}

func TestEndpointsGoThroughAllSixStatuses(t *testing.T) {
	r, clock := start(t, sim.Options{Seed: 5})
	s := newScript(t, r)
	ready(t, r, clock, s)
	id := endpointIn(t, s, "US_EAST_1")
	require.Equal(t, "INITIATING", statusOf(t, s, id))
	do(t, r, atlassim.Act{Kind: atlassim.HoldEndpoint, Endpoint: id, Status: "PENDING_ACCEPTANCE"})
	clock.wind(time.Hour)
	require.Equal(t, "PENDING_ACCEPTANCE", statusOf(t, s, id))
	do(t, r, atlassim.Act{Kind: atlassim.HoldEndpoint, Endpoint: id})
	clock.wind(20 * time.Minute)
	require.Equal(t, "ACTIVE", statusOf(t, s, id))

	do(t, r, atlassim.Act{Kind: atlassim.RejectEndpoint, Endpoint: id})
	require.Equal(t, "PENDING_RECREATION", statusOf(t, s, id))
	clock.wind(20 * time.Minute)
	require.Equal(t, "404", statusOf(t, s, id), "another has taken its place")
	list := s.do("GET", in("/encryptionAtRest/AWS/privateEndpoints"), "").json(t)["results"].([]any)
	require.Len(t, list, 1)
	id = list[0].(map[string]any)["id"].(string)
	require.Equal(t, "ACTIVE", statusOf(t, s, id))

	do(t, r, atlassim.Act{Kind: atlassim.FailEndpoint, Endpoint: id, Message: "no capacity"})
	a := s.do("GET", in("/encryptionAtRest/AWS/privateEndpoints/"+id), "").json(t)
	require.Equal(t, "FAILED", a["status"])
	require.Equal(t, "no capacity", a["errorMessage"])

	require.Equal(t, 204, s.do("DELETE", in("/encryptionAtRest/AWS/privateEndpoints/"+id), "").status)
	require.Equal(t, "DELETING", statusOf(t, s, id))
	clock.wind(20 * time.Minute)
	require.Equal(t, "404", statusOf(t, s, id))
}

func TestEndpointsAreLateStuckAndFail(t *testing.T) {
	config := sim.DefaultConfig()
	config.Atlas.Durations.EndpointStatusLag = world.Always(3 * time.Minute)
	config.Atlas.Durations.EndpointCreate = world.Always(time.Minute)
	r, clock := start(t, sim.Options{World: &config})
	s := newScript(t, r)
	ready(t, r, clock, s)
	id := endpointIn(t, s, "US_EAST_1")
	clock.wind(2 * time.Minute)
	require.Equal(t, "INITIATING", statusOf(t, s, id), "it is ACTIVE, but not shown so yet")
	clock.wind(2 * time.Minute)
	require.Equal(t, "ACTIVE", statusOf(t, s, id))

	config.Atlas.Chances = atlassim.Chances{EndpointStuck: 1}
	r, clock = start(t, sim.Options{World: &config})
	s = newScript(t, r)
	ready(t, r, clock, s)
	id = endpointIn(t, s, "US_EAST_1")
	clock.wind(3 * time.Hour)
	require.Equal(t, "INITIATING", statusOf(t, s, id))

	config.Atlas.Chances = atlassim.Chances{EndpointFails: 1}
	r, clock = start(t, sim.Options{World: &config})
	s = newScript(t, r)
	ready(t, r, clock, s)
	id = endpointIn(t, s, "US_EAST_1")
	clock.wind(time.Hour)
	require.Equal(t, "FAILED", statusOf(t, s, id))
}

func TestDisableIsRefusedForAWhileAfterTheLastEndpoint(t *testing.T) {
	config := sim.DefaultConfig()
	config.Atlas.Durations.DisableGrace = world.Always(30 * time.Second)
	config.Atlas.Durations.EndpointDelete = world.Always(time.Minute)
	r, clock := start(t, sim.Options{World: &config})
	s := newScript(t, r)
	ready(t, r, clock, s)
	id := endpointIn(t, s, "US_EAST_1")
	clock.wind(20 * time.Minute)
	require.Equal(t, 204, s.do("DELETE", in("/encryptionAtRest/AWS/privateEndpoints/"+id), "").status)
	clock.wind(65 * time.Second)
	require.Equal(t, "404", statusOf(t, s, id))
	a := s.do("PATCH", in("/encryptionAtRest"), `{"awsKms":{"enabled":false}}`)
	require.Equal(t, "CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS", a.header.Get("X-Error-Code"))
	clock.wind(30 * time.Second)
	require.Equal(t, 200, s.do("PATCH", in("/encryptionAtRest"), `{"awsKms":{"enabled":false}}`).status)
}

func TestADeniedKeyShutsNodesDownAtTheNextCheck(t *testing.T) {
	r, clock, s := protected(t, sim.Options{Seed: 6}, sim.ClusterGlobal)
	require.Equal(t, 6, up(nodesOf(t, r, sim.ClusterGlobal)))
	require.NoError(t, r.Act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_WEST_2"}, Key: awssim.MultiRegionKeyID}))
	clock.wind(30 * time.Second)
	require.Equal(t, 6, up(nodesOf(t, r, sim.ClusterGlobal)), "not before the check")
	clock.wind(15 * time.Minute)
	require.Equal(t, 4, up(nodesOf(t, r, sim.ClusterGlobal)), "only the nodes of that region")
	require.Equal(t, true, s.do("GET", in("/encryptionAtRest"), "").json(t)["awsKms"].(map[string]any)["valid"], "the control plane sees only its own region")
	require.NoError(t, r.Act(sim.Act{Act: atlassim.Act{Kind: sim.EnableKey, Region: "US_WEST_2"}, Key: awssim.MultiRegionKeyID}))
	clock.wind(20 * time.Minute)
	require.Equal(t, 6, up(nodesOf(t, r, sim.ClusterGlobal)), "they come back by themselves")

	require.NoError(t, r.Act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyID}))
	clock.wind(time.Minute)
	require.Equal(t, false, s.do("GET", in("/encryptionAtRest"), "").json(t)["awsKms"].(map[string]any)["valid"])
	require.Equal(t, 1, events(t, s, "ENCRYPTION_AT_REST_CONFIG_NO_LONGER_VALID"))
}

func TestAnUnreachableKeyOnlyKeepsRestartingNodesDown(t *testing.T) {
	r, clock, s := protected(t, sim.Options{Seed: 7}, sim.ClusterEast)
	do(t, r, atlassim.Act{Kind: atlassim.LoseNetwork, Region: "US_EAST_1"})
	clock.wind(time.Hour)
	nodes := nodesOf(t, r, sim.ClusterEast)
	require.Equal(t, len(nodes), up(nodes), "they run on")
	require.Equal(t, 1, events(t, s, "ENCRYPTION_AT_REST_KMS_NETWORK_ACCESS_DENIED"))
	do(t, r, atlassim.Act{Kind: atlassim.RestartNode, Cluster: sim.ClusterEast, Node: nodes[0].ID})
	clock.wind(time.Hour)
	require.Equal(t, len(nodes)-1, up(nodesOf(t, r, sim.ClusterEast)))
	do(t, r, atlassim.Act{Kind: atlassim.RestoreNetwork, Region: "US_EAST_1"})
	clock.wind(time.Hour)
	require.Equal(t, len(nodes), up(nodesOf(t, r, sim.ClusterEast)))
	require.Equal(t, 1, events(t, s, "ENCRYPTION_AT_REST_KMS_NETWORK_ACCESS_RESTORED"))
}

func TestMaintenanceRestartsEveryNode(t *testing.T) {
	r, clock, s := protected(t, sim.Options{Seed: 8}, sim.ClusterWest)
	do(t, r, atlassim.Act{Kind: atlassim.LoseNetwork, Region: "US_WEST_2"})
	do(t, r, atlassim.Act{Kind: atlassim.StartMaintenance})
	require.Equal(t, "UPDATING", s.do("GET", in("/clusters/west"), "").json(t)["stateName"])
	clock.wind(time.Hour)
	require.Equal(t, "IDLE", s.do("GET", in("/clusters/west"), "").json(t)["stateName"])
	require.Zero(t, up(nodesOf(t, r, sim.ClusterWest)))
	require.Equal(t, 3, up(nodesOf(t, r, sim.ClusterIreland))-1)
}

func TestSearchNodesFollowTheirOwnFlag(t *testing.T) {
	_, clock, s := protected(t, sim.Options{Seed: 9}, sim.ClusterEast)
	deployment := func() map[string]any { return s.do("GET", in("/clusters/east/search/deployment"), "").json(t) }
	require.Equal(t, "NONE", deployment()["encryptionAtRestProvider"])
	require.Equal(t, 200, s.do("PATCH", in("/encryptionAtRest"), `{"enabledForSearchNodes":true}`).status)
	require.Equal(t, "UPDATING", deployment()["stateName"])
	clock.wind(time.Hour)
	require.Equal(t, "AWS", deployment()["encryptionAtRestProvider"])
	require.Equal(t, "IDLE", deployment()["stateName"])
}

func TestPausedClustersTakeNoChange(t *testing.T) {
	_, clock, s := protected(t, sim.Options{Seed: 10}, sim.ClusterWest)
	require.Equal(t, 200, s.do("PATCH", in("/clusters/west"), `{"paused":true}`).status)
	clock.wind(time.Hour)
	a := s.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"NONE"}`)
	require.Equal(t, "CANNOT_UPDATE_PAUSED_CLUSTER", a.header.Get("X-Error-Code"))
	require.Equal(t, 200, s.do("PATCH", in("/clusters/west"), `{"paused":false}`).status)
	clock.wind(time.Hour)
	require.Equal(t, 200, s.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"NONE"}`).status)
}

func TestNewNodesNeedAnEndpoint(t *testing.T) {
	_, _, s := protected(t, sim.Options{Seed: 11}, sim.ClusterWest)
	spec := `"replicationSpecs":[{"regionConfigs":[{"providerName":"AWS","regionName":%q,"priority":7,"electableSpecs":{"instanceSize":"M30","nodeCount":3}}]}]`
	a := s.do("POST", in("/clusters"), `{"name":"far","clusterType":"REPLICASET",`+fmt.Sprintf(spec, "AP_SOUTH_1")+`}`)
	require.Equal(t, "ENCRYPTION_AT_REST_NO_PRIVATE_ENDPOINT_IN_REGION", a.header.Get("X-Error-Code"))
	a = s.do("PATCH", in("/clusters/west"), `{`+fmt.Sprintf(spec, "AP_SOUTH_1")+`}`)
	require.Equal(t, "ENCRYPTION_AT_REST_NO_PRIVATE_ENDPOINT_IN_REGION", a.header.Get("X-Error-Code"))
}

func TestSnapshotsNeedTheCredentialsOfTheirTime(t *testing.T) {
	r, clock := start(t, sim.Options{Seed: 12})
	s := newScript(t, r)
	b := "/groups/" + sim.ProjectB + "/clusters/legacy/backup"
	list := s.do("GET", b+"/snapshots", "").json(t)["results"].([]any)
	id := list[0].(map[string]any)["id"].(string)
	require.Equal(t, awssim.SingleRegionKeyID, list[0].(map[string]any)["masterKeyUUID"])
	a := s.do("POST", b+"/restoreJobs", `{"deliveryType":"download","snapshotId":"`+id+`"}`)
	require.Equal(t, "CANNOT_DOWNLOAD_SNAPSHOT_WITH_ENCRYPTION", a.header.Get("X-Error-Code"))
	a = s.do("POST", b+"/restoreJobs", `{"deliveryType":"automated","snapshotId":"`+id+`","targetGroupId":"`+sim.ProjectA+`","targetClusterName":"west"}`)
	require.Equal(t, "INVALID_SNAPSHOT_RESTORE_ENCRYPTION", a.header.Get("X-Error-Code"))
	restore := func() any {
		a := s.do("POST", b+"/restoreJobs", `{"deliveryType":"automated","snapshotId":"`+id+`","targetGroupId":"`+sim.ProjectB+`","targetClusterName":"legacy"}`)
		require.Equal(t, 200, a.status, "%s", a.body)
		clock.wind(2 * time.Hour)
		return s.do("GET", b+"/restoreJobs/"+a.json(t)["id"].(string), "").json(t)["failed"]
	}
	require.Equal(t, false, restore())
	require.NoError(t, r.Act(sim.Act{Act: atlassim.Act{Kind: sim.DeactivateAccessKey}, AccessKey: awssim.AtlasUserAccessKeyID}))
	clock.wind(time.Hour)
	require.Equal(t, true, restore())
	clock.wind(8 * 24 * time.Hour)
	require.Empty(t, s.do("GET", b+"/snapshots", "").json(t)["results"], "expired")
}

// The same requests at the same times with the same seed give the same run, ids included.
func TestRunsRepeat(t *testing.T) {
	run := func(seed uint64) string {
		config := sim.DefaultConfig()
		config.Atlas.Chances.EndpointFails = 0.5
		r, _, _ := protected(t, sim.Options{Seed: seed, World: &config}, "")
		state, err := json.Marshal(r.State())
		require.NoError(t, err)
		return string(state)
	}
	first, again, other := run(42), run(42), run(43)
	require.Equal(t, first, again)
	require.NotEqual(t, first, other)
}

func TestResetGoesBackToTheStart(t *testing.T) {
	r, clock, s := protected(t, sim.Options{Seed: 13}, "")
	first := r.State().Atlas.Projects[0].Endpoints
	require.NoError(t, r.Reset())
	require.Zero(t, r.Journal.Len())
	require.Empty(t, r.State().Atlas.Projects[0].Endpoints)
	s.bearer = newScript(t, r).bearer
	ready(t, r, clock, s)
	require.Equal(t, first[0].ID, endpointIn(t, s, "US_EAST_1"), "chance starts over too")
}

func TestAutoScalingRestartsNodes(t *testing.T) {
	r, clock, s := protected(t, sim.Options{Seed: 14}, sim.ClusterIreland)
	do(t, r, atlassim.Act{Kind: atlassim.LoseNetwork, Region: "EU_WEST_1"})
	do(t, r, atlassim.Act{Kind: atlassim.ScaleCluster, Cluster: sim.ClusterIreland, Size: "M40"})
	require.Equal(t, "UPDATING", s.do("GET", in("/clusters/ireland"), "").json(t)["stateName"])
	clock.wind(time.Hour)
	require.Contains(t, string(s.do("GET", in("/clusters/ireland"), "").body), `"M40"`)
	require.Zero(t, up(nodesOf(t, r, sim.ClusterIreland)), "none could reach its key when it started")
}

func TestClustersBeingCreatedAndCompliance(t *testing.T) {
	config := sim.DefaultConfig()
	config.Atlas.Projects[0].Compliance = &atlassim.Compliance{Email: "a@example.com", FirstName: "A", LastName: "B", Encryption: true}
	config.Atlas.Projects[0].Clusters[1].Creating = true
	r, clock := start(t, sim.Options{World: &config, Seed: 15})
	s := newScript(t, r)
	require.Equal(t, "CREATING", s.do("GET", in("/clusters/west"), "").json(t)["stateName"])
	ready(t, r, clock, s)
	a := s.do("PATCH", in("/encryptionAtRest"), `{"awsKms":{"enabled":false}}`)
	require.Equal(t, "CANNOT_DISABLE_ENCRYPTION_AT_REST_WITH_BACKUP_COMPLIANCE_POLICY", a.header.Get("X-Error-Code"))
	clock.wind(time.Hour)
	require.Equal(t, "IDLE", s.do("GET", in("/clusters/west"), "").json(t)["stateName"])
}

// Many clients at once: what the race detector and the world's one lock are for.
func TestManyClientsAtOnce(t *testing.T) {
	r, _ := start(t, sim.Options{Seed: 16})
	s := newScript(t, r)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				for _, path := range []string{"/clusters", "/encryptionAtRest", "/events"} {
					request, err := http.NewRequest("GET", r.AtlasURL+"/api/atlas/v2"+in(path), nil)
					if err != nil {
						t.Error(err)
						return
					}
					request.Header.Set("Authorization", "Bearer "+s.bearer)
					request.Header.Set("Accept", "application/vnd.atlas.2025-03-12+json")
					response, err := http.DefaultClient.Do(request)
					if err != nil {
						t.Error(err)
						return
					}
					_ = response.Body.Close()
					if response.StatusCode != 200 {
						t.Error(response.Status)
					}
				}
			}
		})
	}
	all.Wait()
}

func TestFlexClustersAreOfAnotherAPI(t *testing.T) {
	r, _ := start(t, sim.Options{})
	s := newScript(t, r)
	do(t, r, atlassim.Act{Kind: atlassim.AddCluster, Add: &atlassim.Cluster{Name: "bendy", Flex: true, Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}}})
	require.Equal(t, "CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API", s.do("GET", in("/clusters/bendy"), "").header.Get("X-Error-Code"))
	require.NotContains(t, string(s.do("GET", in("/clusters"), "").body), "bendy")
}

func TestProjectsCloseOnlyWhenEmpty(t *testing.T) {
	r, _ := start(t, sim.Options{})
	s := newScript(t, r)
	a := s.do("DELETE", in(""), "")
	require.Equal(t, 409, a.status)
	require.Equal(t, "CANNOT_CLOSE_GROUP_ACTIVE_ATLAS_CLUSTERS", a.header.Get("X-Error-Code"))
	for _, name := range []string{"east", "west", "ireland", "global"} {
		do(t, r, atlassim.Act{Kind: atlassim.RemoveCluster, Cluster: name})
	}
	require.Equal(t, 204, s.do("DELETE", in(""), "").status)
	require.Equal(t, 404, s.do("GET", in(""), "").status)
}
