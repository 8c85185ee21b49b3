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

// EnableWithPrivateEndpoints turns on encryption at rest with a customer-managed key over private endpoints: role-based
// access, the key on the project, private networking, an endpoint in every region, their approvals, and then the
// clusters. Its point of no return is the first cluster that is switched.
func EnableWithPrivateEndpoints(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeEnable(input)
	if err != nil {
		return nil, invalid(err)
	}
	e := &enable{
		change:  newChange(ctx, cmk.EnableWithPrivateEndpoints, request.ProjectID, request.Requester, request.Approval, request.OnFailure),
		request: request,
	}
	e.change.describe = e.describe
	return e.run(ctx, request.DryRun, e.steps)
}

// enable is one run of EnableWithPrivateEndpoints.
type enable struct {
	*change
	request cmk.EnableRequest
	seen    seen
	target  target

	accessRole activities.AccessRole
	roleARN    string
	endpoints  []activities.Endpoint
	since      map[string]time.Time
	remakes    map[string]int
	clusters   []*clusterSwitch
}

func (e *enable) steps(ctx workflow.Context) error {
	if err := e.preflight(ctx); err != nil || e.request.DryRun {
		return err
	}
	for _, step := range []func(workflow.Context) error{
		e.approvePlan,
		e.grantAccess,
		e.enableEncryption,
		e.requirePrivateNetworking,
		e.createEndpoints,
		e.awaitEndpoints,
		e.encryptClusters,
		e.verify,
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

var (
	atlas *activities.Atlas
	iam   *activities.IAM
	kms   *activities.KMS
)

// preflight reads everything and writes nothing.
func (e *enable) preflight(ctx workflow.Context) error {
	r := e.request
	project := workflow.ExecuteActivity(looking(ctx, "read project "+r.ProjectID), atlas.ReadProject, activities.ProjectInput{ProjectID: r.ProjectID})
	key := workflow.ExecuteActivity(looking(ctx, "read the key and its replicas"), kms.ReadKey, activities.KeyInput{Key: r.Key, Region: r.KeyRegion, RoleName: r.Role.Name})
	role := workflow.ExecuteActivity(looking(ctx, "read IAM role "+r.Role.Name), iam.ReadIAMRole, activities.IAMRoleInput{ProjectID: r.ProjectID, Name: r.Role.Name})
	for _, read := range []struct {
		future workflow.Future
		into   any
	}{{project, &e.seen.Project}, {key, &e.seen.Key}, {role, &e.seen.Role}} {
		if err := read.future.Get(ctx, read.into); err != nil {
			return err
		}
	}
	e.target, e.status.Findings = assess(r, e.seen)
	p := plan(r, e.seen, e.target)
	e.status.Plan = &p
	e.roleARN = e.seen.Role.ARN
	e.endpoints = e.planned(e.seen.Project.Endpoints)
	e.since, e.remakes = map[string]time.Time{}, map[string]int{}
	for _, c := range e.target.clusters {
		e.clusters = append(e.clusters, &clusterSwitch{cluster: c, state: activities.ClusterState{Name: c.Name, State: c.State, Provider: c.Provider, Paused: c.Paused}, done: c.Provider == cmk.ProviderAWS})
	}
	e.approvals.askEndpoints(e.target.regions, func(region string) bool { return e.inUse(region) })
	e.show(ctx)
	var errs []string
	for _, f := range e.status.Findings {
		if f.Severity == cmk.SeverityError {
			errs = append(errs, fmt.Sprintf("%s: %s (%s)", f.Code, f.Detail, f.Remedy))
		}
	}
	if len(errs) > 0 && !r.DryRun {
		return failure(cmk.ErrPreflightFailed, "preflight found %d errors: %s", len(errs), strings.Join(errs, "; "))
	}
	return nil
}

// inUse says whether a cluster reaches its key in a region already.
func (e *enable) inUse(region string) bool {
	return slices.ContainsFunc(e.seen.Project.Clusters, func(c activities.Cluster) bool {
		return c.Provider == cmk.ProviderAWS && slices.Contains(c.Regions, region)
	})
}

// planned keeps the endpoints of the planned regions.
func (e *enable) planned(all []activities.Endpoint) []activities.Endpoint {
	return slices.DeleteFunc(slices.Clone(all), func(p activities.Endpoint) bool { return !slices.Contains(e.target.regions, p.Region) })
}

// approvePlan waits for the plan to be approved, if that was asked for.
func (e *enable) approvePlan(ctx workflow.Context) error {
	if !e.request.PlanApproval || e.status.Plan.Writes() == 0 {
		return nil
	}
	e.enter(ctx, cmk.PhasePlanApproval)
	gate := &gate{hash: e.status.Plan.Hash}
	e.approvals.plan = gate
	deadline := workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Approval))
	done := e.await(ctx, cmk.Wait{
		For: cmk.AwaitingPlanApproval, What: "approval of plan " + gate.hash, Until: deadline,
		Signal: cmk.SignalApprove, Example: example(map[string]string{"by": yourName, "plan": gate.hash}),
	})
	defer done()
	if err := until(ctx, deadline, "approval of the plan", func() bool { return gate.decided(e.request.Approval.Approvers) }); err != nil {
		return err
	}
	if gate.rejected {
		return failure(cmk.ErrRejected, "the plan was rejected by %s", gate.votes[len(gate.votes)-1].By)
	}
	return nil
}

// grantAccess gives Atlas the use of the key: Atlas's role, the IAM role that trusts it, and the authorization.
func (e *enable) grantAccess(ctx workflow.Context) error {
	e.enter(ctx, cmk.PhaseRole)
	if err := e.ensureAccessRole(ctx); err != nil {
		return err
	}
	if err := e.ensureIAMRole(ctx); err != nil {
		return err
	}
	in := activities.AuthorizeInput{Lease: e.under(), ProjectID: e.request.ProjectID, RoleID: e.accessRole.ID, RoleARN: e.roleARN}
	deadline := time.Duration(e.request.Deadlines.Propagation)
	if err := workflow.ExecuteActivity(propagating(ctx, "authorize the role, once IAM shows it", deadline), atlas.AuthorizeAccessRole, in).Get(ctx, nil); err != nil {
		return err
	}
	if e.target.accessRole == nil {
		e.wrote(ctx, cmk.SystemAtlas, "authorize cloud provider access role", e.roleARN)
	}
	return nil
}

func (e *enable) ensureAccessRole(ctx workflow.Context) error {
	var known []string
	for _, r := range e.seen.Project.Roles {
		known = append(known, r.ID)
	}
	stood := func() bool { return e.accessRole.ID != "" && slices.Contains(known, e.accessRole.ID) }
	e.saga.arm("deauthorize the cloud provider access role", func(ctx workflow.Context) error {
		if stood() {
			return nil
		}
		in := activities.RemoveAccessRoleInput{Lease: e.under(), ProjectID: e.request.ProjectID, RoleID: e.accessRole.ID, Known: known}
		if err := workflow.ExecuteActivity(writing(ctx, "undo: cloud provider access role"), atlas.RemoveAccessRole, in).Get(ctx, nil); err != nil {
			return err
		}
		e.undid(ctx, cmk.SystemAtlas, "deauthorize cloud provider access role", e.accessRole.ID)
		return nil
	})
	in := activities.AccessRoleInput{
		Lease: e.under(), ProjectID: e.request.ProjectID, RoleARN: e.roleARN, Known: known, ExternalID: e.seen.Role.ExternalID,
	}
	if err := workflow.ExecuteActivity(writing(ctx, "cloud provider access role"), atlas.EnsureAccessRole, in).Get(ctx, &e.accessRole); err != nil {
		return err
	}
	if !stood() {
		e.wrote(ctx, cmk.SystemAtlas, "create cloud provider access role", e.accessRole.ID)
	}
	return nil
}

// ensureIAMRole edits the IAM role under a lease of its own: other projects may share the role, and IAM replaces its
// documents whole.
func (e *enable) ensureIAMRole(ctx workflow.Context) error {
	if e.roleReady() {
		return nil
	}
	r, before := e.request, e.seen.Role
	e.saga.arm("take the project out of the IAM role", func(ctx workflow.Context) error {
		return e.underRoleLease(ctx, func(l activities.Lease) error {
			in := activities.RemoveIAMRoleInput{
				Lease: e.under(), RoleLease: l, ProjectID: r.ProjectID, Name: r.Role.Name,
				Delete: !before.Exists, KeepTrust: before.ExternalID != "", KeepPermissions: before.Keys != nil,
			}
			if err := workflow.ExecuteActivity(writing(ctx, "undo: IAM role "+r.Role.Name), iam.RemoveIAMRole, in).Get(ctx, nil); err != nil {
				return err
			}
			e.undid(ctx, cmk.SystemIAM, "take the project out of the role", e.roleARN)
			return nil
		})
	})
	err := e.underRoleLease(ctx, func(l activities.Lease) error {
		in := activities.EnsureIAMRoleInput{
			Lease: e.under(), RoleLease: l, ProjectID: r.ProjectID, Name: r.Role.Name, Create: r.Role.Mode == cmk.RoleCreate,
			Boundary: r.Role.PermissionsBoundary, AtlasARN: e.accessRole.AtlasARN, ExternalID: e.accessRole.ExternalID, KeyARNs: e.target.keyARNs,
		}
		return workflow.ExecuteActivity(writing(ctx, "IAM role "+r.Role.Name), iam.EnsureIAMRole, in).Get(ctx, &e.roleARN)
	})
	if err != nil {
		return err
	}
	if !before.Exists {
		e.wrote(ctx, cmk.SystemIAM, "create role", e.roleARN)
	} else if before.ExternalID != e.accessRole.ExternalID {
		e.wrote(ctx, cmk.SystemIAM, "add trust statement "+activities.Sid(r.ProjectID), e.roleARN)
	}
	if !slices.Equal(before.Keys, e.target.keyARNs) {
		e.wrote(ctx, cmk.SystemIAM, "put inline policy "+activities.PolicyName(r.ProjectID), e.roleARN)
	}
	return nil
}

// roleReady says whether the IAM role was found as it should be, so that there is nothing to edit.
func (e *enable) roleReady() bool {
	r := e.seen.Role
	return r.Exists && r.ExternalID == e.accessRole.ExternalID && r.AtlasARN == e.accessRole.AtlasARN && slices.Equal(r.Keys, e.target.keyARNs)
}

func (e *enable) underRoleLease(ctx workflow.Context, edit func(activities.Lease) error) error {
	l, err := acquire(ctx, cmk.RoleLeaseID(e.roleARN), true)
	if err != nil {
		return err
	}
	defer l.release(ctx)
	return edit(l.Lease)
}

// enableEncryption gives the project its key. Atlas tries the key at once, so that this too waits for IAM.
func (e *enable) enableEncryption(ctx workflow.Context) error {
	e.enter(ctx, cmk.PhaseEncryption)
	before := e.seen.Project.Encryption
	if !before.Enabled {
		e.saga.arm("disable encryption at rest", func(ctx workflow.Context) error {
			in := activities.DisableInput{Lease: e.under(), ProjectID: e.request.ProjectID}
			if err := workflow.ExecuteActivity(writing(ctx, "undo: encryption at rest"), atlas.DisableEncryption, in).Get(ctx, nil); err != nil {
				return err
			}
			e.undid(ctx, cmk.SystemAtlas, "disable encryption at rest", e.request.ProjectID)
			return nil
		})
	}
	deadline := time.Duration(e.request.Deadlines.Propagation)
	if err := workflow.ExecuteActivity(propagating(ctx, "encryption at rest with the key", deadline), atlas.EnsureEncryption, e.encryption(before.RequirePrivateNetworking)).Get(ctx, nil); err != nil {
		return err
	}
	if !before.Enabled {
		e.wrote(ctx, cmk.SystemAtlas, "enable encryption at rest", e.target.keyID)
	}
	return nil
}

// encryption is the project's whole setting, with or without private networking.
func (e *enable) encryption(requirePrivateNetworking bool) activities.EncryptionInput {
	return activities.EncryptionInput{
		Lease: e.under(), ProjectID: e.request.ProjectID, KeyID: e.target.keyID, Region: e.target.keyRegion, RoleID: e.accessRole.ID,
		RequirePrivateNetworking: requirePrivateNetworking,
	}
}

func (e *enable) requirePrivateNetworking(ctx workflow.Context) error {
	before := e.seen.Project.Encryption
	if before.Enabled && before.RequirePrivateNetworking {
		return nil
	}
	e.enter(ctx, cmk.PhaseNetworking)
	e.saga.arm("stop requiring private networking", func(ctx workflow.Context) error {
		if err := workflow.ExecuteActivity(writing(ctx, "undo: private networking"), atlas.EnsureEncryption, e.encryption(false)).Get(ctx, nil); err != nil {
			return err
		}
		e.undid(ctx, cmk.SystemAtlas, "stop requiring private networking", e.request.ProjectID)
		return nil
	})
	if err := workflow.ExecuteActivity(writing(ctx, "require private networking"), atlas.EnsureEncryption, e.encryption(true)).Get(ctx, nil); err != nil {
		return err
	}
	e.wrote(ctx, cmk.SystemAtlas, "require private networking", e.request.ProjectID)
	return nil
}

// verify looks at everything once more.
func (e *enable) verify(ctx workflow.Context) error {
	e.enter(ctx, cmk.PhaseVerification)
	deadline := workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Verification))
	in := activities.VerifyInput{
		ProjectID: e.request.ProjectID, KeyID: e.target.keyID, RoleID: e.accessRole.ID, Since: e.status.Started, Until: deadline,
	}
	for _, p := range e.endpoints {
		in.Endpoints = append(in.Endpoints, p.ID)
	}
	for _, c := range e.clusters {
		if c.done {
			in.Clusters = append(in.Clusters, c.cluster.Name)
		}
	}
	var now activities.Encryption
	err := workflow.ExecuteActivity(observing(ctx, "verify", deadline), atlas.VerifyProject, in).Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrNotVerified, "%s", reason(err))
	}
	if err != nil {
		return err
	}
	e.final = &cmk.FinalState{
		Enabled: now.Enabled, Valid: now.Valid, RequirePrivateNetworking: now.RequirePrivateNetworking,
		Key: now.KeyID, KeyRegion: now.Region, RoleID: now.RoleID, RoleARN: e.roleARN,
	}
	e.keep = []string{
		fmt.Sprintf("KMS key %s and its replicas, for as long as any cluster or snapshot of project %s is encrypted with it", now.KeyID, e.request.ProjectID),
		fmt.Sprintf("IAM role %s with its policies, for as long", e.roleARN),
	}
	return nil
}

// describe completes the status.
func (e *enable) describe(s *cmk.Status) {
	for _, region := range e.target.regions {
		report := cmk.EndpointReport{Region: region, Approval: e.approvals.endpointState(region), Votes: slices.Clone(e.approvals.region(region).votes)}
		if p := e.endpointIn(region); p != nil {
			report.ID, report.Status, report.ErrorMessage, report.Since = p.ID, p.Status, p.Error, e.since[p.ID+string(p.Status)]
		}
		s.Endpoints = append(s.Endpoints, report)
	}
	for _, c := range e.clusters {
		s.Clusters = append(s.Clusters, cmk.ClusterReport{
			Name: c.cluster.Name, Regions: c.cluster.Regions, Provider: c.state.Provider, State: c.state.State, Since: c.since, Done: c.done, Skipped: c.skipped,
		})
	}
}
