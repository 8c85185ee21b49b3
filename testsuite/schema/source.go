package schema

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// source is what the schemas need of package cmk beyond its types.
type source struct {
	// values are the constants of each named type of string, in the order in which they stand.
	values map[string][]string
	// comments are those of struct fields, by package.Type.Field.
	comments map[string]string
}

func readSource(dir string) (*source, error) {
	s := &source{values: map[string][]string{}, comments: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, s.visit)
	}
	return s, nil
}

func (s *source) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ValueSpec:
		s.constant(n)
	case *ast.TypeSpec:
		if of, ok := n.Type.(*ast.StructType); ok {
			for _, f := range of.Fields.List {
				for _, name := range f.Names {
					s.comments[contractPackage+"."+n.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
				}
			}
		}
	}
	return true
}

func (s *source) constant(spec *ast.ValueSpec) {
	named, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	for _, v := range spec.Values {
		literal, ok := v.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		if text, err := strconv.Unquote(literal.Value); err == nil {
			s.values[named.Name] = append(s.values[named.Name], text)
		}
	}
}
