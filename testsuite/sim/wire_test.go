package sim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mongodb-forks/digest"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

func TestVersionsAreNegotiated(t *testing.T) {
	r, _ := start(t, sim.Options{})
	s := newScript(t, r)
	for _, c := range []struct {
		path, accept string
		status       int
		served, code string
	}{
		{"/clusters", "application/vnd.atlas.2025-03-12+json", 200, "2024-08-05", ""},
		{"/clusters", "application/vnd.atlas.2024-08-05+json", 200, "2024-08-05", ""},
		{"/clusters", "application/vnd.atlas.2024-05-30+json", 200, "2023-02-01", ""},
		{"/clusters", "application/vnd.atlas.2023-02-01+json", 200, "2023-02-01", ""},
		{"/clusters", "application/vnd.atlas.2023-01-01+json", 410, "", "VERSION_GONE"},
		{"/clusters/east/processArgs", "application/vnd.atlas.2024-05-30+json", 200, "2023-01-01", ""},
		{"/clusters/east/search/deployment", "application/vnd.atlas.2023-11-15+json", 200, "2023-01-01", ""},
		{"/encryptionAtRest", "application/vnd.atlas.2024-11-13+json", 200, "2023-01-01", ""},
		{"/encryptionAtRest", "application/json", 400, "", "INVALID_VERSION_DATE"},
		{"/encryptionAtRest", "application/vnd.atlas.soon+json", 400, "", "INVALID_VERSION_DATE"},
		{"/clusters/west/search/deployment", "application/vnd.atlas.2025-03-12+json", 200, "2025-03-12", ""},
		{"/clusters/west/search/deployment", "application/vnd.atlas.2024-05-30+json", 400, "", "ATLAS_SEARCH_DEPLOYMENT_DOES_NOT_EXIST"},
	} {
		t.Run(c.path+" "+c.accept, func(t *testing.T) {
			a := s.do("GET", in(c.path), "", with("Accept", c.accept))
			require.Equal(t, c.status, a.status, "%s", a.body)
			require.Equal(t, c.code, a.header.Get("X-Error-Code"))
			if c.served != "" {
				require.Equal(t, "application/vnd.atlas."+c.served+"+json;charset=utf-8", a.header.Get("Content-Type"))
			}
		})
	}
	a := s.do("PATCH", in("/clusters/west"), `{}`, with("Content-Type", "application/json"))
	require.Equal(t, "INVALID_VERSION_DATE", a.header.Get("X-Error-Code"))
	a = s.do("PATCH", in("/clusters/west"), `{}`, with("Accept", "application/vnd.atlas.2024-08-05+json"))
	require.Equal(t, 200, a.status)
	require.NotEmpty(t, a.header.Get("Deprecation"))
	require.NotEmpty(t, a.header.Get("Sunset"))
}

func TestEnvelopePrettyPagesAndChunks(t *testing.T) {
	r, _ := start(t, sim.Options{})
	s := newScript(t, r)
	a := s.do("GET", in("?envelope=true"), "")
	require.EqualValues(t, 200, a.json(t)["status"])
	require.Equal(t, sim.ProjectA, a.json(t)["content"].(map[string]any)["id"])
	refused := s.do("GET", in("/clusters/none?envelope=true"), "").json(t)
	require.EqualValues(t, 404, refused["status"])
	require.Equal(t, "CLUSTER_NOT_FOUND", refused["content"].(map[string]any)["errorCode"])
	require.Contains(t, string(s.do("GET", in("?pretty=true"), "").body), "\n  \"id\"")

	response, err := http.DefaultClient.Do(func() *http.Request {
		request, err := http.NewRequest("GET", r.AtlasURL+"/api/atlas/v2"+in("/clusters?itemsPerPage=1&pageNum=2&includeCount=false"), nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+s.bearer)
		request.Header.Set("Accept", "application/vnd.atlas.2024-08-05+json")
		return request
	}())
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, []string{"chunked"}, response.TransferEncoding)
	var page struct {
		Links      []struct{ Rel string }
		Results    []any
		TotalCount *int
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&page))
	require.Len(t, page.Results, 1)
	require.Nil(t, page.TotalCount)
	require.Len(t, page.Links, 3)
}

func TestDigestIsChecked(t *testing.T) {
	wire := newClock()
	r, _ := start(t, sim.Options{Wire: wire})
	get := func(transport http.RoundTripper) *http.Response {
		request, err := http.NewRequest("GET", r.AtlasURL+"/api/atlas/v2"+in(""), nil)
		require.NoError(t, err)
		request.Header.Set("Accept", "application/vnd.atlas.2023-01-01+json")
		response, err := transport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response
	}
	require.Equal(t, 200, get(digest.NewTransport(sim.APIPublicKey, sim.APIPrivateKey)).StatusCode)
	require.Equal(t, 401, get(digest.NewTransport(sim.APIPublicKey, "another")).StatusCode)
	require.Equal(t, 401, get(digest.NewTransport("nobodyxx", sim.APIPrivateKey)).StatusCode)
	challenge := get(http.DefaultTransport).Header.Get("Www-Authenticate")
	require.Regexp(t, `^Digest realm="MMS Public API", domain="", nonce="[0-9a-f]+", algorithm=MD5, qop="auth", stale=false$`, challenge)
}

func TestBearersExpireAndAreRevoked(t *testing.T) {
	wire := newClock()
	r, _ := start(t, sim.Options{Wire: wire})
	s := newScript(t, r)
	require.Equal(t, 200, s.do("GET", in(""), "").status)
	wire.wind(time.Hour)
	require.Equal(t, 401, s.do("GET", in(""), "").status)

	s = newScript(t, r)
	request, err := http.NewRequest(http.MethodPost, r.AtlasURL+"/api/oauth/revoke", strings.NewReader("token="+s.bearer))
	require.NoError(t, err)
	request.SetBasicAuth(sim.ClientID, sim.ClientSecret)
	require.Equal(t, 200, send(t, request).status)
	require.Equal(t, 401, s.do("GET", in(""), "").status)

	for _, e := range r.Journal.Entries() {
		require.NotContains(t, e.Request+e.Response, s.bearer)
	}
}

func TestRolesAreNeeded(t *testing.T) {
	r, _ := start(t, sim.Options{})
	s := newScript(t, r)
	s.bearer = login(t, r, sim.ReaderClientID, sim.ReaderClientSecret)
	require.Equal(t, 200, s.do("GET", in("/encryptionAtRest"), "").status)
	require.Equal(t, 401, s.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`).status)
	for _, e := range r.Journal.Entries() {
		require.False(t, e.Applied && e.Write)
	}
}

func TestBucketsEmptyAndRefill(t *testing.T) {
	wire := newClock()
	config := sim.DefaultConfig()
	config.Atlas.RateLimits = map[string]atlassim.RateLimit{"clusters": {Capacity: 3, Refill: 1, Seconds: 10}}
	r, _ := start(t, sim.Options{World: &config, Wire: wire})
	s := newScript(t, r)
	for left := 2; left >= 0; left-- {
		a := s.do("GET", in("/clusters"), "")
		require.Equal(t, 200, a.status)
		require.Equal(t, "3", a.header.Get("RateLimit-Limit"))
		require.Equal(t, fmt.Sprint(left), a.header.Get("RateLimit-Remaining"))
	}
	a := s.do("GET", in("/clusters"), "")
	require.Equal(t, 429, a.status)
	require.Equal(t, "10", a.header.Get("Retry-After"))
	path := "/api/atlas/v2" + in("/clusters")
	require.JSONEq(t, fmt.Sprintf(`{"detail":"Rate limit exceeded for %s. Please retry after 10 seconds. Request capacity: 3. Refill rate: 1 per 10 seconds.","error":429,"errorCode":"RATE_LIMITED_TOKEN_BUCKET","parameters":[%q,10,3,1,10],"reason":"Too Many Requests"}`, path, path), string(a.body))
	wire.wind(10 * time.Second)
	require.Equal(t, 200, s.do("GET", in("/clusters"), "").status)
}

func TestFaultsOnDemand(t *testing.T) {
	r, _ := start(t, sim.Options{})
	s := newScript(t, r)
	one := func(rule fault.Rule) {
		rule.System, rule.Times = "atlas", 1
		require.NoError(t, r.Faults.Add(rule))
	}
	one(fault.Rule{Operation: "getGroup", Kind: fault.Status, Status: 503, RetryAfter: 7})
	a := s.do("GET", in(""), "")
	require.Equal(t, 503, a.status)
	require.Equal(t, "7", a.header.Get("Retry-After"))
	require.Equal(t, 200, s.do("GET", in(""), "").status)

	one(fault.Rule{Operation: "createGroupCloudProviderAccess", Kind: fault.DropAfter})
	request, err := http.NewRequest("POST", s.url+"/api/atlas/v2"+in("/cloudProviderAccess"), strings.NewReader(`{"providerName":"AWS"}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+s.bearer)
	request.Header.Set("Accept", "application/vnd.atlas.2023-01-01+json")
	request.Header.Set("Content-Type", "application/vnd.atlas.2023-01-01+json")
	_, err = http.DefaultClient.Do(request)
	require.Error(t, err)
	roles := s.do("GET", in("/cloudProviderAccess"), "").json(t)["awsIamRoles"]
	require.Len(t, roles, 1, "the write happened, only its answer was lost")
	entries := r.Journal.Entries()
	lost := entries[len(entries)-2]
	require.Equal(t, "createGroupCloudProviderAccess", lost.Operation)
	require.True(t, lost.Applied)
	require.Zero(t, lost.Status)
	require.Equal(t, "dropAfter", lost.Fault)

	one(fault.Rule{Operation: "getGroup", Kind: fault.ExpiredToken})
	require.Equal(t, 401, s.do("GET", in(""), "").status)
	require.Equal(t, 401, s.do("GET", in(""), "").status, "the token is gone for good")
}

func TestWhatTheDescriptionForbidsIsFound(t *testing.T) {
	r, _ := start(t, sim.Options{AllowMismatches: true})
	s := newScript(t, r)
	s.do("POST", in("/encryptionAtRest/AWS/privateEndpoints"), `{"regionName":"us-east-1"}`)
	s.do("GET", in("?page=2"), "")
	found := r.Mismatches()
	require.Len(t, found, 2)
	require.Equal(t, "createGroupEncryptionAtRestPrivateEndpoint", found[0].Operation)
	require.Equal(t, "request", found[0].Part)
}

// The control plane, by plain HTTP.
func TestControlPlane(t *testing.T) {
	r, _ := start(t, sim.Options{})
	s := newScript(t, r)
	call := func(method, path, body string) answer {
		request, err := http.NewRequest(method, r.AtlasURL+"/_sim/"+path, strings.NewReader(body))
		require.NoError(t, err)
		return send(t, request)
	}
	require.Equal(t, 204, call("POST", "faults", `{"operation":"getGroup","kind":"status","status":500,"times":1}`).status)
	require.Equal(t, 500, s.do("GET", in(""), "").status)
	require.Equal(t, 400, call("POST", "faults", `{"kind":"sabotage"}`).status)
	require.Equal(t, 204, call("POST", "act", `{"kind":"addCluster","project":"`+sim.ProjectA+`","add":{"name":"surprise","regions":[{"name":"US_EAST_1","electable":3}]}}`).status)
	require.Equal(t, 200, s.do("GET", in("/clusters/surprise"), "").status)
	require.Equal(t, 204, call("POST", "act", `{"kind":"disableKey","key":"alias/atlas-cmk","region":"us-west-2"}`).status)
	require.Equal(t, 400, call("POST", "act", `{"kind":"earthquake","project":"`+sim.ProjectA+`"}`).status)
	require.Contains(t, string(call("GET", "journal", "").body), `"operation":"getGroup"`)
	require.Contains(t, string(call("GET", "state", "").body), `"surprise"`)
	require.Equal(t, "[]\n", string(call("GET", "violations", "").body))
	require.Equal(t, 204, call("POST", "reset", "").status)
	require.Equal(t, "[]\n", string(call("GET", "journal", "").body))
	require.NotContains(t, string(call("GET", "state", "").body), `"surprise"`)
	require.Equal(t, 404, call("GET", "elsewhere", "").status)
}
