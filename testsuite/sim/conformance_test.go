package sim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mongodb-forks/digest"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// place is a world that a fact of the service is tried in, by plain requests. What a row needs to know of it before
// its request, it keeps in id.
type place struct {
	trial
	role string // authorized, where the project is on its key
	id   string
}

// The worlds that facts are tried in: the default one, the same with project A's role authorized and its key
// configured for private networking, and that with an endpoint in each of three regions.
const (
	fresh = iota
	keyed
	reached
)

// fact is what is known of how the live service answers, or documented: one request, and what comes of it.
type fact struct {
	in      int
	given   func(*place)
	method  string
	path    string // in project A, or after "=" anywhere; {id} and {role} stand for those of the place
	body    string
	options []func(*http.Request)
	status  int
	code    string
	says    string // a part of the body
}

func (f fact) try(t *testing.T) {
	t.Helper()
	r, clock := start(t, sim.Options{Seed: 50, AllowMismatches: true})
	p := &place{trial: trial{t, r, clock, newScript(t, r)}}
	if f.in >= keyed {
		p.role = ready(t, r, clock, p.s)
	}
	if f.in >= reached {
		p.endpoints("US_EAST_1", "US_WEST_2", "EU_WEST_1")
	}
	if f.given != nil {
		f.given(p)
	}
	fill := strings.NewReplacer("{id}", p.id, "{role}", p.role)
	path, outside := strings.CutPrefix(fill.Replace(f.path), "=")
	if !outside {
		path = in(path)
	}
	a := p.s.do(f.method, path, fill.Replace(f.body), f.options...)
	require.Equal(t, f.status, a.status, "%s", a.body)
	require.Equal(t, f.code, a.header.Get("X-Error-Code"), "%s", a.body)
	require.Contains(t, string(a.body), fill.Replace(f.says))
	if f.code != "" {
		refused := a.json(t)
		require.EqualValues(t, f.status, refused["error"])
		require.Equal(t, f.code, refused["errorCode"])
		require.Equal(t, http.StatusText(f.status), refused["reason"])
		require.NotEmpty(t, refused["detail"])
		require.IsType(t, []any{}, refused["parameters"])
		require.Equal(t, "application/json", a.header.Get("Content-Type"))
		entries := p.r.Journal.Entries()
		require.False(t, entries[len(entries)-1].Applied, "what is refused changes nothing")
	}
}

const (
	access      = "/cloudProviderAccess"
	encryption  = "/encryptionAtRest"
	private     = "/encryptionAtRest/AWS/privateEndpoints"
	unknownID   = "6a0000000000000000000ddd"
	threeInEast = `"clusterType":"REPLICASET","replicationSpecs":[{"regionConfigs":[{"providerName":"AWS","regionName":"US_EAST_1","priority":7,"electableSpecs":{"instanceSize":"M30","nodeCount":3}}]}]`
)

// held puts the endpoint in US_WEST_2 into a status and keeps it there.
func held(status string) func(*place) {
	return func(p *place) {
		for _, e := range p.r.State().Atlas.Projects[0].Endpoints {
			if e.Region == "US_WEST_2" {
				p.id = e.ID
			}
		}
		p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.HoldEndpoint, Endpoint: p.id, Status: status, Message: "as it is held"}})
	}
}

// troubled puts the project into a state.
func troubled(state string) func(*place) {
	return func(p *place) {
		p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.TroubleProject, Status: state}})
	}
}

// full leaves no capacity in a region.
func full(region string) func(*place) {
	return func(p *place) { p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.FillRegion, Region: region}}) }
}

func adds(c atlassim.Cluster) func(*place) {
	return func(p *place) { p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.AddCluster, Add: &c}}) }
}

// What is documented or was seen of the live service, a row a fact.
func TestConformance(t *testing.T) {
	for name, f := range map[string]fact{
		// The protocol that all operations share.
		"a path that is none is not found":                {method: "GET", path: "/nothing", status: 404, code: "RESOURCE_NOT_FOUND"},
		"a page holds 500 at most":                        {method: "GET", path: "/clusters?itemsPerPage=501", status: 400, code: "INVALID_QUERY_PARAMETER"},
		"a page holds one at least":                       {method: "GET", path: "/clusters?itemsPerPage=0", status: 400, code: "INVALID_QUERY_PARAMETER"},
		"pages are counted from one":                      {method: "GET", path: "/clusters?pageNum=0", status: 400, code: "INVALID_QUERY_PARAMETER"},
		"a page number is a number":                       {method: "GET", path: "/clusters?pageNum=two", status: 400, code: "INVALID_QUERY_PARAMETER"},
		"a page past the end is empty":                    {method: "GET", path: "/clusters?pageNum=99", status: 200, says: `"results":[]`},
		"the count comes unless it is declined":           {method: "GET", path: "/clusters", status: 200, says: `"totalCount":4`},
		"a body that is no JSON":                          {method: "PATCH", path: encryption, body: `{"awsKms":`, status: 400, code: "MALFORMED_JSON"},
		"a body of another kind":                          {method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":"perhaps"}}`, status: 400, code: "MALFORMED_JSON"},
		"a body that is missing":                          {method: "PATCH", path: encryption, status: 400, code: "MALFORMED_JSON"},
		"a scheme of authorization that is none":          {method: "GET", path: "/clusters", options: []func(*http.Request){with("Authorization", "Basic eDp4")}, status: 401, code: "UNEXPECTED_ERROR", says: "You are not authorized for this resource."},
		"a bearer that was never given":                   {method: "GET", path: "/clusters", options: []func(*http.Request){with("Authorization", "Bearer x")}, status: 401, code: "UNEXPECTED_ERROR"},
		"the control plane's addresses are for everybody": {method: "GET", path: "=/unauth/controlPlaneIPAddresses", options: []func(*http.Request){without("Authorization")}, status: 200, says: "us-east-1"},

		// The project.
		"a project shows no state, and how many clusters it has": {method: "GET", path: "", status: 200, says: `"clusterCount":4`},
		"a project with clusters is not closed":                  {method: "DELETE", path: "", status: 409, code: "CANNOT_CLOSE_GROUP_ACTIVE_ATLAS_CLUSTERS"},

		"a project that cannot be loaded":  {given: troubled(atlassim.StateInvalid), method: "GET", path: "", status: 404, code: "INVALID_ATLAS_GROUP", says: "Atlas group " + sim.ProjectA + " is in an invalid state and cannot be loaded."},
		"a project of a suspended account": {given: troubled(atlassim.StateSuspended), method: "POST", path: access, body: `{"providerName":"AWS"}`, status: 402, code: "ACCOUNT_SUSPENDED", says: "Organization has an unpaid invoice that is more than 30 days old."},
		"a project whose trouble is over": {given: func(p *place) {
			troubled(atlassim.StateSuspended)(p)
			troubled("")(p)
		}, method: "GET", path: "", status: 200},

		// Cloud provider access.
		"a role is made for AWS alone":               {method: "POST", path: access, body: `{"providerName":"AZURE"}`, status: 400, code: "INVALID_CLOUD_PROVIDER"},
		"a role to make has a body":                  {method: "POST", path: access, body: `[]`, status: 400, code: "MALFORMED_JSON"},
		"a pending role shows nulls":                 {method: "POST", path: access, body: `{"providerName":"AWS"}`, status: 200, says: `"authorizedDate":null`},
		"a role that is not there is not shown":      {method: "GET", path: access + "/" + unknownID, status: 404, code: "CLOUD_PROVIDER_ACCESS_ROLE_NOT_FOUND"},
		"a role that is not there is not authorized": {method: "PATCH", path: access + "/" + unknownID, body: `{"providerName":"AWS","iamAssumedRoleArn":"` + roleARN + `"}`, status: 404, code: "CLOUD_PROVIDER_ACCESS_ROLE_NOT_FOUND"},
		"to authorize, the body is JSON":             {method: "PATCH", path: access + "/" + unknownID, body: `"x"`, status: 400, code: "MALFORMED_JSON"},
		"to authorize, the cloud is AWS":             {method: "PATCH", path: access + "/" + unknownID, body: `{"providerName":"GCP"}`, status: 400, code: "INVALID_CLOUD_PROVIDER"},
		"to authorize, the ARN is needed":            {method: "PATCH", path: access + "/" + unknownID, body: `{"providerName":"AWS"}`, status: 400, code: "MISSING_ATTRIBUTE"},
		"a role that is not there is not withdrawn":  {method: "DELETE", path: access + "/AWS/" + unknownID, status: 404, code: "CLOUD_PROVIDER_ACCESS_ROLE_NOT_FOUND"},
		"a role of another cloud is not withdrawn":   {method: "DELETE", path: access + "/AZURE/" + unknownID, status: 400, code: "INVALID_CLOUD_PROVIDER"},
		"a role in use tells what uses it":           {in: keyed, method: "GET", path: access + "/{role}", status: 200, says: `"featureUsages":[{"featureId":null,"featureType":"ENCRYPTION_AT_REST"}]`},

		// The project's key.
		"without a key, three blocks are off":      {method: "GET", path: encryption, status: 200, says: `"awsKms":{"enabled":false},"azureKeyVault":{"enabled":false},"enabledForSearchNodes":false,"googleCloudKms":{"enabled":false}`},
		"a change says of which provider":          {method: "PATCH", path: encryption, body: `{}`, status: 400, code: "MISSING_ENCRYPTION_AT_REST_PROVIDER", says: "At least one Encryption at Rest provider must be specified."},
		"the key of Azure is not supported":        {method: "PATCH", path: encryption, body: `{"azureKeyVault":{"enabled":true}}`, status: 400, code: "ENCRYPTION_AT_REST_PROVIDER_NOT_SUPPORTED"},
		"a key needs its id":                       {method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":true}}`, status: 400, code: "MISSING_ATTRIBUTE", says: "customerMasterKeyID"},
		"a key needs its region":                   {method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":true,"customerMasterKeyID":"k"}}`, status: 400, code: "MISSING_ATTRIBUTE", says: "region"},
		"a key needs a role":                       {method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":true,"customerMasterKeyID":"k","region":"US_EAST_1"}}`, status: 400, code: "MISSING_ATTRIBUTE", says: "roleId"},
		"a key is in a region that Atlas supports": {method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":true,"customerMasterKeyID":"k","region":"GLOBAL","roleId":"` + unknownID + `"}}`, status: 400, code: "AWS_KMS_REGION_NOT_SUPPORTED"},
		"a role that is not there is not used":     {method: "PATCH", path: encryption, body: kmsBlock(unknownID, "k", false), status: 400, code: "CLOUD_PROVIDER_ACCESS_ROLE_NOT_AUTHORIZED"},
		"off is nothing to a project without":      {method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":false}}`, status: 200, says: `"awsKms":{"enabled":false}`},
		"search nodes need the project's key":      {method: "PATCH", path: encryption, body: `{"enabledForSearchNodes":true}`, status: 400, code: "ENCRYPTION_AT_REST_NOT_ENABLED", says: sim.ProjectA},
		"the same again is accepted":               {in: keyed, method: "PATCH", path: encryption, body: kmsBlock("{role}", awssim.MultiRegionKeyARN, true), status: 200, says: `"valid":true`},
		"what is shown may be sent back":           {in: keyed, method: "PATCH", path: encryption, body: strings.Replace(kmsBlock("{role}", awssim.MultiRegionKeyARN, true), `{"enabled"`, `{"valid":true,"enabled"`, 1), status: 200, says: `"valid":true`},
		"the ARN is echoed as it was given":        {in: keyed, method: "GET", path: encryption, status: 200, says: `"customerMasterKeyID":"` + awssim.MultiRegionKeyARN + `"`},
		"the role is shown, although writeOnly":    {in: keyed, method: "GET", path: encryption, status: 200, says: `"roleId":"{role}"`},
		"it is valid with no endpoint, and goes":   {in: keyed, method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":false}}`, status: 200, says: `"awsKms":{"enabled":false}`},
		"an unusable key is not exchanged": {in: keyed, given: func(p *place) {
			p.act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyID})
			p.clock.wind(time.Minute)
		}, method: "PATCH", path: encryption, body: kmsBlock("{role}", awssim.SingleRegionKeyID, true), status: 400, code: "ENCRYPTION_AT_REST_SETTINGS_INVALID"},
		"an unusable key cannot be switched off": {in: keyed, given: func(p *place) {
			p.act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyID})
			p.clock.wind(time.Minute)
		}, method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":false}}`, status: 400, code: "ENCRYPTION_AT_REST_SETTINGS_INVALID"},
		"a look tells that the key is no longer valid": {in: keyed, given: func(p *place) {
			p.act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyID})
			p.clock.wind(time.Minute)
		}, method: "GET", path: encryption, status: 200, says: `"valid":false`},
		"a compliance policy keeps the key on": {in: keyed, given: func(p *place) {
			p.removeClusters()
			require.Equal(p.t, 200, p.s.do("PUT", in("/backupCompliancePolicy"), compliancePolicy).status)
		}, method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":false}}`, status: 400, code: "CANNOT_DISABLE_ENCRYPTION_AT_REST_WITH_BACKUP_COMPLIANCE_POLICY"},
		"and clusters on it": {in: reached, given: func(p *place) {
			p.removeClusters("west")
			p.protect("west")
			require.Equal(p.t, 200, p.s.do("PUT", in("/backupCompliancePolicy"), compliancePolicy).status)
		}, method: "PATCH", path: "/clusters/west", body: `{"encryptionAtRestProvider":"NONE"}`, status: 400, code: "CAN_NOT_DISABLE_ALL_ENCRYPTION_AT_REST_SETTINGS_WHILE_BACKUP_COMPLIANCE_POLICY_ENCRYPTION_ENABLED"},

		"a key is on while clusters use it": {in: keyed, given: adds(atlassim.Cluster{Name: "late", Provider: "AWS", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}}),
			method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":false}}`, status: 409, code: "CANNOT_DISABLE_ENCRYPTION_AT_REST", says: "Cannot disable Encryption at Rest on the group because it is still enabled on one or more clusters in the group."},
		"an access key that is off is refused": {given: func(p *place) {
			p.act(sim.Act{Act: atlassim.Act{Kind: sim.DeactivateAccessKey}, AccessKey: awssim.AtlasUserAccessKeyID})
			p.clock.wind(5 * time.Minute) // until IAM has told everybody
		}, method: "PATCH", path: "=/groups/" + sim.ProjectB + encryption, body: `{"awsKms":{"enabled":true,"customerMasterKeyID":"` + awssim.SingleRegionKeyARN + `","region":"US_EAST_1","requirePrivateNetworking":false}}`, status: 400, code: "INVALID_AWS_CREDENTIALS", says: "Invalid AWS credentials."},
		"a change that fails its test is recorded": {in: keyed, given: func(p *place) {
			a := p.s.do("PATCH", in(encryption), kmsBlock(p.role, "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000", true))
			require.Equal(p.t, 404, a.status, "%s", a.body)
		}, method: "GET", path: "/events?eventType=ENCRYPTION_AT_REST_CONFIGURATION_VALIDATION_FAILED", status: 200, says: `"totalCount":1`},

		// Its private endpoints.
		"an endpoint needs the project's key":      {method: "POST", path: private, body: `{"regionName":"US_EAST_1"}`, status: 400, code: "ENCRYPTION_AT_REST_NOT_ENABLED"},
		"an endpoint needs a region":               {in: keyed, method: "POST", path: private, body: `{}`, status: 400, code: "MISSING_ATTRIBUTE", says: "regionName"},
		"an endpoint to make has a body":           {in: keyed, method: "POST", path: private, body: `7`, status: 400, code: "MALFORMED_JSON"},
		"an endpoint of Azure is another matter":   {in: keyed, method: "POST", path: encryption + "/AZURE/privateEndpoints", body: `{"regionName":"US_EAST"}`, status: 400, code: "INVALID_CLOUD_PROVIDER"},
		"Azure has none":                           {in: reached, method: "GET", path: encryption + "/AZURE/privateEndpoints", status: 200, says: `"totalCount":0`},
		"an endpoint begins INITIATING":            {in: keyed, method: "POST", path: private, body: `{"regionName":"US_EAST_1"}`, status: 202, says: `"status":"INITIATING"`},
		"an endpoint that is not there":            {in: keyed, method: "GET", path: private + "/" + unknownID, status: 404, code: "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_NOT_FOUND"},
		"it is not deleted either":                 {in: keyed, method: "DELETE", path: private + "/" + unknownID, status: 404, code: "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_NOT_FOUND"},
		"it ends ACTIVE, approved by nobody":       {in: reached, method: "GET", path: private, status: 200, says: `"status":"ACTIVE"`},
		"INITIATING is not deleted":                {in: reached, given: held("INITIATING"), method: "DELETE", path: private + "/{id}", status: 400, code: "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING", says: "[{id}]"},
		"PENDING_ACCEPTANCE is shown":              {in: reached, given: held("PENDING_ACCEPTANCE"), method: "GET", path: private + "/{id}", status: 200, says: `"status":"PENDING_ACCEPTANCE"`},
		"PENDING_ACCEPTANCE is deleted":            {in: reached, given: held("PENDING_ACCEPTANCE"), method: "DELETE", path: private + "/{id}", status: 204},
		"FAILED says why":                          {in: reached, given: held("FAILED"), method: "GET", path: private + "/{id}", status: 200, says: `"errorMessage":"as it is held"`},
		"FAILED is deleted":                        {in: reached, given: held("FAILED"), method: "DELETE", path: private + "/{id}", status: 204},
		"PENDING_RECREATION says why":              {in: reached, given: held("PENDING_RECREATION"), method: "GET", path: private + "/{id}", status: 200, says: `"errorMessage":"as it is held"`},
		"PENDING_RECREATION is deleted":            {in: reached, given: held("PENDING_RECREATION"), method: "DELETE", path: private + "/{id}", status: 204},
		"DELETING may be deleted again":            {in: reached, given: held("DELETING"), method: "DELETE", path: private + "/{id}", status: 204},
		"the regions that keep it private, sorted": {in: reached, method: "PATCH", path: encryption, body: kmsBlock("{role}", awssim.MultiRegionKeyARN, false), status: 400, code: "CANNOT_DISABLE_ENCRYPTION_AT_REST_REQUIRE_PRIVATE_NETWORKING_WHILE_PRIVATE_ENDPOINTS_EXIST", says: `region(s) EU_WEST_1, US_EAST_1, US_WEST_2 to disable`},
		"an endpoint that is DELETING still counts": {in: keyed, given: func(p *place) {
			p.id = p.endpoints("US_EAST_1")[0]
			require.Equal(p.t, 204, p.s.do("DELETE", in(private+"/"+p.id), "").status)
		}, method: "PATCH", path: encryption, body: `{"awsKms":{"enabled":false}}`, status: 400, code: "CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS"},
		"deleted on AWS's side, it is PENDING_RECREATION": {in: reached, given: func(p *place) {
			p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.RemoveEndpoint, Region: "US_WEST_2"}})
		}, method: "GET", path: private, status: 200, says: `"status":"PENDING_RECREATION"`},
		"and another is made in its region": {in: reached, given: func(p *place) {
			p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.RejectEndpoint, Region: "US_WEST_2"}})
			p.clock.wind(time.Hour)
		}, method: "GET", path: private, status: 200, says: `"totalCount":3`},

		// Clusters.
		"a cluster needs a name":                  {method: "POST", path: "/clusters", body: `{` + threeInEast + `}`, status: 400, code: "MISSING_ATTRIBUTE", says: "name"},
		"a cluster needs a type":                  {method: "POST", path: "/clusters", body: `{"name":"x"}`, status: 400, code: "MISSING_ATTRIBUTE", says: "clusterType"},
		"a cluster needs specs":                   {method: "POST", path: "/clusters", body: `{"name":"x","clusterType":"REPLICASET"}`, status: 400, code: "MISSING_ATTRIBUTE", says: "replicationSpecs"},
		"a cluster needs regions":                 {method: "POST", path: "/clusters", body: `{"name":"x","clusterType":"REPLICASET","replicationSpecs":[{}]}`, status: 400, code: "MISSING_ATTRIBUTE", says: "regionConfigs"},
		"a cluster's name is its own":             {method: "POST", path: "/clusters", body: `{"name":"east",` + threeInEast + `}`, status: 400, code: "DUPLICATE_CLUSTER_NAME"},
		"a cluster has no other members":          {method: "POST", path: "/clusters", body: `{"name":"x","colour":"red",` + threeInEast + `}`, status: 400, code: "INVALID_ATTRIBUTE", says: "colour"},
		"shards stand apart now":                  {method: "POST", path: "/clusters", body: `{"name":"x","clusterType":"SHARDED","replicationSpecs":[{"numShards":2}]}`, status: 400, code: "INVALID_ATTRIBUTE", says: "numShards"},
		"a cluster to make has a body":            {method: "POST", path: "/clusters", body: `[]`, status: 400, code: "MALFORMED_JSON"},
		"a cluster begins CREATING":               {method: "POST", path: "/clusters", body: `{"name":"x",` + threeInEast + `}`, status: 201, says: `"stateName":"CREATING"`},
		"a new cluster goes where an endpoint is": {in: keyed, method: "POST", path: "/clusters", body: `{"name":"x",` + threeInEast + `}`, status: 400, code: "ENCRYPTION_AT_REST_NO_PRIVATE_ENDPOINT_IN_REGION", says: "US_EAST_1"},
		"and there it may be on the key at once":  {in: reached, method: "POST", path: "/clusters", body: `{"name":"x","encryptionAtRestProvider":"AWS",` + threeInEast + `}`, status: 201, says: `"encryptionAtRestProvider":"AWS"`},
		"a cluster needs the project's key":       {method: "PATCH", path: "/clusters/east", body: `{"encryptionAtRestProvider":"AWS"}`, status: 400, code: "ENCRYPTION_AT_REST_NOT_ENABLED", says: sim.ProjectA},
		"so does one to make":                     {method: "POST", path: "/clusters", body: `{"name":"x","encryptionAtRestProvider":"AWS",` + threeInEast + `}`, status: 400, code: "ENCRYPTION_AT_REST_NOT_ENABLED"},
		"the project has no key of Azure":         {in: reached, method: "PATCH", path: "/clusters/east", body: `{"encryptionAtRestProvider":"AZURE"}`, status: 400, code: "ENCRYPTION_AT_REST_NOT_ENABLED"},
		"a provider that is none":                 {in: reached, method: "PATCH", path: "/clusters/east", body: `{"encryptionAtRestProvider":"ROT13"}`, status: 400, code: "INVALID_ENCRYPTION_AT_REST_PROVIDER"},
		"a change shows UPDATING in its answer":   {in: reached, method: "PATCH", path: "/clusters/east", body: `{"encryptionAtRestProvider":"AWS"}`, status: 200, says: `"stateName":"UPDATING"`},
		"a change of nothing is none":             {method: "PATCH", path: "/clusters/east", body: `{"encryptionAtRestProvider":"NONE"}`, status: 200, says: `"stateName":"IDLE"`},
		"what is UPDATING may be changed":         {given: updating, method: "PATCH", path: "/clusters/east", body: `{"redactClientLogData":false}`, status: 200, says: `"stateName":"UPDATING"`},
		"a tenant has no key of its own": {in: reached, method: "POST", path: "/clusters",
			body: `{"name":"t","clusterType":"REPLICASET","encryptionAtRestProvider":"AWS","replicationSpecs":[{"regionConfigs":[{"providerName":"TENANT","backingProviderName":"AWS","regionName":"US_EAST_1","priority":7,"electableSpecs":{"instanceSize":"M0"}}]}]}`, status: 400, code: "CANNOT_USE_ENCRYPTION_AT_REST_TENANT", says: "Cannot use Encryption at Rest with tenant clusters."},
		"a region without capacity takes no cluster": {given: full("US_EAST_1"), method: "POST", path: "/clusters", body: `{"name":"t",` + threeInEast + `}`, status: 409, code: "OUT_OF_CAPACITY", says: "The requested region is currently out of capacity for the requested instance size."},
		"nor larger nodes":                           {given: full("US_EAST_1"), method: "PATCH", path: "/clusters/east", body: `{"replicationSpecs":[{"regionConfigs":[{"providerName":"AWS","regionName":"US_EAST_1","priority":7,"electableSpecs":{"instanceSize":"M60","nodeCount":3}}]}]}`, status: 409, code: "OUT_OF_CAPACITY"},
		"what is there stays":                        {given: full("US_EAST_1"), method: "PATCH", path: "/clusters/east", body: `{` + threeInEast + `}`, status: 200},
		"once it is there again, it takes one": {given: func(p *place) {
			full("US_EAST_1")(p)
			p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.EmptyRegion, Region: "US_EAST_1"}})
		}, method: "POST", path: "/clusters", body: `{"name":"t",` + threeInEast + `}`, status: 201},
		"a small instance has no key of its own":      {in: reached, given: adds(atlassim.Cluster{Name: "small", Size: "M5", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}}), method: "PATCH", path: "/clusters/small", body: `{"encryptionAtRestProvider":"AWS"}`, status: 400, code: "INSUFFICIENT_INSTANCE_SIZE", says: "M10"},
		"what is paused is not changed":               {given: pausedEast, method: "PATCH", path: "/clusters/east", body: `{"backupEnabled":true}`, status: 409, code: "CANNOT_UPDATE_PAUSED_CLUSTER"},
		"nor resumed and switched at once":            {in: reached, given: pausedEast, method: "PATCH", path: "/clusters/east", body: `{"paused":false,"encryptionAtRestProvider":"AWS"}`, status: 409, code: "CANNOT_UPDATE_AND_PAUSE_CLUSTER"},
		"it is resumed by a call of its own":          {given: pausedEast, method: "PATCH", path: "/clusters/east", body: `{"paused":false}`, status: 200, says: `"paused":false`},
		"a restore keeps changes away":                {given: restoringEast, method: "PATCH", path: "/clusters/east", body: `{"backupEnabled":true}`, status: 400, code: "CLUSTER_RESTORE_IN_PROGRESS_CANNOT_UPDATE"},
		"a cluster to delete answers with nothing":    {method: "DELETE", path: "/clusters/west", status: 202, says: `{}`},
		"what is DELETING is not changed":             {given: deletingEast, method: "PATCH", path: "/clusters/east", body: `{"backupEnabled":true}`, status: 400, code: "CLUSTER_ALREADY_REQUESTED_DELETION"},
		"nothing changes a cluster that is not there": {method: "PATCH", path: "/clusters/none", body: `{}`, status: 404, code: "CLUSTER_NOT_FOUND"},
		"nor deletes it":                              {method: "DELETE", path: "/clusters/none", status: 404, code: "CLUSTER_NOT_FOUND"},
		"an advanced setting that is none":            {method: "PATCH", path: "/clusters/east/processArgs", body: `{"speed":"high"}`, status: 400, code: "INVALID_ATTRIBUTE"},
		"advanced settings of no cluster":             {method: "GET", path: "/clusters/none/processArgs", status: 404, code: "CLUSTER_NOT_FOUND"},

		// Search nodes.
		"search nodes are there":               {method: "GET", path: "/clusters/east/search/deployment", status: 200, says: `"stateName":"IDLE"`},
		"or they are not":                      {method: "GET", path: "/clusters/west/search/deployment", status: 200, says: `{}`},
		"they are not made twice":              {method: "POST", path: "/clusters/east/search/deployment", body: `{"specs":[{"instanceSize":"S20_HIGHCPU_NVME","nodeCount":2}]}`, status: 400, code: "ATLAS_SEARCH_DEPLOYMENT_ALREADY_EXISTS"},
		"they begin UPDATING":                  {method: "POST", path: "/clusters/west/search/deployment", body: `{"specs":[{"instanceSize":"S20_HIGHCPU_NVME","nodeCount":2}]}`, status: 201, says: `"stateName":"UPDATING"`},
		"they need specs":                      {method: "POST", path: "/clusters/west/search/deployment", body: `{"specs":[]}`, status: 400, code: "MISSING_ATTRIBUTE"},
		"none are changed":                     {method: "PATCH", path: "/clusters/west/search/deployment", body: `{"specs":[{"instanceSize":"S20_HIGHCPU_NVME","nodeCount":2}]}`, status: 400, code: "ATLAS_SEARCH_DEPLOYMENT_DOES_NOT_EXIST"},
		"none are deleted":                     {method: "DELETE", path: "/clusters/west/search/deployment", status: 400, code: "ATLAS_SEARCH_DEPLOYMENT_DOES_NOT_EXIST"},
		"search nodes of no cluster":           {method: "GET", path: "/clusters/none/search/deployment", status: 404, code: "CLUSTER_NOT_FOUND"},
		"the project's flag is for them alone": {in: keyed, method: "PATCH", path: encryption, body: `{"enabledForSearchNodes":true}`, status: 200, says: `"enabledForSearchNodes":true`},

		// Backups.
		"snapshots go when backups are turned off": {given: func(p *place) {
			require.Equal(p.t, 200, p.s.do("PATCH", in("/clusters/east"), `{"backupEnabled":false}`).status)
		}, method: "GET", path: "/clusters/east/backup/snapshots", status: 200, says: `"totalCount":0`},
		"a snapshot that is not there":            {method: "GET", path: "/clusters/east/backup/snapshots/" + unknownID, status: 404, code: "SNAPSHOT_NOT_FOUND"},
		"an encrypted snapshot is not downloaded": {given: ofLegacy, method: "POST", path: "=/groups/" + sim.ProjectB + "/clusters/legacy/backup/restoreJobs", body: `{"deliveryType":"download","snapshotId":"{id}"}`, status: 400, code: "CANNOT_DOWNLOAD_SNAPSHOT_WITH_ENCRYPTION"},
		"it restores to a cluster like it":        {given: ofLegacy, method: "POST", path: "=/groups/" + sim.ProjectB + "/clusters/legacy/backup/restoreJobs", body: `{"deliveryType":"automated","snapshotId":"{id}","targetGroupId":"` + sim.ProjectA + `","targetClusterName":"east"}`, status: 400, code: "INVALID_SNAPSHOT_RESTORE_ENCRYPTION"},
		"a restore that is not there":             {method: "GET", path: "/clusters/east/backup/restoreJobs/" + unknownID, status: 404, code: "RESTORE_JOB_NOT_FOUND"},
		"a restore to no project":                 {given: ofLegacy, method: "POST", path: "=/groups/" + sim.ProjectB + "/clusters/legacy/backup/restoreJobs", body: `{"deliveryType":"automated","snapshotId":"{id}","targetGroupId":"` + nowhere + `","targetClusterName":"east"}`, status: 404, code: "GROUP_NOT_FOUND"},
		"a restore to no cluster":                 {given: ofLegacy, method: "POST", path: "=/groups/" + sim.ProjectB + "/clusters/legacy/backup/restoreJobs", body: `{"deliveryType":"automated","snapshotId":"{id}","targetGroupId":"` + sim.ProjectA + `","targetClusterName":"none"}`, status: 404, code: "CLUSTER_NOT_FOUND"},
		"a restore of no kind":                    {given: ofLegacy, method: "POST", path: "=/groups/" + sim.ProjectB + "/clusters/legacy/backup/restoreJobs", body: `{"deliveryType":"pigeon","snapshotId":"{id}"}`, status: 400, code: "INVALID_ATTRIBUTE"},
		"a compliance policy names a person":      {method: "PUT", path: "/backupCompliancePolicy", body: `{"encryptionAtRestEnabled":true}`, status: 400, code: "MISSING_ATTRIBUTE", says: "authorizedEmail"},
		"it asks the key of every cluster":        {method: "PUT", path: "/backupCompliancePolicy", body: compliancePolicy, status: 400, code: "CANNOT_ENABLE_ENCRYPTION_AT_REST_IN_BACKUP_COMPLIANCE_POLICY", says: "east"},
		"without one there is an empty object":    {method: "GET", path: "/backupCompliancePolicy", status: 200, says: `{}`},

		// Maintenance, status, rate limits, events.
		"maintenance needs a day":                {method: "PATCH", path: "/maintenanceWindow", body: `{}`, status: 400, code: "MISSING_ATTRIBUTE", says: "dayOfWeek"},
		"a week has seven days":                  {method: "PATCH", path: "/maintenanceWindow", body: `{"dayOfWeek":8}`, status: 400, code: "INVALID_ATTRIBUTE", says: "dayOfWeek"},
		"a day has 24 hours":                     {method: "PATCH", path: "/maintenanceWindow", body: `{"dayOfWeek":1,"hourOfDay":24}`, status: 400, code: "INVALID_ATTRIBUTE", says: "hourOfDay"},
		"maintenance may start at once":          {method: "PATCH", path: "/maintenanceWindow", body: `{"dayOfWeek":1,"startASAP":true}`, status: 200},
		"a service account has no rights to see": {method: "GET", path: "=", status: 200, says: `"apiKey":null`},
		"a rate limit by its name":               {method: "GET", path: "=/rateLimits?name=Clusters", status: 200, says: `"totalCount":1`},
		"by a path that it covers":               {method: "GET", path: "=/rateLimits?endpointPath=/api/atlas/v2/groups/{groupId}/clusters", status: 200, says: `"endpointSetId":"clusters"`},
		"by a path that none covers":             {method: "GET", path: "=/rateLimits?endpointPath=/nowhere", status: 200, says: `"totalCount":0`},
		"a bucket's capacity as it was seen":     {method: "GET", path: "=/rateLimits/cloudProviderAccess", status: 200, says: `"capacity":{"defaultValue":2000,"value":2000}`},
		"a rate limit that is none":              {method: "GET", path: "=/rateLimits/speed", status: 404, code: "RATE_LIMIT_NOT_FOUND"},
		"the alerts of a new project":            {method: "GET", path: "/alertConfigs", status: 200, says: "AWS_ENCRYPTION_KEY_NEEDS_ROTATION"},
		"an event that is not there":             {method: "GET", path: "/events/" + unknownID, status: 404, code: "EVENT_NOT_FOUND"},
		"events since a time that is none":       {method: "GET", path: "/events?minDate=yesterday", status: 400, code: "INVALID_QUERY_PARAMETER", says: "minDate"},
		"events until a time that is none":       {method: "GET", path: "/events?maxDate=tomorrow", status: 400, code: "INVALID_QUERY_PARAMETER", says: "maxDate"},
		"events from later on":                   {in: keyed, method: "GET", path: "/events?minDate=2030-01-01T00:00:00Z", status: 200, says: `"totalCount":0`},
		"events up to before":                    {in: keyed, method: "GET", path: "/events?maxDate=2020-01-01T00:00:00Z", status: 200, says: `"totalCount":0`},
		"events of a kind":                       {in: keyed, method: "GET", path: "/events?eventType=CLOUD_PROVIDER_ACCESS_AWS_IAM_ROLE_ADDED", status: 200, says: `"totalCount":1`},
		"events but of a kind":                   {in: reached, method: "GET", path: "/events?excludedEventType=ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_CREATED", status: 200, says: `ENCRYPTION_AT_REST_CONFIGURATION_UPDATED`},
	} {
		t.Run(name, func(t *testing.T) { f.try(t) })
	}
}

const compliancePolicy = `{"authorizedEmail":"a@example.com","authorizedUserFirstName":"A","authorizedUserLastName":"B","encryptionAtRestEnabled":true}`

func updating(p *place) {
	require.Equal(p.t, 200, p.s.do("PATCH", in("/clusters/east"), `{"redactClientLogData":true}`).status)
}

func pausedEast(p *place) {
	p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.PauseCluster, Cluster: "east"}})
	p.clock.wind(time.Hour)
}

func deletingEast(p *place) {
	require.Equal(p.t, 202, p.s.do("DELETE", in("/clusters/east"), "").status)
}

// restoringEast has a snapshot of east on its way back into it.
func restoringEast(p *place) {
	taken := p.s.do("GET", in("/clusters/east/backup/snapshots"), "").json(p.t)["results"].([]any)[0].(map[string]any)["id"].(string)
	a := p.s.do("POST", in("/clusters/east/backup/restoreJobs"), `{"deliveryType":"automated","snapshotId":"`+taken+`","targetGroupId":"`+sim.ProjectA+`","targetClusterName":"east"}`)
	require.Equal(p.t, 200, a.status, "%s", a.body)
}

// ofLegacy finds the snapshot that was encrypted with the key of project B.
func ofLegacy(p *place) {
	found := p.s.do("GET", "/groups/"+sim.ProjectB+"/clusters/legacy/backup/snapshots", "").json(p.t)["results"].([]any)
	p.id = found[0].(map[string]any)["id"].(string)
}

// removeClusters leaves those alone that are named.
func (p *place) removeClusters(but ...string) {
	for _, name := range []string{"east", "west", "ireland", "global"} {
		if len(but) == 0 || but[0] != name {
			p.act(sim.Act{Act: atlassim.Act{Kind: atlassim.RemoveCluster, Cluster: name}})
		}
	}
}

// Whoever is on an access list may call from its addresses alone; a token is given to them from anywhere.
func TestAccessListsAreKept(t *testing.T) {
	for list, status := range map[string]int{"127.0.0.1": 200, "127.0.0.0/8": 200, "203.0.113.0/24": 403} {
		config := sim.DefaultConfig()
		config.Atlas.ServiceAccounts[0].AccessList = []string{list}
		r, _ := start(t, sim.Options{World: &config, AllowMismatches: true})
		a := newScript(t, r).do("GET", in("/clusters"), "")
		require.Equal(t, status, a.status, "%s: %s", list, a.body)
		if status == 403 {
			require.Equal(t, "IP_ADDRESS_NOT_ON_WHITELIST", a.json(t)["errorCode"])
		}
	}
}

// Who may not, is told so in the words of the catalogue of error codes.
func TestCallersAreToldWhatTheyLack(t *testing.T) {
	for code, c := range map[string]struct {
		given  func(*atlassim.Config)
		status int
		detail string
	}{
		"NOT_IN_GROUP": {func(c *atlassim.Config) {
			c.ServiceAccounts[0].Roles = []atlassim.Grant{{Project: sim.ProjectB, Role: "GROUP_OWNER"}}
		}, 401, "The current user is not in the group, or the group does not exist."},
		"USER_CANNOT_ACCESS_GROUP": {func(c *atlassim.Config) { c.ServiceAccounts[0].Roles = nil }, 401, "User cannot access this group."},
		"USER_UNAUTHORIZED": {func(c *atlassim.Config) {
			c.ServiceAccounts[0].Roles = []atlassim.Grant{{Project: sim.ProjectA, Role: "GROUP_READ_ONLY"}}
		}, 401, "Current user is not authorized to perform this action."},
		"RESOURCE_REQUIRES_WHITELIST": {func(c *atlassim.Config) { c.Organization.RequireAccessList = true }, 403,
			"This resource requires access through a whitelist of ip ranges."},
	} {
		config := sim.DefaultConfig()
		c.given(&config.Atlas)
		r, _ := start(t, sim.Options{World: &config, AllowMismatches: true})
		a := newScript(t, r).do("POST", in(access), `{"providerName":"AWS"}`)
		require.Equal(t, c.status, a.status, "%s", a.body)
		require.Equal(t, code, a.json(t)["errorCode"])
		require.Equal(t, c.detail, a.json(t)["detail"])
	}
}

// A nonce that is too old is refused as stale, upon which a client repeats its request with a fresh one.
func TestNoncesGrowStale(t *testing.T) {
	wire := newClock()
	r, _ := start(t, sim.Options{Wire: wire})
	transport := digest.NewTransport(sim.APIPublicKey, sim.APIPrivateKey)
	get := func(rt http.RoundTripper, authorization string) *http.Response {
		request, err := http.NewRequest("GET", r.AtlasURL+"/api/atlas/v2", nil)
		require.NoError(t, err)
		request.Header.Set("Accept", "application/vnd.atlas.2023-01-01+json")
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := rt.RoundTrip(request)
		require.NoError(t, err)
		return response
	}
	var sent string
	transport.Transport = sees(func(request *http.Request) { sent = request.Header.Get("Authorization") })
	response := get(transport, "")
	require.Equal(t, 200, response.StatusCode)
	var status struct {
		APIKey struct {
			PublicKey string
			Roles     []struct{ GroupID, RoleName string }
		}
	}
	require.NoError(t, json.Unmarshal(readAll(t, response), &status))
	require.Equal(t, sim.APIPublicKey, status.APIKey.PublicKey, "a key is shown what it may do")
	require.Equal(t, "GROUP_OWNER", status.APIKey.Roles[0].RoleName)

	wire.wind(time.Hour)
	response = get(http.DefaultTransport, sent)
	_ = readAll(t, response)
	require.Equal(t, 401, response.StatusCode)
	require.Contains(t, response.Header.Get("Www-Authenticate"), "stale=true")
}

// sees is a transport that shows each request to somebody first.
type sees func(*http.Request)

func (s sees) RoundTrip(request *http.Request) (*http.Response, error) {
	s(request)
	return http.DefaultTransport.RoundTrip(request)
}

// Tokens are given for a service account's own secret and for client credentials alone.
func TestTokensAreRefused(t *testing.T) {
	r, _ := start(t, sim.Options{})
	for name, c := range map[string]struct {
		id, secret, form, code string
		status                 int
	}{
		"another grant":  {sim.ClientID, sim.ClientSecret, "grant_type=password", "unsupported_grant_type", 400},
		"another secret": {sim.ClientID, "x", "grant_type=client_credentials", "invalid_client", 401},
		"no such client": {"mdb_sa_id_of_nobody", "x", "grant_type=client_credentials", "invalid_client", 401},
		"no form":        {sim.ClientID, sim.ClientSecret, "%zz", "invalid_request", 400},
	} {
		request, err := http.NewRequest("POST", r.AtlasURL+"/api/oauth/token", strings.NewReader(c.form))
		require.NoError(t, err)
		request.SetBasicAuth(c.id, c.secret)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a := send(t, request)
		require.Equal(t, c.status, a.status, name)
		require.Equal(t, c.code, a.json(t)["error"], name)
	}
}
