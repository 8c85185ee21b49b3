package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// maxRemakes is how often an endpoint that failed is made anew.
const maxRemakes = 3

// endpointSet is the private endpoints of some regions, with their approvals.
type endpointSet struct {
	*change
	regions   []string
	deadlines cmk.Deadlines
	// before are the endpoints that preflight saw, current those that are there now.
	before, current []activities.Endpoint
	// since is when each endpoint was first seen in each status.
	since   map[string]time.Time
	remakes map[string]int
	// began is when the last endpoint was created, looked when current was seen.
	began, looked time.Time
	// asked is since when each region's approval has been waited for, by region and endpoint.
	asked map[string]time.Time
	// agreed are the regions whose endpoint is gone and is to be made anew, as a person has said.
	agreed []string
	// gaveUp is set once endpoints that were lost are not to be mended.
	gaveUp error
	// atlasDecides is true where Atlas's status alone decides, and people are asked only while it waits for them.
	atlasDecides bool
	// unattended is set once the endpoints need no eye on them any more.
	unattended bool
}

func newEndpointSet(c *change, regions []string, deadlines cmk.Deadlines, before []activities.Endpoint) *endpointSet {
	e := &endpointSet{change: c, regions: regions, deadlines: deadlines, before: before, since: map[string]time.Time{}, remakes: map[string]int{}, asked: map[string]time.Time{}}
	e.current = slices.DeleteFunc(slices.Clone(before), func(p activities.Endpoint) bool { return !slices.Contains(regions, p.Region) })
	return e
}

// all are the endpoints of these regions as they are now, and those of others as preflight saw them.
func (e *endpointSet) all() []activities.Endpoint {
	others := slices.DeleteFunc(slices.Clone(e.before), func(p activities.Endpoint) bool { return slices.Contains(e.regions, p.Region) })
	return append(others, e.current...)
}

// stood are the ids of the endpoints that preflight saw.
func (e *endpointSet) stood() []string {
	var ids []string
	for _, p := range e.before {
		ids = append(ids, p.ID)
	}
	return ids
}

// create creates the endpoints that are missing; where the policy says so, once each is approved.
func (e *endpointSet) create(ctx workflow.Context) error {
	if e.approvals.policy.Mode == cmk.ApproveCreate {
		if err := e.awaitApprovals(ctx); err != nil {
			return err
		}
	}
	before := e.stood()
	e.saga.arm("delete the private endpoints", func(ctx workflow.Context) error {
		// A path that is in use by now stays: without it, the cluster could not reach its key.
		unused := slices.DeleteFunc(slices.Clone(e.regions), func(region string) bool { return e.approvals.region(region).inUse })
		taken := func(p activities.Endpoint) bool {
			return slices.Contains(unused, p.Region) && !slices.Contains(before, p.ID)
		}
		in := activities.RemoveEndpointsInput{Lease: e.under(), ProjectID: e.projectID(), Regions: unused, Except: before}
		if err := workflow.ExecuteActivity(writing(ctx, "undo: private endpoints"), atlas.RemoveEndpoints, in).Get(ctx, nil); err != nil {
			return err
		}
		for _, p := range e.current {
			if taken(p) {
				e.undid(ctx, cmk.SystemAtlas, "delete private endpoint in "+p.Region, p.ID)
			}
		}
		e.current = slices.DeleteFunc(e.current, taken)
		for _, p := range e.current {
			if !slices.Contains(before, p.ID) {
				e.keep = append(e.keep, fmt.Sprintf("private endpoint %s in %s: a cluster reaches its key through it", p.ID, p.Region))
			}
		}
		return nil
	})
	return e.ensure(ctx, e.regions)
}

// ensure has an endpoint in each of the regions, and records those that are new.
func (e *endpointSet) ensure(ctx workflow.Context, regions []string) error {
	in := activities.EndpointsInput{Lease: e.under(), ProjectID: e.projectID(), Regions: regions}
	var there []activities.Endpoint
	if err := workflow.ExecuteActivity(writing(ctx, fmt.Sprintf("private endpoints in %d regions", len(regions))), atlas.EnsureEndpoints, in).Get(ctx, &there); err != nil {
		return err
	}
	for _, p := range there {
		if !slices.ContainsFunc(e.current, func(o activities.Endpoint) bool { return o.ID == p.ID }) {
			e.wrote(ctx, cmk.SystemAtlas, "create private endpoint in "+p.Region, p.ID)
			e.began = workflow.Now(ctx)
		}
	}
	others := slices.DeleteFunc(slices.Clone(e.current), func(p activities.Endpoint) bool { return slices.Contains(regions, p.Region) })
	e.saw(ctx, append(others, there...))
	return nil
}

// saw takes in the endpoints as they are now, and ties the approvals to them.
func (e *endpointSet) saw(ctx workflow.Context, endpoints []activities.Endpoint) {
	now := workflow.Now(ctx).UTC()
	for _, p := range endpoints {
		key := p.ID + string(p.Status)
		if e.since[key].IsZero() {
			e.since[key] = now
		}
	}
	e.current, e.looked = endpoints, workflow.Now(ctx)
	for _, region := range e.regions {
		if p := e.in(region); p != nil {
			gate := e.approvals.region(region)
			gate.bind(p.ID, e.remakes[region] > 0 && e.remade(region, gate.endpoint))
			gate.acceptance = e.awaitsAcceptance(ctx, p)
		}
	}
	e.show(ctx)
}

// awaitsAcceptance says whether an endpoint waits for somebody to accept it, where nobody is asked otherwise.
func (e *endpointSet) awaitsAcceptance(ctx workflow.Context, p *activities.Endpoint) bool {
	return e.atlasDecides && p.Status == cmk.EndpointPendingAcceptance &&
		workflow.GetVersion(ctx, "ask-for-acceptance", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// forget drops what is only known of endpoints that are gone.
func (e *endpointSet) forget() {
	since := map[string]time.Time{}
	asked := map[string]time.Time{}
	for _, p := range e.current {
		key := p.ID + string(p.Status)
		since[key] = e.since[key]
		if at, ok := e.asked[p.Region+p.ID]; ok {
			asked[p.Region+p.ID] = at
		}
	}
	e.since, e.asked = since, asked
}

// remade says whether the endpoint that was in a region is gone because we made another in its place.
func (e *endpointSet) remade(region, id string) bool {
	return !slices.ContainsFunc(e.current, func(p activities.Endpoint) bool { return p.Region == region && p.ID == id }) &&
		!e.since[id+string(cmk.EndpointFailed)].IsZero()
}

// in is the endpoint that counts in a region: while Atlas recreates one there are two, and it is the newer one,
// which is not PENDING_RECREATION, that will carry the traffic.
func (e *endpointSet) in(region string) *activities.Endpoint {
	var found *activities.Endpoint
	for i, p := range e.current {
		if p.Region == region && (found == nil || found.Status == cmk.EndpointPendingRecreation || found.Status == cmk.EndpointDeleting) {
			found = &e.current[i]
		}
	}
	return found
}

// awaitActive waits until every region's endpoint is ACTIVE; what people say meanwhile is kept, and changes nothing.
func (e *endpointSet) awaitActive(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(e.deadlines.Endpoint))
	for !e.allActive() {
		var err error
		if failed := e.failedRegions(); len(failed) > 0 {
			err = e.remake(ctx, failed)
		} else {
			err = e.watchUntil(ctx, deadline, false, func() bool { return false })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitReady waits until every region's endpoint is ACTIVE and approved.
func (e *endpointSet) awaitReady(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(e.deadlines.Endpoint))
	// What people are to approve, since the endpoints stood, and until when they may: one that comes and goes asks nothing new.
	var asked []string
	var by time.Time
	for {
		if region := e.approvals.rejectedRegion(); region != "" {
			return failure(cmk.ErrRejected, "the private endpoint in %s was rejected", region)
		}
		if failed := e.failedRegions(); len(failed) > 0 {
			if err := e.remake(ctx, failed); err != nil {
				return err
			}
			continue
		}
		if e.disputed != nil {
			return e.disputed
		}
		if e.allActive() {
			if e.allApproved() && e.undisputed() {
				return nil
			}
			// The endpoints stand; what remains is for people, whose deadline is their own.
			ids := e.unapproved()
			if len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(asked, id) }) {
				asked, by = ids, workflow.Now(ctx).Add(time.Duration(e.deadlines.Approval))
			}
			if err := e.watchWhileApproving(ctx, by); err != nil {
				return err
			}
			continue
		}
		err := e.watchUntil(ctx, deadline, false, func() bool { return e.approvals.rejectedRegion() != "" || e.disputed != nil })
		if errorType(err) == cmk.ErrExpired {
			err = e.overdue(ctx, err)
			deadline = workflow.Now(ctx).Add(time.Duration(e.deadlines.Endpoint))
		}
		if err != nil {
			return err
		}
	}
}

func (e *endpointSet) allActive() bool {
	return !slices.ContainsFunc(e.regions, func(region string) bool {
		p := e.in(region)
		return p == nil || p.Status != cmk.EndpointActive
	})
}

func (e *endpointSet) allApproved() bool {
	return !slices.ContainsFunc(e.regions, func(region string) bool { return !e.approvals.passes(region) })
}

// unapproved are the endpoints that people have not approved yet.
func (e *endpointSet) unapproved() []string {
	var ids []string
	for _, region := range e.regions {
		if p := e.in(region); p != nil && !e.approvals.passes(region) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func (e *endpointSet) failedRegions() []string {
	var regions []string
	for _, region := range e.regions {
		if p := e.in(region); p != nil && p.Status == cmk.EndpointFailed {
			regions = append(regions, region)
		}
	}
	return regions
}

// watchUntil looks at the endpoints until they change, or stop becomes true.
func (e *endpointSet) watchUntil(ctx workflow.Context, deadline time.Time, idle bool, stop func() bool) error {
	defer e.awaitMissing(ctx, deadline)()
	watch, cancel := workflow.WithCancel(ctx)
	defer cancel()
	in := activities.ObserveEndpointsInput{
		ProjectID: e.projectID(), Regions: e.regions, LastSeen: e.current, Began: e.began, Until: deadline, Looked: e.looked, Idle: idle,
	}
	look := workflow.ExecuteActivity(observing(watch, "watch the private endpoints", deadline), atlas.ObserveEndpoints, in)
	if err := workflow.Await(ctx, func() bool { return look.IsReady() || stop() }); err != nil {
		return err
	}
	if !look.IsReady() {
		return nil
	}
	var now []activities.Endpoint
	err := look.Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrExpired, "the private endpoints were not ACTIVE by %s: %s", deadline.UTC().Format(time.RFC3339), e.endpointList())
	}
	if err != nil {
		return err
	}
	e.saw(ctx, now)
	return nil
}

// watchWhileApproving waits for people, and keeps an eye on the endpoints.
func (e *endpointSet) watchWhileApproving(ctx workflow.Context, deadline time.Time) error {
	err := e.watchUntil(ctx, deadline, true, func() bool {
		return e.allApproved() && e.undisputed() || e.disputed != nil || e.approvals.rejectedRegion() != ""
	})
	if errorType(err) == cmk.ErrExpired {
		return failure(cmk.ErrExpired, "the private endpoints were not approved by %s", deadline.UTC().Format(time.RFC3339))
	}
	return err
}

// awaitApprovals waits for people alone.
func (e *endpointSet) awaitApprovals(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(e.deadlines.Approval))
	defer e.awaitMissing(ctx, deadline)()
	err := until(ctx, deadline, "approval of the private endpoints", func() bool {
		return e.allApproved() && e.undisputed() || e.disputed != nil || e.approvals.rejectedRegion() != ""
	})
	if err := cmp.Or(err, e.disputed); err != nil {
		return err
	}
	if region := e.approvals.rejectedRegion(); region != "" {
		return failure(cmk.ErrRejected, "the private endpoint in %s was rejected", region)
	}
	return nil
}

// awaitMissing shows what is missing of each region.
func (e *endpointSet) awaitMissing(ctx workflow.Context, deadline time.Time) (done func()) {
	var dones []func()
	for _, region := range e.regions {
		p := e.in(region)
		if !e.approvals.passes(region) {
			dones = append(dones, e.await(ctx, e.approvalOf(ctx, region, p, deadline)))
		}
		if p != nil && p.Status != cmk.EndpointActive {
			dones = append(dones, e.await(ctx, cmk.Wait{
				For: cmk.AwaitingEndpoint, Region: region, What: fmt.Sprintf("private endpoint %s in %s, now %s", p.ID, region, p.Status),
				Since: e.since[p.ID+string(p.Status)], Until: deadline,
			}))
		}
	}
	return func() {
		for _, done := range dones {
			done()
		}
	}
}

// approvalOf is the wait for the approval of a region's endpoint, which may not exist yet.
func (e *endpointSet) approvalOf(ctx workflow.Context, region string, p *activities.Endpoint, deadline time.Time) cmk.Wait {
	payload, key := map[string]string{"by": yourName, "region": region}, region
	if p != nil {
		payload, key = map[string]string{"by": yourName, "endpoint": p.ID}, region+p.ID
	}
	if e.asked[key].IsZero() {
		e.asked[key] = workflow.Now(ctx).UTC()
	}
	what := "approval of the private endpoint in " + region
	if e.approvals.region(region).acceptance {
		what += ", whose connection Atlas waits to be accepted"
	}
	return cmk.Wait{
		For: cmk.AwaitingEndpointApproval, Region: region, What: what, Since: e.asked[key], Until: deadline,
		Signal: cmk.SignalApproveEndpoint, Example: example(payload),
	}
}

func (e *endpointSet) endpointList() string {
	var list string
	for _, p := range e.current {
		list += fmt.Sprintf("%s in %s is %s %s; ", p.ID, p.Region, p.Status, p.Error)
	}
	return list
}

// remake deletes endpoints that have failed and creates others in their place, a bounded number of times.
func (e *endpointSet) remake(ctx workflow.Context, regions []string) error {
	var failed []string
	for _, region := range regions {
		p := e.in(region)
		if e.remakes[region] >= maxRemakes {
			return failure(string(cmk.EndpointFailed), "the private endpoint in %s failed %d times: %s", region, maxRemakes+1, p.Error)
		}
		e.remakes[region]++
		failed = append(failed, p.ID)
	}
	in := activities.RemoveEndpointsInput{Lease: e.under(), ProjectID: e.projectID(), Regions: regions, Only: failed, Failed: true}
	if err := workflow.ExecuteActivity(writing(ctx, "delete failed private endpoints"), atlas.RemoveEndpoints, in).Get(ctx, nil); err != nil {
		return err
	}
	for _, id := range failed {
		e.wrote(ctx, cmk.SystemAtlas, "delete failed private endpoint", id)
	}
	return e.ensure(ctx, regions)
}

// report lists the regions with their endpoints.
func (e *endpointSet) report() []cmk.EndpointReport {
	var reports []cmk.EndpointReport
	for _, region := range e.regions {
		r := cmk.EndpointReport{Region: region, Approval: e.approvals.endpointState(region), Votes: slices.Clone(e.approvals.region(region).votes)}
		if p := e.in(region); p != nil {
			r.ID, r.Status, r.ErrorMessage, r.Since = p.ID, p.Status, p.Error, e.since[p.ID+string(p.Status)]
		}
		reports = append(reports, r)
	}
	return reports
}

// ids are those of the endpoints that count, of regions where keep says so.
func (e *endpointSet) ids(keep func(region string) bool) []string {
	var ids []string
	for _, region := range e.regions {
		if p := e.in(region); p != nil && keep(region) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
