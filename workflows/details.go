package workflows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// details is a status as Markdown, for the page of the run in Temporal's UI.
func details(s cmk.Status) string {
	var b strings.Builder
	of := fmt.Sprintf("project `%s`", s.ProjectID)
	if s.OrganizationID != "" {
		of = fmt.Sprintf("organization `%s`, %d projects watched", s.OrganizationID, len(s.Watched))
	}
	fmt.Fprintf(&b, "**%s** of %s: **%s**\n\n", s.Workflow, of, s.Phase)
	if s.Problem != "" {
		fmt.Fprintf(&b, "> %s\n\n", s.Problem)
	}
	for _, w := range s.Awaiting {
		fmt.Fprintf(&b, "- waits since %s for **%s**", w.Since.Format("15:04:05"), w.What)
		if w.Signal != "" {
			fmt.Fprintf(&b, ": signal `%s` with `%s`", w.Signal, w.Example)
		}
		b.WriteString("\n")
	}
	for _, d := range s.Documents {
		fmt.Fprintf(&b, "\n%s:\n\n```json\n%s\n```\n", d.Place, indented(d.Text))
	}
	if len(s.Endpoints) > 0 {
		b.WriteString("\n| region | endpoint | status | approval |\n|---|---|---|---|\n")
		for _, e := range s.Endpoints {
			fmt.Fprintf(&b, "| %s | `%s` | %s %s | %s |\n", e.Region, e.ID, e.Status, cell(e.ErrorMessage), e.Approval)
		}
	}
	if len(s.Clusters) > 0 {
		b.WriteString("\n| cluster | provider | state | done |\n|---|---|---|---|\n")
		for _, c := range s.Clusters {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Name, c.Provider, c.State, yes(c.Done))
		}
	}
	if s.Plan != nil {
		fmt.Fprintf(&b, "\nPlan `%s`\n\n", s.Plan.Hash)
		for i, step := range s.Plan.Steps {
			fmt.Fprintf(&b, "%d. %s `%s`%s\n", i+1, step.Action, step.Object, map[bool]string{true: " (exists)", false: ""}[step.Exists])
		}
	}
	for _, f := range s.Findings {
		fmt.Fprintf(&b, "\n- %s `%s` %s", f.Severity, f.Code, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(&b, " → %s", f.Remedy)
		}
	}
	return b.String()
}

// indented is JSON over several lines, as people read it; other text stays as it is.
func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

// cell keeps text from breaking out of a table.
func cell(s string) string { return strings.NewReplacer("|", "/", "\n", " ").Replace(s) }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
