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

// SafeDisableCMK takes a project off its customer-managed key: the private endpoints, private networking, the search
// nodes, the clusters one by one unless more are asked for, and then the project; or the clusters first, over the private path. Its point of no
// return is the first cluster that leaves the key. The key itself, the IAM role, its policies and Atlas's authorization
// are never touched: snapshots need them.
func SafeDisableCMK(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeDisable(input)
	if err != nil {
		return nil, invalid(err)
	}
	d := &disable{exit: newExit(ctx, cmk.SafeDisableCMK, request.ExitOptions), request: request}
	d.change.describe, d.change.conclude = d.describe, d.conclude
	return d.runTurnable(ctx, request.DryRun, d.steps)
}

// disable is one run of SafeDisableCMK.
type disable struct {
	*exit
	request  cmk.DisableRequest
	clusters *clusterSet
	// off is true once the project has no key.
	off bool
}

func (d *disable) steps(ctx workflow.Context) error {
	if err := d.agree(ctx, d.preflight); err != nil || d.request.DryRun {
		return err
	}
	if d.request.Order == cmk.OrderKeepPrivatePath {
		return inOrder(ctx, d.releaseSearchNodes, d.resumeClusters, d.releaseClusters, d.turnOff, d.verify)
	}
	return inOrder(ctx, d.leaveNetworking, d.releaseSearchNodes, d.resumeClusters, d.releaseClusters, d.turnOff, d.verify)
}

// preflight reads everything and writes nothing.
func (d *disable) preflight(ctx workflow.Context) error {
	page := d.request.Order == cmk.OrderPage
	// By the page's order no endpoint is kept for search nodes, so that whether they have left the key matters at the end alone.
	if err := d.look(ctx, activities.EncryptedProjectInput{PublicPath: page, SearchLast: page}); err != nil {
		return err
	}
	d.off = !d.seen.Project.Encryption.Enabled
	d.status.Findings = assessDisable(d.request, d.seen)
	p := planDisable(d.request, d.seen)
	d.status.Plan = &p
	d.clusters = newClusterSet(d.change, cmk.ProviderNone, d.request.Parallel, time.Duration(d.options.Deadlines.Cluster), onKeyFirst(d.seen.Project.Clusters))
	d.clusters.begin, d.clusters.refuses = d.release, d.refusesPrivatePath
	d.show(ctx)
	return d.refuseErrors()
}

// onKeyFirst are the clusters on the key, those that cover the most regions first: if something is wrong, the first tells.
func onKeyFirst(clusters []activities.Cluster) []activities.Cluster {
	on := slices.DeleteFunc(slices.Clone(clusters), func(c activities.Cluster) bool { return c.Provider != cmk.ProviderAWS })
	slices.SortStableFunc(on, func(a, b activities.Cluster) int { return len(b.Regions) - len(a.Regions) })
	return on
}

// releaseSearchNodes takes the search nodes off the key; Atlas replaces them, and they rebuild their indexes.
func (d *disable) releaseSearchNodes(ctx workflow.Context) error {
	if !d.seen.Dependents.SearchNodes {
		return nil
	}
	d.enter(ctx, cmk.PhaseSearchNodes)
	set := func(ctx workflow.Context, enabled bool, summary string) error {
		in := activities.SearchNodesInput{Lease: d.under(), ProjectID: d.projectID(), Enabled: enabled}
		return workflow.ExecuteActivity(writing(ctx, summary), atlas.EnsureSearchNodes, in).Get(ctx, nil)
	}
	d.saga.arm("put the search nodes back on the key", func(ctx workflow.Context) error {
		if err := set(ctx, true, "undo: search nodes"); err != nil {
			return err
		}
		d.undid(ctx, cmk.SystemAtlas, "put the search nodes back on the key", d.projectID())
		return nil
	})
	if err := d.heed(ctx, "take the search nodes off the key", func(ctx workflow.Context) error { return set(ctx, false, "search nodes off the key") }); err != nil {
		return err
	}
	d.wrote(ctx, cmk.SystemAtlas, "take the search nodes off the key", d.projectID())
	d.seen.Dependents.SearchNodes = false
	return d.awaitSearch(ctx)
}

// awaitSearch waits until the search nodes have been replaced.
func (d *disable) awaitSearch(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(d.options.Deadlines.Search))
	done := d.await(ctx, cmk.Wait{For: cmk.AwaitingSearchNodes, What: "search nodes to be replaced", Until: deadline})
	defer done()
	in := activities.ObserveSearchInput{ProjectID: d.projectID(), Clusters: d.seen.searching(), Until: deadline, Off: true}
	err := workflow.ExecuteActivity(observing(ctx, "watch the search nodes", deadline), atlas.ObserveSearch, in).Get(ctx, nil)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrExpired, "the search nodes were not off the key by %s: %s", deadline.UTC().Format(time.RFC3339), reason(err))
	}
	return err
}

// resumeClusters resumes paused clusters on the key, since a paused one cannot be changed.
func (d *disable) resumeClusters(ctx workflow.Context) error {
	var paused []string
	for _, c := range d.clusters.clusters {
		if c.cluster.Paused && !c.done {
			paused = append(paused, c.cluster.Name)
		}
	}
	if len(paused) == 0 || !d.request.ResumePaused {
		return nil
	}
	d.enter(ctx, cmk.PhaseClusters)
	in := activities.ReleaseInput{Lease: d.under(), ProjectID: d.projectID(), Clusters: paused}
	var states []activities.ClusterState
	if err := workflow.ExecuteActivity(writing(ctx, "resume "+strings.Join(paused, ", ")), atlas.ResumeClusters, in).Get(ctx, &states); err != nil {
		return err
	}
	for _, name := range paused {
		d.wrote(ctx, cmk.SystemAtlas, "resume cluster", name)
	}
	deadline := workflow.Now(ctx).Add(time.Duration(d.options.Deadlines.Cluster))
	done := d.await(ctx, cmk.Wait{For: cmk.AwaitingCluster, What: "clusters to resume: " + strings.Join(paused, ", "), Until: deadline})
	defer done()
	resuming := func(s activities.ClusterState) bool { return s.Paused || !s.Settled && s.State != cmk.ClusterDeleting }
	for slices.ContainsFunc(states, resuming) {
		in := activities.ObserveClustersInput{ProjectID: d.projectID(), LastSeen: states, Until: deadline}
		if err := workflow.ExecuteActivity(observing(ctx, "watch "+strings.Join(paused, ", "), deadline), atlas.ObserveClusters, in).Get(ctx, &states); err != nil {
			return err
		}
	}
	for _, c := range d.clusters.clusters {
		c.cluster.Paused = false
	}
	return nil
}

// releaseClusters takes the clusters off the key, one by one unless more are asked for. From the first one on there is no
// way back. If Atlas does not allow that over live endpoints, the page's order is proposed in its place.
func (d *disable) releaseClusters(ctx workflow.Context) error {
	if d.clusters.finished() {
		return nil
	}
	d.enter(ctx, cmk.PhaseClusters)
	err := d.clusters.switchAll(ctx)
	if !d.refusesPrivatePath(err) {
		return err
	}
	d.request.Order = cmk.OrderPage
	if err := d.agree(ctx, d.preflight); err != nil {
		return err
	}
	return inOrder(ctx, d.leaveNetworking, d.releaseClusters)
}

// release asks Atlas to take some clusters off the key.
func (d *disable) release(ctx workflow.Context, names []string) ([]activities.ClusterState, error) {
	in := activities.ReleaseInput{Lease: d.under(), ProjectID: d.projectID(), Clusters: names}
	var states []activities.ClusterState
	err := workflow.ExecuteActivity(writing(ctx, "off the key: "+strings.Join(names, ", ")), atlas.ReleaseClusters, in).Get(ctx, &states)
	if err == nil || len(names) > 1 { // of several, some may have left before one was refused
		d.saga.pass()
		d.pivoted = true
	}
	return states, err
}

// refusesPrivatePath says whether Atlas refuses to take the first cluster off the key over live endpoints. Under what code
// it would is not documented: any refusal counts that is neither ours nor about the cluster itself.
func (d *disable) refusesPrivatePath(err error) bool {
	if err == nil || d.pivoted || d.request.Order != cmk.OrderKeepPrivatePath || len(d.seen.Project.Endpoints) == 0 {
		return false
	}
	code := errorType(err)
	return strings.Contains(code, "ENCRYPTION_AT_REST") && strings.Contains(code, "PRIVATE_ENDPOINT")
}

// verify looks at everything once more, and at the snapshots, which still need the key.
func (d *disable) verify(ctx workflow.Context) error {
	d.enter(ctx, cmk.PhaseVerification)
	snapshots, err := d.verifyOff(ctx)
	if err != nil {
		return err
	}
	d.tellWhatToKeep(append(snapshots, d.seen.Dependents.Snapshots...))
	return d.retire(ctx)
}

// verifyOff returns the snapshots that still need the key.
func (d *disable) verifyOff(ctx workflow.Context) ([]activities.Snapshots, error) {
	onKey := encrypted(d.seen.Project.Clusters)
	patient := within(surveying(ctx, "verify, and read the snapshots"), time.Duration(d.options.Deadlines.Verification)) // all is done by now
	if workflow.GetVersion(ctx, "verified-at-once", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		in := activities.VerifyOffInput{ProjectID: d.projectID(), OnKey: onKey, Until: workflow.Now(ctx).Add(time.Duration(d.options.Deadlines.Verification))}
		var off activities.Off
		err := workflow.ExecuteActivity(patient, atlas.VerifyOff, in).Get(ctx, &off)
		if errorType(err) == cmk.ErrNotReady {
			return nil, failure(cmk.ErrNotVerified, "%s", reason(err))
		}
		if err == nil {
			d.found(off.Encryption)
		}
		return off.Snapshots, err
	}
	if err := d.verifyExit(ctx, activities.VerifyExitInput{Off: true}); err != nil {
		return nil, err
	}
	var now activities.Dependents
	err := workflow.ExecuteActivity(patient, atlas.ReadDependents, activities.DependentsInput{ProjectID: d.projectID(), OnKey: onKey, SnapshotsOnly: true}).Get(ctx, &now)
	return now.Snapshots, err
}

// retire starts the retirement of what the project used its key through, if that was asked for. It waits until no snapshot
// needs it, and asks before it takes anything away.
func (d *disable) retire(ctx workflow.Context) error {
	request, ok := retirementAfter(d.request, d.seen)
	if !ok {
		return nil
	}
	request.SwitchedAt = workflow.Now(ctx).UTC()
	if err := startRetirement(ctx, request); err != nil {
		return err
	}
	d.keep = append(d.keep, fmt.Sprintf("workflow %s, which retires %s", request.ID(), request.What()))
	return nil
}

// retirementAfter is the retirement that a request asks for, if there is something to retire.
func retirementAfter(r cmk.DisableRequest, s survey) (cmk.RetireRequest, bool) {
	if !r.Retire.Start {
		return cmk.RetireRequest{}, false
	}
	request := cmk.RetireRequest{ProjectIDs: []string{r.ProjectID}, Approval: r.Approval, Requester: r.Requester, RetireOptions: r.Retire.RetireOptions}
	if role := s.role(); role != nil {
		request.RoleARN = role.ARN
	} else if id := s.Project.Encryption.AccessKeyID; cmk.IsAccessKeyID(id) {
		request.AccessKeyID = id
	}
	return request, request.RoleARN != "" || request.AccessKeyID != ""
}

// tellWhatToKeep lists what snapshots need, and until when.
func (d *disable) tellWhatToKeep(snapshots []activities.Snapshots) {
	until, forever := keepUntil(snapshots)
	if until.IsZero() && !forever {
		return
	}
	d.keepUntil = until
	term := "until " + until.UTC().Format(time.RFC3339) + " at least"
	if forever {
		term = "for as long as they are kept: some never expire"
	}
	if k := d.seen.Key; k != nil {
		d.keep = append(d.keep, fmt.Sprintf("KMS key %s and its replicas: snapshots need it, %s", k.ARN, term))
	}
	if r := d.seen.role(); r != nil {
		d.keep = append(d.keep, fmt.Sprintf("IAM role %s, its policies, and its authorization in Atlas (%s): snapshots need it, %s", r.ARN, r.ID, term))
	} else if id := d.seen.Project.Encryption.AccessKeyID; id != "" {
		d.keep = append(d.keep, fmt.Sprintf("access key %s: snapshots need it, %s", id, term))
	}
}

// describe completes the status.
func (d *disable) describe(s *cmk.Status) {
	if d.clusters == nil {
		return // before preflight
	}
	s.Endpoints, s.Clusters, s.State = d.endpoints.report(), d.clusters.report(), d.state()
}

// state is where the project stands.
func (d *disable) state() cmk.ProjectState {
	done := len(d.clusters.settled())
	switch {
	case d.off:
		return cmk.StateOff
	case d.window:
		return cmk.StateWindow
	case done == len(d.clusters.clusters):
		return cmk.StateAllOff
	case d.pivoted:
		return cmk.StateSomeOff
	case d.public || !d.seen.Project.Encryption.RequirePrivateNetworking:
		return cmk.StatePublic
	}
	return cmk.StateOn
}

func (d *disable) conclude(r *cmk.Report) {
	r.KeepUntil = d.keepUntil
	if len(r.Writes) > 0 && r.Phase != cmk.PhaseCompensated {
		r.WayBack = d.seen.wayBack()
	}
}
