package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// lines shows a change as one line for everything that happens, for logs and pipes.
type lines struct {
	print      func(format string, args ...any)
	workflowID string
	now        func() time.Time

	last      cmk.Status
	lastQuiet string
}

func (l *lines) status(s cmk.Status) {
	// A write that is new together with a phase is as a rule the last of the phase before. It knows itself when it was.
	for _, w := range newWrites(l.last, s) {
		l.print("%6s  wrote %s: %s (%s)", age(s.Started, w.At), w.System, w.Operation, w.Object)
	}
	for _, line := range happened(l.last, s, l.workflowID) {
		l.print("%6s  %s", age(s.Started, endOr(s, l.now())), line)
	}
	l.last, l.lastQuiet = s, ""
}

func (l *lines) silent(why string) {
	if why != l.lastQuiet {
		l.print("        %s", why)
	}
	l.lastQuiet = why
}

func (l *lines) end() {}

// newWrites are those that an earlier status has not.
func newWrites(before, now cmk.Status) []cmk.Write {
	if len(now.Writes) < len(before.Writes) {
		return nil
	}
	return now.Writes[len(before.Writes):]
}

// happened tells what else is new in a status.
func happened(before, now cmk.Status, workflowID string) []string {
	var out []string
	if now.Phase != before.Phase {
		out = append(out, "phase "+string(now.Phase))
	}
	for _, e := range now.Endpoints {
		at := slices.IndexFunc(before.Endpoints, func(o cmk.EndpointReport) bool { return o.Region == e.Region })
		if at >= 0 && sameEndpoint(before.Endpoints[at], e) || e.Status == "" && (len(e.Votes) == 0 || takesAway(now.Workflow)) {
			continue
		}
		row := endpointRow(e, now, time.Time{})
		out = append(out, fmt.Sprintf("endpoint %s %s: %s, %s", row[1], e.ID, row[2], row[4]))
	}
	for _, c := range now.Clusters {
		at := slices.IndexFunc(before.Clusters, func(o cmk.ClusterReport) bool { return o.Name == c.Name })
		if at >= 0 && sameCluster(before.Clusters[at], c) {
			continue
		}
		row := clusterRow(c, time.Time{})
		out = append(out, fmt.Sprintf("cluster %s: %s, %s", row[1], row[2], row[4]))
	}
	if now.State != "" && now.State != before.State {
		out = append(out, "state "+stateText(now.State))
	}
	for i, w := range now.Windows {
		if !w.Until.IsZero() && (i >= len(before.Windows) || before.Windows[i].Until.IsZero()) {
			out = append(out, windowText(w, w.Until))
		}
	}
	for _, d := range now.Documents {
		if !slices.Contains(before.Documents, d) {
			out = append(out, documentLines([]cmk.Document{d})...)
		}
	}
	for _, w := range now.Awaiting {
		if slices.ContainsFunc(before.Awaiting, func(o cmk.Wait) bool { return o.For == w.For && o.What == w.What && o.Example == w.Example }) {
			continue
		}
		out = append(out, awaits(w, now, workflowID)...)
	}
	for _, r := range now.Refusals {
		if !slices.Contains(before.Refusals, r) {
			out = append(out, fmt.Sprintf("not taken: %s by %s: %s (%s)", r.Signal, r.By, r.Why, r.Code))
		}
	}
	if now.Problem != "" && now.Problem != before.Problem {
		out = append(out, "problem: "+now.Problem)
	}
	return out
}

// awaits tells that something is awaited from now on; a plan that is to be approved is shown.
func awaits(w cmk.Wait, s cmk.Status, workflowID string) []string {
	line := "waits for " + waitText(w)
	switch next := command(w, workflowID); {
	case next != "":
		line += ": " + next
	case w.For == cmk.AwaitingEndpoint, w.For == cmk.AwaitingCluster:
		return nil // their own lines say so
	}
	out := []string{line}
	if plans(w) && s.Plan != nil {
		out = append(out, stepLines(*s.Plan)...)
	}
	return out
}

func sameEndpoint(a, b cmk.EndpointReport) bool {
	return a.ID == b.ID && a.Status == b.Status && a.ErrorMessage == b.ErrorMessage && a.Approval == b.Approval && len(a.Votes) == len(b.Votes)
}

func sameCluster(a, b cmk.ClusterReport) bool {
	return a.Provider == b.Provider && a.State == b.State && a.Done == b.Done && a.Skipped == b.Skipped
}
