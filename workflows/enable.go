package workflows

import (
	"encoding/json"
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
	e := newEnable(ctx, cmk.EnableWithPrivateEndpoints, request)
	e.look = e.preflight
	return e.run(ctx, request.DryRun, e.steps)
}

// enable is one run of EnableWithPrivateEndpoints, or of a procedure that does a part of it.
type enable struct {
	*change
	request cmk.EnableRequest
	// look is the procedure's preflight.
	look      func(workflow.Context) error
	seen      seen
	target    target
	access    access
	endpoints *endpointSet
	clusters  *clusterSet
	// reachable is since when every node on the key should have had a path to it: alarms before that are no surprise.
	reachable time.Time
	// setting is the project's encryption at rest as this change has left it, settled when.
	setting *activities.Encryption
	settled time.Time
	// now is the project's encryption at rest as this change has left it, as far as it tells where the project stands.
	now activities.Encryption
	// appeared are clusters that have come since preflight, and that were meant.
	appeared []string
}

func newEnable(ctx workflow.Context, workflowType string, r cmk.EnableRequest) *enable {
	e := &enable{change: newChange(ctx, workflowType, r.ProjectID, r.Requester, r.Approval, r.OnFailure), request: r}
	e.change.describe = e.describe
	return e
}

func (e *enable) steps(ctx workflow.Context) error {
	if err := e.look(ctx); err != nil || e.request.DryRun {
		return err
	}
	return e.untilAllAlong(ctx, e.carryOut)
}

// untilAllAlong carries out the steps, and again for clusters that have come meanwhile, if people say so.
func (e *enable) untilAllAlong(ctx workflow.Context, steps func(workflow.Context) error) error {
	for {
		if err := steps(ctx); err != nil {
			return err
		}
		if again, err := e.takeAlong(ctx); !again {
			return err
		}
	}
}

func (e *enable) carryOut(ctx workflow.Context) error {
	return inOrder(ctx,
		e.approvePlan,
		e.replicateKey,
		e.grantAccess,
		e.enableEncryption,
		e.goPrivate,
		e.putOnKey,
		e.takeSnapshots,
		e.verify,
	)
}

// takeAlong asks people about clusters that have come since preflight, where all were to be on the key. If they say so the
// change begins anew with them; otherwise they are left, and told.
func (e *enable) takeAlong(ctx workflow.Context) (again bool, err error) {
	if len(e.appeared) == 0 {
		return false, nil
	}
	names, asked := strings.Join(e.appeared, ", "), false
	again, err = e.optional(ctx, "clusters that have come since", func(ctx workflow.Context) error {
		if !asked {
			asked = true
			return failure(cmk.ErrForeign, "cluster %s has come since the change looked, and is not on the key: retry puts it there too, skip leaves it", names)
		}
		return e.look(ctx)
	})
	if !again && err == nil {
		f := findings(e.status.Findings)
		f.warn(cmk.FindingClusterAppeared, names, "put it on the key with EncryptClusters", "cluster %s has come since the change looked: it is not on the key", names)
		e.status.Findings = f
	}
	return again, err
}

var (
	atlas    *activities.Atlas
	iam      *activities.IAM
	kms      *activities.KMS
	surveys  *activities.Preflight
	notifier *activities.Notifier
)

// preflight reads everything and writes nothing.
func (e *enable) preflight(ctx workflow.Context) error {
	r := e.request
	in := activities.SurveyInput{
		Project: activities.ProjectInput{ProjectID: r.ProjectID, Switching: &r.Clusters},
		Key:     activities.KeyInput{Key: r.Key, Region: r.KeyRegion, RoleName: r.Role.Name},
		Role:    activities.IAMRoleInput{ProjectID: r.ProjectID, Name: r.Role.Name},
		Regions: r.Regions,
	}
	var now seen // into what was seen before, what is left out now would not be read
	if err := workflow.ExecuteActivity(surveying(ctx, "read the project, the key and the IAM role"), surveys.ReadSurvey, in).Get(ctx, &now); err != nil {
		return err
	}
	e.seen = now
	t, found := assess(r, e.seen)
	return e.settle(ctx, t, found)
}

// settle makes ready for what preflight has found to be done, and refuses to do it if that has errors.
func (e *enable) settle(ctx workflow.Context, t target, found []cmk.Finding) error {
	r := e.request
	e.feed, e.now = e.seen.Project.Feed, e.seen.Project.Encryption
	if selected := e.selected(); slices.ContainsFunc(selected, deleting) && workflow.GetVersion(ctx, "leave-out-deleted", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		mostRegionsFirst(selected)
		t.clusters = selected
	}
	e.target, e.status.Findings = t, found
	p := plan(r, e.seen, e.target)
	e.status.Plan = &p
	e.access = access{
		change: e.change, role: r.Role, keyARNs: e.target.keyARNs,
		propagation: time.Duration(r.Deadlines.Propagation), patience: time.Duration(r.Deadlines.Approval),
		before: e.seen.Role, roles: e.seen.Project.Roles, standing: e.target.accessRole,
	}
	e.endpoints = newEndpointSet(e.change, e.target.regions, r.Deadlines, e.seen.Project.Endpoints)
	e.clusters = newClusterSet(e.change, cmk.ProviderAWS, r.Parallel, time.Duration(r.Deadlines.Cluster), e.target.clusters)
	e.clusters.follow(ctx)
	e.clusters.begin, e.clusters.hold, e.clusters.again = e.encrypt, e.endpoints.stand, e.pathLost
	e.approvals.askEndpoints(e.target.regions, e.inUse)
	e.endpoints.atlasDecides = r.Approval.Mode == cmk.ApproveProvider
	e.endpoints.saw(ctx, e.endpoints.current)
	e.show(ctx)
	return e.refuseErrors(r.DryRun)
}

// selected are the clusters that were asked for.
func (e *enable) selected() []activities.Cluster {
	return slices.DeleteFunc(slices.Clone(e.seen.Project.Clusters), func(c activities.Cluster) bool { return !e.request.Clusters.Selects(c.Name) })
}

// inUse says whether a cluster reaches its key in a region already.
func (e *enable) inUse(region string) bool {
	return slices.ContainsFunc(e.seen.Project.Clusters, func(c activities.Cluster) bool {
		return c.Provider == cmk.ProviderAWS && slices.Contains(c.Regions, region)
	})
}

// approvePlan waits for the plan to be approved, if that was asked for. If that takes long, preflight looks again, and a
// plan that has come to differ is asked for anew.
func (e *enable) approvePlan(ctx workflow.Context) error {
	for e.request.PlanApproval && e.status.Plan.Writes() > 0 {
		e.enter(ctx, cmk.PhasePlanApproval)
		hash, looked := e.status.Plan.Hash, workflow.Now(ctx)
		if err := e.awaitPlan(ctx, "approval of plan "+hash, hash, e.request.Deadlines.Approval); err != nil {
			return err
		}
		if workflow.Now(ctx).Sub(looked) <= freshness {
			return nil
		}
		if err := e.look(ctx); err != nil {
			return err
		}
		if e.status.Plan.Hash == hash {
			return nil
		}
	}
	return nil
}

// replicateKey makes the replicas that are missing, if that was asked for. They are not taken back: nothing here ever
// deletes a key.
func (e *enable) replicateKey(ctx workflow.Context) error {
	return e.replicate(ctx, e.seen.Key, e.target.replicate)
}

// grantAccess gives Atlas the use of the key.
func (e *enable) grantAccess(ctx workflow.Context) error {
	e.enter(ctx, cmk.PhaseRole)
	return e.access.grant(ctx)
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
			e.now = activities.Encryption{}
			e.undid(ctx, cmk.SystemAtlas, "disable encryption at rest", e.request.ProjectID)
			return nil
		})
	}
	deadline := time.Duration(e.request.Deadlines.Propagation)
	err := e.heed(ctx, "enable encryption at rest", func(ctx workflow.Context) error {
		defer e.awaitPropagation(ctx, deadline)()
		return workflow.ExecuteActivity(propagating(ctx, "encryption at rest with the key", deadline), atlas.EnsureEncryption, e.encryption(nil)).Get(ctx, &e.setting)
	})
	if err != nil {
		return err
	}
	e.settled, e.now.Enabled = workflow.Now(ctx), true
	if !before.Enabled {
		e.wrote(ctx, cmk.SystemAtlas, "enable encryption at rest", e.target.keyID)
	}
	return nil
}

// encryption is the project's whole setting, with or without private networking, or with what it has.
func (e *enable) encryption(requirePrivateNetworking *bool) activities.EncryptionInput {
	in := activities.EncryptionInput{
		Lease: e.under(), ProjectID: e.request.ProjectID, KeyID: e.target.keyID, Region: e.target.keyRegion, RoleID: e.access.granted.ID,
		RequirePrivateNetworking: requirePrivateNetworking,
	}
	if requirePrivateNetworking != nil && *requirePrivateNetworking {
		// On the way back this is not how it is any more: private networking has been required since.
		in.Seen, in.Looked = e.setting, e.settled
	}
	return in
}

// goPrivate requires private networking and gives every region its endpoint. Where clusters use the key already, over
// the public path, that takes them through a window.
func (e *enable) goPrivate(ctx workflow.Context) error {
	e.reachable = e.status.Started
	onKey := len(encrypted(e.seen.Project.Clusters)) > 0
	if onKey && !e.endpoints.allActive() {
		defer func() { e.reachable = workflow.Now(ctx) }()
	}
	if onKey && !e.seen.Project.Encryption.RequirePrivateNetworking {
		return e.heed(ctx, "require private networking", e.crossWindow)
	}
	return inOrder(ctx, e.requirePrivateNetworking, e.createEndpoints)
}

func (e *enable) requirePrivateNetworking(ctx workflow.Context) error {
	before := e.seen.Project.Encryption
	if before.Enabled && before.RequirePrivateNetworking {
		return nil
	}
	e.enter(ctx, cmk.PhaseNetworking)
	e.saga.arm("stop requiring private networking", func(ctx workflow.Context) error {
		if err := workflow.ExecuteActivity(writing(ctx, "undo: private networking"), atlas.EnsureEncryption, e.encryption(new(false))).Get(ctx, nil); err != nil {
			return err
		}
		e.now.RequirePrivateNetworking = false
		e.undid(ctx, cmk.SystemAtlas, "stop requiring private networking", e.request.ProjectID)
		return nil
	})
	err := e.heed(ctx, "require private networking", func(ctx workflow.Context) error {
		return workflow.ExecuteActivity(writing(ctx, "require private networking"), atlas.EnsureEncryption, e.encryption(new(true))).Get(ctx, nil)
	})
	if err != nil {
		return err
	}
	e.now.RequirePrivateNetworking = true
	e.wrote(ctx, cmk.SystemAtlas, "require private networking", e.request.ProjectID)
	return nil
}

// createEndpoints creates the endpoints, and waits until each is ACTIVE and approved. In a project that preflight found
// as it was asked for nobody is asked for approval either.
func (e *enable) createEndpoints(ctx workflow.Context) error {
	if e.approvals.waived = e.status.Plan.Writes() == 0 && e.endpoints.allActive(); e.approvals.waived {
		return nil
	}
	e.enter(ctx, cmk.PhaseEndpoints)
	if err := e.endpoints.create(ctx); err != nil {
		return err
	}
	return e.endpoints.awaitReady(ctx)
}

// describe completes the status.
func (e *enable) describe(s *cmk.Status) {
	if e.endpoints == nil {
		return // before preflight
	}
	s.Endpoints, s.Clusters, s.State = e.endpoints.report(), e.clusters.report(), e.state()
}

// state is where the project stands, as far as the change has seen it.
func (e *enable) state() cmk.ProjectState {
	if e.windowOpen() {
		return cmk.StateWindow
	}
	return projectState(&activities.Look{Encryption: e.now, Endpoints: e.endpoints.all(), Clusters: e.clusters.among(e.seen.Project.Clusters)})
}
