// Package deploy_test checks that what operators apply agrees with what the worker does and reads.
package deploy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

const account = "111122223333"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	require.NoError(t, err)
	return string(text)
}

func parse(t *testing.T, text string) *policy.Document {
	t.Helper()
	d, err := policy.Parse(text)
	require.NoError(t, err)
	return d
}

// clientActions are the calls that the worker's clients have: the methods of the interfaces that its activities are
// given, as actions of AWS.
func clientActions(t *testing.T) (actions []string) {
	t.Helper()
	for _, client := range []struct{ file, name, service string }{
		{"../activities/iam.go", "iamAPI", "iam"},
		{"../activities/iam.go", "callerAPI", "sts"},
		{"../activities/kms.go", "kmsAPI", "kms"},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), client.file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		found := len(actions)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != client.name {
				return true
			}
			for _, method := range spec.Type.(*ast.InterfaceType).Methods.List {
				actions = append(actions, client.service+":"+method.Names[0].Name)
			}
			return false
		})
		require.Greater(t, len(actions), found, "%s has no interface %s", client.file, client.name)
	}
	return actions
}

func resource(action string) string {
	switch {
	case strings.Contains(action, "AccessKey"), strings.Contains(action, "UserPolic"):
		return "arn:aws:iam::" + account + ":user/atlas-kms"
	case strings.HasPrefix(action, "iam:"):
		return "arn:aws:iam::" + account + ":role/atlas-cmk-6a00000000000000000000aa"
	case strings.HasPrefix(action, "kms:"):
		return "arn:aws:kms:eu-west-1:" + account + ":key/mrk-0123456789abcdef0123456789abcdef"
	}
	return "*"
}

func TestPolicyAllowsWhatTheWorkerDoesAndNoMore(t *testing.T) {
	t.Parallel()
	d := parse(t, read(t, "iam-policy.json"))
	var allowed []string
	for _, s := range d.Statements {
		if s.Effect == policy.Allow {
			allowed = append(allowed, s.Actions...)
		}
	}
	// A replica is created, too, in its own region, by whoever replicates a key.
	require.ElementsMatch(t, append(clientActions(t), "kms:CreateKey"), allowed)
	for _, action := range clientActions(t) {
		f := d.Evaluate(policy.Request{Action: action, Resource: resource(action)})
		require.NotNil(t, f.Allowed, action)
		require.Nil(t, f.Denied, action)
	}
	for _, foreign := range []string{"arn:aws:iam::" + account + ":role/admin", "arn:aws:iam::" + account + ":role/platform/cmk-worker"} {
		f := d.Evaluate(policy.Request{Action: "iam:PutRolePolicy", Resource: foreign})
		require.Nil(t, f.Allowed, "the worker must not reach %s", foreign)
	}
}

func TestPolicyDeniesWhatEndangersAKeyEvenToAnAdministrator(t *testing.T) {
	t.Parallel()
	administrator := parse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	own := parse(t, read(t, "iam-policy.json"))
	decide := func(action string, context policy.Context) policy.Decision {
		return policy.Decide(policy.Question{
			Request:  policy.Request{Action: action, Resource: resource(action), Context: context},
			Identity: []*policy.Document{administrator, own},
		})
	}
	for _, action := range []string{
		"kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial", "kms:UpdatePrimaryRegion", "kms:DeleteAlias",
		"kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext",
	} {
		require.True(t, decide(action, nil).Explicit, action)
	}
	bypass := func(value string) policy.Context {
		c := policy.Context{}
		c.Set("kms:BypassPolicyLockoutSafetyCheck", value)
		return c
	}
	require.True(t, decide("kms:PutKeyPolicy", bypass("true")).Explicit)
	require.True(t, decide("kms:PutKeyPolicy", bypass("false")).Allowed)
	require.True(t, decide("kms:PutKeyPolicy", nil).Allowed)
}

// TestSettingsAreOnesThatTheWorkerReads keeps a renamed variable from living on in an example.
func TestSettingsAreOnesThatTheWorkerReads(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("../worker/*.go")
	require.NoError(t, err)
	var worker strings.Builder
	for _, source := range sources {
		worker.WriteString(read(t, source))
	}
	ours := regexp.MustCompile(`\b(ATLAS_CMK|MONGODB_ATLAS)_[A-Z_]+\b`)
	for _, file := range []string{"kubernetes.yaml", "worker.env.example", "../docker-compose.yml", "../Dockerfile"} {
		names := ours.FindAllString(read(t, file), -1)
		require.NotEmpty(t, names, file)
		for _, name := range slices.Compact(names) {
			require.Contains(t, worker.String(), `"`+name+`"`, "%s sets %s, which the worker does not read", file, name)
		}
	}
	for _, probe := range regexp.MustCompile(`path: (/\w+)`).FindAllStringSubmatch(read(t, "kubernetes.yaml"), -1) {
		require.Contains(t, worker.String(), "GET "+probe[1])
	}
}
