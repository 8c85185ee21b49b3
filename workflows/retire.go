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

// RetireAccess withdraws access that no project uses any more. For an access key it waits until no snapshot needs it and
// its disuse is proven, makes it Inactive, watches the projects, and by an approval of its own deletes it. What projects may
// do through an IAM role is withdrawn in retire_role.go. That may take months. It holds no lease while it waits, and gives
// nothing back unless a person says so.
func RetireAccess(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeRetire(input)
	if err != nil {
		return nil, invalid(err)
	}
	people := request.Approval.Approval(cmk.ApproveUse)
	r := &retirement{
		change:  newChange(ctx, cmk.RetireAccess, request.ProjectIDs[0], request.Requester, people, cmk.Stop),
		request: request,
	}
	if p := request.Progress; p != nil {
		r.progress = *p
		r.status.Started, r.status.Writes = p.Started, p.Writes
	}
	r.progress.Started = r.status.Started
	r.change.describe = r.describe
	r.approvals.askEndpoints(nil, nil)
	if err := r.listen(ctx); err != nil {
		return nil, err
	}
	r.remind(ctx)
	if request.RoleARN != "" {
		return r.end(ctx, r.withdrawRole(ctx))
	}
	r.listenForProjects(ctx)
	return r.end(ctx, r.steps(ctx))
}

// retirement is one run of RetireAccess.
type retirement struct {
	*change
	request  cmk.RetireRequest
	progress cmk.RetireProgress
	// key is the access key as it was last read.
	key activities.AccessKey
	// keyIDs are those of the projects' keys; statements are what the IAM user is allowed for their sake alone.
	keyIDs     []string
	statements activities.UserStatements
	// role is what projects may do through the role, as it was last read.
	role activities.RoleAccess
	// started is true once the first look has found all in order: until then what is wrong ends the run, later a person is
	// asked. lossRejected is true once people have chosen to wait for the snapshots.
	started, lossRejected bool
	// tried is true once something was to be withdrawn, of which an answer may have been lost.
	tried bool
	// joined is true when another project has joined since the waits began: they begin anew.
	joined bool
}

func (r *retirement) steps(ctx workflow.Context) error {
	for {
		r.joined = false
		if err := r.look(ctx); err != nil || !r.key.Exists {
			return err
		}
		if err := r.awaitSnapshots(ctx); err != nil {
			return err
		}
		if err := r.awaitDisuse(ctx); err != nil {
			return err
		}
		if r.joined {
			continue
		}
		err := r.deactivate(ctx)
		if err == nil {
			break
		}
		if errorType(err) != cmk.ErrForeign {
			return err
		}
		// It was used in the last moment, which the next look shows. Where none does, that does not go round without end.
		if workflow.GetVersion(ctx, "rest-after-refusal", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
			if err := r.pause(ctx, workflow.Now(ctx).Add(time.Minute), "time before another look", func() bool { return false }); err != nil {
				return err
			}
		}
	}
	for _, step := range []func(workflow.Context) error{r.settle, r.approveDeletion, r.delete} {
		if err := step(ctx); err != nil {
			return err
		}
		if r.turned() {
			return r.turnBack(ctx)
		}
	}
	return nil
}

// end closes the run. What it did is never taken back by itself.
func (r *retirement) end(ctx workflow.Context, err error) (*cmk.Report, error) {
	switch {
	case err == nil:
		return r.complete(ctx, cmk.PhaseDone), nil
	case workflow.IsContinueAsNewError(err):
		return nil, err
	case ctx.Err() != nil:
		err = ctx.Err() // a step that was in flight ends in its own way
	}
	if len(r.status.Writes) == 0 && !r.tried {
		return nil, r.fail(ctx, cmk.PhaseRefused, err)
	}
	return nil, r.fail(ctx, cmk.PhaseStopped, err)
}

// look reads the access key, and makes sure that no project uses it any more.
func (r *retirement) look(ctx workflow.Context) error {
	r.enter(ctx, cmk.PhasePreflight)
	if err := r.readKey(ctx); err != nil {
		return err
	}
	r.status.Findings = nil
	f := (*findings)(&r.status.Findings)
	if !r.key.Exists {
		f.info(cmk.FindingNothingToDo, r.key.ID, "access key %s is not in the worker's AWS account: it is gone, or was never there", r.key.ID)
		return nil
	}
	r.keep = []string{fmt.Sprintf("access key %s of IAM user %s, until this retirement is done", r.key.ID, r.key.User)}
	r.keyIDs = nil
	for _, id := range r.request.ProjectIDs {
		err := r.persist(ctx, "make sure that project "+id+" does not use the access key", func(ctx workflow.Context) error {
			var p activities.Project
			if err := workflow.ExecuteActivity(patient(ctx, "read project "+id), atlas.ReadProject, activities.ProjectInput{ProjectID: id}).Get(ctx, &p); err != nil {
				return err
			}
			if e := p.Encryption; e.Enabled && e.RoleID == "" {
				f.err(cmk.FindingProjectOnCredentials, id, "migrate it to a role first", "project %s still uses its key through access key %s", id, e.AccessKeyID)
				return failure(cmk.ErrPreflightFailed, "project %s still uses its key through access key %s: migrate it to a role first", id, e.AccessKeyID)
			}
			if key := p.Encryption.KeyID; key != "" {
				r.keyIDs = append(r.keyIDs, key[strings.LastIndex(key, "/")+1:])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	p := cmk.Plan{Steps: []cmk.Step{
		{Action: "wait until the snapshots have expired that need it", Object: r.key.ID},
		{Action: "make the access key Inactive", Object: r.key.ID, Exists: !r.key.Active},
		{Action: "delete the access key", Object: r.key.ID, Irreversible: "a deleted access key cannot be made again: what still needs it is lost"},
	}}
	p.Hash = hash(p.Steps)
	r.status.Plan = &p
	r.started = true
	return nil
}

// describe completes the status with the votes of an earlier gate.
func (r *retirement) describe(s *cmk.Status) {
	if len(s.Approvals) == 0 {
		s.Approvals = r.progress.Votes
	}
}

func (r *retirement) readKey(ctx workflow.Context) error {
	return r.persist(ctx, "read the access key", func(ctx workflow.Context) error {
		var key activities.AccessKey
		in := activities.AccessKeyInput{AccessKeyID: r.request.AccessKeyID}
		if err := workflow.ExecuteActivity(patient(ctx, "read access key "+in.AccessKeyID), iam.ReadAccessKey, in).Get(ctx, &key); err != nil {
			return err
		}
		if key.Unread != "" {
			return failure("AccessDenied", "access key %s cannot be retired: %s", key.ID, key.Unread)
		}
		r.key = key
		return nil
	})
}

// persist does a step until it succeeds; where it cannot go on a person says whether to try again or to give up.
func (r *retirement) persist(ctx workflow.Context, step string, do func(workflow.Context) error) error {
	for {
		err := do(ctx)
		if err == nil || ctx.Err() != nil || !r.started {
			return err
		}
		if r.askPerson(ctx, step, err, false) == cmk.SignalAbort {
			return aborted(ctx, step, err)
		}
	}
}

func aborted(ctx workflow.Context, step string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return failure(cmk.ErrAborted, "given up at %q: %s", step, reason(err))
}

// underLeases does something while no other change of any of the projects is running.
func (r *retirement) underLeases(ctx workflow.Context, do func([]activities.Lease) error) error {
	var leases []activities.Lease
	for _, id := range r.request.ProjectIDs {
		l, err := acquire(ctx, cmk.LeaseID(id), true)
		if err != nil {
			return err
		}
		defer l.release(ctx)
		leases = append(leases, l.Lease)
	}
	return do(leases)
}

// deactivate makes the access key Inactive, which can be taken back. ErrForeign means that it was used in the last moment.
func (r *retirement) deactivate(ctx workflow.Context) error {
	r.enter(ctx, cmk.PhaseInactive)
	var used error
	err := r.persist(ctx, "make the access key Inactive", func(ctx workflow.Context) error {
		err := r.underLeases(ctx, func(leases []activities.Lease) error {
			r.tried = true
			return workflow.ExecuteActivity(writing(ctx, "make access key "+r.key.ID+" Inactive"), withdrawing.DeactivateAccessKey, r.withdrawal(leases)).Get(ctx, nil)
		})
		if errorType(err) == cmk.ErrForeign {
			used, r.tried = err, false
			return nil
		}
		return err
	})
	if err != nil || used != nil {
		return firstOf(err, used)
	}
	r.inactive()
	if r.key.Active {
		r.wrote(ctx, cmk.SystemIAM, "make access key Inactive", r.key.ID)
	}
	return nil
}

func firstOf(errs ...error) error {
	if at := slices.IndexFunc(errs, func(err error) bool { return err != nil }); at >= 0 {
		return errs[at]
	}
	return nil
}

// withdrawal is what taking the access key out of use must respect.
func (r *retirement) withdrawal(leases []activities.Lease) activities.WithdrawAccessKeyInput {
	return activities.WithdrawAccessKeyInput{Justification: r.justification(leases), AccessKeyID: r.key.ID, UnusedSince: r.unusedSince()}
}

// justification is what must hold when anything is withdrawn.
func (r *retirement) justification(leases []activities.Lease) activities.Justification {
	return activities.Justification{Leases: leases, ProjectIDs: r.request.ProjectIDs, Before: r.request.SwitchedAt, LossAccepted: r.progress.LossAccepted}
}

// unusedSince is from when on a use of the access key is another's.
func (r *retirement) unusedSince() time.Time {
	if r.progress.UnusedSince.After(r.request.SwitchedAt) {
		return r.progress.UnusedSince
	}
	return r.request.SwitchedAt
}

// settle leaves the access key Inactive for a while, with the projects watched.
func (r *retirement) settle(ctx workflow.Context) error {
	until := workflow.Now(ctx).Add(time.Duration(r.request.SettleInactive))
	done := r.await(ctx, cmk.Wait{
		For: cmk.AwaitingSettling, What: r.request.What() + " stays out of use while the projects are watched", Until: until,
		Signal: cmk.SignalRestore, Example: example(map[string]string{"by": yourName}),
	})
	defer done()
	return r.persist(ctx, "watch the projects", func(ctx workflow.Context) error {
		watching, stop := workflow.WithCancel(ctx)
		defer stop()
		var watched error
		finished := false
		workflow.Go(watching, func(ctx workflow.Context) {
			watched = r.watch(ctx)
			finished = true
		})
		if err := workflow.Await(ctx, func() bool { return finished || r.turned() }); err != nil {
			return err
		}
		if r.turned() {
			return nil
		}
		return watched
	})
}

// watch has the key of every project watched.
func (r *retirement) watch(ctx workflow.Context) error {
	var watches []workflow.Future
	for _, id := range r.request.ProjectIDs {
		in := activities.WatchKeyInput{ProjectID: id, For: r.request.SettleInactive, Alarm: true}
		watches = append(watches, workflow.ExecuteActivity(patient(ctx, "watch the key of project "+id), atlas.WatchKey, in))
	}
	var errs []error
	for _, w := range watches {
		errs = append(errs, w.Get(ctx, nil))
	}
	return firstOf(errs...)
}

// approveDeletion waits for the approval of the deletion.
func (r *retirement) approveDeletion(ctx workflow.Context) error {
	r.enter(ctx, cmk.PhaseDeletion)
	steps := []cmk.Step{{Action: "delete the access key", Object: r.key.ID, Irreversible: "a deleted access key cannot be made again"}}
	if workflow.GetVersion(ctx, "user-statements", workflow.DefaultVersion, 1) >= 1 {
		err := r.persist(ctx, "read the policies of IAM user "+r.key.User, func(ctx workflow.Context) error {
			return workflow.ExecuteActivity(patient(ctx, "read the policies of IAM user "+r.key.User), iam.ReadUserStatements, r.userStatements()).Get(ctx, &r.statements)
		})
		if err != nil {
			return err
		}
	}
	for _, policy := range r.statements.Policies {
		steps = append(steps, cmk.Step{Action: "take the use of the key out of an inline policy of IAM user " + r.key.User, Object: policy})
	}
	return r.approve(ctx, "deletion of access key "+r.key.ID+", which stays Inactive,", steps)
}

func (r *retirement) userStatements() activities.UserStatementsInput {
	return activities.UserStatementsInput{User: r.key.User, AccessKeyID: r.key.ID, KeyIDs: r.keyIDs}
}

// approve waits for the approval of what is about to be withdrawn.
func (r *retirement) approve(ctx workflow.Context, what string, steps []cmk.Step) error {
	gate := &gate{hash: hash(steps)}
	r.approvals.plan = gate
	r.status.Plan = &cmk.Plan{Hash: gate.hash, Steps: steps}
	deadline := workflow.Now(ctx).Add(time.Duration(r.request.ApprovalDeadline))
	done := r.await(ctx, cmk.Wait{
		For: cmk.AwaitingDeletionApproval, What: "approval of the " + what, Until: deadline,
		Signal: cmk.SignalApprove, Example: example(map[string]string{"by": yourName, "plan": gate.hash}),
	})
	defer done()
	err := until(ctx, deadline, "approval of the "+what, func() bool { return gate.decided(r.approvals.policy.Approvers) || r.turned() })
	if err == nil && gate.rejected {
		return failure(cmk.ErrRejected, "the %s was rejected by %s", what, gate.votes[len(gate.votes)-1].By)
	}
	return err
}

func (r *retirement) delete(ctx workflow.Context) error {
	err := r.persist(ctx, "delete the access key", func(ctx workflow.Context) error {
		return r.underLeases(ctx, func(leases []activities.Lease) error {
			if r.turned() {
				return nil
			}
			err := workflow.ExecuteActivity(writing(ctx, "delete access key "+r.key.ID), withdrawing.DeleteAccessKey, r.withdrawal(leases)).Get(ctx, nil)
			if err == nil {
				r.turn = nil // there is nothing to be restored any more
			}
			return err
		})
	})
	if err != nil || r.turn != nil {
		return err
	}
	r.wrote(ctx, cmk.SystemIAM, "delete access key", r.key.ID)
	left := fmt.Sprintf("nothing of access key %s; IAM user %s is left, to be removed by hand if nothing else uses it", r.key.ID, r.key.User)
	if r.statements.Left != "" {
		left += "; its policies were not looked at: " + r.statements.Left
	}
	r.keep = []string{left}
	return r.removeStatements(ctx)
}

// removeStatements takes from the IAM user what it was allowed for the access key's sake alone.
func (r *retirement) removeStatements(ctx workflow.Context) error {
	if len(r.statements.Policies) == 0 {
		return nil
	}
	step := "take the use of the key from IAM user " + r.key.User
	done, err := r.optional(ctx, step, func(ctx workflow.Context) error {
		return r.underLeases(ctx, func(leases []activities.Lease) error {
			in := activities.WithdrawUserStatementsInput{Justification: r.justification(leases), UserStatementsInput: r.userStatements()}
			return workflow.ExecuteActivity(writing(ctx, step), withdrawing.RemoveUserStatements, in).Get(ctx, nil)
		})
	})
	if err != nil || !done {
		return err
	}
	for _, policy := range r.statements.Policies {
		r.wrote(ctx, cmk.SystemIAM, "take the use of the key out of an inline policy of IAM user "+r.key.User, policy)
	}
	return nil
}
