package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

const (
	fuzzedKey  = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	fuzzedRole = "arn:aws:iam::111122223333:role/r"
)

// Whatever a policy document holds, it is refused, or edited without loss of anything else in it.
func FuzzPolicyDocument(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `{"Statement":null}`, `{"Statement":{}}`, `{"Statement":[null,1,"x",{"Sid":1}]}`, `{"Version":"2012-10-17","Statement":{"Sid":"AtlasCmk` + testProject + `"}}`,
		`{"Version":"2012-10-17","Id":"odd","Statement":[{"Sid":"a","Effect":"Deny","NotPrincipal":"*","Action":["kms:*"],"Odd":[{}]}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDocument(text)
		if err != nil {
			return
		}
		before := len(d.statements)
		had := d.find(Sid(testProject)) >= 0
		ours := keyStatement(testProject, []string{fuzzedKey})
		require.NoError(t, d.put(ours))
		once := d.String()
		require.NoError(t, d.put(ours))
		require.Equal(t, once, d.String(), "done again, it changes nothing")

		again, err := parseDocument(once)
		require.NoError(t, err)
		require.Equal(t, d.find(ours.Sid), again.find(ours.Sid))
		require.True(t, again.drop(ours.Sid))
		if !had {
			require.Len(t, again.statements, before, "what others wrote is all there")
		}
	})
}

// Whatever a key policy holds, it admits nobody whom it does not allow anything.
func FuzzKeyPolicy(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `{"Statement":[]}`, `{"Statement":null}`, `{"Statement":[null]}`, `{"Statement":[{"Effect":"Allow"}]}`, `{"Statement":[{"Effect":"Allow","Principal":{},"Action":[]}]}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":[]},"Action":"kms:*","Condition":{"IpAddress":{"aws:SourceIp":[]}}}]}`,
		`{"Statement":{"Effect":"Allow","Principal":"*","NotAction":"kms:Decrypt","Condition":{"Null":{"aws:SourceVpce":null},"Bool":{"aws:SecureTransport":true}}}}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := readKeyPolicy(text, "r")
		from, err := parseNetwork("203.0.113.0/24")
		require.NoError(t, err)
		judged, err := publicCall{roleARN: fuzzedRole, from: from}.judge(text)
		if strings.Contains(text, "llow") || strings.Contains(text, `\u`) {
			return
		}
		require.False(t, read.Admitted(fuzzedRole))
		require.True(t, err != nil || !judged.admitted && !judged.delegated, "%+v", judged)
	})
}

// answers is a service that gives the same answer to everything, and keeps what it was asked.
type answers struct {
	status      int
	contentType string
	body        []byte

	mu    sync.Mutex
	asked []string
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/api/oauth/token") {
		return a.answer(r, http.StatusOK, "application/json", []byte(`{"access_token":"t","token_type":"bearer","expires_in":3600}`)), nil
	}
	what := r.Method + " " + r.URL.Path
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		what = target
	} else if r.Body != nil && r.Method == http.MethodPost && strings.Contains(r.Header.Get("Content-Type"), "form") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		what = string(body)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, what)
	return a.answer(r, a.status, a.contentType, a.body), nil
}

func (a *answers) answer(r *http.Request, status int, contentType string, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// everHeld is a lease that is always held.
type everHeld struct{}

func (everHeld) Check(context.Context, Lease) error { return nil }

// step is an activity with the input that it is tried with.
type step struct {
	activity any
	input    any
}

// try carries out a step against answers that are anything, and requires a result or a typed error of few words.
func try(t *testing.T, s step) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(silent{})
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(s.activity)
	_, err := env.ExecuteActivity(s.activity, s.input)
	if err == nil {
		return
	}
	var panicked *temporal.PanicError
	require.NotErrorAs(t, err, &panicked)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.NotEmpty(t, app.Type())
	require.Less(t, len(app.Message()), 2048)
}

type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// Whatever Atlas answers, a step ends with a result or a typed error, and writes nothing on an answer that is no object.
func FuzzAtlasAnswer(f *testing.F) {
	project := ProjectInput{ProjectID: testProject}
	steps := func(a *Atlas) []step {
		before := Encryption{Enabled: true, KeyID: fuzzedKey, Region: "US_EAST_1", RoleID: testProject}
		leave := LeaveInput{ProjectID: testProject, Endpoints: []string{"e"}, Regions: []string{"US_EAST_1"}, Encryption: before}
		return []step{
			{a.ReadProject, project},
			{a.ObserveCalm, CalmInput{ProjectID: testProject}},
			{a.EncryptClusters, EncryptClustersInput{ProjectID: testProject, Clusters: []string{"c"}, Approved: []string{"e"}}},
			{a.ObserveClusters, ObserveClustersInput{ProjectID: testProject, LastSeen: []ClusterState{{Name: "c"}}}},
			{a.ReadDependents, DependentsInput{ProjectID: testProject}},
			{a.ReadEncryptedProject, EncryptedProjectInput{ProjectID: testProject, PublicPath: true}},
			{a.VerifyOff, VerifyOffInput{ProjectID: testProject}},
			{a.EnsureEncryption, EncryptionInput{ProjectID: testProject, KeyID: fuzzedKey, Region: "US_EAST_1", RoleID: testProject}},
			{a.DisableEncryption, DisableInput{ProjectID: testProject}},
			{a.EnsureEndpoints, EndpointsInput{ProjectID: testProject, Regions: []string{"US_EAST_1"}}},
			{a.ObserveEndpoints, ObserveEndpointsInput{ProjectID: testProject, Regions: []string{"US_EAST_1"}}},
			{a.RemoveEndpoints, RemoveEndpointsInput{ProjectID: testProject, Regions: []string{"US_EAST_1"}}},
			{a.ObserveDeletable, ObserveDeletableInput{ProjectID: testProject, Regions: []string{"US_EAST_1"}}},
			{a.LeavePrivateNetworking, leave},
			{a.DeleteEndpoints, leave},
			{a.SwitchToRole, SwitchInput{ProjectID: testProject, RoleID: testProject, Before: before, Until: time.Now().Add(time.Hour)}},
			{a.ReleaseClusters, ReleaseInput{ProjectID: testProject, Clusters: []string{"c"}}},
			{a.ResumeClusters, ReleaseInput{ProjectID: testProject, Clusters: []string{"c"}}},
			{a.EnsureSearchNodes, SearchNodesInput{ProjectID: testProject, Enabled: true}},
			{a.ObserveSearch, ObserveSearchInput{ProjectID: testProject, Clusters: []string{"c"}, Off: true}},
			{a.ObserveQuiet, ObserveQuietInput{ProjectID: testProject, Search: []string{"c"}}},
			{a.VerifyExit, VerifyExitInput{ProjectID: testProject, Off: true}},
			{a.EnsureAccessRole, AccessRoleInput{ProjectID: testProject, RoleARN: fuzzedRole}},
			{a.AuthorizeAccessRole, AuthorizeInput{ProjectID: testProject, RoleID: testProject, RoleARN: fuzzedRole}},
			{a.RemoveAccessRole, RemoveAccessRoleInput{ProjectID: testProject, RoleID: testProject}},
			{a.ReadBackups, BackupsInput{ProjectID: testProject}},
			{a.VerifyProject, VerifyInput{ProjectID: testProject}},
			{a.WatchKey, WatchKeyInput{ProjectID: testProject}},
		}
	}
	bodies := []string{
		``, `null`, `{}`, `[]`, `"x"`, `{"results":null}`, `{"results":[{}]}`, `{"results":[null]}`, `<html>`, `{"errorCode":"GROUP_NOT_FOUND","error":404}`, `{"errorCode":7}`,
		`{"awsKms":{"enabled":true,"valid":true,"customerMasterKeyID":"` + fuzzedKey + `","region":"US_EAST_1","roleId":"` + testProject + `","requirePrivateNetworking":true},"results":[{"name":"c","stateName":"IDLE","id":"e","regionName":"US_EAST_1","status":"ACTIVE"}]}`,
		`{"awsIamRoles":[{"roleId":"` + testProject + `"}],"dayOfWeek":9,"hourOfDay":99,"timeZoneId":"Nowhere/None","expiresAt":"then"}`,
	}
	for which := range steps(&Atlas{}) {
		for _, body := range bodies {
			f.Add(uint8(which), uint16(http.StatusOK), "application/vnd.atlas.2024-08-05+json", []byte(body))
		}
		f.Add(uint8(which), uint16(http.StatusBadRequest), "application/json", []byte(bodies[9]))
		f.Add(uint8(which), uint16(http.StatusServiceUnavailable), "text/html", []byte(bodies[8]))
	}
	f.Fuzz(func(t *testing.T, which uint8, status uint16, contentType string, body []byte) {
		service := &answers{status: 200 + int(status)%400, contentType: contentType, body: body}
		api, err := AtlasAccess{BaseURL: "http://atlas.invalid", ClientID: "i", ClientSecret: "s", Transport: service}.Client("test")
		require.NoError(t, err)
		pace := Pace{Shortest: time.Millisecond, Longest: time.Millisecond, Settle: time.Millisecond}
		all := steps(NewAtlas(api, amazonWith(&answers{status: http.StatusOK, body: []byte(`{}`)}, pace), everHeld{}, pace))
		try(t, all[int(which)%len(all)])
		var object map[string]json.RawMessage
		if json.Unmarshal(body, &object) == nil && object != nil {
			return
		}
		for _, asked := range service.asked {
			require.True(t, strings.HasPrefix(asked, http.MethodGet), "%s, on %q", asked, body)
		}
	})
}

func amazonWith(service *answers, pace Pace) *KMS {
	return NewKMS(kms.NewFromConfig(amazonConfig(service)), everHeld{}, pace)
}

func amazonConfig(service *answers) aws.Config {
	return aws.Config{
		Region: "us-east-1", RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: service},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}
}

// Whatever AWS answers, a step ends with a result or a typed error.
func FuzzAWSAnswer(f *testing.F) {
	steps := func(i *IAM, k *KMS) []step {
		role := EnsureIAMRoleInput{ProjectID: testProject, Name: "r", Create: true, AtlasARN: "arn:aws:iam::1:root", ExternalID: "x", KeyARNs: []string{fuzzedKey}}
		key := AccessKeyInput{AccessKeyID: "AKIDEXAMPLE"}
		return []step{
			{i.ReadIAMRole, IAMRoleInput{ProjectID: testProject, Name: "r"}},
			{i.EnsureIAMRole, role},
			{i.RemoveIAMRole, RemoveIAMRoleInput{ProjectID: testProject, Name: "r", Delete: true}},
			{i.EvaluateRole, EvaluateRoleInput{RoleARN: fuzzedRole, KeyARNs: []string{fuzzedKey}}},
			{i.ReadAccessKey, key},
			{i.ReactivateAccessKey, key},
			{i.ReadRoleUse, PublicUseInput{KeyID: fuzzedKey, Region: "US_EAST_1", RoleARN: fuzzedRole, Addresses: []string{"203.0.113.1"}}},
			{k.ReadKey, KeyInput{Key: fuzzedKey, Region: "US_EAST_1", RoleName: "r"}},
			{k.EnsureReplicas, ReplicasInput{Key: fuzzedKey, Region: "US_EAST_1", Regions: []string{"EU_WEST_1"}}},
			{k.ReadKeyUse, PublicUseInput{KeyID: fuzzedKey, Region: "US_EAST_1", RoleARN: fuzzedRole, Addresses: []string{"203.0.113.1"}}},
		}
	}
	bodies := []string{
		``, `{}`, `null`, `<x/>`, `{"KeyMetadata":{}}`, `{"KeyMetadata":{"Arn":"` + fuzzedKey + `","KeyState":"Enabled","MultiRegion":true,"MultiRegionConfiguration":{}}}`,
		`{"KeyMetadata":{"Arn":"` + fuzzedKey + `","MultiRegionConfiguration":{"PrimaryKey":{},"ReplicaKeys":[{}]}},"Policy":"null","KeyRotationEnabled":true}`,
		`{"__type":"NotFoundException"}`, `<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>`,
		`<GetRoleResponse><GetRoleResult><Role></Role></GetRoleResult></GetRoleResponse>`, `<GetRoleResponse><GetRoleResult/></GetRoleResponse>`,
		`<GetRoleResponse><GetRoleResult><Role><Arn>` + fuzzedRole + `</Arn><AssumeRolePolicyDocument>null</AssumeRolePolicyDocument><PermissionsBoundary/></Role></GetRoleResult></GetRoleResponse>`,
		`<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults><member/></EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`,
		`<ListAccessKeysResponse><ListAccessKeysResult><AccessKeyMetadata><member/></AccessKeyMetadata></ListAccessKeysResult></ListAccessKeysResponse>`,
		`<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult/></GetAccessKeyLastUsedResponse>`,
		`<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>`,
	}
	for which := range steps(&IAM{}, &KMS{}) {
		for _, body := range bodies {
			f.Add(uint8(which), uint16(http.StatusOK), []byte(body))
			f.Add(uint8(which), uint16(http.StatusBadRequest), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, status uint16, body []byte) {
		service := &answers{status: 200 + int(status)%400, contentType: "text/xml", body: body}
		pace := Pace{Shortest: time.Millisecond, Clock: hurried{}}
		conf := amazonConfig(service)
		all := steps(NewIAM(iam.NewFromConfig(conf), sts.NewFromConfig(conf), everHeld{}, pace), NewKMS(kms.NewFromConfig(conf), everHeld{}, pace))
		try(t, all[int(which)%len(all)])
	})
}

// hurried is a clock on which every wait is over at once.
type hurried struct{}

func (hurried) Now() time.Time { return time.Now() }

func (hurried) After(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- time.Now()
	return c
}
