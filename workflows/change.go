package workflows

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// change is one run that may write: its status, its lease, its approvals, and how to take back what it did.
type change struct {
	status    cmk.Status
	onFailure cmk.OnFailure
	lease     *lease
	approvals *approvals
	saga      saga
	// feed is how far the change has followed what others do to the project.
	feed *activities.Feed
	// pivoted is true once there is no way back.
	pivoted bool
	// chosen is what people said of steps that cannot go on, by step: retry, skip or abort.
	chosen map[string]string
	// disputed is set once a person has chosen to end the change for an endpoint that was rejected and is in use.
	disputed error
	final    *cmk.FinalState
	keep     []string
	// turn is set where people may end the change early, with restore or stop.
	turn *turn
	// upserted is what the search attributes were last set to; stale says that they may differ by now.
	upserted [2]string
	stale    bool
	// describe completes the status with what the procedure knows.
	describe func(*cmk.Status)
	// conclude completes the report.
	conclude func(*cmk.Report)
}

func newChange(ctx workflow.Context, workflowType, projectID, requester string, policy cmk.ApprovalPolicy, onFailure cmk.OnFailure) *change {
	return &change{
		status: cmk.Status{
			Workflow: workflowType, ProjectID: projectID, Requester: requester, Started: workflow.Now(ctx).UTC(), Phase: cmk.PhasePreflight,
		},
		onFailure: onFailure,
		approvals: newApprovals(policy, requester),
		chosen:    map[string]string{},
		describe:  func(*cmk.Status) {},
		conclude:  func(*cmk.Report) {},
	}
}

// run carries out the steps of a change under the project's lease, and closes it: with its report, or with an error that
// carries the report. A dry run takes no lease, since it writes nothing.
func (c *change) run(ctx workflow.Context, dryRun bool, steps func(workflow.Context) error) (*cmk.Report, error) {
	if err := c.listen(ctx); err != nil {
		return nil, err
	}
	c.keepUpserted(ctx)
	c.remind(ctx)
	c.settleRejections(ctx)
	c.enter(ctx, cmk.PhasePreflight)
	if !dryRun {
		var err error
		if c.lease, err = acquire(ctx, cmk.LeaseID(c.status.ProjectID), false); err != nil {
			return nil, c.fail(ctx, cmk.PhaseRefused, err)
		}
	}
	err := steps(ctx)
	if err != nil && ctx.Err() != nil {
		// A step that was in flight ends in its own way, with a time-out if its worker died: the change was cancelled.
		err = ctx.Err()
	}
	switch {
	case err == nil && dryRun:
		return c.complete(ctx, cmk.PhasePlanned), nil
	case err == nil:
		return c.complete(ctx, cmk.PhaseDone), nil
	case len(c.status.Writes)+len(c.saga.undos)+len(c.keep) == 0 && !c.pivoted:
		return nil, c.fail(ctx, cmk.PhaseRefused, err)
	case c.pivoted || c.onFailure == cmk.Stop:
		return nil, c.fail(ctx, cmk.PhaseStopped, err)
	}
	return nil, c.fail(ctx, c.compensate(ctx, err), err)
}

// compensate takes back what was done, last first, and says in which phase that leaves the change. What cannot be taken
// back waits for a person.
func (c *change) compensate(ctx workflow.Context, because error) cmk.Phase {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	c.status.Problem = reason(because)
	c.enter(ctx, cmk.PhaseCompensation)
	for _, u := range slices.Backward(c.saga.undos) {
		for {
			err := u.run(ctx)
			if err == nil {
				break
			}
			if errorType(err) == cmk.ErrLeaseLost {
				return cmk.PhaseStopped
			}
			if c.askPerson(ctx, u.name, err, false) == cmk.SignalAbort {
				return cmk.PhaseStopped
			}
		}
	}
	return cmk.PhaseCompensated
}

// complete ends the change well.
func (c *change) complete(ctx workflow.Context, phase cmk.Phase) *cmk.Report {
	c.close(ctx, phase)
	return c.report()
}

// fail ends the change in a phase, and gives err its final form: with the report in its details.
func (c *change) fail(ctx workflow.Context, phase cmk.Phase, err error) error {
	c.status.Problem = reason(err)
	if temporal.IsCanceledError(err) {
		c.status.Problem = "cancelled"
	}
	c.close(ctx, phase)
	switch {
	case errorType(err) == cmk.ErrProjectBusy:
		return err
	case temporal.IsCanceledError(err):
		return temporal.NewCanceledError(c.report())
	}
	return temporal.NewApplicationErrorWithOptions(c.summary(err), cmp.Or(errorType(err), "Failed"),
		temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{c.report()}})
}

func (c *change) close(ctx workflow.Context, phase cmk.Phase) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	ended := workflow.Now(ctx).UTC()
	c.status.Ended = &ended
	c.status.Awaiting = nil
	c.enter(ctx, phase)
	c.upsert(ctx)
}

// summary is one line for whoever sees only the error.
func (c *change) summary(err error) string {
	outcomes := map[cmk.Phase]string{
		cmk.PhaseRefused:     "nothing was written",
		cmk.PhaseCompensated: "everything that was written has been taken back",
		cmk.PhaseStopped:     "the change stopped part-way, its report says where",
	}
	if c.status.Phase == cmk.PhaseCompensated && len(c.keep) > 0 {
		return reason(err) + "; what was written has been taken back, but for what its report lists as kept"
	}
	return reason(err) + "; " + outcomes[c.status.Phase]
}

// enter begins a phase.
func (c *change) enter(ctx workflow.Context, phase cmk.Phase) {
	c.status.Phase = phase
	c.show(ctx)
}

// show brings what people see up to date: the run's current details at once, and its search attributes once nothing more
// can be done for now, since each upsert is an event.
func (c *change) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, details(c.snapshot()))
	c.stale = true
}

// keepUpserted has the search attributes upserted from now on when they may differ. All else that can go on in a workflow
// task has by then.
func (c *change) keepUpserted(ctx workflow.Context) {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(apart, "search attributes", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return c.stale }) == nil {
			c.upsert(ctx)
		}
	})
}

// upsert sets the search attributes, if they differ.
func (c *change) upsert(ctx workflow.Context) {
	c.stale = false
	status := c.snapshot()
	awaiting := cmk.AwaitingNothing
	// A wait of seconds that passes by itself is not worth a search attribute.
	if len(status.Awaiting) > 0 && status.Awaiting[0].For != cmk.AwaitingPropagation {
		awaiting = status.Awaiting[0].For
	}
	now := [2]string{string(status.Phase), string(awaiting)}
	if now == c.upserted {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, searchAttributes(c.status.ProjectID, now)...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not set", "error", err)
		return
	}
	c.upserted = now
}

func searchAttributes(projectID string, phaseAndAwaiting [2]string) []temporal.SearchAttributeUpdate {
	updates := []temporal.SearchAttributeUpdate{
		temporal.NewSearchAttributeKeyKeyword(cmk.SearchAttributePhase).ValueSet(phaseAndAwaiting[0]),
		temporal.NewSearchAttributeKeyKeyword(cmk.SearchAttributeAwaiting).ValueSet(phaseAndAwaiting[1]),
	}
	if projectID == "" {
		return updates // what is about many projects
	}
	return append(updates, temporal.NewSearchAttributeKeyKeyword(cmk.SearchAttributeProjectID).ValueSet(projectID))
}

// snapshot is the status as it is answered.
func (c *change) snapshot() cmk.Status {
	s := c.status
	// What people have just approved is awaited no longer, though the wait itself has yet to notice.
	s.Awaiting = slices.DeleteFunc(slices.Clone(s.Awaiting), func(w cmk.Wait) bool {
		return w.For == cmk.AwaitingEndpointApproval && c.approvals.passes(w.Region)
	})
	s.Writes = slices.Clone(s.Writes)
	s.Refusals = slices.Clone(c.approvals.refusals)
	if c.approvals.plan != nil {
		s.Approvals = slices.Clone(c.approvals.plan.votes)
	}
	c.describe(&s)
	return s
}

func (c *change) report() *cmk.Report {
	r := &cmk.Report{Status: c.snapshot(), Verified: c.status.Phase == cmk.PhaseDone, Final: c.final, Keep: c.keep}
	c.conclude(r)
	return r
}

// wrote records a write of this change. Whether there was something to write is told by what preflight saw, not by what
// an attempt found: a retry after a lost answer finds the work done, and it was ours.
func (c *change) wrote(ctx workflow.Context, system, operation, object string) {
	c.status.Writes = append(c.status.Writes, cmk.Write{At: workflow.Now(ctx).UTC(), System: system, Operation: operation, Object: object})
}

// undid records that a write was taken back.
func (c *change) undid(ctx workflow.Context, system, operation, object string) {
	c.status.Writes = append(c.status.Writes, cmk.Write{At: workflow.Now(ctx).UTC(), System: system, Operation: operation, Object: object, Undo: true})
}

// await shows that the change waits for something, until the returned function is called.
func (c *change) await(ctx workflow.Context, w cmk.Wait) (done func()) {
	if w.Since.IsZero() {
		w.Since = workflow.Now(ctx).UTC()
	}
	if w.For == cmk.AwaitingDecision { // what only a person moves on comes first
		c.status.Awaiting = slices.Insert(c.status.Awaiting, 0, w)
	} else {
		c.status.Awaiting = append(c.status.Awaiting, w)
	}
	c.show(ctx)
	return func() {
		c.status.Awaiting = slices.DeleteFunc(c.status.Awaiting, func(o cmk.Wait) bool { return o.For == w.For && o.What == w.What })
	}
}

// awaitPropagation shows that IAM is waited for.
func (c *change) awaitPropagation(ctx workflow.Context, patience time.Duration) (done func()) {
	return c.await(ctx, cmk.Wait{
		For: cmk.AwaitingPropagation, What: "IAM to show Atlas the role and its permissions", Until: workflow.Now(ctx).Add(patience).UTC(),
	})
}

// until waits for a condition that signals and updates bring about, up to a deadline; zero means none.
func until(ctx workflow.Context, deadline time.Time, what string, condition func() bool) error {
	if deadline.IsZero() {
		return workflow.Await(ctx, condition)
	}
	expired := false
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timerCtx, deadline.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: "deadline: " + what})
	workflow.Go(timerCtx, func(ctx workflow.Context) { expired = timer.Get(ctx, nil) == nil })
	if err := workflow.Await(ctx, func() bool { return expired || condition() }); err != nil {
		return err
	}
	if !condition() {
		return failure(cmk.ErrExpired, "%s did not come by %s", what, deadline.UTC().Format(time.RFC3339))
	}
	return nil
}

// signalSeparator stands between the signals that a wait lists.
const signalSeparator = " | "

// options are the signals that move a wait on.
func options(w cmk.Wait) []string { return strings.Split(w.Signal, signalSeparator) }

const yourName = "your name"

// example is a payload, to be shown to whoever is to send one.
func example(payload map[string]string) string {
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return string(text)
}

// awaitPlan waits until what the hash identifies is approved. It fails when it is rejected, or not decided in time.
func (c *change) awaitPlan(ctx workflow.Context, what, hash string, within cmk.Duration) error {
	gate := &gate{hash: hash}
	c.approvals.plan = gate
	deadline := workflow.Now(ctx).Add(time.Duration(within))
	done := c.await(ctx, cmk.Wait{
		For: cmk.AwaitingPlanApproval, What: what, Until: deadline,
		Signal: cmk.SignalApprove, Example: example(map[string]string{"by": yourName, "plan": hash}),
	})
	defer done()
	if err := until(ctx, deadline, what, func() bool { return gate.decided(c.approvals.policy.Approvers) }); err != nil {
		return err
	}
	if gate.rejected {
		return failure(cmk.ErrRejected, "plan %s was rejected by %s", hash, gate.votes[len(gate.votes)-1].By)
	}
	return nil
}

// refuseErrors ends a change whose preflight has found errors, all of them named; a dry run only shows them.
func (c *change) refuseErrors(dryRun bool) error {
	var errs []string
	for _, f := range c.status.Findings {
		if f.Severity == cmk.SeverityError {
			errs = append(errs, fmt.Sprintf("%s: %s (%s)", f.Code, f.Detail, f.Remedy))
		}
	}
	if len(errs) == 0 || dryRun {
		return nil
	}
	return failure(cmk.ErrPreflightFailed, "preflight found %d errors: %s", len(errs), strings.Join(errs, "; "))
}

// freshness is for how long what preflight saw is good enough to act on.
const freshness = 5 * time.Minute

// askPerson waits until somebody says what to do with a step that cannot go on: retry, abort, or where the step can be
// left out, skip.
func (c *change) askPerson(ctx workflow.Context, step string, err error, skippable bool) string {
	signals := []string{cmk.SignalRetry, cmk.SignalAbort}
	if skippable {
		signals = append(signals, cmk.SignalSkip)
	}
	delete(c.chosen, step)
	done := c.await(ctx, cmk.Wait{
		For: cmk.AwaitingDecision, Step: step, What: reason(err),
		Signal: strings.Join(signals, signalSeparator), Example: example(map[string]string{"by": yourName, "step": step}),
	})
	defer done()
	// Whatever is chosen, it is chosen knowing of this.
	defer c.acknowledge(err)
	chosen := func() bool { return slices.Contains(signals, c.chosen[step]) }
	if err := workflow.Await(ctx, chosen); err != nil {
		return cmk.SignalAbort
	}
	choice := c.chosen[step]
	delete(c.chosen, step)
	return choice
}

// settleRejections asks a person about a rejection of an endpoint through which a cluster reaches its key: the endpoint stays,
// and the change goes on with it, or ends. Nothing more is put on the key before that.
func (c *change) settleRejections(ctx workflow.Context) {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(apart, "rejections of endpoints in use", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return c.approvals.contested != nil }) == nil && c.disputed == nil {
			if workflow.GetVersion(ctx, "ask-about-rejection-in-use", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
				err := failure(cmk.ErrRejected, "%s rejects the private endpoint of a region where a cluster on the key has nodes: retry goes on with it, abort ends the change and leaves it", c.approvals.contested.By)
				if c.askPerson(ctx, "rejected endpoint", err, false) == cmk.SignalAbort {
					c.disputed = failure(cmk.ErrAborted, "%s", reason(err))
				}
			}
			c.approvals.contested = nil
		}
	})
}

// projectID is the project that the change is about.
func (c *change) projectID() string { return c.status.ProjectID }

// under is the lease that a write goes under, with what the change knows of what others do.
func (c *change) under() activities.Lease {
	l := c.lease.Lease
	l.Feed = c.feed
	return l
}

// unasked is under for writes inside a window, which nobody is asked about: it has to be left.
func (c *change) unasked() activities.Lease { return c.lease.Lease }
