package workflows

import (
	"encoding/json"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// renew goes on as a new run, with all that is known. What people have sent until now is taken first; what comes later
// makes the server try again.
func (w *watch) renew(ctx workflow.Context) error {
	// The handlers of messages are routines of their own: one that begins after them runs when they have.
	drained := false
	workflow.Go(ctx, func(workflow.Context) { drained = true })
	if err := workflow.Await(ctx, func() bool { return drained && workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	w.assess(ctx)
	w.upsert(ctx)
	next := w.request
	next.Progress = w.progress()
	return workflow.NewContinueAsNewError(ctx, cmk.WatchProject, next)
}

// progress is all that a watch knows.
func (w *watch) progress() *cmk.WatchProgress {
	p := &cmk.WatchProgress{
		Started: w.status.Started, Baseline: w.baseline, Findings: w.status.Findings, Outbox: w.outbox, Sent: w.sent, Remakes: w.endpoints.remakes,
		Writes: w.status.Writes, Refusals: w.approvals.refusals, Problem: w.status.Problem, RepairFailed: w.repairFailed, Unreadable: w.unreadable,
	}
	if w.look != nil {
		p.Seen = canonical(w.look)
	}
	if g := w.approvals.plan; g != nil {
		p.Acceptance = &cmk.WatchedGate{Hash: g.hash, Votes: g.votes, Rejected: g.rejected}
	}
	for _, e := range w.endpoints.current {
		p.Endpoints = append(p.Endpoints, cmk.WatchedEndpoint{Region: e.Region, ID: e.ID, Since: w.endpoints.since[e.ID+string(e.Status)]})
	}
	for _, g := range w.approvals.regions {
		at := slices.IndexFunc(p.Endpoints, func(e cmk.WatchedEndpoint) bool { return e.ID == g.endpoint })
		if at < 0 {
			continue
		}
		p.Endpoints[at].WatchedGate = cmk.WatchedGate{Hash: g.endpoint, Votes: g.votes, Rejected: g.rejected}
		p.Endpoints[at].Given = g.given
	}
	return p
}

// resume takes over from an earlier run.
func (w *watch) resume(ctx workflow.Context) error {
	p := w.request.Progress
	if p == nil {
		return nil
	}
	w.request.Progress = nil
	w.status.Started, w.status.Findings, w.status.Writes, w.status.Problem = p.Started, p.Findings, p.Writes, p.Problem
	w.baseline, w.outbox, w.sent, w.told = p.Baseline, p.Outbox, p.Sent, len(p.Writes)
	w.approvals.refusals = p.Refusals
	w.repairFailed, w.unreadable = p.RepairFailed, p.Unreadable
	if p.Remakes != nil {
		w.endpoints.remakes = p.Remakes
	}
	if a := p.Acceptance; a != nil {
		w.approvals.plan = &gate{hash: a.Hash, votes: a.Votes, rejected: a.Rejected}
	}
	if len(p.Seen) == 0 {
		return nil
	}
	var look activities.Look
	if err := json.Unmarshal(p.Seen, &look); err != nil {
		return invalid(err)
	}
	for _, e := range p.Endpoints {
		at := slices.IndexFunc(look.Endpoints, func(o activities.Endpoint) bool { return o.ID == e.ID })
		if at >= 0 && !e.Since.IsZero() {
			w.endpoints.since[e.ID+string(look.Endpoints[at].Status)] = e.Since
		}
		if e.Hash != e.ID {
			continue // not the one that counts in its region
		}
		w.approvals.regions = append(w.approvals.regions, &endpointGate{
			region: e.Region, endpoint: e.ID, gate: gate{votes: e.Votes, rejected: e.Rejected, given: e.Given},
		})
	}
	// Who has changed what since the look before has been judged by the earlier run.
	w.look = &activities.Look{Endpoints: look.Endpoints}
	baseline := w.baseline
	w.saw(ctx, &look)
	w.baseline = baseline
	if workflow.GetVersion(ctx, "asked-before", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		// The earlier run has told whom it asked for what.
		w.waits = append(w.waits, w.endpoints.awaitMissing(ctx, time.Time{}))
		w.awaitAcceptance(ctx, w.status.Findings)
		w.asked = w.asks()
	}
	return nil
}
