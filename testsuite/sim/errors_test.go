package sim_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

const (
	nowhere = "6a0000000000000000000fff"
	absent  = "6a0000000000000000000eee"
)

// ready is a project A whose role is authorized and whose key is configured for private networking.
func ready(t *testing.T, r *sim.Running, clock *handWound, s *script) (roleID string) {
	t.Helper()
	role := s.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`).json(t)
	grantRole(t, r, clock, role["atlasAWSAccountArn"].(string), role["atlasAssumedRoleExternalId"].(string))
	roleID = role["roleId"].(string)
	a := s.do("PATCH", in("/cloudProviderAccess/"+roleID), fmt.Sprintf(`{"providerName":"AWS","iamAssumedRoleArn":%q}`, roleARN))
	require.Equal(t, 200, a.status, "%s", a.body)
	a = s.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleID, awssim.MultiRegionKeyARN, true))
	require.Equal(t, 200, a.status, "%s", a.body)
	return roleID
}

func kmsBlock(roleID, key string, private bool) string {
	return fmt.Sprintf(`{"awsKms":{"enabled":true,"roleId":%q,"customerMasterKeyID":%q,"region":"US_EAST_1","requirePrivateNetworking":%t}}`, roleID, key, private)
}

func endpointIn(t *testing.T, s *script, region string) string {
	t.Helper()
	a := s.do("POST", in("/encryptionAtRest/AWS/privateEndpoints"), fmt.Sprintf(`{"regionName":%q}`, region))
	require.Equal(t, 202, a.status, "%s", a.body)
	return a.json(t)["id"].(string)
}

// The bodies of errors that were seen of the live service, letter by letter.
func TestErrorBodiesAreThoseOfTheLiveService(t *testing.T) {
	r, clock := start(t, sim.Options{Seed: 3, AllowMismatches: true})
	s := newScript(t, r)
	pending := s.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`).json(t)["roleId"].(string)
	roleID := ready(t, r, clock, s)
	endpoint := endpointIn(t, s, "US_EAST_1")
	require.Equal(t, 200, s.do("PATCH", in("/clusters/west"), `{"terminationProtectionEnabled":true}`).status)
	require.NoError(t, r.Act(sim.Act{Act: atlassim.Act{Kind: atlassim.AddCluster, Project: sim.ProjectA, Add: &atlassim.Cluster{
		Name: "flexible", Flex: true, Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}},
	}}}))

	const never = "arn:aws:iam::111122223333:role/never-made"
	for name, want := range map[string]struct {
		method, path, body string
		options            []func(*http.Request)
		status             int
		text               string
	}{
		"no credentials": {"GET", in(""), "", []func(*http.Request){without("Authorization")}, 401,
			`{"detail":"You are not authorized for this resource.","error":401,"errorCode":"UNEXPECTED_ERROR","parameters":[],"reason":"Unauthorized"}`},
		"no such project": {"GET", "/groups/" + nowhere, "", nil, 404,
			`{"detail":"No group with ID ` + nowhere + ` exists.","error":404,"errorCode":"GROUP_NOT_FOUND","parameters":["` + nowhere + `"],"reason":"Not Found"}`},
		"no such cluster": {"GET", in("/clusters/none"), "", nil, 404,
			`{"detail":"No cluster named none exists in group ` + sim.ProjectA + `.","error":404,"errorCode":"CLUSTER_NOT_FOUND","parameters":["none","` + sim.ProjectA + `"],"reason":"Not Found"}`},
		"role that does not trust": {"PATCH", in("/cloudProviderAccess/" + pending), `{"providerName":"AWS","iamAssumedRoleArn":"` + never + `"}`, nil, 400,
			`{"detail":"Atlas cannot assume the specified role (` + never + `).","error":400,"errorCode":"CANNOT_ASSUME_ROLE","parameters":["` + never + `"],"reason":"Bad Request"}`},
		"role not authorized": {"PATCH", in("/encryptionAtRest"), kmsBlock(pending, awssim.MultiRegionKeyARN, true), nil, 400,
			`{"detail":"The specified Cloud Provider Access role (` + pending + `) has not been authorized.","error":400,"errorCode":"CLOUD_PROVIDER_ACCESS_ROLE_NOT_AUTHORIZED","parameters":["` + pending + `"],"reason":"Bad Request"}`},
		"access key": {"PATCH", in("/encryptionAtRest"), `{"awsKms":{"enabled":true,"accessKeyID":"AKIAIOSFODNN7EXAMPLE","secretAccessKey":"x","customerMasterKeyID":"k","region":"US_EAST_1"}}`, nil, 400,
			`{"detail":"Credentials based authentication is no longer supported for AWS KMS.","error":400,"errorCode":"AWS_KMS_CREDENTIALS_AUTH_DEPRECATED","parameters":[],"reason":"Bad Request"}`},
		"private networking in use": {"PATCH", in("/encryptionAtRest"), kmsBlock(roleID, awssim.MultiRegionKeyARN, false), nil, 400,
			`{"detail":"Cannot disable requirePrivateNetworking field when there are private endpoints. Remove private endpoints in region(s) US_EAST_1 to disable requirePrivateNetworking.","error":400,"errorCode":"CANNOT_DISABLE_ENCRYPTION_AT_REST_REQUIRE_PRIVATE_NETWORKING_WHILE_PRIVATE_ENDPOINTS_EXIST","parameters":["US_EAST_1"],"reason":"Bad Request"}`},
		"endpoints present": {"PATCH", in("/encryptionAtRest"), `{"awsKms":{"enabled":false}}`, nil, 400,
			`{"detail":"Encryption at Rest cannot be disabled when private endpoints are present.","error":400,"errorCode":"CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS","parameters":[],"reason":"Bad Request"}`},
		"endpoint being made": {"DELETE", in("/encryptionAtRest/AWS/privateEndpoints/" + endpoint), "", nil, 400,
			`{"detail":"Failed to delete Encryption at Rest Private endpoint with id [` + endpoint + `] during IN_PROGRESS state. Please try again later.","error":400,"errorCode":"ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING","parameters":["[` + endpoint + `]"],"reason":"Bad Request"}`},
		"termination protection": {"DELETE", in("/clusters/west"), "", nil, 400,
			`{"detail":"Cannot terminate a cluster when termination protection is enabled. Disable termination protection and try again.","error":400,"errorCode":"CANNOT_TERMINATE_CLUSTER_WHEN_TERMINATION_PROTECTION_ENABLED","parameters":[],"reason":"Bad Request"}`},
		"flex cluster": {"GET", in("/clusters/flexible"), "", nil, 400,
			`{"detail":"Flex cluster flexible cannot be used in the cluster API.","error":400,"errorCode":"CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API","parameters":["flexible"],"reason":"Bad Request"}`},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do(want.method, want.path, want.body, want.options...)
			require.Equal(t, want.status, a.status, "%s", a.body)
			require.JSONEq(t, want.text, string(a.body))
			require.Equal(t, "application/json", a.header.Get("Content-Type"))
			require.Equal(t, a.json(t)["errorCode"], a.header.Get("X-Error-Code"))
		})
	}

	t.Run("token endpoint", func(t *testing.T) {
		var a answer
		for range 60 {
			request, err := http.NewRequest(http.MethodPost, r.AtlasURL+"/api/oauth/token", nil)
			require.NoError(t, err)
			request.SetBasicAuth("mdb_sa_id_of_nobody", "x")
			if a = send(t, request); a.status == http.StatusTooManyRequests {
				break
			}
		}
		require.JSONEq(t, `{"detail":"Resource /api/oauth/token is limited to 50 requests every 1 minutes.","error":429,"errorCode":"RATE_LIMITED","parameters":["/api/oauth/token",50,1],"reason":"Too Many Requests"}`, string(a.body))
	})
}

func without(header string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(header) }
}

func with(header, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(header, value) }
}

// What AWS answers when Atlas tries a key becomes the documented code.
func TestKeyRefusalsHaveTheirCodes(t *testing.T) {
	act := func(kind string, change func(*sim.Act)) sim.Act {
		a := sim.Act{Act: atlassim.Act{Kind: kind, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyID, Role: roleARN, Name: "kms"}
		if change != nil {
			change(&a)
		}
		return a
	}
	for code, acts := range map[string][]sim.Act{
		"AWS_KMS_CUSTOMER_MASTER_KEY_NOT_ENABLED":      {act(sim.DisableKey, nil)},
		"AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_DELETION": {act(sim.ScheduleKeyDeletion, nil)},
		"NO_PERMISSION_TO_ENCRYPT_DECRYPT":             {act(sim.DeleteRolePolicy, nil)},
		"CANNOT_ASSUME_ROLE":                           {act(sim.DeleteRole, nil)},
	} {
		t.Run(code, func(t *testing.T) {
			r, clock := start(t, sim.Options{Seed: 4})
			s := newScript(t, r)
			roleID := ready(t, r, clock, s)
			if code == "CANNOT_ASSUME_ROLE" {
				require.NoError(t, r.Act(act(sim.DeleteRolePolicy, nil)))
			}
			for _, a := range acts {
				require.NoError(t, r.Act(a))
			}
			clock.wind(5 * time.Minute)
			a := s.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleID, awssim.MultiRegionKeyARN, true))
			require.Equal(t, 400, a.status)
			require.Equal(t, code, a.json(t)["errorCode"])
		})
	}
	t.Run("AWS_CUSTOMER_MASTER_KEY_NOT_FOUND", func(t *testing.T) {
		r, clock := start(t, sim.Options{Seed: 4})
		s := newScript(t, r)
		roleID := ready(t, r, clock, s)
		a := s.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleID, "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000", true))
		require.Equal(t, 404, a.status)
		require.Equal(t, "AWS_CUSTOMER_MASTER_KEY_NOT_FOUND", a.json(t)["errorCode"])
	})
}
