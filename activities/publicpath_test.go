package activities

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyPolicyOverThePublicPath(t *testing.T) {
	t.Parallel()
	const role, from = "arn:aws:iam::111122223333:role/app/atlas", "52.20.0.7"
	root := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`
	allow := func(condition string) string {
		return fmt.Sprintf(`{"Sid":"A","Effect":"Allow","Principal":{"AWS":%q},"Action":["kms:Encrypt","kms:Decrypt","kms:DescribeKey"],"Resource":"*","Condition":%s}`, role, condition)
	}
	deny := func(principal, action, condition string) string {
		return fmt.Sprintf(`{"Sid":"D","Effect":"Deny","Principal":%s,"Action":%q,"Resource":"*","Condition":%s}`, principal, action, condition)
	}
	const all = `{"AWS":"*"}`
	for name, c := range map[string]struct {
		statements          string
		admitted, delegated bool
		closed              bool
	}{
		"delegated to IAM":                   {statements: root, delegated: true},
		"admitted itself":                    {statements: allow(`{}`), admitted: true},
		"admitted from its address":          {statements: allow(`{"IpAddress":{"aws:SourceIp":["52.20.0.0/16"]}}`), admitted: true},
		"admitted from another address":      {statements: allow(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), closed: true},
		"admitted through an endpoint":       {statements: allow(`{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`), closed: true},
		"admitted if it names an endpoint":   {statements: allow(`{"StringEqualsIfExists":{"aws:SourceVpce":"vpce-1"}}`), admitted: true},
		"admitted on what cannot be told":    {statements: allow(`{"StringEquals":{"aws:PrincipalTag/team":"db"}}`), closed: true},
		"admitted by account":                {statements: allow(`{"StringEquals":{"kms:CallerAccount":"111122223333"}}`), admitted: true},
		"denied to all":                      {statements: root + "," + deny(all, "kms:*", `{}`), delegated: true, closed: true},
		"denied unless through an endpoint":  {statements: root + "," + deny(all, "kms:Decrypt", `{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}`), delegated: true, closed: true},
		"denied through an endpoint":         {statements: root + "," + deny(all, "kms:Decrypt", `{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`), delegated: true},
		"denied from its address":            {statements: root + "," + deny(all, "kms:Decrypt", `{"IpAddress":{"aws:SourceIp":"52.20.0.7"}}`), delegated: true, closed: true},
		"denied unless from its address":     {statements: root + "," + deny(all, "kms:Decrypt", `{"NotIpAddress":{"aws:SourceIp":"52.20.0.0/24"}}`), delegated: true},
		"denied on what cannot be told":      {statements: root + "," + deny(all, "kms:Decrypt", `{"StringEquals":{"aws:PrincipalTag/team":"db"}}`), delegated: true, closed: true},
		"denied to others":                   {statements: root + "," + deny(`{"AWS":"arn:aws:iam::111122223333:role/other"}`, "kms:*", `{}`), delegated: true},
		"denied what Atlas does not do":      {statements: root + "," + deny(all, "kms:ScheduleKeyDeletion", `{}`), delegated: true},
		"denied without TLS":                 {statements: root + "," + deny(all, "kms:*", `{"Bool":{"aws:SecureTransport":"false"}}`), delegated: true},
		"denied unless by its own principal": {statements: root + "," + deny(all, "kms:*", `{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/app/*"}}`), delegated: true},
		"nothing about it":                   {statements: deny(`{"AWS":"arn:aws:iam::444455556666:root"}`, "kms:*", `{}`), closed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, err := parseNetwork(from)
			require.NoError(t, err)
			v, err := publicCall{roleARN: role, from: address}.judge(`{"Version":"2012-10-17","Statement":[` + c.statements + `]}`)
			require.NoError(t, err)
			require.Equal(t, c.admitted, v.admitted, "admitted: %v", v.closed)
			require.Equal(t, c.delegated, v.delegated, "delegated: %v", v.closed)
			require.Equal(t, c.closed, len(v.closed) > 0, "%v", v.closed)
		})
	}
	_, err := publicCall{roleARN: role}.judge("no policy")
	require.Error(t, err)
}

// Only what is surely open counts as open.
func TestClosed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key    KeyUse
		role   RoleUse
		closed bool
	}{
		"both":                     {KeyUse{Delegated: true}, RoleUse{Allowed: true}, false},
		"the key policy by itself": {KeyUse{Admitted: true}, RoleUse{}, false},
		"the role is not allowed":  {KeyUse{Delegated: true}, RoleUse{}, true},
		"the role is denied":       {KeyUse{Admitted: true}, RoleUse{Denied: true}, true},
		"the role cannot be read":  {KeyUse{Admitted: true}, RoleUse{Unread: "AccessDenied"}, true},
		"the key cannot be read":   {KeyUse{Unread: "AccessDenied"}, RoleUse{Allowed: true}, true},
		"the key policy denies it": {KeyUse{Admitted: true, Closed: []string{"D"}}, RoleUse{Allowed: true}, true},
	} {
		require.Equal(t, c.closed, len(Closed(c.key, c.role)) > 0, name)
	}
}

func TestKeyInRegion(t *testing.T) {
	t.Parallel()
	require.Equal(t, "arn:aws:kms:eu-west-1:111122223333:key/mrk-1", keyInRegion("arn:aws:kms:us-east-1:111122223333:key/mrk-1", "EU_WEST_1"))
	require.Equal(t, "arn:aws:kms:us-east-1:111122223333:key/1234", keyInRegion("arn:aws:kms:us-east-1:111122223333:key/1234", "EU_WEST_1"))
	require.Equal(t, "1234", keyInRegion("1234", "EU_WEST_1"))
}
