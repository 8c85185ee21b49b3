package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// maxRemakes is how often an endpoint that failed is made anew.
const maxRemakes = 3

// createEndpoints creates the endpoints that are missing; where the policy says so, once each is approved.
func (e *enable) createEndpoints(ctx workflow.Context) error {
	e.enter(ctx, cmk.PhaseEndpoints)
	if e.request.Approval.Mode == cmk.ApproveCreate {
		if err := e.awaitApprovals(ctx); err != nil {
			return err
		}
	}
	var before []string
	for _, p := range e.seen.Project.Endpoints {
		before = append(before, p.ID)
	}
	e.saga.arm("delete the private endpoints", func(ctx workflow.Context) error {
		in := activities.RemoveEndpointsInput{Lease: e.under(), ProjectID: e.request.ProjectID, Regions: e.target.regions, Except: before}
		if err := workflow.ExecuteActivity(writing(ctx, "undo: private endpoints"), atlas.RemoveEndpoints, in).Get(ctx, nil); err != nil {
			return err
		}
		for _, p := range e.endpoints {
			if !slices.Contains(before, p.ID) {
				e.undid(ctx, cmk.SystemAtlas, "delete private endpoint in "+p.Region, p.ID)
			}
		}
		return nil
	})
	return e.ensureEndpoints(ctx, e.target.regions)
}

// ensureEndpoints has an endpoint in each of the regions, and records those that are new.
func (e *enable) ensureEndpoints(ctx workflow.Context, regions []string) error {
	in := activities.EndpointsInput{Lease: e.under(), ProjectID: e.request.ProjectID, Regions: regions}
	var there []activities.Endpoint
	if err := workflow.ExecuteActivity(writing(ctx, fmt.Sprintf("private endpoints in %d regions", len(regions))), atlas.EnsureEndpoints, in).Get(ctx, &there); err != nil {
		return err
	}
	for _, p := range there {
		if !slices.ContainsFunc(e.endpoints, func(o activities.Endpoint) bool { return o.ID == p.ID }) {
			e.wrote(ctx, cmk.SystemAtlas, "create private endpoint in "+p.Region, p.ID)
		}
	}
	others := slices.DeleteFunc(slices.Clone(e.endpoints), func(p activities.Endpoint) bool { return slices.Contains(regions, p.Region) })
	e.saw(ctx, append(others, there...))
	return nil
}

// saw takes in the endpoints as they are now, and ties the approvals to them.
func (e *enable) saw(ctx workflow.Context, endpoints []activities.Endpoint) {
	now := workflow.Now(ctx).UTC()
	for _, p := range endpoints {
		key := p.ID + string(p.Status)
		if e.since[key].IsZero() {
			e.since[key] = now
		}
	}
	e.endpoints = endpoints
	for _, region := range e.target.regions {
		if p := e.endpointIn(region); p != nil {
			gate := e.approvals.region(region)
			gate.bind(p.ID, e.remakes[region] > 0 && e.remade(region, gate.endpoint))
		}
	}
	e.show(ctx)
}

// remade says whether the endpoint that was in a region is gone because we made another in its place.
func (e *enable) remade(region, id string) bool {
	return !slices.ContainsFunc(e.endpoints, func(p activities.Endpoint) bool { return p.Region == region && p.ID == id }) &&
		!e.since[id+string(cmk.EndpointFailed)].IsZero()
}

// endpointIn is the endpoint that counts in a region: while Atlas recreates one there are two, and it is the newer one,
// which is not PENDING_RECREATION, that will carry the traffic.
func (e *enable) endpointIn(region string) *activities.Endpoint {
	var found *activities.Endpoint
	for i, p := range e.endpoints {
		if p.Region == region && (found == nil || found.Status == cmk.EndpointPendingRecreation || found.Status == cmk.EndpointDeleting) {
			found = &e.endpoints[i]
		}
	}
	return found
}

// awaitEndpoints waits until every region's endpoint is ACTIVE and approved.
func (e *enable) awaitEndpoints(ctx workflow.Context) error {
	if e.nothingToDo() {
		return nil
	}
	deadline := workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Endpoint))
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
		if e.allActive() {
			if e.allApproved() {
				return nil
			}
			// The endpoints stand; what remains is for people, whose deadline is their own.
			if err := e.watchWhileApproving(ctx); err != nil {
				return err
			}
			continue
		}
		if err := e.watchUntil(ctx, deadline, false, func() bool { return e.approvals.rejectedRegion() != "" }); err != nil {
			return err
		}
	}
}

// nothingToDo is true of a project that preflight found as it was asked for: then nobody is asked for approval either.
func (e *enable) nothingToDo() bool {
	return e.status.Plan.Writes() == 0 && e.allActive()
}

func (e *enable) allActive() bool {
	return !slices.ContainsFunc(e.target.regions, func(region string) bool {
		p := e.endpointIn(region)
		return p == nil || p.Status != cmk.EndpointActive
	})
}

func (e *enable) allApproved() bool {
	return !slices.ContainsFunc(e.target.regions, func(region string) bool { return !e.approvals.passes(region) })
}

func (e *enable) failedRegions() []string {
	var regions []string
	for _, region := range e.target.regions {
		if p := e.endpointIn(region); p != nil && p.Status == cmk.EndpointFailed {
			regions = append(regions, region)
		}
	}
	return regions
}

// watchUntil looks at the endpoints until they change, or stop becomes true.
func (e *enable) watchUntil(ctx workflow.Context, deadline time.Time, idle bool, stop func() bool) error {
	defer e.awaitMissing(ctx, deadline)()
	watch, cancel := workflow.WithCancel(ctx)
	defer cancel()
	in := activities.ObserveEndpointsInput{ProjectID: e.request.ProjectID, Regions: e.target.regions, LastSeen: e.endpoints, Until: deadline, Idle: idle}
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
func (e *enable) watchWhileApproving(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Approval))
	err := e.watchUntil(ctx, deadline, true, func() bool { return e.allApproved() || e.approvals.rejectedRegion() != "" })
	if errorType(err) == cmk.ErrExpired {
		return failure(cmk.ErrExpired, "the private endpoints were not approved by %s", deadline.UTC().Format(time.RFC3339))
	}
	return err
}

// awaitApprovals waits for people alone.
func (e *enable) awaitApprovals(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Approval))
	defer e.awaitMissing(ctx, deadline)()
	err := until(ctx, deadline, "approval of the private endpoints", func() bool { return e.allApproved() || e.approvals.rejectedRegion() != "" })
	if err != nil {
		return err
	}
	if region := e.approvals.rejectedRegion(); region != "" {
		return failure(cmk.ErrRejected, "the private endpoint in %s was rejected", region)
	}
	return nil
}

// awaitMissing shows what is missing of each region.
func (e *enable) awaitMissing(ctx workflow.Context, deadline time.Time) (done func()) {
	var dones []func()
	for _, region := range e.target.regions {
		p := e.endpointIn(region)
		if !e.approvals.passes(region) {
			w := cmk.Wait{For: cmk.AwaitingEndpointApproval, What: "approval of the private endpoint in " + region, Until: deadline, Signal: cmk.SignalApproveEndpoint,
				Example: example(map[string]string{"by": yourName, "region": region})}
			if p != nil {
				w.Example = example(map[string]string{"by": yourName, "endpoint": p.ID})
			}
			dones = append(dones, e.await(ctx, w))
		}
		if p != nil && p.Status != cmk.EndpointActive {
			dones = append(dones, e.await(ctx, cmk.Wait{For: cmk.AwaitingEndpoint, What: fmt.Sprintf("private endpoint %s in %s, now %s", p.ID, region, p.Status), Until: deadline}))
		}
	}
	return func() {
		for _, done := range dones {
			done()
		}
	}
}

func (e *enable) endpointList() string {
	var list string
	for _, p := range e.endpoints {
		list += fmt.Sprintf("%s in %s is %s %s; ", p.ID, p.Region, p.Status, p.Error)
	}
	return list
}

// remake deletes endpoints that have failed and creates others in their place, a bounded number of times.
func (e *enable) remake(ctx workflow.Context, regions []string) error {
	var failed []string
	for _, region := range regions {
		p := e.endpointIn(region)
		if e.remakes[region] >= maxRemakes {
			return failure(string(cmk.EndpointFailed), "the private endpoint in %s failed %d times: %s", region, maxRemakes+1, p.Error)
		}
		e.remakes[region]++
		failed = append(failed, p.ID)
	}
	in := activities.RemoveEndpointsInput{Lease: e.under(), ProjectID: e.request.ProjectID, Regions: regions, Only: failed, Failed: true}
	if err := workflow.ExecuteActivity(writing(ctx, "delete failed private endpoints"), atlas.RemoveEndpoints, in).Get(ctx, nil); err != nil {
		return err
	}
	for _, id := range failed {
		e.wrote(ctx, cmk.SystemAtlas, "delete failed private endpoint", id)
	}
	return e.ensureEndpoints(ctx, regions)
}
