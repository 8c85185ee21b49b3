package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// reportText is how a change ended, for people: what it wrote, what must be kept, and the state it verified.
func reportText(r cmk.Report) string {
	var b strings.Builder
	if len(r.Findings) > 0 && r.Phase == cmk.PhaseRefused {
		b.WriteString("Findings\n")
		write(&b, indent(findingLines(r.Findings)))
		b.WriteString("\n")
	}
	if len(r.Writes) > 0 {
		b.WriteString("What was written\n")
		rows := [][]string{{"TIME", "SYSTEM", "OPERATION", "OBJECT"}}
		for _, w := range r.Writes {
			operation := w.Operation
			if w.Undo {
				operation = "undo: " + operation
			}
			rows = append(rows, []string{w.At.Local().Format(time.TimeOnly), w.System, operation, w.Object})
		}
		write(&b, indent(align(rows)))
		b.WriteString("\n")
	} else {
		b.WriteString("Nothing was written.\n\n")
	}
	if len(r.Keep) > 0 {
		b.WriteString("To be kept\n")
		write(&b, indent(r.Keep))
		b.WriteString("\n")
	}
	if !r.KeepUntil.IsZero() {
		fmt.Fprintf(&b, "Snapshots need the key and its role until %s at least.\n\n", r.KeepUntil.Local().Format(time.DateTime))
	}
	if r.WayBack != nil {
		fmt.Fprintf(&b, "The way back\n  %s\n\n", wayBackText(*r.WayBack))
	}
	if len(r.Documents) > 0 {
		b.WriteString("To be put in place by hand\n")
		write(&b, indent(documentLines(r.Documents)))
		b.WriteString("\n")
	}
	verified := ""
	if r.Verified {
		verified = ", verified"
	}
	fmt.Fprintf(&b, "%s: %s%s\n", r.Workflow, r.Phase, verified)
	end := endOr(r.Status, time.Now())
	var rows [][]string
	for _, e := range r.Endpoints {
		rows = append(rows, endpointRow(e, r.Status, end))
	}
	for _, c := range r.Clusters {
		rows = append(rows, clusterRow(c, end))
	}
	write(&b, indent(align(rows)))
	write(&b, indent(stateLines(r.Status, end)))
	if f := r.Final; f != nil {
		fmt.Fprintf(&b, "  encryption at rest  enabled: %t  requirePrivateNetworking: %t  valid: %t\n", f.Enabled, f.RequirePrivateNetworking, f.Valid)
		if f.Key != "" {
			fmt.Fprintf(&b, "  key %s in %s, through role %s\n", f.Key, f.KeyRegion, f.RoleARN)
		}
	}
	return b.String()
}
