package policy_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

func TestLikeIsItsRegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab]{0,8}`).Draw(t, "s")
		expression := strings.NewReplacer("*", ".*", "?", ".").Replace(pattern)
		require.Equal(t, regexp.MustCompile("^"+expression+"$").MatchString(s), policy.Like(pattern, s), "%q like %q", s, pattern)
	})
}

func TestConditions(t *testing.T) {
	const absent = "(absent)"
	for _, c := range []struct {
		operator, wanted, given string
		holds                   bool
	}{
		{"StringEquals", `"a"`, "a", true},
		{"StringEquals", `["b","a"]`, "a", true},
		{"StringEquals", `"a"`, "A", false},
		{"StringEquals", `"a"`, absent, false},
		{"StringEqualsIfExists", `"a"`, absent, true},
		{"StringEqualsIgnoreCase", `"a"`, "A", true},
		{"StringNotEquals", `"a"`, "b", true},
		{"StringNotEquals", `["a","b"]`, "b", false},
		{"StringNotEquals", `"a"`, absent, true},
		{"StringNotEqualsIgnoreCase", `"a"`, "A", false},
		{"StringLike", `"vpce-*"`, "vpce-1", true},
		{"StringNotLike", `"vpce-*"`, "vpce-1", false},
		{"ArnLike", `"arn:aws:iam::*:role/*"`, "arn:aws:iam::111122223333:role/a/b", true},
		{"ArnEquals", `"arn:aws:iam::*:role/a"`, "arn:aws:iam::111122223333:role/a", true},
		{"ArnLike", `"arn:aws:*:role/a"`, "arn:aws:iam::111122223333:role/a", false},
		{"ArnNotLike", `"arn:aws:iam::*:role/a"`, absent, true},
		{"Bool", `"true"`, "true", true},
		{"Bool", `true`, "false", false},
		{"Bool", `true`, absent, false},
		{"Null", `"true"`, absent, true},
		{"Null", `true`, "x", false},
		{"Null", `"false"`, "x", true},
		{"IpAddress", `"198.51.100.0/24"`, "198.51.100.7", true},
		{"IpAddress", `"198.51.100.7"`, "198.51.100.7", true},
		{"IpAddress", `"2001:db8::/32"`, "2001:db8::1", true},
		{"IpAddress", `"198.51.100.0/24"`, absent, false},
		{"NotIpAddress", `"198.51.100.0/24"`, "203.0.113.1", true},
		{"NotIpAddress", `"198.51.100.0/24"`, absent, true},
		{"NumericLessThan", `"10"`, "9.5", true},
		{"NumericGreaterThanEquals", `10`, "10", true},
		{"NumericNotEquals", `10`, "10", false},
		{"NumericEquals", `10`, "ten", false},
		{"DateGreaterThan", `"2026-01-01T00:00:00Z"`, "2026-01-02T00:00:00Z", true},
		{"DateLessThanEquals", `"2026-01-01"`, "1767225600", true},
		{"DateNotEquals", `"2026-01-01"`, "2026-01-01T00:00:00Z", false},
		{"ForAllValues:StringEquals", `["a","b"]`, absent, true},
		{"ForAllValues:StringEquals", `["a","b"]`, "a b", true},
		{"ForAllValues:StringEquals", `["a","b"]`, "a c", false},
		{"ForAnyValue:StringEquals", `["a","b"]`, absent, false},
		{"ForAnyValue:StringEquals", `["a","b"]`, "c b", true},
		{"ForAllValues:StringNotEquals", `["a"]`, "b c", true},
		{"ForAllValues:StringNotEquals", `["a"]`, "b a", false},
		{"ForAnyValue:StringNotLike", `["a*"]`, "ab b", true},
		{"BinaryEquals", `"QQ=="`, "QQ==", true},
		{"StringEquals", `"${aws:username}"`, "ann", true},
		{"StringLike", `"${aws:nothing}*"`, "ann", false},
	} {
		name := fmt.Sprintf("%s %s of %s", c.operator, c.wanted, c.given)
		text := document(statement("Allow", fmt.Sprintf(`"Action":"kms:Encrypt","Resource":"*","Condition":{%q:{"x:Key":%s}}`, c.operator, c.wanted)))
		x := policy.Context{}
		x.Set("aws:username", "ann")
		if c.given != absent {
			x.Set("X:key", strings.Fields(c.given)...)
		}
		f := parsed(t, text).Evaluate(policy.Request{Action: "kms:encrypt", Resource: "arn:aws:kms:::key/1", Context: x})
		require.Equal(t, c.holds, f.Allowed != nil, name)
	}
}

func TestWhatAWSRefusesInAPolicy(t *testing.T) {
	identity := func(rest string) string { return document(statement("Allow", rest)) }
	for _, c := range []struct {
		name, text string
		kind       policy.Kind
		err        error
	}{
		{"an identity policy", identity(`"Action":"kms:*","Resource":"*"`), policy.Identity, nil},
		{"one statement without a list", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, policy.Identity, nil},
		{"the old version", `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, policy.Identity, nil},
		{"the version of the documentation's mistake", `{"Version":"2020-03-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, policy.Identity, policy.ErrVersion},
		{"no JSON", `{`, policy.Identity, policy.ErrSyntax},
		{"two documents", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}{}`, policy.Identity, policy.ErrSyntax},
		{"an unknown element", identity(`"Action":"*","Resource":"*","Actor":"x"`), policy.Identity, policy.ErrSyntax},
		{"no statement", `{"Version":"2012-10-17","Statement":[]}`, policy.Identity, policy.ErrSyntax},
		{"no effect", document(`{"Action":"*","Resource":"*"}`), policy.Identity, policy.ErrSyntax},
		{"Action and NotAction", identity(`"Action":"*","NotAction":"*","Resource":"*"`), policy.Identity, policy.ErrSyntax},
		{"an unknown operator", identity(`"Action":"*","Resource":"*","Condition":{"StringSame":{"a":"b"}}`), policy.Identity, policy.ErrSyntax},
		{"an unknown type of principal", document(statement("Allow", `"Principal":{"GCP":"x"},"Action":"kms:*","Resource":"*"`)), policy.Key, policy.ErrSyntax},
		{"no action", identity(`"Resource":"*"`), policy.Identity, policy.ErrNoActions},
		{"an action without its service", identity(`"Action":"Encrypt","Resource":"*"`), policy.Identity, policy.ErrVendor},
		{"no resource", identity(`"Action":"kms:*"`), policy.Identity, policy.ErrNoResources},
		{"a principal in an identity policy", identity(`"Principal":"*","Action":"kms:*","Resource":"*"`), policy.Identity, policy.ErrHasPrincipal},
		{"a Sid twice", document(statement("Allow", `"Sid":"a","Action":"kms:*","Resource":"*"`), statement("Deny", `"Sid":"a","Action":"kms:*","Resource":"*"`)), policy.Identity, policy.ErrDuplicateSid},
		{"a Sid with a space", identity(`"Sid":"a b","Action":"kms:*","Resource":"*"`), policy.Identity, policy.ErrSid},
		{"a trust policy", identity(`"Principal":{"AWS":"1"},"Action":"sts:AssumeRole"`), policy.Trust, nil},
		{"a resource in a trust policy", identity(`"Principal":"*","Action":"sts:AssumeRole","Resource":"*"`), policy.Trust, policy.ErrHasResource},
		{"a trust policy for nobody", identity(`"Action":"sts:AssumeRole"`), policy.Trust, policy.ErrNoPrincipal},
		{"another service in a trust policy", identity(`"Principal":"*","Action":"kms:Encrypt"`), policy.Trust, policy.ErrTrustAction},
		{"a key policy", identity(`"Sid":"Enable IAM User Permissions","Principal":"*","Action":"kms:*","Resource":"*"`), policy.Key, nil},
		{"a key policy without a resource", identity(`"Principal":"*","Action":"kms:*"`), policy.Key, policy.ErrNoResources},
		{"a key policy for nobody", identity(`"Action":"kms:*","Resource":"*"`), policy.Key, policy.ErrNoPrincipal},
		{"NotPrincipal that allows", identity(`"NotPrincipal":"*","Action":"kms:*","Resource":"*"`), policy.Key, policy.ErrNotPrincipal},
	} {
		d, err := policy.Parse(c.text)
		if err == nil {
			err = d.Validate(c.kind)
		}
		if c.err == nil {
			require.NoError(t, err, c.name)
			continue
		}
		require.ErrorIs(t, err, c.err, c.name)
	}
}

// A role that is deleted and made again under its name is another principal.
func TestAPrincipalIsItsUniqueID(t *testing.T) {
	d := parsed(t, document(statement("Allow", `"Sid":"it","Principal":{"AWS":"`+role+`"},"Action":"kms:*","Resource":"*"`)))
	for _, p := range d.Principals() {
		p.ID = "AROAOLD"
	}
	ask := func(id string) policy.Decision {
		who := policy.Principal{Account: ours, ARN: role, SessionARN: "arn:aws:sts::111122223333:assumed-role/reader/s", ID: id}
		return policy.Decide(policy.Question{
			Request: policy.Request{Principal: who, Action: "kms:Encrypt", Resource: keyARN}, Resource: d, ResourceRules: true,
		})
	}
	require.Equal(t, policy.Decision{Allowed: true, By: "resource-based policy", Sid: "it"}, ask("AROAOLD"))
	require.Equal(t, policy.Decision{By: "resource-based policy"}, ask("AROANEW"))
}
