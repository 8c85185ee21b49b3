package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// access gives Atlas the use of a key through an IAM role: Atlas's cloud provider access role, the IAM role that trusts
// it and may use the key, and the authorization of the one with the other.
type access struct {
	*change
	role        cmk.RoleRequest
	keyARNs     []string
	propagation time.Duration
	// patience bounds the wait for others to prepare the IAM role, in read-only mode.
	patience time.Duration
	// before is the IAM role, and roles are Atlas's, as preflight saw them; standing is the one of them that is
	// authorized with the IAM role already, if any.
	before   *activities.IAMRole
	roles    []activities.AccessRole
	standing *activities.AccessRole
	// granted and arn are Atlas's role and the IAM role, once ensured.
	granted activities.AccessRole
	arn     string
	// pending is when Atlas's role was seen pending.
	pending time.Time
}

// grant ensures all three.
func (a *access) grant(ctx workflow.Context) error {
	a.arn = a.before.ARN
	for _, step := range []func(workflow.Context) error{a.ensureAccessRole, a.ensureIAMRole, a.authorize} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// known are the ids of Atlas's roles that stood before.
func (a *access) known() []string {
	var ids []string
	for _, r := range a.roles {
		ids = append(ids, r.ID)
	}
	return ids
}

// pendingBefore says whether the role that was granted had been pending when preflight looked.
func (a *access) pendingBefore() bool {
	return slices.ContainsFunc(a.roles, func(r activities.AccessRole) bool { return r.ID == a.granted.ID && !r.Authorized })
}

func (a *access) ensureAccessRole(ctx workflow.Context) error {
	stood := func() bool { return slices.Contains(a.known(), a.granted.ID) }
	a.saga.arm("deauthorize the cloud provider access role", func(ctx workflow.Context) error {
		if stood() && !a.pendingBefore() {
			return nil
		}
		// One of ours that was pending is not left authorized. Atlas knows no way back to pending: it goes.
		in := activities.RemoveAccessRoleInput{
			Lease: a.under(), ProjectID: a.projectID(), RoleID: a.granted.ID, Known: a.known(), Authorized: a.pendingBefore(),
		}
		if err := workflow.ExecuteActivity(writing(ctx, "undo: cloud provider access role"), atlas.RemoveAccessRole, in).Get(ctx, nil); err != nil {
			return err
		}
		a.undid(ctx, cmk.SystemAtlas, "deauthorize cloud provider access role", a.granted.ID)
		return nil
	})
	in := activities.AccessRoleInput{
		Lease: a.under(), ProjectID: a.projectID(), RoleARN: a.arn, Known: a.known(), ExternalID: a.before.ExternalID,
	}
	if err := workflow.ExecuteActivity(writing(ctx, "cloud provider access role"), atlas.EnsureAccessRole, in).Get(ctx, &a.granted); err != nil {
		return err
	}
	if !a.granted.Authorized {
		a.pending = workflow.Now(ctx)
	}
	if !stood() {
		a.wrote(ctx, cmk.SystemAtlas, "create cloud provider access role", a.granted.ID)
	}
	return nil
}

// ensureIAMRole edits the IAM role under a lease of its own: other projects may share the role, and IAM replaces its
// documents whole. A role that is made needs none.
func (a *access) ensureIAMRole(ctx workflow.Context) error {
	if a.iamRoleReady() {
		return nil
	}
	if a.role.Mode == cmk.RoleReadOnly {
		return a.awaitIAM(ctx)
	}
	a.saga.arm("take the project out of the IAM role", func(ctx workflow.Context) error {
		return a.underRoleLease(ctx, func(l activities.Lease) error {
			in := activities.RemoveIAMRoleInput{
				Lease: a.under(), RoleLease: l, ProjectID: a.projectID(), Name: a.role.Name,
				Delete: !a.before.Exists, KeepTrust: a.before.ExternalID != "", KeepPermissions: a.before.Keys != nil,
			}
			if err := workflow.ExecuteActivity(writing(ctx, "undo: IAM role "+a.role.Name), iam.RemoveIAMRole, in).Get(ctx, nil); err != nil {
				return err
			}
			a.undid(ctx, cmk.SystemIAM, "take the project out of the role", a.arn)
			return nil
		})
	})
	ensure := func(l activities.Lease) error {
		in := activities.EnsureIAMRoleInput{
			Lease: a.under(), RoleLease: l, ProjectID: a.projectID(), Name: a.role.Name, Create: a.role.Mode == cmk.RoleCreate,
			Boundary: a.role.PermissionsBoundary, AtlasARN: a.granted.AtlasARN, ExternalID: a.granted.ExternalID, KeyARNs: a.keyARNs,
		}
		return workflow.ExecuteActivity(writing(ctx, "IAM role "+a.role.Name), iam.EnsureIAMRole, in).Get(ctx, &a.arn)
	}
	var err error
	if a.makesOwnRole() {
		err = ensure(activities.Lease{})
	} else {
		err = a.underRoleLease(ctx, ensure)
	}
	if err != nil {
		return err
	}
	if !a.before.Exists {
		a.wrote(ctx, cmk.SystemIAM, "create role", a.arn)
	} else if a.before.ExternalID != a.granted.ExternalID {
		a.wrote(ctx, cmk.SystemIAM, "add trust statement "+activities.Sid(a.projectID()), a.arn)
	}
	if !slices.Equal(a.before.Keys, a.keyARNs) {
		a.wrote(ctx, cmk.SystemIAM, "put inline policy "+activities.PolicyName(a.projectID()), a.arn)
	}
	return nil
}

// makesOwnRole says whether the IAM role is one that is made for this project: nobody else edits it yet, and whoever does
// later finds it made.
func (a *access) makesOwnRole() bool {
	return !a.before.Exists && a.role.Mode == cmk.RoleCreate && a.role.Name == cmk.OwnRoleName(a.projectID())
}

// iamRoleReady says whether the IAM role was found as it should be, so that there is nothing to edit.
func (a *access) iamRoleReady() bool {
	r := a.before
	return r.Exists && r.ExternalID == a.granted.ExternalID && r.AtlasARN == a.granted.AtlasARN && slices.Equal(r.Keys, a.keyARNs)
}

func (a *access) underRoleLease(ctx workflow.Context, edit func(activities.Lease) error) error {
	l, err := acquire(ctx, cmk.RoleLeaseID(a.arn), true)
	if err != nil {
		return err
	}
	defer l.release(ctx)
	return edit(l.Lease)
}

// authorize has Atlas assume the role, which succeeds once IAM shows it the trust policy.
func (a *access) authorize(ctx workflow.Context) error {
	defer a.awaitPropagation(ctx, a.propagation)()
	in := activities.AuthorizeInput{Lease: a.under(), ProjectID: a.projectID(), RoleID: a.granted.ID, RoleARN: a.arn, Pending: a.pending}
	for {
		err := workflow.ExecuteActivity(propagating(ctx, "authorize the role, once IAM shows it", a.propagation), atlas.AuthorizeAccessRole, in).Get(ctx, nil)
		if err == nil {
			break
		}
		code := errorType(err)
		if a.role.Mode != cmk.RoleReadOnly || code != "CANNOT_ASSUME_ROLE" && code != cmk.ErrExpired {
			return err
		}
		// What others put in place does not do yet.
		a.status.Problem = reason(err)
		if err := a.awaitIAM(ctx); err != nil {
			return err
		}
		a.status.Problem = ""
	}
	if a.standing == nil {
		a.wrote(ctx, cmk.SystemAtlas, "authorize cloud provider access role", a.arn)
	}
	return nil
}

// awaitIAM shows the documents that the IAM role needs, and waits for somebody to have put them in place.
func (a *access) awaitIAM(ctx workflow.Context) error {
	trust, permissions, err := activities.Documents(a.projectID(), a.granted, a.keyARNs)
	if err != nil {
		return err
	}
	return a.awaitDocuments(ctx, []cmk.Document{
		{Place: "trust policy of " + a.arn + ": add the statement", Text: trust},
		a.inlinePolicy(permissions),
	})
}

func (a *access) inlinePolicy(text string) cmk.Document {
	return cmk.Document{Place: "inline policy " + activities.PolicyName(a.projectID()) + " of " + a.arn, Text: text}
}

// awaitDocuments shows documents, and waits for somebody to have put them in place.
func (a *access) awaitDocuments(ctx workflow.Context, documents []cmk.Document) error {
	a.status.Documents = documents
	const step = "IAM role"
	delete(a.chosen, step)
	deadline := workflow.Now(ctx).Add(a.patience)
	done := a.await(ctx, cmk.Wait{
		For: cmk.AwaitingIAM, Step: step, What: "the IAM role to be prepared by hand; see documents", Until: deadline,
		Signal: cmk.SignalIAMReady, Example: example(map[string]string{"by": yourName}),
	})
	defer done()
	if err := until(ctx, deadline, "the IAM role to be prepared", func() bool { return a.chosen[step] != "" }); err != nil {
		return err
	}
	a.status.Documents = nil
	return nil
}

// letRest waits until IAM should show the role's documents everywhere, and has it evaluate them as they are now. How old
// they are IAM does not tell.
func (a *access) letRest(ctx workflow.Context, rest time.Duration) error {
	done := a.await(ctx, cmk.Wait{For: cmk.AwaitingPropagation, What: "IAM to show the role everywhere", Until: workflow.Now(ctx).Add(rest)})
	err := workflow.NewTimerWithOptions(ctx, rest, workflow.TimerOptions{Summary: "let the role's documents rest"}).Get(ctx, nil)
	done()
	if err != nil {
		return err
	}
	in := activities.EvaluateRoleInput{ProjectID: a.projectID(), RoleARN: a.arn, KeyARNs: a.keyARNs}
	return workflow.ExecuteActivity(propagating(ctx, "evaluate the role as it is", a.propagation), iam.ConfirmRole, in).Get(ctx, nil)
}
