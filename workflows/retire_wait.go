package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// patient is for the looks of a workflow that has months: a service that is away is waited for.
func patient(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attempt,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 5 * time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute},
		Summary:             summary,
	})
}

// patientSurvey is for such looks at each cluster of a project.
func patientSurvey(ctx workflow.Context, summary string) workflow.Context {
	ctx = workflow.WithStartToCloseTimeout(patient(ctx, summary), many)
	return workflow.WithHeartbeatTimeout(ctx, silent)
}

// lookAgain is how long the list of snapshots is relied on: somebody may change how long they are kept.
const lookAgain = 7 * 24 * time.Hour

// awaitSnapshots waits until every snapshot and point-in-time window from before the switch has expired: each is restored
// with the credentials of its time. Where the request allows it, people may accept their loss.
func (r *retirement) awaitSnapshots(ctx workflow.Context) error {
	for !r.progress.LossAccepted && !r.joined {
		needed, err := r.needed(ctx)
		if err != nil || needed.Count == 0 {
			return err
		}
		if err := r.renew(ctx); err != nil {
			return err
		}
		r.enter(ctx, cmk.PhaseSnapshots)
		r.showNeeded(needed)
		gate := r.askForLoss(needed)
		wake := workflow.Now(ctx).Add(lookAgain)
		if needed.Until.Before(wake) {
			wake = needed.Until.Add(time.Second)
		}
		done := r.await(ctx, r.snapshotWait(needed, gate))
		err = r.pause(ctx, wake, "snapshots that need it", func() bool { return gate.decided(r.approvals.policy.Approvers) })
		done()
		if err != nil {
			return err
		}
		if gate.decided(r.approvals.policy.Approvers) {
			r.progress.LossAccepted, r.lossRejected, r.progress.Votes = !gate.rejected, gate.rejected, gate.votes
			r.approvals.plan = nil
		}
	}
	return nil
}

// needed are the backups of all projects that need the access key.
func (r *retirement) needed(ctx workflow.Context) (activities.Backups, error) {
	var all activities.Backups
	for _, id := range r.request.ProjectIDs {
		err := r.persist(ctx, "list the snapshots of project "+id, func(ctx workflow.Context) error {
			var b activities.Backups
			in := activities.BackupsInput{ProjectID: id, Before: r.request.SwitchedAt, Patient: true}
			if err := workflow.ExecuteActivity(patientSurvey(ctx, "list the snapshots of project "+id), atlas.ReadBackups, in).Get(ctx, &b); err != nil {
				return err
			}
			all.Count += b.Count
			all.Some = append(all.Some, b.Some...)
			if b.Until.After(all.Until) {
				all.Until = b.Until
			}
			return nil
		})
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (r *retirement) showNeeded(needed activities.Backups) {
	until := needed.Until.Format(time.RFC3339)
	r.status.Findings = nil
	f := (*findings)(&r.status.Findings)
	keep := r.request.What()
	if r.request.RoleARN != "" {
		f.info(cmk.FindingRoleNeeded, r.request.RoleARN, "%d snapshots and point-in-time windows from before then need %s to be restored, until %s at least: those of deleted clusters are not listed", needed.Count, keep, until)
	} else {
		f.info(cmk.FindingAccessKeyNeeded, r.key.ID, "%d snapshots and point-in-time windows from before the switch are restored with the access key, until %s at least: those of deleted clusters are not listed", needed.Count, until)
		keep = fmt.Sprintf("access key %s of IAM user %s, Active", r.key.ID, r.key.User)
	}
	r.keep = []string{fmt.Sprintf("%s, until %s at least", keep, until)}
}

// askForLoss opens the approval of the loss of snapshots, where the request allows it. Once rejected it is not asked for
// again: then the snapshots are waited for.
func (r *retirement) askForLoss(needed activities.Backups) *gate {
	if !r.request.AcceptSnapshotLoss || r.lossRejected {
		return &gate{}
	}
	var steps []cmk.Step
	for _, s := range needed.Some {
		what := "lose snapshot " + s.ID
		if s.Window {
			what = "lose the point-in-time window"
		}
		steps = append(steps, cmk.Step{
			Action: what + " of cluster " + s.Cluster, Object: s.ProjectID, Irreversible: "it cannot be restored, though it is kept until " + s.ExpiresAt.Format(time.RFC3339),
		})
	}
	if left := needed.Count - len(needed.Some); left > 0 {
		steps = append(steps, cmk.Step{Action: fmt.Sprintf("lose %d more that expire earlier", left), Irreversible: "they cannot be restored"})
	}
	p := cmk.Plan{Hash: hash(steps), Steps: steps}
	r.status.Plan = &p
	if g := r.approvals.plan; g != nil && g.hash == p.Hash {
		return g
	}
	g := &gate{hash: p.Hash}
	r.approvals.plan = g
	return g
}

func (r *retirement) snapshotWait(needed activities.Backups, g *gate) cmk.Wait {
	w := cmk.Wait{For: cmk.AwaitingSnapshots, What: fmt.Sprintf("%d snapshots to expire that need %s", needed.Count, r.request.What()), Until: needed.Until}
	if g.hash != "" {
		w.Signal, w.Example = cmk.SignalApprove, example(map[string]string{"by": yourName, "plan": g.hash})
	}
	return w
}

const stepDisuse = "prove that the access key is not used"

// awaitDisuse waits until AWS has had time to tell of every use since the switch, and has told of none. A use means
// another consumer: a person is told of it, and nothing is touched.
func (r *retirement) awaitDisuse(ctx workflow.Context) error {
	for !r.joined {
		if err := r.renew(ctx); err != nil {
			return err
		}
		r.enter(ctx, cmk.PhaseDisuse)
		since := r.unusedSince()
		if told := since.Add(time.Duration(r.request.Disuse)); workflow.Now(ctx).Before(told) {
			done := r.await(ctx, cmk.Wait{For: cmk.AwaitingDisuse, What: "AWS to tell of every use of access key " + r.key.ID, Until: told})
			err := r.pause(ctx, told, "time for AWS to tell of a use", func() bool { return false })
			done()
			if err != nil {
				return err
			}
			continue
		}
		if err := r.awaitIdle(ctx); err != nil {
			return err
		}
		if err := r.readKey(ctx); err != nil {
			return err
		}
		if !r.key.UsedAt.After(since) {
			return nil
		}
		r.status.Findings = nil
		detail := fmt.Sprintf("access key %s was used at %s, after the switch at %s: %s in %s; something else than these projects uses it, or one of them has restored a snapshot, or has switched later",
			r.key.ID, r.key.UsedAt.Format(time.RFC3339), r.request.SwitchedAt.Format(time.RFC3339), r.key.Service, r.key.Region)
		(*findings)(&r.status.Findings).err(cmk.FindingAccessKeyInUse, r.key.ID, "find out who uses it and give them another; then retry, which counts its disuse anew. If switchedAt is wrong, abort and give the true one: snapshots from in between need the access key", "%s", detail)
		used := failure(cmk.ErrForeign, "%s", detail)
		if r.askPerson(ctx, stepDisuse, used, false) == cmk.SignalAbort {
			return aborted(ctx, stepDisuse, used)
		}
		if !r.joined {
			r.progress.UnusedSince = workflow.Now(ctx).UTC()
		}
	}
	return nil
}

// awaitIdle waits until no cluster of the projects is changing.
func (r *retirement) awaitIdle(ctx workflow.Context) error {
	for _, id := range r.request.ProjectIDs {
		err := r.persist(ctx, "clusters of project "+id+" at rest", func(ctx workflow.Context) error {
			return workflow.ExecuteActivity(patient(ctx, "clusters of project "+id+" at rest"), atlas.ObserveIdle, activities.IdleInput{ProjectID: id}).Get(ctx, nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pause waits until a time, or until a condition holds, another project joins, or the history has grown long.
func (r *retirement) pause(ctx workflow.Context, wake time.Time, what string, condition func() bool) error {
	err := until(ctx, wake, what, func() bool {
		return condition() || r.joined || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
	})
	if errorType(err) == cmk.ErrExpired {
		return nil
	}
	return err
}

// renew goes on as a new run once the history has grown long, unless somebody's vote would be lost.
func (r *retirement) renew(ctx workflow.Context) error {
	voting := r.approvals.plan != nil && len(r.approvals.plan.votes) > 0
	if !workflow.GetInfo(ctx).GetContinueAsNewSuggested() || voting {
		return nil
	}
	next := r.request
	r.progress.Writes = r.status.Writes
	next.Progress = &r.progress
	return workflow.NewContinueAsNewError(ctx, cmk.RetireAccess, next)
}
