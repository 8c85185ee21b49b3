package workflows

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// leaveNetworking deletes all private endpoints and stops requiring private networking. Clusters on the key have no path
// to it in between: that is a window, entered only after everything has been waited for that could hold it open.
func (x *exit) leaveNetworking(ctx workflow.Context) error {
	if !x.seen.Project.Encryption.RequirePrivateNetworking && len(x.seen.Project.Endpoints) == 0 {
		return nil
	}
	x.enter(ctx, cmk.PhaseReadiness)
	// What was at rest a moment ago is not waited for: the window itself is entered only after one more look.
	ready := x.atRest(ctx)
	for {
		err := x.heed(ctx, "leave private networking", func(ctx workflow.Context) error {
			if !ready {
				if err := inOrder(ctx, x.awaitDeletable, x.awaitCalm); err != nil {
					return err
				}
			}
			return inOrder(ctx, x.seePublicPath, x.crossWindow)
		})
		if errorType(err) != cmk.ErrNotEnterable {
			return err
		}
		ready = false // something has begun since it was last looked at
	}
}

// atRest says whether preflight has seen just now that endpoints can be deleted and clusters are at rest.
func (x *exit) atRest(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "at-rest-already", workflow.DefaultVersion, 1) > workflow.DefaultVersion &&
		workflow.Now(ctx).Sub(x.looked) <= freshness && deletable(x.seen.Project.Endpoints) &&
		!slices.ContainsFunc(x.seen.Project.Clusters, func(c activities.Cluster) bool { return c.State != cmk.ClusterIdle && !c.Paused })
}

// deletable says whether Atlas would delete all of some endpoints.
func deletable(endpoints []activities.Endpoint) bool {
	return !slices.ContainsFunc(endpoints, func(e activities.Endpoint) bool { return !e.Deletable() })
}

// awaitDeletable waits until Atlas would delete every endpoint, those that it has recreated meanwhile too.
func (x *exit) awaitDeletable(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(x.options.Deadlines.Endpoint))
	done := x.await(ctx, cmk.Wait{For: cmk.AwaitingReadiness, What: "every private endpoint to be one that can be deleted", Until: deadline})
	defer done()
	in := activities.ObserveDeletableInput{ProjectID: x.projectID(), Endpoints: endpointIDs(x.endpoints.current), Regions: x.endpoints.regions, Until: deadline}
	var now []activities.Endpoint
	err := workflow.ExecuteActivity(observing(ctx, "wait until the endpoints can be deleted", deadline), atlas.ObserveDeletable, in).Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrExpired, "nothing was deleted: %s by %s", reason(err), deadline.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return err
	}
	x.endpoints.saw(ctx, now)
	return nil
}

// seePublicPath judges the public path once more, if it is long since that was done.
func (x *exit) seePublicPath(ctx workflow.Context) error {
	if workflow.Now(ctx).Sub(x.looked) > freshness {
		if err := x.judgePublicPath(ctx); err != nil {
			return err
		}
		x.looked = workflow.Now(ctx)
	}
	if closed := x.seen.closed(); len(closed) > 0 {
		return failure(cmk.ErrForeign, "nothing was deleted: the public path to the key is closed: %s", strings.Join(closed, "; "))
	}
	return nil
}

// crossWindow is the window. Inside it nothing stops the change: cancellation is held, and steps are tried for ever. It
// is left forwards, or past its deadline backwards.
func (x *exit) crossWindow(ctx workflow.Context) error {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	x.saga.arm("put private networking back", x.returnToNetworking)
	x.openWindow(apart)
	x.window = x.seen.needsWindow()
	deleted := x.endpoints.current
	err := x.deleteAll(apart, &deleted)
	if err == nil {
		x.window = false
		x.closeWindow(apart)
		return nil
	}
	x.saga.disarm()
	if code := errorType(err); code == cmk.ErrNotEnterable || code == cmk.ErrDisturbed {
		x.window = false
		x.dropWindow(ctx)
		return err
	}
	x.status.Problem = reason(err)
	if back := x.putBack(apart); back != nil {
		return back
	}
	x.window = false
	x.closeWindow(apart)
	return err
}

// deleteAll deletes the endpoints, what Atlas recreates in their place too, and then leaves private networking.
func (x *exit) deleteAll(ctx workflow.Context, deleted *[]activities.Endpoint) error {
	deadline := workflow.Now(ctx).Add(time.Duration(x.options.Deadlines.Window))
	for {
		in := activities.LeaveInput{
			Lease: x.under(), ProjectID: x.projectID(), Endpoints: endpointIDs(*deleted), Regions: x.endpoints.regions, Encryption: x.seen.Project.Encryption,
		}
		var left activities.Left
		err := workflow.ExecuteActivity(leaving(ctx, "delete the endpoints, leave private networking", deadline), atlas.LeavePrivateNetworking, in).Get(ctx, &left)
		switch {
		case expired(err):
			return failure(cmk.ErrExpired, "private networking could not be left by %s: %s", deadline.UTC().Format(time.RFC3339), reason(err))
		case err != nil:
			return err
		case len(left.Appeared) > 0:
			*deleted = append(*deleted, left.Appeared...)
			continue
		}
		for _, e := range *deleted {
			if e.Status != cmk.EndpointDeleting {
				x.wrote(ctx, cmk.SystemAtlas, "delete private endpoint in "+e.Region, e.ID)
			}
		}
		if x.seen.Project.Encryption.RequirePrivateNetworking {
			x.wrote(ctx, cmk.SystemAtlas, "stop requiring private networking", x.projectID())
		}
		x.public = true
		x.endpoints.current = nil
		x.show(ctx)
		return nil
	}
}

// leaving is for the steps inside the window: tried until the deadline, and soon again, also when a worker is lost.
func leaving(ctx workflow.Context, summary string, deadline time.Time) workflow.Context {
	o := workflow.GetActivityOptions(writing(ctx, summary))
	o.ScheduleToCloseTimeout = max(deadline.Sub(workflow.Now(ctx)), time.Second)
	o.HeartbeatTimeout = 3 * time.Second
	o.RetryPolicy = &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1}
	return workflow.WithActivityOptions(ctx, o)
}

// expired says whether an activity ended because its time was up.
func expired(err error) bool {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return !app.NonRetryable()
	}
	var timeout *temporal.TimeoutError
	return errors.As(err, &timeout)
}

// returnToNetworking undoes leaveNetworking: a window too, from requiring private networking until the endpoints are
// ACTIVE again, entered when nothing is changing.
func (x *exit) returnToNetworking(ctx workflow.Context) error {
	if !x.public {
		return nil // not left, or put back already
	}
	if err := x.awaitCalm(ctx); err != nil {
		return err
	}
	x.openWindow(ctx)
	x.window = x.seen.needsWindow()
	if err := x.putBack(ctx); err != nil {
		return err
	}
	x.window = false
	x.closeWindow(ctx)
	return nil
}

// putBack requires private networking, if the project did, and has an ACTIVE endpoint in every region that had one. It
// does not give up, since there is no state to stop in.
func (x *exit) putBack(ctx workflow.Context) error {
	for {
		err := x.tryToPutBack(ctx)
		if err == nil || errorType(err) == cmk.ErrLeaseLost {
			return err
		}
		x.status.Problem = reason(err)
		x.show(ctx)
		x.endpoints.remakes = map[string]int{}
		const pause = 30 * time.Second
		if err := workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: "try again: " + reason(err)}).Get(ctx, nil); err != nil {
			return err
		}
	}
}

func (x *exit) tryToPutBack(ctx workflow.Context) error {
	before := x.seen.Project.Encryption
	in := activities.EncryptionInput{
		Lease: x.unasked(), ProjectID: x.projectID(), KeyID: before.KeyID, Region: before.Region, RoleID: before.RoleID, RequirePrivateNetworking: &before.RequirePrivateNetworking,
	}
	if err := workflow.ExecuteActivity(writing(ctx, "put private networking back"), atlas.EnsureEncryption, in).Get(ctx, nil); err != nil {
		return err
	}
	if x.public && before.RequirePrivateNetworking {
		x.undid(ctx, cmk.SystemAtlas, "require private networking", x.projectID())
	}
	x.public = false
	was := x.endpoints.current
	if err := x.endpoints.ensure(ctx, x.endpoints.regions); err != nil {
		return err
	}
	for _, e := range was { // of a window that was left backwards
		if !slices.ContainsFunc(x.endpoints.current, func(o activities.Endpoint) bool { return o.ID == e.ID }) {
			x.wrote(ctx, cmk.SystemAtlas, "delete private endpoint in "+e.Region, e.ID)
		}
	}
	return x.endpoints.awaitActive(ctx)
}
