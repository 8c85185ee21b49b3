package workflows

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// attend keeps an eye on the endpoints for as long as ctx lasts: seldom while all of them are ACTIVE, so that it costs
// little beside what else goes on. What becomes of them is shown; approval of one that Atlas has recreated is asked for at
// once; and since a cluster may be in the middle of its re-sync, what is lost is mended at once too.
func (e *endpointSet) attend(ctx workflow.Context) {
	const pause, long = 5 * time.Minute, 72 * time.Hour
	for ctx.Err() == nil && !e.unattended {
		if err := e.mend(ctx); err != nil {
			if e.gaveUp = e.askWhetherToMend(ctx, err); e.gaveUp != nil {
				return
			}
			continue
		}
		began := workflow.Now(ctx)
		deadline := began.Add(long)
		in := activities.ObserveEndpointsInput{
			ProjectID: e.projectID(), Regions: e.regions, LastSeen: e.current, Began: began, Until: deadline, Idle: e.allActive(),
		}
		done := e.awaitMissing(ctx, time.Time{})
		var now []activities.Endpoint
		err := workflow.ExecuteActivity(observing(ctx, "keep an eye on the private endpoints", deadline), atlas.ObserveEndpoints, in).Get(ctx, &now)
		done()
		switch {
		case err == nil:
			e.saw(ctx, now)
		case ctx.Err() != nil || e.unattended:
			return
		case errorType(err) != cmk.ErrNotReady:
			// Whatever it is, the steps that depend on the endpoints look for themselves.
			_ = workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: "look again: " + reason(err)}).Get(ctx, nil)
		}
	}
}

// mend makes endpoints that have failed anew, a bounded number of times. One that is gone was deleted by somebody: that is
// an error, which people are asked about; if they say so, it is made anew too.
func (e *endpointSet) mend(ctx workflow.Context) error {
	if failed := e.failedRegions(); len(failed) > 0 {
		return e.remake(ctx, failed)
	}
	lost := e.lost()
	if len(lost) == 0 {
		return nil
	}
	if !slices.Equal(lost, e.agreed) {
		return failure(cmk.ErrForeign, "the private endpoint in %s is gone: somebody has deleted it; retry makes another", strings.Join(lost, ", "))
	}
	e.agreed = nil
	return e.ensure(ctx, lost)
}

// askWhetherToMend asks a person about endpoints that could not be mended; nil means to try again.
func (e *endpointSet) askWhetherToMend(ctx workflow.Context, err error) error {
	if errorType(err) == cmk.ErrLeaseLost {
		return err
	}
	choice := e.askPerson(ctx, "private endpoints", err, false)
	if ctx.Err() == nil && choice == cmk.SignalAbort {
		return failure(cmk.ErrAborted, "%s", reason(err))
	}
	e.agreed = e.lost()
	e.remakes = map[string]int{}
	return nil
}

// look takes in the endpoints as they are at this moment.
func (e *endpointSet) look(ctx workflow.Context) error {
	var now []activities.Endpoint
	// No list is the same as one of an endpoint without a name, so that the answer comes at once.
	in := activities.ObserveEndpointsInput{ProjectID: e.projectID(), Regions: e.regions, LastSeen: []activities.Endpoint{{}}}
	if err := workflow.ExecuteActivity(looking(ctx, "look at the private endpoints"), atlas.ObserveEndpoints, in).Get(ctx, &now); err != nil {
		return err
	}
	e.saw(ctx, now)
	return nil
}

// complete is true while every region has its endpoint, ACTIVE and approved.
func (e *endpointSet) complete() bool {
	return e.approvals.rejectedRegion() == "" && e.allActive() && e.allApproved() && e.undisputed()
}

// undisputed is true while nobody is to choose, or has chosen, what becomes of a change whose endpoint in use was rejected.
func (e *endpointSet) undisputed() bool { return e.approvals.contested == nil && e.disputed == nil }

// lost are the regions whose endpoint is gone, or going.
func (e *endpointSet) lost() []string {
	var regions []string
	for _, region := range e.regions {
		if p := e.in(region); p == nil || p.Status == cmk.EndpointDeleting {
			regions = append(regions, region)
		}
	}
	return regions
}

// stand waits until every endpoint is ACTIVE and approved, while attend does the looking and mending.
func (e *endpointSet) stand(ctx workflow.Context) error {
	if e.complete() {
		return nil
	}
	patience := e.deadlines.Approval
	if !e.allActive() {
		patience = e.deadlines.Endpoint
	}
	deadline := workflow.Now(ctx).Add(time.Duration(patience))
	err := until(ctx, deadline, "the private endpoints to be ACTIVE and approved", func() bool {
		return e.complete() || e.gaveUp != nil || e.disputed != nil || e.approvals.rejectedRegion() != ""
	})
	if errorType(err) == cmk.ErrExpired {
		err = failure(cmk.ErrExpired, "%s: %s", reason(err), e.endpointList())
	}
	if region := e.approvals.rejectedRegion(); err == nil && region != "" {
		return failure(cmk.ErrRejected, "the private endpoint in %s was rejected", region)
	}
	return cmp.Or(err, e.disputed, e.gaveUp)
}

// overdue asks a person about endpoints that have taken too long, and goes on watching them meanwhile: once they change,
// nobody has to say anything any more.
func (e *endpointSet) overdue(ctx workflow.Context, err error) error {
	asking, stop := workflow.WithCancel(ctx)
	defer stop()
	choice := ""
	workflow.GoNamed(asking, "overdue", func(ctx workflow.Context) { choice = e.askPerson(ctx, "private endpoints", err, false) })
	for before := e.current; choice == "" && slices.Equal(before, e.current); {
		deadline := workflow.Now(ctx).Add(time.Duration(e.deadlines.Endpoint))
		err := e.watchUntil(ctx, deadline, true, func() bool { return choice != "" || e.approvals.rejectedRegion() != "" })
		if err != nil && errorType(err) != cmk.ErrExpired {
			return err
		}
		if e.approvals.rejectedRegion() != "" {
			return nil
		}
	}
	if choice == cmk.SignalAbort {
		return failure(cmk.ErrAborted, "%s", reason(err))
	}
	return nil
}
