package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// RotateKey moves a project to another customer-managed key, or to another region of its multi-Region key: the key is
// proved, the plan approved, the role given the use of it beside the former one, and Atlas told of it by one request, the
// point of no return. The former key and the role's use of it are kept, since snapshots need them.
func RotateKey(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeRotate(input)
	if err != nil {
		return nil, invalid(err)
	}
	people := request.Approval.Approval(cmk.ApproveProvider)
	r := &rotate{change: newChange(ctx, cmk.RotateKey, request.ProjectID, request.Requester, people, request.OnFailure), request: request}
	r.approvals.askEndpoints(nil, nil)
	r.change.describe = r.describe
	r.conclude = r.concludeRotation
	return r.run(ctx, request.DryRun, r.steps)
}

// rotate is one run of RotateKey.
type rotate struct {
	*change
	request cmk.RotateRequest
	seen    rotateSeen
	target  rotateTarget
	access  access
	// began is when Atlas was about to be told of the key, before how far its activity feed had come by then.
	began  time.Time
	before *activities.Feed
	// rotation is set once the project uses the key.
	rotation *cmk.Rotation
}

func (r *rotate) steps(ctx workflow.Context) error {
	if err := r.preflight(ctx); err != nil || r.request.DryRun {
		return err
	}
	if r.target.done {
		return inOrder(ctx, r.verify)
	}
	return inOrder(ctx, r.approvePlan, r.replicateKey, r.grantKey, r.letRest, r.resumeClusters, r.awaitCalm, r.switchKey, r.verify, r.retire)
}

// preflight reads everything and writes nothing.
func (r *rotate) preflight(ctx workflow.Context) error {
	r.seen = rotateSeen{}
	s := &r.seen
	if err := r.readEncryptedProject(ctx, activities.EncryptedProjectInput{}, &s.survey); err != nil {
		return err
	}
	r.feed = s.Project.Feed
	if role := s.role(); role != nil && s.Project.Encryption.Enabled {
		if err := r.readKeys(ctx, role.ARN); err != nil {
			return err
		}
	}
	r.target, r.status.Findings = assessRotation(r.request, *s)
	p := planRotation(*s, r.target)
	r.status.Plan = &p
	r.access = access{
		change: r.change, role: cmk.RoleRequest{Mode: r.request.RoleMode, Name: r.target.roleName}, keyARNs: r.target.keyARNs, arn: r.target.roleARN,
		propagation: time.Duration(r.request.Deadlines.Propagation), patience: time.Duration(r.request.Deadlines.Approval),
	}
	r.show(ctx)
	if errs := errorsIn(r.status.Findings); len(errs) > 0 && !r.request.DryRun {
		return failure(cmk.ErrPreflightFailed, "preflight found %d errors: %s", len(errs), strings.Join(errs, "; "))
	}
	return nil
}

// readKeys reads the key to go over to, the present one, and the role that uses them.
func (r *rotate) readKeys(ctx workflow.Context, roleARN string) error {
	s, now, name := &r.seen, r.seen.Project.Encryption, nameOf(roleARN)
	next := activities.KeyInput{Key: r.request.Key, Region: r.request.KeyRegion, RoleName: name}
	if next.Key == "" {
		// The project's own key tells of all its replicas.
		next.Key, next.Region = now.KeyID, now.Region
	}
	s.Key = &activities.KeyUse{}
	for _, x := range []read{
		{workflow.ExecuteActivity(looking(ctx, "read the key and its replicas"), kms.ReadKey, next), &s.Next},
		{workflow.ExecuteActivity(looking(ctx, "read the present key"), kms.ReadKeyUse, activities.PublicUseInput{KeyID: now.KeyID, Region: now.Region}), s.Key},
		{workflow.ExecuteActivity(looking(ctx, "read IAM role "+name), iam.ReadIAMRole, activities.IAMRoleInput{ProjectID: r.projectID(), Name: name}), &s.Granted},
	} {
		if err := x.future.Get(ctx, x.into); err != nil {
			return err
		}
	}
	in := activities.EvaluateRoleInput{ProjectID: r.projectID(), RoleARN: roleARN, KeyARNs: s.replicasFor(regionsToCover(r.request, s.survey)), AsGranted: true}
	if len(in.KeyARNs) == 0 {
		return nil
	}
	return workflow.ExecuteActivity(looking(ctx, "evaluate the role's policies"), iam.EvaluateRole, in).Get(ctx, &s.Evaluation)
}

// approvePlan waits for the plan to be approved.
func (r *rotate) approvePlan(ctx workflow.Context) error {
	return r.agreeAlways(ctx, r.request.Deadlines.Approval, func() bool { return !r.target.done }, r.preflight)
}

// replicateKey makes the replicas that are missing, if that was asked for.
func (r *rotate) replicateKey(ctx workflow.Context) error {
	return r.replicate(ctx, r.seen.Next, r.target.replicate)
}

// grantKey gives the role the use of the key, beside what it may use already.
func (r *rotate) grantKey(ctx workflow.Context) error {
	added := r.target.toGrant
	if r.target.done || len(added) == 0 {
		return nil
	}
	r.enter(ctx, cmk.PhaseRole)
	if r.request.RoleMode == cmk.RoleReadOnly {
		return r.awaitGrant(ctx)
	}
	in := activities.GrantsInput{ProjectID: r.projectID(), Name: r.target.roleName, KeyARNs: added}
	r.saga.arm("withdraw the role's use of the key", func(ctx workflow.Context) error {
		if len(r.target.toWithdraw) == 0 {
			return nil
		}
		return r.access.underRoleLease(ctx, func(l activities.Lease) error {
			undo := in
			undo.Lease, undo.RoleLease, undo.KeyARNs = r.under(), l, r.target.toWithdraw
			if err := workflow.ExecuteActivity(writing(ctx, "undo: use of the key by "+r.target.roleName), iam.WithdrawKeys, undo).Get(ctx, nil); err != nil {
				return err
			}
			r.undid(ctx, cmk.SystemIAM, "withdraw the use of "+strings.Join(undo.KeyARNs, ", "), r.target.roleARN)
			return nil
		})
	})
	err := r.access.underRoleLease(ctx, func(l activities.Lease) error {
		in.Lease, in.RoleLease = r.under(), l
		return workflow.ExecuteActivity(writing(ctx, "use of the key by "+r.target.roleName), iam.GrantKeys, in).Get(ctx, nil)
	})
	if err != nil {
		return err
	}
	r.wrote(ctx, cmk.SystemIAM, "grant the use of "+strings.Join(added, ", "), r.target.roleARN)
	return nil
}

// awaitGrant shows the inline policy that the role needs, and waits for somebody to have put it in place.
func (r *rotate) awaitGrant(ctx workflow.Context) error {
	_, permissions, err := activities.Documents(r.projectID(), activities.AccessRole{}, r.target.granted)
	if err != nil {
		return err
	}
	return r.access.awaitDocuments(ctx, []cmk.Document{r.access.inlinePolicy(permissions)})
}

// letRest waits until IAM should show the role's permissions everywhere. Those that others have put in place, and that do
// not do, are asked for again.
func (r *rotate) letRest(ctx workflow.Context) error {
	for {
		err := r.access.letRest(ctx, time.Duration(r.request.Rest))
		if r.request.RoleMode != cmk.RoleReadOnly || errorType(err) != cmk.ErrRoleDenied {
			return err
		}
		r.status.Problem = reason(err)
		if err := r.awaitGrant(ctx); err != nil {
			return err
		}
		r.status.Problem = ""
	}
}

// resumeClusters resumes the paused clusters on the key: what they hold is wrapped with the other key only once they run.
func (r *rotate) resumeClusters(ctx workflow.Context) error {
	for _, name := range r.target.paused {
		r.keep = append(r.keep, fmt.Sprintf("cluster %s running, if it has been resumed", name))
	}
	return r.resume(ctx, r.target.paused)
}

// awaitCalm waits until no cluster is at work on something else.
func (r *rotate) awaitCalm(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(r.request.Deadlines.Clusters))
	defer r.await(ctx, cmk.Wait{For: cmk.AwaitingCalm, What: "the clusters to be at rest", Until: deadline})()
	in := activities.IdleInput{ProjectID: r.projectID(), Until: deadline}
	err := workflow.ExecuteActivity(observing(ctx, "watch the clusters come to rest", deadline), atlas.ObserveIdle, in).Get(ctx, nil)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrExpired, "the clusters were not at rest by %s: %s", deadline.UTC().Format(time.RFC3339), reason(err))
	}
	return err
}

// switchKey has Atlas use the key in place of the former one: the point of no return. Cancellation is held meanwhile: an
// attempt whose answer was lost may have been carried out, and only another one tells.
func (r *rotate) switchKey(ctx workflow.Context) error {
	r.enter(ctx, cmk.PhaseRotation)
	now, t := r.seen.Project.Encryption, r.target
	r.saga.arm("make sure that the project does not use the key", func(ctx workflow.Context) error {
		in := activities.KeyUnusedInput{ProjectID: r.projectID(), KeyID: t.keyID}
		if t.sameKey {
			in.Region = t.keyRegion
		}
		return workflow.ExecuteActivity(writing(ctx, "look whether the key is in use"), atlas.ConfirmKeyUnused, in).Get(ctx, nil)
	})
	apart, _ := workflow.NewDisconnectedContext(ctx)
	propagation := time.Duration(r.request.Deadlines.Propagation)
	options := workflow.GetActivityOptions(propagating(apart, "rotate to the key", propagation))
	options.ScheduleToCloseTimeout = 0 // the activity keeps the deadline
	r.began = workflow.Now(ctx).UTC()
	if err := r.heed(ctx, "rotate to the key", func(workflow.Context) error {
		in := activities.RotateInput{
			Lease: r.under(), ProjectID: r.projectID(), Before: now, KeyID: t.keyID, Region: t.keyRegion, Regions: t.regions,
			Until: workflow.Now(ctx).Add(propagation),
		}
		r.before = r.feed
		return workflow.ExecuteActivity(workflow.WithActivityOptions(apart, options), atlas.RotateKey, in).Get(apart, nil)
	}); err != nil {
		return err
	}
	r.saga.pass()
	r.pivoted = true
	r.rotation = &cmk.Rotation{
		At: workflow.Now(ctx).UTC(), Key: t.keyID, KeyRegion: t.keyRegion, FormerKey: now.KeyID, FormerRegion: now.Region,
		RoleARN: t.roleARN, FormerKeyARNs: t.formerARNs,
	}
	r.wrote(ctx, cmk.SystemAtlas, fmt.Sprintf("rotate from key %s in %s to key %s in %s", now.KeyID, now.Region, t.keyID, t.keyRegion), r.projectID())
	r.keepBoth()
	return nil
}

// verify waits until Atlas has told of the rotation and all is at rest, watches the key for as long as was asked for, and
// looks at everything once more.
func (r *rotate) verify(ctx workflow.Context) error {
	r.enter(ctx, cmk.PhaseVerification)
	if err := r.awaitRotated(ctx, time.Duration(r.request.Deadlines.Clusters), cmk.AwaitingCluster, nil); err != nil {
		return err
	}
	deadline := workflow.Now(ctx).Add(time.Duration(r.request.Settle + r.request.Deadlines.Verification))
	now := r.seen.Project.Encryption
	in := activities.WatchKeyInput{ProjectID: r.projectID(), RoleID: now.RoleID, KeyID: r.target.keyID, For: r.request.Settle, Until: deadline}
	done := r.await(ctx, cmk.Wait{For: cmk.AwaitingSettling, What: "Atlas to find the key valid for " + r.request.Settle.String(), Until: deadline})
	err := workflow.ExecuteActivity(observing(ctx, "watch the key", deadline), atlas.WatchKey, in).Get(ctx, nil)
	done()
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrNotVerified, "%s", reason(err))
	}
	if err != nil {
		return err
	}
	if err := r.awaitRotated(ctx, time.Duration(r.request.Deadlines.Verification), cmk.AwaitingCluster, &now); err != nil {
		return err
	}
	r.final = &cmk.FinalState{
		Enabled: now.Enabled, Valid: now.Valid, RequirePrivateNetworking: now.RequirePrivateNetworking,
		Key: now.KeyID, KeyRegion: now.Region, RoleID: now.RoleID, RoleARN: r.target.roleARN,
	}
	r.keepBoth()
	return nil
}

// retire starts the retirement of the role's use of the former key, if that was asked for. It goes on for as long as snapshots
// need that.
func (r *rotate) retire(ctx workflow.Context) error {
	if !r.request.Retire.Start || len(r.rotation.FormerKeyARNs) == 0 {
		return nil
	}
	request := cmk.RetireRequest{
		RoleARN: r.rotation.RoleARN, KeyARNs: r.rotation.FormerKeyARNs, ProjectIDs: []string{r.projectID()}, SwitchedAt: r.rotation.At,
		Approval: r.request.Approval, Requester: r.request.Requester, RetireOptions: r.request.Retire.RetireOptions,
	}
	if err := startRetirement(ctx, request); err != nil {
		return err
	}
	r.keep = append(r.keep, fmt.Sprintf("workflow %s, which retires %s", request.ID(), request.What()))
	return nil
}

// awaitRotated waits until the project is seen on the key with all at rest.
func (r *rotate) awaitRotated(ctx workflow.Context, patience time.Duration, what cmk.Awaiting, into *activities.Encryption) error {
	deadline := workflow.Now(ctx).Add(patience)
	defer r.await(ctx, cmk.Wait{For: what, What: "Atlas to tell of the rotation, and the clusters to be at rest", Until: deadline})()
	began := r.began
	if began.IsZero() {
		began = r.status.Started
	}
	in := activities.ObserveRotationInput{
		ProjectID: r.projectID(), KeyID: r.target.keyID, Region: r.target.keyRegion, RoleID: r.seen.Project.Encryption.RoleID,
		Since: r.before, Rotates: !r.target.done && !r.target.sameKey, Began: began, Search: r.seen.searching(), Until: deadline,
	}
	var now activities.Encryption
	err := workflow.ExecuteActivity(observing(ctx, "watch the rotation", deadline), atlas.ObserveRotation, in).Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrNotVerified, "%s", reason(err))
	}
	if err == nil && into != nil {
		*into = now
	}
	return err
}

// keepBoth says what must outlive the change.
func (r *rotate) keepBoth() {
	r.keep = []string{
		fmt.Sprintf("KMS key %s and its replicas, for as long as any cluster or snapshot of project %s is encrypted with it", r.target.keyID, r.projectID()),
		fmt.Sprintf("IAM role %s with its policies, for as long", r.target.roleARN),
	}
	if f := r.rotation; f != nil {
		r.keep = append(r.keep, fmt.Sprintf(
			"former KMS key %s (%s), and the role's use of it, for as long as any snapshot from before %s is to be restored: Atlas does not show which key a cluster or snapshot is wrapped with",
			f.FormerKey, f.FormerRegion, f.At.Format(time.RFC3339)))
	}
}

// describe completes the status.
func (r *rotate) describe(s *cmk.Status) {
	if r.seen.Project == nil {
		return // before preflight
	}
	for _, c := range onKeyFirst(r.seen.Project.Clusters) {
		s.Clusters = append(s.Clusters, cmk.ClusterReport{Name: c.Name, Regions: c.Regions, Provider: c.Provider, State: c.State, Done: r.final != nil})
	}
}

// concludeRotation completes the report.
func (r *rotate) concludeRotation(report *cmk.Report) {
	report.Rotation = r.rotation
	if r.seen.Dependents == nil {
		return
	}
	if until, forever := keepUntil(r.seen.Dependents.Snapshots); !forever {
		report.KeepUntil = until
	}
}

// nameOf is the name of an IAM role, without its path.
func nameOf(roleARN string) string { return roleARN[strings.LastIndex(roleARN, "/")+1:] }

// rotateSeen is what the preflight of a rotation saw.
type rotateSeen struct {
	survey
	// Next is the key to go over to, Granted the role as it is; both nil where the project uses no role.
	Next       *activities.Key
	Granted    *activities.IAMRole
	Evaluation *activities.RoleEvaluation
}

// replicasFor are the replicas of the next key in some regions.
func (s rotateSeen) replicasFor(regions []string) []string {
	var arns []string
	for _, replica := range s.Next.Replicas {
		if slices.Contains(regions, replica.Region) {
			arns = append(arns, replica.ARN)
		}
	}
	return arns
}
