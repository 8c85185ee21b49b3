package activities

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const testProject = "64b7f0c2a1d3e4f5a6b7c8d9"

// Whatever stands in a policy document, our edit leaves it as it was, and taking our statement out again gives back the
// document we began with.
func TestEditsLeaveTheRestOfADocumentAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Just[any]("x"), rapid.Just[any](true), rapid.Just[any](1.5),
			rapid.Just[any]([]any{"a", "b"}), rapid.Just[any](map[string]any{"Odd": []any{map[string]any{"k": nil}}}),
		)
		foreign := rapid.SliceOfN(rapid.MapOfN(rapid.SampledFrom([]string{"Sid", "Effect", "Action", "Principal", "Unknown"}), value, 1, 4), 0, 4).Draw(t, "statements")
		members := rapid.MapOf(rapid.SampledFrom([]string{"Version", "Id", "Comment"}), value).Draw(t, "members")
		members["Statement"] = foreign
		if len(foreign) == 1 && rapid.Bool().Draw(t, "single") {
			members["Statement"] = foreign[0]
		}
		text, err := json.Marshal(members)
		require.NoError(t, err)

		d, err := parseDocument(string(text))
		require.NoError(t, err)
		before := d.String()
		ours := trustStatement(testProject, "arn:aws:iam::1:root", "external")
		require.NoError(t, d.put(ours))
		once := d.String()
		require.NoError(t, d.put(ours))
		require.Equal(t, once, d.String(), "putting twice is putting once")
		require.Len(t, d.statements, len(foreign)+1)

		again, err := parseDocument(once)
		require.NoError(t, err)
		require.True(t, again.drop(ours.Sid))
		require.False(t, again.drop(ours.Sid))
		require.JSONEq(t, before, again.String())
	})
}

func TestOtherProjectsKeepTheirStatements(t *testing.T) {
	d := newDocument()
	require.NoError(t, d.put(trustStatement("aaaaaaaaaaaaaaaaaaaaaaaa", "arn:aws:iam::1:root", "a")))
	require.NoError(t, d.put(trustStatement("bbbbbbbbbbbbbbbbbbbbbbbb", "arn:aws:iam::1:root", "b")))
	require.NoError(t, d.put(trustStatement("aaaaaaaaaaaaaaaaaaaaaaaa", "arn:aws:iam::1:root", "c")))
	externalID, atlasARN := admitted(d, "aaaaaaaaaaaaaaaaaaaaaaaa")
	require.Equal(t, "c", externalID)
	require.Equal(t, "arn:aws:iam::1:root", atlasARN)
	externalID, _ = admitted(d, "bbbbbbbbbbbbbbbbbbbbbbbb")
	require.Equal(t, "b", externalID)
}

func TestKeyPolicies(t *testing.T) {
	const role, other = "arn:aws:iam::111122223333:role/path/atlas", "arn:aws:iam::111122223333:role/other"
	statement := func(effect, principal, more string) string {
		return `{"Sid":"S","Effect":"` + effect + `","Principal":` + principal + `,"Action":"kms:*","Resource":"*"` + more + `}`
	}
	root := `{"AWS":"arn:aws:iam::111122223333:root"}`
	for name, c := range map[string]struct {
		statements                    string
		admitted, denied, conditional bool
	}{
		"default":                {statement("Allow", root, ""), true, false, false},
		"account id":             {statement("Allow", `{"AWS":["111122223333"]}`, ""), true, false, false},
		"other account":          {statement("Allow", `{"AWS":"arn:aws:iam::999999999999:root"}`, ""), false, false, false},
		"the role itself":        {statement("Allow", `{"AWS":"`+role+`"}`, ""), true, false, false},
		"another role":           {statement("Allow", `{"AWS":"`+other+`"}`, ""), false, false, false},
		"everyone":               {statement("Allow", `"*"`, ""), true, false, false},
		"a service":              {statement("Allow", `{"Service":"s3.amazonaws.com"}`, ""), false, false, false},
		"condition":              {statement("Allow", root, `,"Condition":{"IpAddress":{"aws:SourceIp":"1.2.3.4/32"}}`), false, false, true},
		"deny":                   {statement("Allow", root, "") + "," + statement("Deny", `"*"`, `,"Condition":{"StringNotEquals":{"aws:SourceVpce":"x"}}`), true, true, false},
		"deny by NotPrincipal":   {statement("Allow", root, "") + `,{"Effect":"Deny","NotPrincipal":{"AWS":"` + other + `"},"Action":"kms:Decrypt","Resource":"*"}`, true, true, false},
		"deny of something else": {statement("Allow", root, "") + `,{"Effect":"Deny","Principal":"*","Action":"kms:ScheduleKeyDeletion","Resource":"*"}`, true, false, false},
		"NotAction":              {`{"Effect":"Allow","Principal":` + root + `,"NotAction":"kms:ScheduleKeyDeletion","Resource":"*"}`, true, false, false},
		"only administration":    {`{"Effect":"Allow","Principal":` + root + `,"Action":["kms:Describe*","kms:Put*"],"Resource":"*"}`, false, false, false},
		"no statements":          {``, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := readKeyPolicy(`{"Version":"2012-10-17","Statement":[`+c.statements+`]}`, "atlas")
			require.Empty(t, p.Unread)
			require.Equal(t, c.admitted, p.Admitted(role))
			require.Equal(t, c.denied, len(p.Denies) > 0)
			require.Equal(t, c.conditional, len(p.Conditional) > 0)
		})
	}
	require.NotEmpty(t, readKeyPolicy("not JSON", "atlas").Unread)
}
