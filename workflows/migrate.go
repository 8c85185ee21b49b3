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

// MigrateUserToRole moves a project from an IAM user's access key to an IAM role, with the same key. The switch cannot be
// taken back, since Atlas accepts no credentials any more: all that can be evaluated is evaluated before it, and people
// approve it. The access key is left to RetireAccess, which may take months.
func MigrateUserToRole(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeMigrate(input)
	if err != nil {
		return nil, invalid(err)
	}
	people := request.Approval.Approval(cmk.ApproveUse)
	m := &migrate{
		change:  newChange(ctx, cmk.MigrateUserToRole, request.ProjectID, request.Requester, people, request.OnFailure),
		request: request,
	}
	m.approvals.askEndpoints(nil, nil)
	return m.run(ctx, request.DryRun, m.steps)
}

// migrate is one run of MigrateUserToRole.
type migrate struct {
	*change
	request cmk.MigrateRequest
	seen    migrateSeen
	target  migrateTarget
	access  access
	// switchedAt is when the project was seen to have ceased to use the access key.
	switchedAt time.Time
}

func (m *migrate) steps(ctx workflow.Context) error {
	if err := m.preflight(ctx); err != nil || m.request.DryRun {
		return err
	}
	for _, step := range []func(workflow.Context) error{
		m.approvePlan,
		m.grantAccess,
		m.letRest,
		m.switchOver,
		m.verify,
		m.retire,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// preflight reads everything and writes nothing.
func (m *migrate) preflight(ctx workflow.Context) error {
	r := m.request
	m.seen = migrateSeen{}
	s := &m.seen
	if err := workflow.ExecuteActivity(looking(ctx, "read project "+r.ProjectID), atlas.ReadProject, activities.ProjectInput{ProjectID: r.ProjectID}).Get(ctx, &s.Project); err != nil {
		return err
	}
	m.feed = s.Project.Feed
	now, accessKeyID := s.Project.Encryption, accessKeyOf(r, s.Project.Encryption)
	reads := []read{
		{workflow.ExecuteActivity(looking(ctx, "read IAM role "+r.Role.Name), iam.ReadIAMRole, activities.IAMRoleInput{ProjectID: r.ProjectID, Name: r.Role.Name}), &s.Role},
		{workflow.ExecuteActivity(surveying(ctx, "read the backups"), atlas.ReadBackups, activities.BackupsInput{ProjectID: r.ProjectID, Before: workflow.Now(ctx)}), &s.Backups},
	}
	if now.Enabled {
		in := activities.KeyInput{Key: now.KeyID, Region: now.Region, RoleName: r.Role.Name}
		reads = append(reads, read{workflow.ExecuteActivity(looking(ctx, "read the key and its replicas"), kms.ReadKey, in), &s.Key})
	}
	if accessKeyID != "" {
		in := activities.AccessKeyInput{AccessKeyID: accessKeyID}
		reads = append(reads, read{workflow.ExecuteActivity(looking(ctx, "read access key "+accessKeyID), iam.ReadAccessKey, in), &s.AccessKey})
	}
	for _, x := range reads {
		if err := x.future.Get(ctx, x.into); err != nil {
			return err
		}
	}
	if s.Key != nil {
		in := activities.EvaluateRoleInput{ProjectID: r.ProjectID, RoleARN: s.Role.ARN, KeyARNs: keysOf(s.seen), AsGranted: true}
		if err := workflow.ExecuteActivity(looking(ctx, "evaluate the role's policies"), iam.EvaluateRole, in).Get(ctx, &s.Evaluation); err != nil {
			return err
		}
	}
	m.target, m.status.Findings = assessMigration(r, *s)
	p := planMigration(r, *s, m.target)
	m.status.Plan = &p
	m.access = access{
		change: m.change, role: r.Role, keyARNs: m.target.keyARNs, propagation: time.Duration(r.Deadlines.Propagation),
		before: s.Role, roles: s.Project.Roles, standing: m.target.standing,
	}
	m.show(ctx)
	if errs := errorsIn(m.status.Findings); len(errs) > 0 && !r.DryRun {
		return failure(cmk.ErrPreflightFailed, "preflight found %d errors: %s", len(errs), strings.Join(errs, "; "))
	}
	return nil
}

// read is something that is being read.
type read struct {
	future workflow.Future
	into   any
}

// errorsIn are the findings that end a change, in words.
func errorsIn(findings []cmk.Finding) []string {
	var errs []string
	for _, f := range findings {
		if f.Severity == cmk.SeverityError {
			errs = append(errs, fmt.Sprintf("%s: %s (%s)", f.Code, f.Detail, f.Remedy))
		}
	}
	return errs
}

// approvePlan waits for the plan to be approved.
func (m *migrate) approvePlan(ctx workflow.Context) error {
	return m.agreeAlways(ctx, m.request.Deadlines.Approval, func() bool { return !m.target.switched }, m.preflight)
}

// grantAccess gives Atlas the use of the key through the role, beside the access key.
func (m *migrate) grantAccess(ctx workflow.Context) error {
	if m.target.switched {
		return nil
	}
	m.enter(ctx, cmk.PhaseRole)
	return m.access.grant(ctx)
}

// letRest waits until the role should be of use; a switch that comes too early is refused, and whether Atlas then keeps the
// old setting is not documented.
func (m *migrate) letRest(ctx workflow.Context) error {
	if m.target.switched {
		return nil
	}
	return m.access.letRest(ctx, time.Duration(m.request.Rest))
}

// switchOver has Atlas use the role in place of the access key: the point of no return. Cancellation is held meanwhile:
// an attempt whose answer was lost may have been carried out, and only another one tells.
func (m *migrate) switchOver(ctx workflow.Context) error {
	if m.target.switched {
		return nil
	}
	m.enter(ctx, cmk.PhaseSwitch)
	m.saga.arm("make sure that the project does not use the role", func(ctx workflow.Context) error {
		in := activities.RoleUseInput{ProjectID: m.request.ProjectID, RoleID: m.access.granted.ID}
		return workflow.ExecuteActivity(writing(ctx, "look whether the role is in use"), atlas.ConfirmRoleUnused, in).Get(ctx, nil)
	})
	apart, _ := workflow.NewDisconnectedContext(ctx)
	propagation := time.Duration(m.request.Deadlines.Propagation)
	in := activities.SwitchInput{
		ProjectID: m.request.ProjectID, Before: m.seen.Project.Encryption, RoleID: m.access.granted.ID,
	}
	options := workflow.GetActivityOptions(propagating(apart, "switch from the access key to the role", propagation))
	options.ScheduleToCloseTimeout = 0 // the activity keeps the deadline
	if err := m.heed(ctx, "use the key through the role", func(workflow.Context) error {
		in.Lease, in.Until = m.under(), workflow.Now(ctx).Add(propagation)
		return workflow.ExecuteActivity(workflow.WithActivityOptions(apart, options), atlas.SwitchToRole, in).Get(apart, nil)
	}); err != nil {
		return err
	}
	m.saga.pass()
	m.pivoted = true
	m.switchedAt = workflow.Now(ctx).UTC()
	m.wrote(ctx, cmk.SystemAtlas, "use the key through the role", m.access.granted.ID)
	m.keepEverything()
	return nil
}

// verify watches the key for as long as was asked for.
func (m *migrate) verify(ctx workflow.Context) error {
	m.enter(ctx, cmk.PhaseVerification)
	before, roleID := m.seen.Project.Encryption, m.access.granted.ID
	if m.target.switched {
		roleID = before.RoleID
	}
	deadline := workflow.Now(ctx).Add(time.Duration(m.request.Settle + m.request.Deadlines.Verification))
	in := activities.WatchKeyInput{ProjectID: m.request.ProjectID, RoleID: roleID, KeyID: before.KeyID, For: m.request.Settle, Until: deadline}
	done := m.await(ctx, cmk.Wait{For: cmk.AwaitingSettling, What: "Atlas to find the key valid for " + m.request.Settle.String(), Until: deadline})
	defer done()
	var now activities.Encryption
	err := workflow.ExecuteActivity(observing(ctx, "watch the key", deadline), atlas.WatchKey, in).Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrNotVerified, "%s", reason(err))
	}
	if err != nil {
		return err
	}
	m.final = &cmk.FinalState{
		Enabled: now.Enabled, Valid: now.Valid, RequirePrivateNetworking: now.RequirePrivateNetworking,
		Key: now.KeyID, KeyRegion: now.Region, RoleID: now.RoleID, RoleARN: m.seen.Role.ARN,
	}
	m.keepEverything()
	return nil
}

// keepEverything says what must outlive the change, and until when at least.
func (m *migrate) keepEverything() {
	m.keep = []string{
		fmt.Sprintf("KMS key %s and its replicas, for as long as any cluster or snapshot of project %s is encrypted with it", m.seen.Project.Encryption.KeyID, m.request.ProjectID),
		fmt.Sprintf("IAM role %s with its policies, for as long", m.seen.Role.ARN),
	}
	if id := m.target.accessKeyID; id != "" {
		needed := "until its retirement has shown that nothing needs it"
		if b := m.seen.Backups; b.Count > 0 {
			needed = fmt.Sprintf("Active until %s at least: %d snapshots and point-in-time windows from before the switch are restored with it, those of deleted clusters not counted", b.Until.Format(time.RFC3339), b.Count)
		}
		m.keep = append(m.keep, fmt.Sprintf("access key %s, %s", id, needed))
	}
}

// retire starts the retirement of the access key as a workflow of its own, which outlives this one. If it runs already,
// because another project has used the same access key, it is told of this project.
func (m *migrate) retire(ctx workflow.Context) error {
	id := m.target.accessKeyID
	if id == "" || m.request.Retire.None {
		return nil
	}
	if m.switchedAt.IsZero() {
		m.switchedAt = workflow.Now(ctx).UTC()
	}
	projects := append([]string{m.request.ProjectID}, m.request.Retire.AlsoProjects...)
	slices.Sort(projects)
	request := cmk.RetireRequest{
		AccessKeyID: id, ProjectIDs: slices.Compact(projects), SwitchedAt: m.switchedAt, Approval: m.request.Approval,
		Requester: m.request.Requester, RetireOptions: m.request.Retire.RetireOptions,
	}
	if err := startRetirement(ctx, request); err != nil {
		return err
	}
	m.keep = append(m.keep, fmt.Sprintf("workflow %s, which retires the access key", request.ID()))
	return nil
}
