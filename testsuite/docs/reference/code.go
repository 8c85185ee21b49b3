// Package reference writes docs/reference.md from the code.
package reference

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// code is what the reference needs of the source.
type code struct {
	// values are the constants of each named type of string, in order; all are those of no type too.
	values map[string][]string
	all    []constant
	// findings are the places that make a finding, by its code.
	findings map[string][]finding
}

type constant struct{ name, value, comment string }

type finding struct{ severity, detail, remedy string }

// readCode reads the contract, and then what uses it.
func readCode(dirs ...string) (*code, error) {
	c := &code{values: map[string][]string{}, findings: map[string][]finding{}}
	var sources []*ast.File
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			sources = append(sources, file)
			for _, d := range file.Decls {
				if d, ok := d.(*ast.GenDecl); ok {
					c.declared(d)
				}
			}
		}
	}
	for _, file := range sources {
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				c.called(call)
			}
			return true
		})
	}
	return c, nil
}

// constants are those whose name begins with a prefix and a capital.
func (c *code) constants(prefix string) []constant {
	var out []constant
	for _, k := range c.all {
		if rest, ok := strings.CutPrefix(k.name, prefix); ok && rest != "" && strings.ToUpper(rest[:1]) == rest[:1] {
			out = append(out, k)
		}
	}
	return out
}

func (c *code) declared(d *ast.GenDecl) {
	if d.Tok != token.CONST {
		return
	}
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok || len(v.Names) != 1 || len(v.Values) != 1 {
			continue
		}
		value, ok := c.text(v.Values[0])
		if !ok {
			continue
		}
		comment := v.Doc.Text()
		if comment == "" && len(d.Specs) == 1 {
			comment = d.Doc.Text()
		}
		c.all = append(c.all, constant{v.Names[0].Name, value, withoutName(strings.Join(strings.Fields(comment), " "), v.Names[0].Name)})
		if named, ok := v.Type.(*ast.Ident); ok {
			c.values[named.Name] = append(c.values[named.Name], value)
		}
	}
}

// withoutName is a comment without the name that it begins with.
func withoutName(comment, name string) string {
	return regexp.MustCompile(`^`+name+`( means that|:)? *`).ReplaceAllString(comment, "")
}

// called notes a call that makes a finding: err, warn and info of a severity, or add.
func (c *code) called(call *ast.CallExpr) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	args := call.Args
	severity := map[string]string{"err": "error", "warn": "warning", "info": "info", "add": "error or warning"}[method.Sel.Name]
	if method.Sel.Name == "add" && len(args) > 0 {
		args = args[1:]
	}
	if severity == "" || len(args) < 3 {
		return
	}
	name, ok := args[0].(*ast.SelectorExpr)
	if !ok || !strings.HasPrefix(name.Sel.Name, "Finding") {
		return
	}
	code, ok := c.text(name)
	if !ok {
		return
	}
	f := finding{severity: severity}
	if method.Sel.Name == "info" {
		f.detail, _ = c.text(args[2])
	} else if len(args) > 3 {
		f.remedy, _ = c.text(args[2])
		f.detail, _ = c.text(args[3])
	}
	if !slices.Contains(c.findings[code], f) {
		c.findings[code] = append(c.findings[code], f)
	}
}

// text is what an expression says as far as it is literal, or a constant.
func (c *code) text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.Ident:
		return c.constant(e.Name)
	case *ast.SelectorExpr:
		if pkg, ok := e.X.(*ast.Ident); ok && pkg.Name == "cmk" {
			return c.constant(e.Sel.Name)
		}
	case *ast.BinaryExpr:
		left, okLeft := c.text(e.X)
		right, okRight := c.text(e.Y)
		if !okLeft && !okRight {
			return "", false
		}
		if !okLeft {
			left = "…"
		}
		if !okRight {
			right = "…"
		}
		return left + right, true
	}
	return "", false
}

func (c *code) constant(name string) (string, bool) {
	at := slices.IndexFunc(c.all, func(k constant) bool { return k.name == name })
	if at < 0 {
		return "", false
	}
	return c.all[at].value, true
}

// retried are the codes that the table of errors has as worth trying again.
func retried(path string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, err
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		if !ok {
			return true
		}
		if f.Name.Name != "retryable" {
			return false
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CaseClause); ok {
				for _, e := range c.List {
					if s, ok := (&code{}).text(e); ok {
						out = append(out, s)
					}
				}
			}
			return true
		})
		return false
	})
	return out, nil
}
