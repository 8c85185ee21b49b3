package workflows

import (
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// exit is what the ways out have in common: what they see, the approval of their plan, the private endpoints that they
// take away and may put back.
type exit struct {
	*change
	options   cmk.ExitOptions
	seen      survey
	looked    time.Time
	endpoints *endpointSet
	// agreed is the hash of the plan that was approved last.
	agreed string
	// window is true while clusters on the key may have no path to it, public once private networking has been left.
	window, public bool
	keepUntil      time.Time
}

// survey is what a way out sees before it writes anything.
type survey struct {
	Project    *activities.Project
	Dependents *activities.Dependents
	// Key and Role say whether the public path to the key is open; nil where nobody would have to take it.
	Key  *activities.KeyUse
	Role *activities.RoleUse
}

func newExit(ctx workflow.Context, workflowType string, o cmk.ExitOptions) *exit {
	policy := o.Approval.Approval(cmk.ApproveProvider)
	return &exit{change: newChange(ctx, workflowType, o.ProjectID, o.Requester, policy, o.OnFailure), options: o}
}

// agree looks, plans, and has the plan approved. If the approval takes long it looks again, and a plan that has changed
// is asked for again.
func (x *exit) agree(ctx workflow.Context, preflight func(workflow.Context) error) error {
	for {
		if err := preflight(ctx); err != nil || x.options.DryRun {
			return err
		}
		if x.status.Plan.Writes() == 0 || x.status.Plan.Hash == x.agreed {
			return nil
		}
		if err := x.approvePlan(ctx); err != nil {
			return err
		}
		if workflow.Now(ctx).Sub(x.looked) <= freshness {
			return nil
		}
	}
}

// approvePlan waits for people to approve the plan that now stands in the status.
func (x *exit) approvePlan(ctx workflow.Context) error {
	x.enter(ctx, cmk.PhasePlanApproval)
	hash := x.status.Plan.Hash
	if err := x.awaitPlan(ctx, "approval of plan "+hash, hash, x.options.Deadlines.Approval); err != nil {
		return err
	}
	x.agreed = hash
	return nil
}

// look reads everything that a way out depends on, as far as it is asked for.
func (x *exit) look(ctx workflow.Context, what activities.EncryptedProjectInput) error {
	x.enter(ctx, cmk.PhasePreflight)
	// What was seen before stands until all is read anew: people may ask, and signal, at any time.
	var seen survey
	x.looked = workflow.Now(ctx)
	if err := x.readEncryptedProject(ctx, what, &seen); err != nil {
		return err
	}
	x.seen = seen
	p := seen.Project
	x.feed = p.Feed
	x.endpoints = newEndpointSet(x.change, regionsOf(p.Endpoints), cmk.Deadlines{Endpoint: x.options.Deadlines.Endpoint, Approval: x.options.Deadlines.Approval}, p.Endpoints)
	x.approvals.askEndpoints(nil, nil)
	return x.judgePublicPath(ctx)
}

// readEncryptedProject reads the project and what depends on its key.
func (c *change) readEncryptedProject(ctx workflow.Context, in activities.EncryptedProjectInput, seen *survey) error {
	in.ProjectID = c.projectID()
	if workflow.GetVersion(ctx, "read-at-once", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		read := activities.EncryptedProject{}
		err := workflow.ExecuteActivity(surveying(ctx, "read project "+in.ProjectID), atlas.ReadEncryptedProject, in).Get(ctx, &read)
		seen.Project, seen.Dependents = read.Project, read.Dependents
		return err
	}
	project := workflow.ExecuteActivity(looking(ctx, "read project "+in.ProjectID), atlas.ReadProject, activities.ProjectInput{ProjectID: in.ProjectID})
	dependents := workflow.ExecuteActivity(surveying(ctx, "read what depends on the key"), atlas.ReadDependents, activities.DependentsInput{ProjectID: in.ProjectID})
	if err := project.Get(ctx, &seen.Project); err != nil {
		return err
	}
	return dependents.Get(ctx, &seen.Dependents)
}

// judgePublicPath finds out whether clusters could use the key over the public path, and in any case reads the key.
func (x *exit) judgePublicPath(ctx workflow.Context) error {
	e := x.seen.Project.Encryption
	if !e.Enabled {
		return nil
	}
	in := activities.PublicUseInput{KeyID: e.KeyID, Region: e.Region}
	role := x.seen.role()
	if role != nil && x.seen.needsWindow() {
		in.RoleARN, in.Addresses = role.ARN, x.seen.Dependents.Addresses
	}
	x.seen.Key, x.seen.Role = &activities.KeyUse{}, nil
	if err := workflow.ExecuteActivity(looking(ctx, "judge the key's policy"), kms.ReadKeyUse, in).Get(ctx, x.seen.Key); err != nil {
		return err
	}
	if len(in.Addresses) == 0 || x.seen.Key.ARN == "" {
		return nil
	}
	in.KeyID = x.seen.Key.ARN
	x.seen.Role = &activities.RoleUse{}
	return workflow.ExecuteActivity(looking(ctx, "judge the role's policies"), iam.ReadRoleUse, in).Get(ctx, x.seen.Role)
}

// awaitQuiet waits until no cluster and no search node is changing, and returns the project as it is then.
func (x *exit) awaitQuiet(ctx workflow.Context) (*activities.Project, error) {
	deadline := workflow.Now(ctx).Add(time.Duration(x.options.Deadlines.Cluster))
	done := x.await(ctx, cmk.Wait{For: cmk.AwaitingCalm, What: "all clusters and search nodes IDLE", Until: deadline})
	defer done()
	in := activities.ObserveQuietInput{ProjectID: x.projectID(), Search: x.seen.searching(), Until: deadline}
	var now activities.Project
	err := workflow.ExecuteActivity(observing(ctx, "wait for the clusters to be at rest", deadline), atlas.ObserveQuiet, in).Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		return nil, failure(cmk.ErrExpired, "the clusters did not come to rest by %s: %s", deadline.UTC().Format(time.RFC3339), reason(err))
	}
	return &now, err
}

// role is Atlas's role with which the project uses its key; nil when it uses credentials.
func (s survey) role() *activities.AccessRole {
	for i, r := range s.Project.Roles {
		if r.ID == s.Project.Encryption.RoleID && r.ID != "" {
			return &s.Project.Roles[i]
		}
	}
	return nil
}

// needsWindow says whether leaving private networking leaves clusters without a path for a while.
func (s survey) needsWindow() bool {
	return s.Project.Encryption.RequirePrivateNetworking && s.onKey()
}

// onKey says whether anything in the project is on the key.
func (s survey) onKey() bool {
	return len(encrypted(s.Project.Clusters)) > 0 ||
		slices.ContainsFunc(s.Dependents.Search, func(d activities.SearchDeployment) bool { return d.Provider == cmk.ProviderAWS })
}

// closed says why the public path is closed; nil when it is open, or nobody has to take it.
func (s survey) closed() []string {
	if !s.needsWindow() || s.Key == nil {
		return nil
	}
	role := activities.RoleUse{Unread: "it is not known which role it is"}
	if s.Role != nil {
		role = *s.Role
	}
	return activities.Closed(*s.Key, role)
}

// searching are the clusters with search nodes, or all where those were not read.
func (s survey) searching() []string {
	var names []string
	if s.Dependents.SearchUnread {
		for _, c := range s.Project.Clusters {
			names = append(names, c.Name)
		}
	}
	for _, d := range s.Dependents.Search {
		names = append(names, d.Cluster)
	}
	return names
}

// keepUntil is when the last snapshot expires that needs the key; forever when one never does.
func keepUntil(snapshots []activities.Snapshots) (until time.Time, forever bool) {
	for _, s := range snapshots {
		if s.Until.After(until) {
			until = s.Until
		}
		forever = forever || s.Forever
	}
	return until, forever
}

// regionsOf are the regions of endpoints, in order; those that are being deleted do not count.
func regionsOf(endpoints []activities.Endpoint) []string {
	var regions []string
	for _, e := range endpoints {
		if e.Status != cmk.EndpointDeleting {
			regions = append(regions, e.Region)
		}
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

func endpointIDs(endpoints []activities.Endpoint) []string {
	var ids []string
	for _, e := range endpoints {
		if e.Status != cmk.EndpointDeleting {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// refuseErrors fails when preflight found something that stands in the way.
func (x *exit) refuseErrors() error { return x.change.refuseErrors(x.options.DryRun) }

// wayBack is the request that would bring the project back to private endpoints and its clusters to the key.
func (s survey) wayBack() *cmk.WayBack {
	if s.Project == nil || s.role() == nil || len(s.Project.Endpoints) == 0 {
		return nil
	}
	e, arn := s.Project.Encryption, s.role().ARN
	clusters := cmk.ClusterSelection{Names: encrypted(s.Project.Clusters)}
	clusters.None = len(clusters.Names) == 0
	return &cmk.WayBack{Workflow: cmk.EnableWithPrivateEndpoints, Request: &cmk.EnableRequest{
		ProjectID: s.Project.ID, Key: e.KeyID, KeyRegion: e.Region, Regions: regionsOf(s.Project.Endpoints), Clusters: clusters,
		Role: cmk.RoleRequest{Mode: cmk.RoleAdopt, Name: arn[strings.LastIndex(arn, "/")+1:]},
	}}
}
