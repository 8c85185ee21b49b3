package workflows

import (
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// crossWindow takes a project whose clusters use the key over the public path to private endpoints. From the moment
// private networking is required until the endpoints are ACTIVE, a node that restarts may not reach its key. So people
// and Atlas are waited for before, everything follows at once, and inside nothing stops the change: cancellation is
// held, steps are tried for ever, and it is left forwards, or past the deadline backwards.
func (e *enable) crossWindow(ctx workflow.Context) error {
	e.enter(ctx, cmk.PhaseEndpoints)
	if err := e.endpoints.awaitApprovals(ctx); err != nil {
		return err
	}
	if err := e.awaitCalm(ctx); err != nil {
		return err
	}
	apart, _ := workflow.NewDisconnectedContext(ctx)
	e.openWindow(apart)
	if err := e.writePrivateNetworking(apart, e.under(), true); err != nil {
		e.dropWindow(apart)
		return err
	}
	ensure := func(ctx workflow.Context) error { return e.endpoints.ensure(ctx, e.endpoints.regions) }
	if err := inOrder(apart, ensure, e.endpoints.awaitActive); err != nil {
		return e.back(apart, err)
	}
	e.closeWindow(apart)
	// Clusters rely on all of it from now on, the role's use of the key in each region included: nothing is taken back.
	if workflow.GetVersion(ctx, "window-crossed", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		e.saga.pass()
		e.pivoted = true
	}
	return nil
}

// awaitCalm waits until no cluster is changing and no maintenance is near.
func (c *change) awaitCalm(ctx workflow.Context) error {
	const patience = 24 * time.Hour
	deadline := workflow.Now(ctx).Add(patience)
	done := c.await(ctx, cmk.Wait{For: cmk.AwaitingCalm, What: "all clusters IDLE and no maintenance near", Until: deadline})
	defer done()
	err := workflow.ExecuteActivity(observing(ctx, "wait for the project to be at rest", deadline), atlas.ObserveCalm,
		activities.CalmInput{ProjectID: c.projectID(), Until: deadline}).Get(ctx, nil)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrExpired, "the project did not come to rest by %s: %s", deadline.UTC().Format(time.RFC3339), reason(err))
	}
	return err
}

// openWindow and closeWindow record for how long nodes were without a path.
func (c *change) openWindow(ctx workflow.Context) {
	c.status.Windows = append(c.status.Windows, cmk.Window{From: workflow.Now(ctx).UTC()})
	c.enter(ctx, cmk.PhaseWindow)
}

func (c *change) closeWindow(ctx workflow.Context) {
	c.status.Windows[len(c.status.Windows)-1].Until = workflow.Now(ctx).UTC()
	c.show(ctx)
}

// windowOpen says whether nodes may be without a path at this moment.
func (c *change) windowOpen() bool {
	n := len(c.status.Windows)
	return n > 0 && c.status.Windows[n-1].Until.IsZero()
}

// dropWindow is for a window that was not entered after all.
func (c *change) dropWindow(ctx workflow.Context) {
	c.status.Windows = c.status.Windows[:len(c.status.Windows)-1]
	c.enter(ctx, cmk.PhaseReadiness)
}

// back leaves the window by the way it was entered: our endpoints are deleted, and the public path is open again.
func (e *enable) back(ctx workflow.Context, because error) error {
	e.status.Problem = reason(because)
	in := activities.RemoveEndpointsInput{
		Lease: e.under(), ProjectID: e.projectID(), Regions: e.endpoints.regions, Except: e.endpoints.stood(), Window: true,
	}
	for {
		err := workflow.ExecuteActivity(writing(ctx, "leave the window: delete the endpoints"), atlas.RemoveEndpoints, in).Get(ctx, nil)
		if err == nil {
			err = e.writePrivateNetworking(ctx, e.unasked(), false)
		}
		if err == nil {
			e.undid(ctx, cmk.SystemAtlas, "delete the private endpoints in "+strings.Join(e.endpoints.regions, ", "), e.projectID())
			e.closeWindow(ctx)
			return because
		}
		if errorType(err) == cmk.ErrLeaseLost {
			return e.leftOpen(ctx, err)
		}
		if e.askPerson(ctx, "leave the window", err, false) == cmk.SignalAbort {
			return e.leftOpen(ctx, failure(cmk.ErrAborted, "leave the window: %s", reason(err)))
		}
	}
}

// leftOpen is for a window that could not be left either way. What the role may do is not taken back then: nodes need it.
func (e *enable) leftOpen(ctx workflow.Context, err error) error {
	f := findings(e.status.Findings)
	f.err(cmk.FindingWindow, e.projectID(),
		"start "+cmk.EnableWithPrivateEndpoints+" again with the same input, which makes the endpoints that are missing, or "+cmk.DisablePrivateNetworking+", which opens the public path again",
		"critical: the window is open: private networking is required, and a node in %s that restarts may not reach its key", strings.Join(e.endpoints.regions, ", "))
	e.status.Findings = f
	if workflow.GetVersion(ctx, "window-left-open", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		e.saga.pass()
		e.pivoted = true
	}
	return err
}

// writePrivateNetworking requires private networking or stops to, inside a window.
func (e *enable) writePrivateNetworking(ctx workflow.Context, under activities.Lease, require bool) error {
	in := e.encryption(&require)
	in.Lease, in.RoleARN = under, e.access.arn
	err := workflow.ExecuteActivity(writing(ctx, "private networking"), atlas.EnsureEncryption, in).Get(ctx, nil)
	if err != nil {
		return err
	}
	e.now.RequirePrivateNetworking = require
	if require {
		e.wrote(ctx, cmk.SystemAtlas, "require private networking", e.projectID())
	} else {
		e.undid(ctx, cmk.SystemAtlas, "stop requiring private networking", e.projectID())
	}
	return nil
}
