package workflows

import (
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// turnOff turns encryption at rest off for the project, when what private endpoints are left have gone. If something has
// changed meanwhile there is a fresh look: clusters that others have created or switched on leave the key first, if people
// agree.
func (d *disable) turnOff(ctx workflow.Context) error {
	if d.off {
		return nil
	}
	for look := 1; ; look++ {
		d.enter(ctx, cmk.PhaseProject)
		// Each cluster was just seen to come to rest off the key: whether that still holds, the steps themselves look. They do
		// not look at search nodes, which may be leaving it.
		straight := look == 1 && straightOff(ctx) && len(d.seen.Dependents.Search) == 0 &&
			!slices.ContainsFunc(d.clusters.clusters, func(c *clusterSwitch) bool { return c.skipped })
		err := d.tryToTurnOff(ctx, look, straight)
		switch code := errorType(err); {
		case d.off:
			return nil
		case err != nil && code != cmk.ErrNotEnterable && (code != cmk.ErrForeign || !straight):
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// straightOff says whether the steps of turnOff follow each other without a wait in between.
func straightOff(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "straight-off", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// tryToTurnOff takes the steps that are left, or the first of them. It is done when the project has no key.
func (d *disable) tryToTurnOff(ctx workflow.Context, look int, straight bool) error {
	if !straight {
		now, err := d.awaitQuiet(ctx)
		if err != nil {
			return err
		}
		if err := d.leftOut(now); err != nil {
			return err
		}
		if late := onKeyFirst(now.Clusters); len(late) > 0 {
			return d.releaseLate(ctx, late)
		}
		d.endpoints.current = now.Endpoints
	}
	if len(endpointIDs(d.endpoints.current)) == 0 {
		return d.disableEncryption(ctx, look)
	}
	if !straightOff(ctx) {
		return inOrder(ctx, d.awaitDeletable, d.deleteRest)
	}
	if !deletable(d.endpoints.current) {
		if err := d.awaitDeletable(ctx); err != nil {
			return err
		}
	}
	if err := d.deleteRest(ctx); err != nil {
		return err
	}
	return d.disableEncryption(ctx, look)
}

// looks is how often a project is looked at afresh that was not as it had been seen a moment before.
const looks = 5

// stillOnClusters is Atlas's refusal while a cluster uses the key: one that was switched on since the look.
const stillOnClusters = "CANNOT_DISABLE_ENCRYPTION_AT_REST"

// disableEncryption is the last step. When Atlas, or our own guard, refuses it, there is another look; and at last a
// person, who may know why.
func (d *disable) disableEncryption(ctx workflow.Context, look int) error {
	in := activities.DisableInput{Lease: d.under(), ProjectID: d.projectID()}
	err := workflow.ExecuteActivity(writing(ctx, "encryption at rest off"), atlas.DisableEncryption, in).Get(ctx, nil)
	switch {
	case err == nil:
		d.wrote(ctx, cmk.SystemAtlas, "disable encryption at rest", d.projectID())
		d.saga.pass()
		d.pivoted, d.off = true, true
		return nil
	case (errorType(err) == cmk.ErrForeign || errorType(err) == stillOnClusters) && look < looks:
		return nil
	case errorType(err) == cmk.ErrLeaseLost || ctx.Err() != nil:
		return err
	case d.askPerson(ctx, "disable encryption at rest", err, false) == cmk.SignalRetry:
		return nil
	}
	return err
}

// deleteRest deletes the endpoints that are left when no cluster needs them any more.
func (d *disable) deleteRest(ctx workflow.Context) error {
	return d.heed(ctx, "delete the private endpoints", func(ctx workflow.Context) error {
		return d.deleteEndpoints(ctx, d.endpoints.current, regionsOf(d.endpoints.current), true)
	})
}

// leftOut refuses to go on while a cluster is on the key that a person has left out.
func (d *disable) leftOut(now *activities.Project) error {
	on := encrypted(now.Clusters)
	for _, c := range d.clusters.clusters {
		if c.skipped && slices.Contains(on, c.cluster.Name) {
			return failure(cmk.ErrAborted, "cluster %s was left out and is still on the key: the project keeps it", c.cluster.Name)
		}
	}
	return nil
}

// releaseLate takes clusters off the key that were not on it when the plan was approved. People are asked again.
func (d *disable) releaseLate(ctx workflow.Context, late []activities.Cluster) error {
	var steps []cmk.Step
	for _, c := range late {
		steps = append(steps, releaseStep(c))
	}
	steps = append(steps, cmk.Step{Action: "disable encryption at rest", Object: d.projectID()})
	d.status.Plan = &cmk.Plan{Hash: hash(steps), Steps: steps}
	if err := d.approvePlan(ctx); err != nil {
		return err
	}
	d.clusters.clusters = slices.DeleteFunc(d.clusters.clusters, func(old *clusterSwitch) bool {
		return slices.ContainsFunc(late, func(c activities.Cluster) bool { return c.Name == old.cluster.Name })
	})
	more := newClusterSet(d.change, cmk.ProviderNone, 1, d.clusters.deadline, late)
	d.clusters.clusters = append(d.clusters.clusters, more.clusters...)
	d.seen.Project.Clusters = append(d.seen.Project.Clusters, late...)
	return inOrder(ctx, d.resumeClusters, d.releaseClusters)
}

// deleteEndpoints deletes endpoints that no cluster needs any more, and those that appear in their place. followed says that
// what comes next is a change that Atlas refuses while one exists.
func (x *exit) deleteEndpoints(ctx workflow.Context, endpoints []activities.Endpoint, regions []string, followed bool) error {
	for {
		in := activities.LeaveInput{Lease: x.under(), ProjectID: x.projectID(), Endpoints: endpointIDs(endpoints), Regions: regions, Followed: followed}
		var left activities.Left
		deadline := workflow.Now(ctx).Add(time.Duration(x.options.Deadlines.Endpoint))
		done := x.await(ctx, cmk.Wait{For: cmk.AwaitingEndpoint, What: "private endpoints to be deleted in " + strings.Join(regions, ", "), Until: deadline})
		err := workflow.ExecuteActivity(leaving(ctx, "delete private endpoints", deadline), atlas.DeleteEndpoints, in).Get(ctx, &left)
		done()
		switch {
		case expired(err):
			return failure(cmk.ErrExpired, "the private endpoints were not gone by %s: %s", deadline.UTC().Format(time.RFC3339), reason(err))
		case err != nil:
			return err
		case len(left.Appeared) > 0:
			endpoints = append(endpoints, left.Appeared...)
			continue
		}
		for _, e := range endpoints {
			if e.Status != cmk.EndpointDeleting {
				x.wrote(ctx, cmk.SystemAtlas, "delete private endpoint in "+e.Region, e.ID)
			}
		}
		x.endpoints.current = slices.DeleteFunc(x.endpoints.current, func(e activities.Endpoint) bool { return slices.Contains(regions, e.Region) })
		return nil
	}
}

// verifyExit looks at everything once more.
func (x *exit) verifyExit(ctx workflow.Context, in activities.VerifyExitInput) error {
	deadline := workflow.Now(ctx).Add(time.Duration(x.options.Deadlines.Verification))
	in.ProjectID, in.Until = x.projectID(), deadline
	var now activities.Encryption
	err := workflow.ExecuteActivity(observing(ctx, "verify", deadline), atlas.VerifyExit, in).Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrNotVerified, "%s", reason(err))
	}
	if err == nil {
		x.found(now)
	}
	return err
}

// found is the state in which the verification has found the project.
func (x *exit) found(now activities.Encryption) {
	x.final = &cmk.FinalState{
		Enabled: now.Enabled, Valid: now.Valid, RequirePrivateNetworking: now.RequirePrivateNetworking, Key: now.KeyID, KeyRegion: now.Region, RoleID: now.RoleID,
	}
	if r := x.seen.role(); r != nil && now.RoleID == r.ID {
		x.final.RoleARN = r.ARN
	}
}
