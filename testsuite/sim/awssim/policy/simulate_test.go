package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// simulateVariable names a directory in which `npm install @cloud-copilot/iam-simulate@0.1.173` has been run. That
// independent evaluator of AWS policies is only ever run beside the test, never linked.
const simulateVariable = "ATLAS_CMK_IAM_SIMULATE"

const (
	ours   = "111122223333"
	theirs = "444455556666"
	keyARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	role   = "arn:aws:iam::111122223333:role/app/reader"
)

type scenario struct {
	who                                         policy.Principal
	action, resource                            string
	identity, boundary, session, resourcePolicy string
	context                                     map[string][]string
}

func statement(effect, rest string) string {
	return fmt.Sprintf(`{"Effect":%q,%s}`, effect, rest)
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// scenarios are all combinations of the policies, callers and circumstances that matter to a key or to a role's trust.
func scenarios() []scenario {
	session := func(account, name string) policy.Principal {
		return policy.Principal{
			Account: account, ARN: "arn:aws:iam::" + account + ":role/" + name, ID: "AROA" + account,
			SessionARN: "arn:aws:sts::" + account + ":assumed-role/" + name + "/s1",
		}
	}
	user := func(account string) policy.Principal {
		return policy.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":user/ann", ID: "AIDA" + account}
	}
	callers := []policy.Principal{session(ours, "reader"), user(ours), session(theirs, "reader"), user(theirs)}
	identities := []string{
		"",
		document(statement("Allow", `"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"`+keyARN+`"`)),
		document(statement("Allow", `"Action":"kms:*","Resource":"arn:aws:kms:*:111122223333:key/*"`), statement("Deny", `"Action":"kms:Encrypt","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}}`)),
		document(statement("Allow", `"NotAction":"kms:Decrypt","Resource":"*"`)),
		document(statement("Allow", `"Action":"kms:Encrypt","NotResource":"arn:aws:kms:eu-west-1:*:key/*"`)),
	}
	limits := []string{"", document(statement("Allow", `"Action":"kms:D*","Resource":"*"`)), document(statement("Allow", `"Action":"*","Resource":"*"`))}
	sessions := []string{"", document(statement("Allow", `"Action":"kms:Encrypt","Resource":"*"`))}
	var keyPolicies []string
	for _, principal := range []string{
		`"*"`, `{"AWS":"*"}`, `{"AWS":"arn:aws:iam::111122223333:root"}`, `{"AWS":"444455556666"}`,
		`{"AWS":["arn:aws:iam::111122223333:role/reader","arn:aws:iam::444455556666:user/ann"]}`,
		`{"AWS":["arn:aws:iam::111122223333:user/ann","arn:aws:sts::111122223333:assumed-role/reader/s1","arn:aws:iam::444455556666:role/reader"]}`,
	} {
		keyPolicies = append(keyPolicies, document(statement("Allow", `"Principal":`+principal+`,"Action":"kms:*","Resource":"*"`)))
	}
	all := statement("Allow", `"Principal":{"AWS":["arn:aws:iam::111122223333:root","arn:aws:iam::444455556666:root"]},"Action":"kms:*","Resource":"*"`)
	for _, deny := range []string{
		`"Principal":{"AWS":"arn:aws:iam::111122223333:role/reader"},"Action":"kms:Encrypt","Resource":"*"`,
		`"Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"kms:Decrypt","Resource":"*"`,
		`"Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}`,
		`"Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:SourceVpce":"vpce-2"}}`,
		`"Principal":"*","Action":"kms:*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}`,
		`"Principal":"*","Action":"kms:*","Resource":"*","Condition":{"Null":{"aws:SourceIp":"true"}}`,
		`"Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"kms:CallerAccount":"111122223333"}}`,
		`"Principal":"*","Action":"kms:Encrypt","Resource":"*","Condition":{"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["a","b"]}}`,
		`"Principal":"*","Action":"kms:Encrypt","Resource":"*","Condition":{"ForAnyValue:StringLike":{"kms:EncryptionContextKeys":"b*"}}`,
		`"Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotLike":{"aws:userid":"AROA*:*"},"Bool":{"aws:ViaAWSService":"false"}}`,
		`"NotPrincipal":{"AWS":["arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:user/ann","arn:aws:iam::111122223333:role/reader"]},"Action":"kms:*","Resource":"*"`,
		`"NotPrincipal":{"AWS":["arn:aws:iam::111122223333:role/reader","arn:aws:sts::111122223333:assumed-role/reader/s1"]},"Action":"kms:*","Resource":"*"`,
	} {
		keyPolicies = append(keyPolicies, document(all, statement("Deny", deny)))
	}
	keyPolicies = append(keyPolicies, document(statement("Allow", `"Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:CallerAccount":"111122223333","kms:ViaService":"ec2.us-east-1.amazonaws.com"}}`)))
	circumstances := []map[string][]string{
		{"aws:SourceIp": {"198.51.100.7"}},
		{"aws:SourceVpce": {"vpce-1"}, "kms:EncryptionContextKeys": {"a", "b1"}},
		{"aws:SourceIp": {"203.0.113.9"}, "kms:EncryptionContextKeys": {"a"}},
	}
	var out []scenario
	for _, who := range callers {
		for _, identity := range identities {
			for _, limit := range limits {
				for _, narrowed := range sessions {
					if narrowed != "" && who.SessionARN == "" {
						continue
					}
					for _, keyPolicy := range keyPolicies {
						for i, circumstance := range circumstances {
							action := []string{"kms:Encrypt", "kms:Decrypt", "kms:Encrypt"}[i]
							out = append(out, scenario{who, action, keyARN, identity, limit, narrowed, keyPolicy, circumstance})
						}
					}
				}
			}
		}
	}
	return append(out, trustScenarios(callers)...)
}

func trustScenarios(callers []policy.Principal) []scenario {
	var out []scenario
	may := document(statement("Allow", `"Action":"sts:AssumeRole","Resource":"`+role+`"`))
	for _, who := range callers {
		for _, identity := range []string{"", may} {
			for _, principal := range []string{"arn:aws:iam::444455556666:root", "arn:aws:iam::444455556666:role/reader", "arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:root", "*"} {
				for _, condition := range []string{`{"StringEquals":{"sts:ExternalId":"secret"}}`, `{"StringEquals":{"sts:ExternalId":["other","secret"]}}`, `{"StringLike":{"sts:ExternalId":"*"}}`, `{"StringEqualsIfExists":{"sts:ExternalId":"secret"}}`, `{}`} {
					for _, given := range []map[string][]string{{}, {"sts:ExternalId": {"secret"}}, {"sts:ExternalId": {"Secret"}}} {
						out = append(out, scenario{who: who, action: "sts:AssumeRole", resource: role, identity: identity, context: given, resourcePolicy: document(
							statement("Allow", fmt.Sprintf(`"Principal":{"AWS":%q},"Action":"sts:AssumeRole","Condition":%s`, principal, condition)),
						)})
					}
				}
			}
		}
	}
	return out
}

func parsed(t *testing.T, text string) *policy.Document {
	t.Helper()
	if text == "" {
		return nil
	}
	d, err := policy.Parse(text)
	require.NoError(t, err, text)
	return d
}

// everywhere is the context that both evaluators get.
func (s scenario) everywhere() map[string][]string {
	userID := s.who.ID
	if s.who.SessionARN != "" {
		userID += ":s1"
	}
	out := map[string][]string{
		"aws:PrincipalArn": {s.who.ARN}, "aws:PrincipalAccount": {s.who.Account}, "aws:userid": {userID},
		"aws:ViaAWSService": {"false"},
	}
	if strings.HasPrefix(s.action, "kms:") {
		out["kms:CallerAccount"] = []string{s.who.Account}
	}
	for k, v := range s.context {
		out[k] = v
	}
	return out
}

func (s scenario) verdict(t *testing.T) string {
	t.Helper()
	q := policy.Question{
		Request:  policy.Request{Principal: s.who, Action: s.action, Resource: s.resource, Context: policy.Context{}},
		Boundary: parsed(t, s.boundary), Resource: parsed(t, s.resourcePolicy), ResourceAccount: ours, ResourceRules: true,
	}
	for k, v := range s.everywhere() {
		q.Context.Set(k, v...)
	}
	if s.identity != "" {
		q.Identity = []*policy.Document{parsed(t, s.identity)}
	}
	if s.session != "" {
		q.Session = []*policy.Document{parsed(t, s.session)}
	}
	switch d := policy.Decide(q); {
	case d.Allowed:
		return "Allowed"
	case d.Explicit:
		return "ExplicitlyDenied"
	default:
		return "ImplicitlyDenied"
	}
}

// simulation is the scenario as the other evaluator takes it.
func (s scenario) simulation() map[string]any {
	named := func(text string) []map[string]any {
		if text == "" {
			return []map[string]any{}
		}
		return []map[string]any{{"name": "p", "policy": json.RawMessage(text)}}
	}
	everything := json.RawMessage(document(statement("Allow", `"Action":"*","Resource":"*"`)))
	who := s.who.ARN
	if s.who.SessionARN != "" {
		who = s.who.SessionARN
	}
	context := map[string]any{}
	for k, v := range s.everywhere() {
		context[k] = v[0]
		if k == "kms:EncryptionContextKeys" {
			context[k] = v
		}
	}
	out := map[string]any{
		"request": map[string]any{
			"principal": who, "action": s.action, "contextVariables": context,
			"resource": map[string]any{"resource": s.resource, "accountId": ours},
		},
		"identityPolicies": named(s.identity),
		"serviceControlPolicies": []map[string]any{{
			"orgIdentifier": "root", "policies": []map[string]any{{"name": "all", "policy": everything}},
		}},
		"resourceControlPolicies": []any{},
		"resourcePolicy":          json.RawMessage(s.resourcePolicy),
	}
	if s.boundary != "" {
		out["permissionBoundaryPolicies"] = named(s.boundary)
	}
	if s.session != "" {
		out["sessionPolicy"] = json.RawMessage(s.session)
	}
	return out
}

// documentedOtherwise is of scenarios of which AWS's documentation says plainly what iam-simulate does not: a session
// that a resource policy names is not limited by session policies, and a role in NotPrincipal does not exempt its
// sessions.
func (s scenario) documentedOtherwise() bool {
	named := s.who.SessionARN != "" && strings.Contains(s.resourcePolicy, s.who.SessionARN)
	return named && s.session != "" || !named && s.who.SessionARN != "" && strings.Contains(s.resourcePolicy, "NotPrincipal")
}

func TestVerdictsAgreeWithIAMSimulate(t *testing.T) {
	directory := os.Getenv(simulateVariable)
	if directory == "" {
		t.Skipf("%s does not name a directory with @cloud-copilot/iam-simulate", simulateVariable)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node on PATH")
	}
	all := scenarios()
	var asked []any
	for _, s := range all {
		asked = append(asked, s.simulation())
	}
	input, err := json.Marshal(asked)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "simulate.cjs"))
	command.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(directory, "node_modules"))
	command.Stdin, command.Stderr = bytes.NewReader(input), os.Stderr
	output, err := command.Output()
	require.NoError(t, err)
	var verdicts []string
	require.NoError(t, json.Unmarshal(output, &verdicts))
	require.Len(t, verdicts, len(all))
	seen, differ := map[string]int{}, 0
	for i, s := range all {
		verdict := s.verdict(t)
		seen[verdict]++
		if verdict != verdicts[i] && !s.documentedOtherwise() {
			if differ++; differ <= 10 {
				t.Errorf("we say %s, iam-simulate %s, of %s", verdict, verdicts[i], mustJSON(t, s.simulation()))
			}
		}
	}
	require.Zero(t, differ, "of %d scenarios", len(all))
	require.Len(t, seen, 3, "every verdict occurs: %v", seen)
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
