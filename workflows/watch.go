package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// WatchProject watches a project for years. A look that finds nothing new leaves no trace in history; what is new opens and
// closes findings, asks people for the approvals that follow, and is told to the outside. It repairs what it was told it may,
// under the project's lease, which it holds for no longer than that.
func WatchProject(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeWatch(input)
	if err != nil {
		return nil, invalid(err)
	}
	w := newWatch(ctx, request)
	if err := w.listen(ctx); err != nil {
		return nil, err
	}
	if err := w.resume(ctx); err != nil {
		return nil, err
	}
	w.keepUpserted(ctx)
	w.deliver(ctx)
	w.remind(ctx)
	err = w.run(ctx)
	if workflow.IsContinueAsNewError(err) {
		return nil, err
	}
	// A watch ends by being cancelled.
	return nil, w.fail(ctx, cmk.PhaseStopped, err)
}

// watch is one run of WatchProject.
type watch struct {
	*change
	request   cmk.WatchRequest
	endpoints *endpointSet
	// look is the project as it was last seen; nil before the first look.
	look     *activities.Look
	baseline *cmk.Baseline
	// unreadable is why the project could not be read, if so, and lookAfter when that is tried again.
	unreadable string
	lookAfter  time.Time
	// repairFailed is why a repair failed, if so, and repairAfter when it may be tried next.
	repairFailed string
	repairAfter  time.Time
	// outbox are notifications that have not been delivered yet; sent counts all.
	outbox []cmk.Notification
	sent   int
	// told is up to which write the outside has been told; asked, what people were asked for last.
	told  int
	asked []cmk.Wait
	// waits takes back what was last shown as being awaited.
	waits []func()
}

// maxWrites is how many of its writes a watch remembers.
const maxWrites = 50

func newWatch(ctx workflow.Context, request cmk.WatchRequest) *watch {
	w := &watch{
		change:  newChange(ctx, cmk.WatchProject, request.ProjectID, request.Requester, request.Approval, cmk.Stop),
		request: request,
	}
	w.endpoints = newEndpointSet(w.change, nil, cmk.Deadlines{}, nil)
	w.change.describe = w.describe
	return w
}

func (w *watch) describe(s *cmk.Status) {
	if w.look == nil {
		return
	}
	tell(s, w.look)
	s.Endpoints = w.endpoints.report()
}

// run watches until it is cancelled, or the history has grown long.
func (w *watch) run(ctx workflow.Context) error {
	if w.look == nil {
		w.enter(ctx, cmk.PhasePreflight)
	} else {
		w.assess(ctx)
	}
	for {
		if err := w.observe(ctx); err != nil {
			return err
		}
		if err := w.repair(ctx); err != nil {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return w.renew(ctx)
		}
	}
}

// observe looks until something is new, or there is something else to see to.
func (w *watch) observe(ctx workflow.Context) error {
	apart, stop := workflow.WithCancel(ctx)
	defer stop()
	var look workflow.Future
	interval := w.interval()
	if w.unreadable == "" || !workflow.Now(ctx).Before(w.lookAfter) {
		in := activities.ObserveProjectInput{
			ProjectID: w.projectID(), LastSeen: w.look, Interval: interval, SettingsInterval: w.request.SettingsInterval, Anyway: w.unreadable != "",
		}
		look = workflow.ExecuteActivity(watching(apart, "watch the project", time.Duration(interval)), atlas.ObserveProject, in)
	}
	for {
		said := w.said()
		err := until(ctx, w.wake(ctx), "something to see to", func() bool {
			return look != nil && look.IsReady() || w.said() != said || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
		})
		if err != nil && errorType(err) != cmk.ErrExpired {
			return err
		}
		switch {
		case look != nil && look.IsReady():
			return w.takeIn(ctx, look)
		case err != nil, workflow.GetInfo(ctx).GetContinueAsNewSuggested():
			w.assess(ctx)
			return nil
		}
		// Somebody has said something; the look goes on, unless it is to be quicker or slower now.
		w.assess(ctx)
		if w.interval() != interval {
			return nil
		}
	}
}

// takeIn takes in what a look has seen.
func (w *watch) takeIn(ctx workflow.Context, look workflow.Future) error {
	var seen activities.Look
	if err := look.Get(ctx, &seen); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errorType(err) == cmk.ErrNotReady {
			return nil // nothing has changed for as long as a look goes on
		}
		const later = 10
		w.unreadable = reason(err)
		w.lookAfter = workflow.Now(ctx).Add(min(later*time.Duration(w.request.Interval), time.Hour))
		w.assess(ctx)
		return nil
	}
	w.unreadable = ""
	w.saw(ctx, &seen)
	w.assess(ctx)
	return nil
}

// interval is how often to look.
func (w *watch) interval() cmk.Duration {
	if w.look != nil && slices.ContainsFunc(w.look.Endpoints, func(e activities.Endpoint) bool {
		return e.Status != cmk.EndpointActive && e.Status != cmk.EndpointFailed
	}) {
		return w.request.Soon
	}
	return w.request.Interval
}

// wake is when there is something to see to besides what looks see; zero when there is not.
func (w *watch) wake(ctx workflow.Context) time.Time {
	var times []time.Time
	if w.unreadable != "" && workflow.Now(ctx).Before(w.lookAfter) {
		times = append(times, w.lookAfter)
	}
	if len(w.repairs(w.look)) > 0 {
		times = append(times, w.repairAfter)
	}
	for _, e := range w.endpoints.current {
		if due := w.overdue(e); due.After(workflow.Now(ctx)) {
			times = append(times, due)
		}
	}
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
}

// overdue is when an endpoint that is on its way to another status counts as stuck; zero for one that is not.
func (w *watch) overdue(e activities.Endpoint) time.Time {
	since := w.endpoints.since[e.ID+string(e.Status)]
	if e.Status == cmk.EndpointActive || e.Status == cmk.EndpointFailed || since.IsZero() {
		return time.Time{}
	}
	return since.Add(time.Duration(w.request.Stuck))
}

// said tells by a text whether people have decided anything.
func (w *watch) said() string {
	text := ""
	for _, e := range w.approvals.regions {
		text += fmt.Sprintf("%s %d %t;", e.region, len(e.votes), e.rejected)
	}
	if p := w.approvals.plan; p != nil {
		text += fmt.Sprintf("%s %d %t", p.hash, len(p.votes), p.rejected)
	}
	return text
}

// saw takes in the project as it is now, and ties the approvals to its endpoints.
func (w *watch) saw(ctx workflow.Context, look *activities.Look) {
	before := w.look
	first := before == nil
	w.look = look
	w.compare(before)
	inUse := func(region string) bool {
		return slices.ContainsFunc(look.Clusters, func(c activities.Cluster) bool {
			return c.Provider == cmk.ProviderAWS && slices.Contains(c.Regions, region)
		})
	}
	regions := []string{}
	for _, e := range look.Endpoints {
		if !slices.Contains(regions, e.Region) {
			regions = append(regions, e.Region)
		}
	}
	w.endpoints.regions = regions
	w.approvals.askEndpoints(regions, inUse)
	bound := map[string]string{}
	for _, region := range regions {
		bound[region] = w.approvals.region(region).endpoint
	}
	w.endpoints.saw(ctx, look.Endpoints)
	for _, region := range regions {
		e := w.endpoints.in(region)
		if e.ID != bound[region] && (first || look.Created && !recreated(before, region) && !recreated(look, region)) {
			w.approvals.region(region).given = true
		}
		if e.Status == cmk.EndpointActive {
			delete(w.endpoints.remakes, region)
		}
	}
	w.endpoints.forget()
}

// compare brings the baseline up to date with what the worker itself has changed since the look before. What somebody else
// has changed stays different from it, until people accept that or it is put back; what the key's policies say nobody signs.
func (w *watch) compare(before *activities.Look) {
	present := baselineOf(w.look)
	switch {
	case before == nil:
		w.baseline = present
	case settingsOf(present) == settingsOf(w.baseline):
		w.baseline.ChangedBy = nil
		for _, region := range workflow.DeterministicKeys(present.Policies) {
			if _, known := w.baseline.Policies[region]; !known {
				w.baseline.Policies[region] = present.Policies[region]
			}
		}
	case len(w.look.Strangers) > 0:
		w.baseline.ChangedBy = w.look.Strangers
	case len(w.baseline.ChangedBy) == 0:
		w.baseline = present
	}
}

// recreated says whether Atlas is replacing an endpoint in a region.
func recreated(l *activities.Look, region string) bool {
	return slices.ContainsFunc(l.Endpoints, func(e activities.Endpoint) bool {
		return e.Region == region && e.Status == cmk.EndpointPendingRecreation
	})
}

// longestLook is after how long a look in which nothing has changed is begun anew.
const longestLook = 365 * 24 * time.Hour

// watching is for looks that go on for as long as nothing changes, which may be years.
func watching(ctx workflow.Context, summary string, interval time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attempt, ScheduleToCloseTimeout: longestLook,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: min(interval, 5*time.Second), BackoffCoefficient: 2, MaximumInterval: interval,
		},
		Summary: summary,
	})
}

// deliver sends the notifications, one after the other, for as long as the watch runs.
func (w *watch) deliver(ctx workflow.Context) {
	workflow.GoNamed(ctx, "outbox", func(ctx workflow.Context) {
		for {
			if workflow.Await(ctx, func() bool { return len(w.outbox) > 0 }) != nil {
				return
			}
			if err := workflow.ExecuteActivity(delivering(ctx), notifier.Notify, w.outbox[0]).Get(ctx, nil); err != nil {
				if ctx.Err() != nil {
					return
				}
				w.status.Problem = "not delivered: " + reason(err)
				workflow.GetLogger(ctx).Error("notification not delivered", "id", w.outbox[0].ID, "error", reason(err))
			}
			w.outbox = w.outbox[1:]
		}
	})
}
