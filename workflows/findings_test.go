package workflows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Every code of a finding has a case in which it is found, in one of the tests.
func TestEveryFindingHasItsTest(t *testing.T) {
	tested := map[string]bool{}
	for code := range findingCases() {
		tested[code] = true
	}
	for name, code := range findingCodes(t) {
		assert.True(t, tested[code] || namedInTests(t, "cmk."+name), "%s (%s) is found in no test", name, code)
	}
}

func TestNothingIsThereToRemove(t *testing.T) {
	s := survey{Project: &activities.Project{ID: aProject}, Dependents: &activities.Dependents{}}
	var request cmk.RemoveRequest
	request.Endpoints.IDs = []string{"gone"}
	findings := assessRemove(request, s)
	require.Len(t, findings, 2)
	require.Equal(t, cmk.FindingEndpointMissing, findings[0].Code)
	require.Equal(t, cmk.FindingNothingToDo, findings[1].Code)
}

func TestSearchNodesAreMentioned(t *testing.T) {
	on := healthy()
	enabled(&on)
	s := survey{Project: on.Project, Dependents: &activities.Dependents{SearchNodes: true, Search: []activities.SearchDeployment{{Cluster: "a"}}}}
	findings := assessDisable(cmk.DisableRequest{}, s)
	at := slices.IndexFunc(findings, func(f cmk.Finding) bool { return f.Code == cmk.FindingSearchNodes })
	require.GreaterOrEqual(t, at, 0, "%+v", findings)
	require.Equal(t, "a", findings[at].Object)
}

// findingCodes are the constants of type FindingCode, by name, as the source of the contract declares them.
func findingCodes(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../cmk/finding.go", nil, 0)
	require.NoError(t, err)
	codes := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "FindingCode" {
			codes[spec.Names[0].Name] = strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		}
		return true
	})
	require.Equal(t, string(cmk.FindingNotEvaluated), codes["FindingNotEvaluated"])
	return codes
}

// namedInTests says whether a test of this package names something, or one that plays a whole run.
func namedInTests(t *testing.T, what string) bool {
	t.Helper()
	for _, pattern := range []string{"*_test.go", "../testsuite/e2e/*_test.go", "../testsuite/search/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		if anyNames(t, files, what) {
			return true
		}
	}
	return false
}

func anyNames(t *testing.T, files []string, what string) bool {
	t.Helper()
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for rest := string(text); ; {
			_, after, found := strings.Cut(rest, what)
			if !found {
				break
			}
			if after == "" || !isIdent(after[0]) {
				return true
			}
			rest = after
		}
	}
	return false
}

func isIdent(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// A role on which other projects rely is not withdrawn; others in its trust policy are only mentioned.
func TestRoleThatIsShared(t *testing.T) {
	request := cmk.RetireRequest{RoleARN: aRoleARN}
	findings, problem := assessRoleAccess(request, activities.RoleAccess{Exists: true, Reliant: []string{aProject}})
	require.Error(t, problem)
	require.Equal(t, []cmk.Finding{{Code: cmk.FindingRoleShared, Severity: cmk.SeverityError, Object: aProject, Detail: findings[0].Detail, Remedy: findings[0].Remedy}}, findings)
	findings, problem = assessRoleAccess(request, activities.RoleAccess{Exists: true, Others: []string{"somebody"}})
	require.NoError(t, problem)
	require.Equal(t, cmk.SeverityWarning, findings[0].Severity)
}

// Of what preflight finds only errors end a change, and none a dry run.
func TestErrorsOfPreflightEndAChange(t *testing.T) {
	t.Parallel()
	c := &change{}
	f := (*findings)(&c.status.Findings)
	f.warn(cmk.FindingClusterPaused, "a", "", "a warning")
	require.NoError(t, c.refuseErrors(false))
	f.err(cmk.FindingClusterTooSmall, "b", "scale it", "an error")
	f.err(cmk.FindingClusterPaused, "c", "resume it", "another")
	require.NoError(t, c.refuseErrors(true))
	err := c.refuseErrors(false)
	require.Equal(t, cmk.ErrPreflightFailed, errorType(err))
	require.ErrorContains(t, err, "an error (scale it)")
	require.ErrorContains(t, err, "another (resume it)")
}
