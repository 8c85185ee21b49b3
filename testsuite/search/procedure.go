package search

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// scenario is a procedure and the world that it finds.
type scenario struct{ workflowType, start string }

func (s scenario) String() string { return s.workflowType + "/" + s.start }

// scenarios are all that is searched.
func scenarios() []scenario {
	var all []scenario
	add := func(workflowType string, starts ...string) {
		for _, start := range starts {
			all = append(all, scenario{workflowType, start})
		}
	}
	add(cmk.EnableWithPrivateEndpoints, starts()...)
	add(cmk.SafeDisableCMK, startDone, startPublic, startNoPath, startSome, startFailed, startKey)
	add(cmk.DisablePrivateNetworking, startDone, startSome, startReady, startFailed, startNoPath)
	add(cmk.RemovePrivateEndpoints, startReady, startFailed, startSome)
	add(cmk.AddPrivateEndpoints, startEndpoints, startFailed, startNoPath)
	add(cmk.EncryptClusters, startReady, startSome, startSearch)
	add(cmk.RotateKey, startNext, startFewer)
	add(cmk.MigrateUserToRole, startCredentials)
	add(cmk.RetireAccess, startCredentials, startDone, startNext)
	add(cmk.WatchProject, startDone, startFailed, startNoPath, startSome)
	return all
}

func (s schedule) workflowType() string {
	if s.Type == "" {
		return cmk.EnableWithPrivateEndpoints
	}
	return s.Type
}

func (s schedule) enables() bool { return s.workflowType() == cmk.EnableWithPrivateEndpoints }

// switches says whether the procedure puts clusters on the key.
func (s schedule) switches() bool { return s.enables() || s.Type == cmk.EncryptClusters }

// leaves says whether the procedure takes private endpoints away.
func (s schedule) leaves() bool {
	return slices.Contains([]string{cmk.SafeDisableCMK, cmk.DisablePrivateNetworking, cmk.RemovePrivateEndpoints}, s.Type)
}

// onCredentials says whether the world is one whose project uses an access key, or did.
func (s schedule) onCredentials() bool { return s.Start == startCredentials }

// inOneRegion says whether the project's key has one region, in which all its clusters are.
func (s schedule) inOneRegion() bool { return s.onCredentials() || s.Start == startOneRegion }

// keyless says whether nodes ask for the key by its ARN as it was given: those of other regions do not get it then.
func (s schedule) keyless() bool { return strings.Contains(s.Assume, `"regionalArns":false`) }

// precedes is what comes before a retirement: of an access key a migration, of a role the way out, of the use of a key its
// rotation.
func (s schedule) precedes() string {
	switch {
	case s.Type != cmk.RetireAccess:
		return ""
	case s.Start == startDone:
		return cmk.SafeDisableCMK
	case s.Start == startNext:
		return cmk.RotateKey
	}
	return cmk.MigrateUserToRole
}

// lead brings the world to where the schedule begins. Then trouble begins.
func (p *play) lead() error {
	if p.impossible() {
		return errNoWay
	}
	if before := p.precedes(); before != "" {
		s := p.schedule
		p.Type, p.calm = before, true
		o, err := p.once(wishDone, false)
		if err != nil {
			return err
		}
		if p.rightly(o) {
			return errNoWay
		}
		if o.failed != "" {
			return fmt.Errorf("the %s before ended with %q: %s", before, o.failed, o.report.Problem)
		}
		p.schedule, p.calm, p.ended, p.switched = s, false, nil, p.clock.Now()
	}
	p.origin = p.clock.Now()
	return p.world.Faults.Add(p.Faults...)
}

// impossible says whether the project could not have come to be as it is: Atlas would have tried the key in each region, and
// asks there for one that is only in another.
func (p *play) impossible() bool {
	return p.keyless() && strings.Contains(p.Assume, `"patchTestsAllRegions":true`) && !p.inOneRegion() &&
		p.world.State().Atlas.Projects[0].Encryption != nil
}

// errNoWay is that the world leaves no way to where a schedule begins.
var errNoWay = errors.New("the schedule cannot begin")

// request is what is asked for, in every run.
func (p *play) request() any {
	const day = 24 * time.Hour
	exit := cmk.ExitOptions{
		ProjectID: sim.ProjectA, Requester: requester, Approval: cmk.PlanPolicy{Approvers: p.Approvers}, OnFailure: cmk.Stop,
		Deadlines: cmk.ExitDeadlines{
			Approval: cmk.Duration(day), Endpoint: cmk.Duration(6 * time.Hour), Window: cmk.Duration(time.Hour),
			Cluster: cmk.Duration(12 * time.Hour), Search: cmk.Duration(12 * time.Hour), Verification: cmk.Duration(time.Hour),
		},
	}
	if p.OnFailure == cmk.Compensate && p.Type != cmk.RemovePrivateEndpoints {
		exit.OnFailure = cmk.Restore
	}
	switch p.workflowType() {
	case cmk.WatchProject:
		return p.watchRequest()
	case cmk.SafeDisableCMK:
		return cmk.DisableRequest{ExitOptions: exit, Order: p.Order, Parallel: p.Parallel, ResumePaused: true}
	case cmk.DisablePrivateNetworking:
		return cmk.NetworkingRequest{ExitOptions: exit}
	case cmk.RemovePrivateEndpoints:
		r := cmk.RemoveRequest{ExitOptions: exit, Endpoints: cmk.EndpointSelection{All: p.Region == ""}}
		if p.Region != "" {
			r.Endpoints.Regions = []string{p.Region}
		}
		return r
	case cmk.AddPrivateEndpoints:
		return cmk.AddRequest{
			ProjectID: sim.ProjectA, Regions: regions(), Requester: requester, PlanApproval: p.Plan, OnFailure: p.OnFailure,
			Approval: cmk.ApprovalPolicy{Mode: p.Mode, Approvers: p.Approvers}, Deadlines: deadlines(),
		}
	case cmk.EncryptClusters:
		mode := p.Mode
		if mode == cmk.ApproveCreate { // it creates none
			mode = cmk.ApproveUse
		}
		r := cmk.EncryptRequest{
			ProjectID: sim.ProjectA, Requester: requester, PlanApproval: p.Plan, Parallel: p.Parallel, SearchNodes: p.Start == startSearch,
			Approval: cmk.ApprovalPolicy{Mode: mode, Approvers: p.Approvers}, Deadlines: deadlines(),
		}
		if r.SearchNodes {
			r.SnapshotDays = 7
		}
		return r
	case cmk.RotateKey:
		return cmk.RotateRequest{
			ProjectID: sim.ProjectA, Key: nextKeyARN, Replicas: cmk.ReplicasCreate, Requester: requester, Approval: exit.Approval, OnFailure: p.OnFailure,
			Deadlines: cmk.RotateDeadlines{Approval: cmk.Duration(day), Clusters: cmk.Duration(12 * time.Hour), Verification: cmk.Duration(6 * time.Hour)},
		}
	case cmk.MigrateUserToRole:
		return cmk.MigrateRequest{
			ProjectID: sim.ProjectA, Requester: requester, Approval: exit.Approval, OnFailure: p.OnFailure,
			Deadlines: cmk.MigrateDeadlines{Approval: cmk.Duration(day), Verification: cmk.Duration(time.Hour)},
			Retire:    cmk.MigrateRetirement{None: true},
		}
	case cmk.RetireAccess:
		r := cmk.RetireRequest{
			ProjectIDs: []string{sim.ProjectA}, SwitchedAt: p.switched, Requester: requester, Approval: exit.Approval,
			RetireOptions: cmk.RetireOptions{Disuse: cmk.Duration(12 * time.Hour), SettleInactive: cmk.Duration(12 * time.Hour), ApprovalDeadline: cmk.Duration(day)},
		}
		switch p.precedes() {
		case cmk.MigrateUserToRole:
			r.AccessKeyID = awssim.AtlasUserAccessKeyID
		case cmk.RotateKey:
			r.KeyARNs = grownKeys()
			fallthrough
		default:
			r.RoleARN = grownRoleARN
		}
		return r
	}
	key := cmp.Or(p.Key, awssim.MultiRegionKeyARN)
	if p.inOneRegion() {
		key = awssim.SingleRegionKeyARN
	}
	return cmk.EnableRequest{
		ProjectID: sim.ProjectA, Key: key, KeyRegion: "US_EAST_1", Requester: requester,
		Parallel: p.Parallel, PlanApproval: p.Plan, OnFailure: p.OnFailure,
		Approval: cmk.ApprovalPolicy{Mode: p.Mode, Approvers: p.Approvers}, Deadlines: deadlines(),
	}
}

// deadlines are those of what puts clusters on their key, or gives them a path to it.
func deadlines() cmk.Deadlines {
	return cmk.Deadlines{
		Propagation: cmk.Duration(10 * time.Minute), Endpoint: cmk.Duration(2 * time.Hour), Cluster: cmk.Duration(12 * time.Hour),
		Approval: cmk.Duration(24 * time.Hour), Verification: cmk.Duration(time.Hour),
	}
}

// inUse is Atlas's refusal, in some worlds, to delete an endpoint that has failed while clusters have nodes in its region:
// who is told so can only ask Atlas.
const inUse = "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_IN_USE"

// keyNotFound is Atlas's answer when a key is not where it is tried.
const keyNotFound = "AWS_CUSTOMER_MASTER_KEY_NOT_FOUND"

// rightly says whether a run was refused what the world leaves no way to, by what is there rather than by what the run says.
func (p *play) rightly(o outcome) bool {
	project := p.world.State().Atlas.Projects[0]
	switch o.failed {
	case inUse:
		return true
	case cmk.ErrNotVerified:
		return p.keyless() && project.Encryption != nil && !project.Encryption.Valid
	case keyNotFound: // Atlas tries the key in every region, by a name that means nothing there
		return p.keyless() && strings.Contains(p.Assume, `"patchTestsAllRegions":true`)
	case cmk.ErrAborted: // people were told that the private path to be kept is not there, that the first cluster does not come to rest, or what is not verified
		return p.Type == cmk.SafeDisableCMK && p.Order == cmk.OrderKeepPrivatePath && pathless(project) ||
			p.keyless() && (keylessClusters(project) == 1 || project.Encryption != nil && !project.Encryption.Valid)
	case cmk.ErrPreflightFailed:
	default:
		return false
	}
	for _, f := range o.report.Findings {
		switch {
		case f.Severity != cmk.SeverityError:
		case f.Code == cmk.FindingNoRegions && len(project.Clusters) == 0:
		case f.Code == cmk.FindingClusterUncovered && p.Type == cmk.EncryptClusters && uncovered(project, func(atlassim.ClusterState) bool { return true }):
		case f.Code == cmk.FindingClusterUncovered && p.Type == cmk.RotateKey && pathless(project):
		case f.Code == cmk.FindingSettingsInvalid && (!p.enables() && pathless(project) || p.keyless()): // Atlas's validity may take in the nodes
		case f.Code == cmk.FindingClusterNotOnAWS && f.Object == added && p.hasCluster(added):
		case f.Code == cmk.FindingReplicaMissing && f.Object == elsewhere && p.hasCluster(added):
		case f.Code == cmk.FindingKeySingleRegion && p.Start == startOneRegion && p.hasCluster(added):
		case f.Code == cmk.FindingClusterUncovered && p.Type == cmk.SafeDisableCMK && p.Order == cmk.OrderKeepPrivatePath && pathless(project):
		case f.Code == cmk.FindingEndpointInUse && p.Type == cmk.RemovePrivateEndpoints && project.Encryption != nil && project.Encryption.Private &&
			slices.ContainsFunc(project.Clusters, onKey):
		default:
			return false
		}
	}
	return true
}

// windows is for how long nodes may have been without a path: in all windows that the runs have reported, give or take
// the seconds in which an answer comes back.
func (p *play) windows() time.Duration {
	var total time.Duration
	for _, o := range p.ended {
		for _, w := range o.report.Windows {
			total += w.Until.Sub(w.From) + time.Minute
		}
	}
	return total
}

// pathless says whether some cluster on the key has nodes in a region without an ACTIVE endpoint.
func pathless(p atlassim.ProjectState) bool {
	return p.Encryption != nil && p.Encryption.Private && uncovered(p, onKey)
}

// uncovered says whether one of some clusters has nodes in a region without an ACTIVE endpoint.
func uncovered(p atlassim.ProjectState, of func(atlassim.ClusterState) bool) bool {
	active := map[string]bool{}
	for _, e := range p.Endpoints {
		active[e.Region] = active[e.Region] || e.Status == string(cmk.EndpointActive)
	}
	return slices.ContainsFunc(p.Clusters, func(c atlassim.ClusterState) bool {
		return of(c) && slices.ContainsFunc(c.Nodes, func(n atlassim.NodeState) bool { return !active[n.Region] })
	})
}

// keylessClusters is how many clusters are to be on the key and do not come to be, or have nodes that do not get it.
func keylessClusters(p atlassim.ProjectState) (n int) {
	for _, c := range p.Clusters {
		if onKey(c) && (c.State != cmk.ClusterIdle || slices.ContainsFunc(c.Nodes, func(n atlassim.NodeState) bool { return n.Key != "" })) {
			n++
		}
	}
	return n
}

func (p *play) hasCluster(name string) bool {
	return slices.ContainsFunc(p.world.State().Atlas.Projects[0].Clusters, func(c atlassim.ClusterState) bool { return c.Name == name })
}

func onKey(c atlassim.ClusterState) bool { return c.Provider == cmk.ProviderAWS }
