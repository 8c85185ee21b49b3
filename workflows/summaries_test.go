package workflows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each activity, timer and child says what it is for, to whoever reads the history: none is begun in a way that cannot.
func TestEveryStepHasASummary(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	said := 0
	positions := token.NewFileSet()
	for _, name := range slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") }) {
		file, err := parser.ParseFile(positions, name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				mute := []string{"Sleep", "NewTimer", "AwaitWithTimeout"}
				assert.False(t, ofWorkflow(n) && slices.Contains(mute, n.Sel.Name), "%s: workflow.%s takes no summary", positions.Position(n.Pos()), n.Sel.Name)
			case *ast.CompositeLit:
				if field := summaryOf(n.Type); field != "" {
					said++
					assert.True(t, slices.ContainsFunc(n.Elts, func(e ast.Expr) bool { return gives(e, field) }), "%s: no %s", positions.Position(n.Pos()), field)
				}
			}
			return true
		})
	}
	require.Greater(t, said, 10)
}

// summaryOf is the field for the summary of options of a type, empty for any other type.
func summaryOf(of ast.Expr) string {
	options, ok := of.(*ast.SelectorExpr)
	if !ok || !ofWorkflow(options) {
		return ""
	}
	return map[string]string{
		"ActivityOptions": "Summary", "LocalActivityOptions": "Summary", "TimerOptions": "Summary", "ChildWorkflowOptions": "StaticSummary",
	}[options.Sel.Name]
}

func ofWorkflow(s *ast.SelectorExpr) bool {
	of, ok := s.X.(*ast.Ident)
	return ok && of.Name == "workflow"
}

// gives says whether an element of a literal sets a field.
func gives(element ast.Expr, field string) bool {
	pair, ok := element.(*ast.KeyValueExpr)
	if !ok {
		return false
	}
	key, ok := pair.Key.(*ast.Ident)
	return ok && key.Name == field
}
