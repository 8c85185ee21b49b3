package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// block is a status as a few lines: what runs, an endpoint and a cluster a line, and what is awaited.
func block(s cmk.Status, workflowID string, now time.Time) []string {
	of := "project " + s.ProjectID
	if s.OrganizationID != "" {
		of = fmt.Sprintf("organization %s, which keeps watches of %d projects", s.OrganizationID, len(s.Watched))
	}
	out := []string{fmt.Sprintf("%s of %s: %s, %s", s.Workflow, of, s.Phase, age(s.Started, endOr(s, now)))}
	var rows [][]string
	for _, e := range s.Endpoints {
		rows = append(rows, endpointRow(e, s, endOr(s, now)))
	}
	for _, c := range s.Clusters {
		rows = append(rows, clusterRow(c, endOr(s, now)))
	}
	out = append(out, indent(align(rows))...)
	out = append(out, stateLines(s, endOr(s, now))...)
	if s.Workflow == cmk.WatchProject || s.Workflow == cmk.WatchOrganization { // those of a change stand in its plan
		out = append(out, indent(findingLines(s.Findings))...)
	}
	for _, w := range s.Awaiting {
		if w.For == cmk.AwaitingEndpoint {
			continue // its own line says so
		}
		out = append(out, strings.Join(append(strings.Fields("waits "+age(w.Since, now)), "for", waitText(w)), " "))
	}
	if hint := nextStep(s, workflowID); hint != "" {
		out = append(out, "next: "+hint)
	}
	if s.Problem != "" {
		out = append(out, "problem: "+s.Problem)
	}
	return out
}

// waitText is what is awaited, and until when.
func waitText(w cmk.Wait) string {
	if w.Until.IsZero() {
		return w.What
	}
	return w.What + ", until " + w.Until.Local().Format(time.DateTime)
}

// endOr is when a change ended, or now.
func endOr(s cmk.Status, now time.Time) time.Time {
	if s.Ended != nil {
		return *s.Ended
	}
	return now
}

func endpointRow(e cmk.EndpointReport, s cmk.Status, now time.Time) []string {
	status := string(e.Status)
	switch {
	case status == "" && takesAway(s.Workflow):
		return []string{"endpoint", e.Region, "gone", "", "", ""}
	case status == "":
		status = "not there yet"
	}
	if e.ErrorMessage != "" {
		status += " (" + e.ErrorMessage + ")"
	}
	return []string{"endpoint", e.Region, status, age(e.Since, now), approvalText(e, s.Ended != nil), e.ID}
}

// takesAway says whether a workflow deletes endpoints rather than creating them.
func takesAway(workflow string) bool {
	return workflow == cmk.SafeDisableCMK || workflow == cmk.DisablePrivateNetworking || workflow == cmk.RemovePrivateEndpoints
}

func approvalText(e cmk.EndpointReport, ended bool) string {
	switch e.Approval {
	case cmk.ApprovalUnknown:
		return "approval not known"
	case cmk.ApprovalNotNeeded:
		return "no approval needed"
	case cmk.ApprovalApproved, cmk.ApprovalRejected:
		var names []string
		for _, v := range e.Votes {
			if v.Approved == (e.Approval == cmk.ApprovalApproved) {
				names = append(names, v.By)
			}
		}
		return strings.TrimSuffix(string(e.Approval)+" by "+strings.Join(names, ", "), " by ")
	default:
		if n := len(e.Votes); n > 0 {
			return fmt.Sprintf("approval waits, %d given", n)
		}
		if ended {
			return "not approved"
		}
		return "approval waits"
	}
}

func clusterRow(c cmk.ClusterReport, now time.Time) []string {
	note := strings.Join(c.Regions, " ")
	switch {
	case c.Skipped:
		note = "skipped"
	case c.Done:
		note = "done"
	}
	return []string{"cluster", c.Name, c.Provider + " " + c.State, age(c.Since, now), note}
}

// age is the time since then in minutes and seconds; nothing for a time that is not known.
func age(then, now time.Time) string {
	if then.IsZero() {
		return ""
	}
	seconds := max(0, int(now.Sub(then).Seconds()))
	if hours := seconds / 3600; hours > 0 {
		return fmt.Sprintf("%d:%02d:%02d", hours, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// nextStep is a command that would move a change on, if it waits for a person.
func nextStep(s cmk.Status, workflowID string) string {
	for _, w := range s.Awaiting {
		if command := command(w, workflowID); command != "" {
			return command
		}
	}
	return ""
}

// command is the command line that would give a wait what it waits for.
func command(w cmk.Wait, workflowID string) string {
	switch {
	case plans(w), w.For == cmk.AwaitingEndpointApproval:
		var d cmk.Decision
		if err := json.Unmarshal([]byte(w.Example), &d); err != nil {
			return ""
		}
		line := "starter approve " + workflowID
		for _, f := range []struct{ flag, value string }{{"--plan", d.Plan}, {"--endpoint", d.Endpoint}, {"--region", d.Region}} {
			if f.value != "" {
				line += " " + f.flag + " " + f.value
			}
		}
		return line + " --by NAME"
	case w.For == cmk.AwaitingIAM:
		return fmt.Sprintf("starter %s %s --by NAME", w.Signal, workflowID)
	case w.For == cmk.AwaitingDecision:
		return fmt.Sprintf("starter %s %s --step %q --by NAME", strings.ReplaceAll(w.Signal, " ", ""), workflowID, w.Step)
	default:
		return ""
	}
}

// count is how many findings have a severity.
func count(findings []cmk.Finding, severity cmk.Severity) int {
	n := 0
	for _, f := range findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}
