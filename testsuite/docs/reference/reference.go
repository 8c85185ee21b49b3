package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	published "github.com/atlas-cmk/atlas-cmk/cmk/schema"
)

// Page is docs/reference.md: what the code says of inputs, messages, findings, refusals and errors. It reads the code below
// the repository's root.
func Page(root string) (string, error) {
	code, err := readCode(filepath.Join(root, "cmk"), filepath.Join(root, "workflows"))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`# Reference

This page is generated from the code: ` + "`make reference`" + ` writes it anew. The inputs are published as JSON Schema too, in
[cmk/schema](../cmk/schema).

## Inputs

Only the fields in bold are needed. Durations are strings such as ` + "`90s`, `72h`" + `; regions are taken in both spellings.
`)
	for _, r := range cmk.RequestTypes() {
		fmt.Fprintf(&b, "\n### %s\n\n", r.Workflow)
		if err := example(&b, r.Workflow+".json"); err != nil {
			return "", err
		}
		if err := fields(&b, r.Workflow+".json"); err != nil {
			return "", err
		}
	}
	b.WriteString("\n## Signals and updates\n\n")
	for _, m := range []struct {
		names []string
		form  string
	}{{cmk.DecisionSignals(), "Decision"}, {cmk.ResolutionSignals(), "Resolution"}} {
		fmt.Fprintf(&b, "%s take:\n\n", quoted(m.names))
		if err := fields(&b, m.form+".json"); err != nil {
			return "", err
		}
		b.WriteString("\n")
	}
	b.WriteString("Each is a signal, which is kept until a worker takes it, and an update, which answers with the status or with one of these\n" +
		"refusals. Refused signals stand in the status.\n\n")
	if err := table(&b, []string{"refusal", "meaning"}, code.constants("Refused"), refusals()); err != nil {
		return "", err
	}
	b.WriteString("\n## Search attributes\n\n" + "`AtlasProjectId` is the project's id.\n\n")
	fmt.Fprintf(&b, "`CmkPhase` is one of %s.\n\n", quoted(code.values["Phase"]))
	fmt.Fprintf(&b, "`CmkAwaiting` is one of %s.\n", quoted(code.values["Awaiting"]))
	b.WriteString("\n## Findings\n\nAn error ends a change before it writes anything; a warning is for you to judge.\n\n| finding | | what was found | what to do |\n|---|---|---|---|\n")
	for _, name := range code.values["FindingCode"] {
		said := code.findings[name]
		if len(said) == 0 {
			return "", fmt.Errorf("finding %s is made nowhere, or in a form that readCode does not know", name)
		}
		for i, f := range said {
			if strings.HasPrefix(f.severity, "error") && f.remedy == "" {
				return "", fmt.Errorf("finding %s, %q: say what to do about it, in words that readCode can read", name, f.detail)
			}
			label := "`" + name + "`"
			if i > 0 {
				label = ""
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", label, f.severity, cell(f.detail), cell(f.remedy))
		}
	}
	b.WriteString("\n## Errors\n\nThe type of the error with which a change ends. Errors of Atlas and AWS have the service's own code as their type, and say\nwhat was asked of which object.\n\n")
	if err := table(&b, []string{"type", "meaning", "what to do"}, code.constants("Err"), remedies()); err != nil {
		return "", err
	}
	passing, err := retried(filepath.Join(root, "activities", "errors.go"))
	fmt.Fprintf(&b, "\nThese codes of Atlas and AWS pass by themselves, and are tried again until the deadline of the step: %s. So is every answer with\n"+
		"HTTP status 408, 429 or 5xx. Others end the step: before the point of no return the change is taken back, after it a person is\nasked.\n", quoted(passing))
	return b.String(), err
}

// readSchema reads a published schema.
func readSchema(name string) (s node, err error) {
	text, err := published.Files.ReadFile(name)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// example is the document that a published schema gives for one.
func example(b *strings.Builder, name string) error {
	s, err := readSchema(name)
	if err != nil {
		return err
	}
	if len(s.Examples) == 0 {
		return fmt.Errorf("%s has no example", name)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, s.Examples[0], "", "  "); err != nil {
		return err
	}
	fmt.Fprintf(b, "```json\n%s\n```\n\n", text.String())
	return nil
}

// fields is a table of the fields of a published schema.
func fields(b *strings.Builder, name string) error {
	s, err := readSchema(name)
	if err != nil {
		return err
	}
	b.WriteString("| field | form | |\n|---|---|---|\n")
	s.rows(b, "")
	return nil
}

// node is what a table needs of a schema.
type node struct {
	Type        string
	Description string
	Enum        []string
	Const       string
	Format      string
	Examples    []json.RawMessage
	Items       *node
	OneOf       []node
	Required    []string
	Properties  map[string]node
}

func (n node) rows(b *strings.Builder, prefix string) {
	names := slices.Sorted(maps.Keys(n.Properties))
	slices.SortStableFunc(names, func(x, y string) int {
		return btoi(slices.Contains(n.Required, y)) - btoi(slices.Contains(n.Required, x))
	})
	for _, name := range names {
		p, label := n.Properties[name], "`"+prefix+name+"`"
		if slices.Contains(n.Required, name) {
			label = "**" + label + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", label, p.form(), cell(p.Description))
		p.rows(b, prefix+name+".")
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (n node) form() string {
	switch {
	case len(n.OneOf) > 0:
		var forms []string
		for _, o := range n.OneOf {
			forms = append(forms, o.form())
		}
		return strings.Join(forms, ", or ")
	case len(n.Enum) > 0:
		return quoted(n.Enum)
	case n.Const != "":
		return "`" + n.Const + "`"
	case n.Type == "array" && n.Items != nil:
		return "list of " + n.Items.form() + "s"
	case n.Type == "string" && len(n.Examples) > 0:
		return "duration"
	case n.Format == "date-time":
		return "time"
	}
	return n.Type
}

// table lists constants with what is said of them: their comment, and the last column.
func table(b *strings.Builder, heads []string, constants []constant, said map[string]string) error {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
	for _, c := range constants {
		last, ok := said[c.value]
		if !ok {
			return fmt.Errorf("say what %s means, in testsuite/docs/reference/said.go", c.value)
		}
		if len(heads) == 3 {
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", c.value, cell(c.comment), cell(last))
		} else {
			fmt.Fprintf(b, "| `%s` | %s |\n", c.value, cell(last))
		}
	}
	return nil
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "`" + n + "`"
	}
	return strings.Join(out, ", ")
}

var verbForm = regexp.MustCompile(`%[+#]?[a-z]`)

// cell is text in a table; what a format fills in is left out.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(verbForm.ReplaceAllString(s, "…"))
}
