package sim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.mongodb.org/atlas-sdk/v20250312020/auth/clientcredentials"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// handWound is a clock that a test winds.
type handWound struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handWound) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handWound) wind(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *handWound { return &handWound{now: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)} }

func serviceAccount(r *sim.Running) *clientcredentials.Config {
	config := clientcredentials.NewConfig(sim.ClientID, sim.ClientSecret)
	config.TokenURL = r.AtlasURL + clientcredentials.TokenAPIPath
	config.RevokeURL = r.AtlasURL + clientcredentials.RevokeAPIPath
	return config
}

// owner is the Atlas SDK's own client, with the service account that owns both projects.
func owner(t *testing.T, r *sim.Running) *admin.APIClient {
	t.Helper()
	config := serviceAccount(r)
	client, err := admin.NewClient(admin.UseBaseURL(r.AtlasURL), admin.UseHTTPClient(config.Client(context.Background())))
	require.NoError(t, err)
	return client
}

// start serves a world that is checked against the description of the API, on a hand-wound clock.
func start(t *testing.T, o sim.Options) (*sim.Running, *handWound) {
	t.Helper()
	clock := newClock()
	o.Clock = clock
	return sim.Start(t, o), clock
}

const roleARN = "arn:aws:iam::" + awssim.CustomerAccount + ":role/atlas-cmk"

// grantRole makes the IAM role that a project's cloud provider access role may assume, and winds until it works.
func grantRole(t *testing.T, r *sim.Running, clock *handWound, atlas, externalID string) {
	t.Helper()
	require.NoError(t, r.Act(sim.Act{
		Act: atlassim.Act{Kind: sim.CreateRole}, Role: roleARN,
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + atlas + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"` + externalID + `"}}}]}`,
	}))
	require.NoError(t, r.Act(sim.Act{
		Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: roleARN, Name: "kms",
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Decrypt","kms:Encrypt","kms:DescribeKey"],"Resource":"*"}]}`,
	}))
	clock.wind(5 * time.Minute)
}

// answer is what a plain HTTP client got.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(a.body, &v), "%s", a.body)
	return v
}

// script is a plain HTTP client with a bearer token.
type script struct {
	t      *testing.T
	url    string
	bearer string
}

func newScript(t *testing.T, r *sim.Running) *script {
	t.Helper()
	s := &script{t: t, url: r.AtlasURL}
	s.bearer = bearerFor(t, r)
	return s
}

func bearerFor(t testing.TB, r *sim.Running) string {
	t.Helper()
	return login(t, r, sim.ClientID, sim.ClientSecret)
}

func login(t testing.TB, r *sim.Running, id, secret string) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, r.AtlasURL+"/api/oauth/token", bytes.NewBufferString("grant_type=client_credentials"))
	require.NoError(t, err)
	request.SetBasicAuth(id, secret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := send(t, request)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	return a.json(t)["access_token"].(string)
}

func send(t testing.TB, request *http.Request) answer {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, readAll(t, response)}
}

func readAll(t testing.TB, response *http.Response) []byte {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return body
}

// do sends a request to a path below the projects, with options that change it.
func (s *script) do(method, path, body string, options ...func(*http.Request)) answer {
	s.t.Helper()
	request, err := http.NewRequest(method, s.url+"/api/atlas/v2"+path, bytes.NewBufferString(body))
	require.NoError(s.t, err)
	request.Header.Set("Accept", "application/vnd.atlas.2025-03-12+json")
	if body != "" {
		request.Header.Set("Content-Type", "application/vnd.atlas.2025-03-12+json")
	}
	request.Header.Set("Authorization", "Bearer "+s.bearer)
	for _, o := range options {
		o(request)
	}
	return send(s.t, request)
}

// in is a path in project A.
func in(path string) string { return "/groups/" + sim.ProjectA + path }
