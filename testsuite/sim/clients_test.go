package sim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mongodb-forks/digest"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// step is a request as a client sends it, and what it is to get.
type step struct {
	method, path, version, body string
	status                      int
	served                      string
}

// play sends a client's requests with digest authentication, as its API key has it do.
func play(t *testing.T, r *sim.Running, userAgent string, steps []step) []map[string]any {
	t.Helper()
	transport := digest.NewTransport(sim.APIPublicKey, sim.APIPrivateKey)
	var answers []map[string]any
	for _, x := range steps {
		request, err := http.NewRequest(x.method, r.AtlasURL+"/api/atlas/v2"+x.path, strings.NewReader(x.body))
		require.NoError(t, err)
		request.Header.Set("User-Agent", userAgent)
		dated(x.version)(request)
		if x.body != "" {
			request.Header.Set("Content-Type", request.Header.Get("Accept"))
		}
		if strings.Contains(userAgent, "terraform") && x.method == http.MethodGet && strings.Contains(x.path, "/clusters/") {
			request.Header.Set("Use-Effective-Fields-Replication-Specs", "true")
		}
		client := http.Client{Transport: transport}
		response, err := client.Do(request)
		require.NoError(t, err, "%s %s", x.method, x.path)
		a := answer{response.StatusCode, response.Header, nil}
		a.body = readAll(t, response)
		require.Equal(t, x.status, a.status, "%s %s: %s", x.method, x.path, a.body)
		if x.served != "" {
			require.Equal(t, "application/vnd.atlas."+x.served+"+json;charset=utf-8", a.header.Get("Content-Type"), "%s %s", x.method, x.path)
		}
		var v map[string]any
		if len(a.body) > 0 && a.body[0] == '{' {
			v = a.json(t)
		}
		answers = append(answers, v)
	}
	return answers
}

// What terraform-provider-mongodbatlas v2 sends, by its source, for a project, an access role, encryption at rest, an
// endpoint and a cluster: the SDK's newest versions, 2023-02-01 for the ids that clusters had then, and containers.
func TestRequestsOfTheTerraformProvider(t *testing.T) {
	const agent = "terraform-provider-mongodbatlas/2.6.0 Terraform/1.11.4"
	const v2023 = "2023-01-01"
	r, clock := start(t, sim.Options{Seed: 8})
	play(t, r, agent, []step{
		{"GET", in(""), v2023, "", 200, v2023},
		{"GET", "/groups/byName/payments", v2023, "", 200, v2023},
		{"GET", "/groups/byName/none", v2023, "", 404, ""},
		{"GET", in("/teams"), v2023, "", 200, v2023},
		{"GET", in("/limits"), v2023, "", 200, v2023},
		{"GET", in("/settings"), v2023, "", 200, v2023},
		{"GET", in("/ipAddresses"), v2023, "", 200, v2023},
		{"GET", in("/managedSlowMs"), v2023, "", 200, v2023},
		{"GET", in("/users"), "2025-02-19", "", 200, "2025-02-19"},
	})
	role := play(t, r, agent, []step{{"POST", in("/cloudProviderAccess"), v2023, `{"providerName":"AWS"}`, 200, v2023}})[0]
	grantRole(t, r, clock, role["atlasAWSAccountArn"].(string), role["atlasAssumedRoleExternalId"].(string))
	roleID := role["roleId"].(string)
	rest, endpoints := in("/encryptionAtRest"), in("/encryptionAtRest/AWS/privateEndpoints")
	answers := play(t, r, agent, []step{
		{"GET", in("/cloudProviderAccess/" + roleID), v2023, "", 200, v2023},
		{"PATCH", in("/cloudProviderAccess/" + roleID), v2023, `{"iamAssumedRoleArn":"` + roleARN + `","providerName":"AWS"}`, 200, v2023},
		{"GET", rest, v2023, "", 200, v2023},
		{"PATCH", rest, v2023, kmsBlock(roleID, awssim.MultiRegionKeyARN, true), 200, v2023},
		{"GET", rest, v2023, "", 200, v2023},
		// An update echoes what was read, with one block replaced.
		{"PATCH", rest, v2023, `{"awsKms":{"enabled":true,"customerMasterKeyID":"` + awssim.MultiRegionKeyARN + `","region":"US_EAST_1","requirePrivateNetworking":true,"roleId":"` + roleID +
			`","valid":true},"azureKeyVault":{"enabled":false},"enabledForSearchNodes":false,"googleCloudKms":{"enabled":false}}`, 200, v2023},
		{"POST", endpoints, v2023, `{"regionName":"US_EAST_1"}`, 202, v2023},
		{"GET", endpoints + "?itemsPerPage=500&pageNum=1", v2023, "", 200, v2023},
	})
	endpoint := endpoints + "/" + answers[6]["id"].(string)
	clock.wind(time.Hour)
	const spec = `[{"regionConfigs":[{"electableSpecs":{"instanceSize":"M10","nodeCount":3},"priority":7,"providerName":"AWS","regionName":"US_EAST_1"}],"zoneName":"ZoneName managed by Terraform"}]`
	answers = play(t, r, agent, []step{
		{"GET", endpoint, v2023, "", 200, v2023},
		{"POST", in("/clusters"), october, `{"clusterType":"REPLICASET","encryptionAtRestProvider":"AWS","name":"made","replicationSpecs":` + spec + `}`, 201, october},
		{"GET", in("/clusters/made"), august, "", 200, august},
		{"GET", in("/clusters/made"), february, "", 200, february},
		{"GET", in("/containers?providerName=AWS"), v2023, "", 200, v2023},
		{"GET", in("/clusters/made/processArgs"), august, "", 200, august},
		{"GET", in("/clusters/made/processArgs"), "2024-05-30", "", 200, v2023},
		{"GET", in("/clusters"), august, "", 200, august},
		{"GET", in("/flexClusters"), "2024-11-13", "", 200, "2024-11-13"},
	})
	require.Equal(t, "ACTIVE", answers[0]["status"])
	regions := map[any]bool{}
	for _, c := range answers[4]["results"].([]any) {
		regions[c.(map[string]any)["regionName"]] = true
	}
	require.True(t, regions["US_EAST_1"], "the provider fails without the container of a cluster's region")
	clock.wind(2 * time.Hour)
	play(t, r, agent, []step{
		{"PATCH", in("/clusters/made"), october, `{"encryptionAtRestProvider":"NONE"}`, 200, october},
		{"PATCH", in("/clusters/made/processArgs"), august, `{"javascriptEnabled":true}`, 200, august},
		{"DELETE", in("/clusters/made"), february, "", 202, february},
		{"DELETE", endpoint, v2023, "", 204, ""},
	})
	clock.wind(2 * time.Hour)
	play(t, r, agent, []step{
		{"GET", in("/clusters/made"), august, "", 404, ""},
		{"GET", endpoint, v2023, "", 404, ""},
		{"PATCH", rest, v2023, `{"awsKms":{"enabled":false},"azureKeyVault":{"enabled":false},"googleCloudKms":{"enabled":false}}`, 200, v2023},
		{"DELETE", in("/cloudProviderAccess/AWS/" + roleID), v2023, "", 204, ""},
	})
}

// What the Atlas CLI sends, by its source: commands of its own with the SDK of 2024-05-30 for clusters, "atlas api" with
// the newest version of a resource or the one that --version names.
func TestRequestsOfTheAtlasCLI(t *testing.T) {
	const agent = "AtlasCLI/1.46.0 (linux;amd64)"
	r, _ := start(t, sim.Options{Seed: 8})
	answers := play(t, r, agent, []step{
		{"GET", in("/clusters?includeCount=false&itemsPerPage=100&pageNum=1"), february, "", 200, february},
		{"GET", in("/clusters/global"), february, "", 200, february},
		{"PATCH", in("/clusters/global"), february, `{"tags":[{"key":"owner","value":"me"}]}`, 200, february},
		{"GET", "/groups?itemsPerPage=100&pageNum=1", "2023-01-01", "", 200, "2023-01-01"},
		{"GET", in("/cloudProviderAccess"), "2023-01-01", "", 200, "2023-01-01"},
		{"GET", in("/clusters/east/backup/snapshots?itemsPerPage=100&pageNum=1"), "2023-01-01", "", 200, "2023-01-01"},
		{"GET", in("/encryptionAtRest?envelope=false&pretty=false"), "2023-01-01", "", 200, "2023-01-01"},
		{"GET", in("/encryptionAtRest/AWS/privateEndpoints"), "2023-01-01", "", 200, "2023-01-01"},
		{"GET", in("/clusters/west"), august, "", 200, august},
		{"PATCH", in("/clusters/west"), october, `{"redactClientLogData":true}`, 200, october},
		{"GET", in("/events?itemsPerPage=10"), "2023-01-01", "", 200, "2023-01-01"},
		{"GET", "/rateLimits?groupId=" + sim.ProjectA, "2025-03-12", "", 200, "2025-03-12"},
	})
	require.Equal(t, "AWS", answers[1]["replicationSpecs"].([]any)[0].(map[string]any)["regionConfigs"].([]any)[0].(map[string]any)["providerName"])
	require.EqualValues(t, 1, answers[1]["replicationSpecs"].([]any)[0].(map[string]any)["numShards"])
}
