package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// planText is what a dry run found, for people: the steps, what cannot be undone, what is exposed, and the findings.
func planText(r cmk.Report) string {
	var b strings.Builder
	if r.Plan != nil {
		fmt.Fprintf(&b, "Plan %s for project %s: %d steps, %d of them write\n", r.Plan.Hash, r.ProjectID, len(r.Plan.Steps), r.Plan.Writes())
		if len(r.Plan.Steps) > 0 {
			b.WriteString("\n")
		}
		write(&b, stepLines(*r.Plan))
		about(&b, "Cannot be undone", r.Plan.Steps, func(s cmk.Step) string { return s.Irreversible })
		about(&b, "Exposed meanwhile", r.Plan.Steps, func(s cmk.Step) string { return s.Exposure })
	}
	if len(r.Findings) > 0 {
		b.WriteString("\nFindings\n")
		write(&b, indent(findingLines(r.Findings)))
	}
	return b.String()
}

func stepLines(p cmk.Plan) []string {
	var rows [][]string
	for i, s := range p.Steps {
		rows = append(rows, []string{fmt.Sprintf("%3d.", i+1), state(s), s.Action, s.Object})
	}
	return align(rows)
}

func state(s cmk.Step) string {
	if s.Exists {
		return "is so"
	}
	return "will write"
}

// about lists what a plan says of its steps, each text once with the steps that it is about.
func about(b *strings.Builder, title string, steps []cmk.Step, say func(cmk.Step) string) {
	var texts []string
	objects := map[string][]string{}
	for _, s := range steps {
		said := say(s)
		if said == "" || s.Exists {
			continue
		}
		if !slices.Contains(texts, said) {
			texts = append(texts, said)
		}
		objects[said] = append(objects[said], s.Object)
	}
	if len(texts) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, said := range texts {
		fmt.Fprintf(b, "  %s: %s\n", strings.Join(objects[said], ", "), said)
	}
}

// findingLines are the findings, the worst first, each with what to do about it.
func findingLines(findings []cmk.Finding) []string {
	var out []string
	for _, severity := range []cmk.Severity{cmk.SeverityError, cmk.SeverityWarning, cmk.SeverityInfo} {
		for _, f := range findings {
			if f.Severity != severity {
				continue
			}
			out = append(out, fmt.Sprintf("%-7s  %s: %s", f.Severity, f.Code, f.Detail))
			if f.Remedy != "" {
				out = append(out, "         → "+f.Remedy)
			}
		}
	}
	return out
}

func write(b *strings.Builder, lines []string) {
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
}
