package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// withdrawing are the activities that take access away.
var withdrawing *activities.Access

// withdrawRole withdraws what projects may do through an IAM role, or the use of some keys: it waits until no snapshot needs
// it, has it approved, takes the keys out of our inline policies, watches the projects, and then takes them out of Atlas and
// of the trust policy. Until that last step people may have the keys put back.
func (r *retirement) withdrawRole(ctx workflow.Context) error {
	for {
		if err := r.lookAtRole(ctx); err != nil || r.roleGone() {
			return err
		}
		if err := r.awaitSnapshots(ctx); err != nil {
			return err
		}
		r.enter(ctx, cmk.PhaseDeletion)
		if err := r.approve(ctx, "withdrawal of "+r.request.What(), r.roleSteps()); err != nil {
			return err
		}
		err := r.narrow(ctx)
		if err == nil {
			break
		}
		if errorType(err) != cmk.ErrForeign {
			return err
		}
		// Something has come to need it in the last moment, which the next look shows.
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if r.turned() {
		return r.widen(ctx)
	}
	if len(r.request.KeyARNs) > 0 {
		r.keep = []string{fmt.Sprintf("IAM role %s, which the projects go on using", r.request.RoleARN)}
		return nil
	}
	return r.leaveRole(ctx)
}

// lookAtRole reads what the projects may do through the role, and makes sure that they do it no more.
func (r *retirement) lookAtRole(ctx workflow.Context) error {
	r.enter(ctx, cmk.PhasePreflight)
	err := r.persist(ctx, "make sure that nothing uses "+r.request.What(), func(ctx workflow.Context) error {
		in := activities.RoleAccessInput{ProjectIDs: r.request.ProjectIDs, RoleARN: r.request.RoleARN, KeyARNs: r.request.KeyARNs}
		r.role = activities.RoleAccess{}
		if err := workflow.ExecuteActivity(patient(ctx, "read "+r.request.What()), withdrawing.ReadRoleAccess, in).Get(ctx, &r.role); err != nil {
			return err
		}
		var problem error
		r.status.Findings, problem = assessRoleAccess(r.request, r.role)
		return problem
	})
	if err != nil {
		return err
	}
	r.status.Plan = &cmk.Plan{Steps: r.roleSteps()}
	r.status.Plan.Hash = hash(r.status.Plan.Steps)
	r.keep = []string{r.request.What() + ", until this retirement is done"}
	r.started = true
	return nil
}

// assessRoleAccess says what stands in the way. It is a function of its arguments alone.
func assessRoleAccess(request cmk.RetireRequest, role activities.RoleAccess) ([]cmk.Finding, error) {
	var f findings
	var problem error
	for _, p := range role.Projects {
		if p.InUse != "" {
			f.err(cmk.FindingRoleInUse, p.ProjectID, "disable or change it there first; then start again", "%s is not withdrawn from project %s: %s", request.What(), p.ProjectID, p.InUse)
			problem = failure(cmk.ErrPreflightFailed, "project %s: %s", p.ProjectID, p.InUse)
		}
	}
	if len(role.Reliant) > 0 {
		names := strings.Join(role.Reliant, ", ")
		f.err(cmk.FindingRoleShared, names, "name these projects too, or give each a policy of its own first", "projects %s use IAM role %s and have no inline policy of their own in it: they may live on this one", names, request.RoleARN)
		problem = failure(cmk.ErrPreflightFailed, "projects %s may live on the policies that would be withdrawn", names)
	}
	if !role.Exists {
		f.info(cmk.FindingNothingToDo, request.RoleARN, "IAM role %s is not in the worker's AWS account: only what Atlas knows of it is withdrawn", request.RoleARN)
	}
	if len(role.Others) > 0 {
		f.warn(cmk.FindingRoleShared, request.RoleARN, "", "the role's trust policy admits others too (%s): it stays, with their statements and policies", strings.Join(role.Others, ", "))
	}
	return f, problem
}

// roleGone says whether there is nothing left to withdraw.
func (r *retirement) roleGone() bool { return len(r.roleSteps()) == 0 }

// roleSteps are what is left to withdraw.
func (r *retirement) roleSteps() []cmk.Step {
	var steps []cmk.Step
	whole := len(r.request.KeyARNs) == 0
	for _, p := range r.role.Projects {
		if len(p.Keys) > 0 {
			steps = append(steps, cmk.Step{
				Action: "take " + strings.Join(p.Keys, ", ") + " out of inline policy " + activities.PolicyName(p.ProjectID), Object: r.request.RoleARN,
				Exposure: "what else uses these keys through the role, and has no policy of its own, loses them; restore puts them back",
			})
		}
		for _, id := range p.AccessRoles {
			if whole {
				steps = append(steps, cmk.Step{
					Action: "deauthorize cloud provider access role " + id, Object: p.ProjectID,
					Irreversible: "Atlas gives the role another external id when it is authorized again; snapshots that need it are lost",
				})
			}
		}
		if whole && p.Trusted && len(r.role.Others) > 0 {
			steps = append(steps, cmk.Step{Action: "remove trust statement " + activities.Sid(p.ProjectID), Object: r.request.RoleARN})
		}
	}
	if whole && r.role.Exists && r.role.Made && len(r.role.Others) == 0 {
		steps = append(steps, cmk.Step{Action: "delete the IAM role, unless others have given it policies", Object: r.request.RoleARN, Irreversible: "a role of the same name is another one to AWS"})
	}
	return steps
}

// underRoleLeases does something while no other change of any of the projects is running, and no other edits the role.
func (r *retirement) underRoleLeases(ctx workflow.Context, do func([]activities.Lease) error) error {
	return r.underLeases(ctx, func(leases []activities.Lease) error {
		l, err := acquire(ctx, cmk.RoleLeaseID(r.request.RoleARN), true)
		if err != nil {
			return err
		}
		defer l.release(ctx)
		return do(append(leases, l.Lease))
	})
}

// fromRole is what taking something away from the role must respect.
func (r *retirement) fromRole(leases []activities.Lease) activities.WithdrawRoleInput {
	return activities.WithdrawRoleInput{Justification: r.justification(leases), RoleARN: r.request.RoleARN, KeyARNs: r.request.KeyARNs}
}

// narrow takes the keys out of our inline policies. ErrForeign means that something needs them after all.
func (r *retirement) narrow(ctx workflow.Context) error {
	r.enter(ctx, cmk.PhaseInactive)
	var needed error
	err := r.persist(ctx, "take the keys out of the role", func(ctx workflow.Context) error {
		err := r.underRoleLeases(ctx, func(leases []activities.Lease) error {
			r.tried = true
			return workflow.ExecuteActivity(writing(ctx, "take the keys out of "+r.request.RoleARN), withdrawing.NarrowRole, r.fromRole(leases)).Get(ctx, nil)
		})
		if errorType(err) == cmk.ErrForeign {
			needed, r.tried = err, false
			return nil
		}
		return err
	})
	if err != nil || needed != nil {
		return firstOf(err, needed)
	}
	r.inactive()
	for _, p := range r.role.Projects {
		if len(p.Keys) > 0 {
			r.wrote(ctx, cmk.SystemIAM, "take "+strings.Join(p.Keys, ", ")+" out of inline policy "+activities.PolicyName(p.ProjectID), r.request.RoleARN)
		}
	}
	return nil
}

// widen ends the retirement as people have asked for: with restore the keys are put back.
func (r *retirement) widen(ctx workflow.Context) error {
	if r.turn.signal == cmk.SignalStop {
		return failure(cmk.ErrAborted, "%s has asked for stop; %s stays as it is", r.turn.by, r.request.RoleARN)
	}
	err := r.persist(ctx, "put the keys back", func(ctx workflow.Context) error {
		return r.underRoleLeases(ctx, func(leases []activities.Lease) error {
			in := activities.WidenRoleInput{Leases: leases, RoleARN: r.request.RoleARN, Projects: r.role.Projects}
			return workflow.ExecuteActivity(writing(ctx, "put the keys back into "+r.request.RoleARN), withdrawing.WidenRole, in).Get(ctx, nil)
		})
	})
	if err != nil {
		return err
	}
	r.undid(ctx, cmk.SystemIAM, "put the keys back", r.request.RoleARN)
	return failure(cmk.ErrAborted, "%s is back, as %s asked; it is not retired", r.request.What(), r.turn.by)
}

// leaveRole takes the projects out of Atlas's roles and the trust policy, and deletes a role of ours that is empty. From here
// on there is no way back.
func (r *retirement) leaveRole(ctx workflow.Context) error {
	var left activities.RoleRemoval
	err := r.persist(ctx, "withdraw the role's authorization", func(ctx workflow.Context) error {
		return r.underRoleLeases(ctx, func(leases []activities.Lease) error {
			if r.turned() {
				return nil
			}
			r.turn = nil // from here on there is nothing to be put back
			return workflow.ExecuteActivity(writing(ctx, "withdraw "+r.request.RoleARN), withdrawing.RemoveRoleAccess, r.fromRole(leases)).Get(ctx, &left)
		})
	})
	if err != nil {
		return err
	}
	if r.turned() {
		return r.widen(ctx)
	}
	for _, p := range r.role.Projects {
		for _, id := range p.AccessRoles {
			r.wrote(ctx, cmk.SystemAtlas, "deauthorize cloud provider access role "+id, p.ProjectID)
		}
		if p.Trusted && !left.Deleted && len(r.role.Others) > 0 {
			r.wrote(ctx, cmk.SystemIAM, "remove trust statement "+activities.Sid(p.ProjectID), r.request.RoleARN)
		}
	}
	r.keep = []string{fmt.Sprintf("nothing of IAM role %s for these projects", r.request.RoleARN)}
	if left.Deleted && r.role.Exists {
		r.wrote(ctx, cmk.SystemIAM, "delete role", r.request.RoleARN)
	}
	if left.Left != "" {
		r.keep = append(r.keep, fmt.Sprintf("IAM role %s itself is left: %s", r.request.RoleARN, left.Left))
	}
	return nil
}
