package sim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// amazon sends a plain request to the simulated AWS as the customer's administrator.
func amazon(t *testing.T, r *sim.Running, service, region string, request *http.Request) answer {
	t.Helper()
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20260901/%s/%s/aws4_request, SignedHeaders=host, Signature=0",
		awssim.WorkerAccessKeyID, region, service))
	a := send(t, request)
	require.Equal(t, 200, a.status, "%s", a.body)
	return a
}

func kmsCall(t *testing.T, r *sim.Running, region, action, body string) {
	t.Helper()
	request, err := http.NewRequest("POST", r.AWSURL, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "TrentService."+action)
	amazon(t, r, "kms", region, request)
}

func iamCall(t *testing.T, r *sim.Running, action string, form url.Values) {
	t.Helper()
	form.Set("Action", action)
	form.Set("Version", "2010-05-08")
	request, err := http.NewRequest("POST", r.AWSURL, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	amazon(t, r, "iam", "us-east-1", request)
}

// broken are the rules that were broken, and that the evidence for each is there.
func broken(t *testing.T, r *sim.Running) []int {
	t.Helper()
	var rules []int
	for _, v := range r.Violations() {
		require.NotEmpty(t, v.Journal, "%s", v)
		if len(rules) == 0 || rules[len(rules)-1] != v.Rule {
			rules = append(rules, v.Rule)
		}
	}
	return rules
}

func TestRule1TheKeyIsSacred(t *testing.T) {
	key := `{"KeyId":"` + awssim.MultiRegionKeyID + `"}`
	for name, breaks := range map[string]func(r *sim.Running, s *script, clock *handWound){
		"disable the key": func(r *sim.Running, _ *script, _ *handWound) {
			kmsCall(t, r, "us-west-2", "DisableKey", key)
		},
		"schedule its deletion": func(r *sim.Running, _ *script, _ *handWound) {
			kmsCall(t, r, "us-west-2", "ScheduleKeyDeletion", key)
		},
		"take the role's permission": func(r *sim.Running, _ *script, _ *handWound) {
			iamCall(t, r, "DeleteRolePolicy", url.Values{"RoleName": {"atlas-cmk"}, "PolicyName": {"kms"}})
		},
		"close the key policy": func(r *sim.Running, _ *script, _ *handWound) {
			kmsCall(t, r, "us-west-2", "PutKeyPolicy", `{"KeyId":"`+awssim.MultiRegionKeyID+`","PolicyName":"default","BypassPolicyLockoutSafetyCheck":true,"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:user/atlas-cmk-worker\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, clock, s := protected(t, sim.Options{Seed: 30}, sim.ClusterWest)
			require.Empty(t, r.Violations())
			breaks(r, s, clock)
			clock.wind(10 * time.Minute)
			require.Contains(t, broken(t, r), atlassim.RuleKey)
		})
	}
	t.Run("a snapshot needs the access key of its time", func(t *testing.T) {
		r, clock := start(t, sim.Options{Seed: 31})
		iamCall(t, r, "UpdateAccessKey", url.Values{"UserName": {awssim.AtlasUser}, "AccessKeyId": {awssim.AtlasUserAccessKeyID}, "Status": {"Inactive"}})
		clock.wind(10 * time.Minute)
		require.Contains(t, fmt.Sprint(r.Violations()), "the snapshot")
	})
	t.Run("a former key is needed until all is wrapped with another", func(t *testing.T) {
		r, clock, s := protected(t, sim.Options{Seed: 36}, sim.ClusterEast)
		kmsCall(t, r, "us-east-1", "CreateKey", `{"MultiRegion":true}`)
		var other string
		for _, k := range r.State().AWS.Keys {
			if k.MultiRegion && !strings.Contains(k.ARN, awssim.MultiRegionKeyID) {
				other = k.ARN
			}
		}
		clock.wind(time.Minute)
		role := s.do("GET", in("/encryptionAtRest"), "").json(t)["awsKms"].(map[string]any)["roleId"].(string)
		a := s.do("PATCH", in("/encryptionAtRest"), kmsBlock(role, other, true))
		require.Equal(t, 200, a.status, "%s", a.body)
		require.Equal(t, "UPDATING", s.do("GET", in("/clusters/east"), "").json(t)["stateName"])
		kmsCall(t, r, "us-east-1", "DisableKey", key)
		clock.wind(10 * time.Second)
		require.Contains(t, fmt.Sprint(r.Violations()), "not yet wrapped")
	})
	t.Run("others may do as they like", func(t *testing.T) {
		r, clock, _ := protected(t, sim.Options{Seed: 30}, sim.ClusterWest)
		require.NoError(t, r.Act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_WEST_2"}, Key: awssim.MultiRegionKeyAlias}))
		clock.wind(10 * time.Minute)
		require.Empty(t, r.Violations())
		nodes := nodesOf(t, r, sim.ClusterWest)
		require.InDelta(t, 10*time.Minute, nodes[0].Without.Key, float64(5*time.Second))
		require.Zero(t, nodes[0].Without.Path)
	})
}

func TestRule2CMKIsNotSwitchedOffInPassing(t *testing.T) {
	r, _, s := protected(t, sim.Options{Seed: 32}, sim.ClusterWest)
	s.do("PATCH", in("/encryptionAtRest"), `{"awsKms":{"enabled":false}}`)
	require.Equal(t, []int{atlassim.RuleOff}, broken(t, r))
}

func TestRule3EveryNodeCanReachItsKey(t *testing.T) {
	t.Run("switch without an endpoint", func(t *testing.T) {
		r, clock := start(t, sim.Options{Seed: 33})
		s := newScript(t, r)
		ready(t, r, clock, s)
		s.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`)
		require.Equal(t, []int{atlassim.RulePath}, broken(t, r))
	})
	t.Run("switch without an approval", func(t *testing.T) {
		r, _, s := protected(t, sim.Options{Seed: 33}, "")
		do(t, r, atlassim.Act{Kind: atlassim.RequireApprovals})
		do(t, r, atlassim.Act{Kind: atlassim.Approve, Region: "US_EAST_1"})
		s.do("PATCH", in("/clusters/east"), `{"encryptionAtRestProvider":"AWS"}`)
		require.Empty(t, r.Violations())
		s.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`)
		require.Equal(t, []int{atlassim.RulePath}, broken(t, r))
	})
	remove := func(t *testing.T, s *script, region string) {
		t.Helper()
		for _, e := range s.do("GET", in("/encryptionAtRest/AWS/privateEndpoints"), "").json(t)["results"].([]any) {
			if e := e.(map[string]any); e["regionName"] == region {
				require.Equal(t, 204, s.do("DELETE", in("/encryptionAtRest/AWS/privateEndpoints/"+e["id"].(string)), "").status)
			}
		}
	}
	t.Run("window during a change", func(t *testing.T) {
		r, _, s := protected(t, sim.Options{Seed: 34}, sim.ClusterWest)
		s.do("PATCH", in("/clusters/east"), `{"backupEnabled":true,"labels":[]}`)
		remove(t, s, "US_WEST_2")
		require.Equal(t, []int{atlassim.RulePath}, broken(t, r))
	})
	t.Run("window with a closed public path", func(t *testing.T) {
		r, clock, s := protected(t, sim.Options{Seed: 34}, sim.ClusterWest)
		require.NoError(t, r.Act(sim.Act{
			Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: roleARN, Name: "deny",
			Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Null":{"aws:SourceVpce":"true"}}}]}`,
		}))
		clock.wind(10 * time.Minute)
		remove(t, s, "US_WEST_2")
		require.Contains(t, fmt.Sprint(r.Violations()), "public path")
	})
	t.Run("window left open", func(t *testing.T) {
		r, clock, s := protected(t, sim.Options{Seed: 34}, sim.ClusterWest)
		remove(t, s, "US_WEST_2")
		clock.wind(time.Hour)
		require.Empty(t, r.Violations())
		clock.wind(2 * time.Hour)
		require.Equal(t, []int{atlassim.RulePath}, broken(t, r))
		require.InDelta(t, 3*time.Hour, nodesOf(t, r, sim.ClusterWest)[0].Without.Path, float64(time.Minute))
	})
	t.Run("a window that is left is none", func(t *testing.T) {
		r, clock, s := protected(t, sim.Options{Seed: 34}, sim.ClusterWest)
		for _, region := range []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"} {
			remove(t, s, region)
		}
		clock.wind(20 * time.Minute)
		role := s.do("GET", in("/encryptionAtRest"), "").json(t)["awsKms"].(map[string]any)["roleId"].(string)
		require.Equal(t, 200, s.do("PATCH", in("/encryptionAtRest"), kmsBlock(role, awssim.MultiRegionKeyARN, false)).status)
		clock.wind(24 * time.Hour)
		do(t, r, atlassim.Act{Kind: atlassim.FinishChange})
		require.Empty(t, r.Violations())
	})
}

func TestRule4NothingTwiceNothingLeftOver(t *testing.T) {
	t.Run("a role twice", func(t *testing.T) {
		r, _ := start(t, sim.Options{})
		s := newScript(t, r)
		s.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`)
		require.Empty(t, r.Violations())
		s.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`)
		require.Equal(t, []int{atlassim.RuleOnce}, broken(t, r))
	})
	t.Run("an endpoint twice", func(t *testing.T) {
		r, clock := start(t, sim.Options{})
		s := newScript(t, r)
		ready(t, r, clock, s)
		endpointIn(t, s, "US_EAST_1")
		s.do("POST", in("/encryptionAtRest/AWS/privateEndpoints"), `{"regionName":"US_EAST_1"}`)
		require.Equal(t, []int{atlassim.RuleOnce}, broken(t, r))
	})
	t.Run("a role left over", func(t *testing.T) {
		r, _ := start(t, sim.Options{})
		s := newScript(t, r)
		s.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`)
		do(t, r, atlassim.Act{Kind: atlassim.FinishChange})
		require.Equal(t, []int{atlassim.RuleOnce}, broken(t, r))
	})
}

// worldOfOthers has a pending role, and a role with a policy, that are not a client's.
func worldOfOthers(t *testing.T) *sim.Running {
	t.Helper()
	config := sim.DefaultConfig()
	config.Atlas.Projects[0].Roles = []atlassim.AccessRole{{ID: absent}}
	account := &config.AWS.Accounts[0]
	account.Roles = append(account.Roles, awssim.Role{
		Name:   "shared",
		Trust:  `{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::536727724300:root"},"Action":"sts:AssumeRole"}]}`,
		Inline: map[string]string{"theirs": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`},
	})
	r, _ := start(t, sim.Options{World: &config})
	return r
}

func TestRule5NothingOfOthersIsTouched(t *testing.T) {
	trust := func(statements string) url.Values {
		return url.Values{"RoleName": {"shared"}, "PolicyDocument": {`{"Version":"2012-10-17","Statement":[` + statements + `]}`}}
	}
	const theirs = `{"Sid":"theirs","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::536727724300:root"},"Action":"sts:AssumeRole"}`
	const ours = `{"Sid":"ours","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::536727724300:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x1"}}}`
	t.Run("their statement is dropped", func(t *testing.T) {
		r := worldOfOthers(t)
		iamCall(t, r, "UpdateAssumeRolePolicy", trust(ours+","+theirs))
		require.Empty(t, r.Violations(), "one's own may be added")
		iamCall(t, r, "UpdateAssumeRolePolicy", trust(theirs))
		require.Empty(t, r.Violations(), "and taken away")
		iamCall(t, r, "UpdateAssumeRolePolicy", trust(ours))
		require.Equal(t, []int{atlassim.RuleOthers}, broken(t, r))
	})
	t.Run("their inline policy is removed", func(t *testing.T) {
		r := worldOfOthers(t)
		iamCall(t, r, "DeleteRolePolicy", url.Values{"RoleName": {"shared"}, "PolicyName": {"theirs"}})
		require.Equal(t, []int{atlassim.RuleOthers}, broken(t, r))
	})
	t.Run("their pending role is used", func(t *testing.T) {
		r := worldOfOthers(t)
		s := newScript(t, r)
		a := s.do("PATCH", in("/cloudProviderAccess/"+absent), `{"providerName":"AWS","iamAssumedRoleArn":"arn:aws:iam::111122223333:role/shared"}`)
		require.Equal(t, 200, a.status, "%s", a.body)
		require.Equal(t, []int{atlassim.RuleOthers}, broken(t, r))
	})
}

func TestRule8AChangeEndsInAStateWithAName(t *testing.T) {
	r, clock, s := protected(t, sim.Options{Seed: 35}, sim.ClusterWest)
	do(t, r, atlassim.Act{Kind: atlassim.FinishChange})
	require.Empty(t, r.Violations())
	require.Equal(t, 200, s.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"NONE"}`).status)
	clock.wind(time.Minute)
	do(t, r, atlassim.Act{Kind: atlassim.FinishChange})
	require.Equal(t, []int{atlassim.RulePivot}, broken(t, r))
}
