package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// What an enable does from its point of no return on: the clusters and the search nodes go on the key, and all is verified.

// putOnKey puts the clusters and the search nodes on the key, with an eye on the endpoints through which they reach it. It is
// over when they stand as people have approved them.
func (e *enable) putOnKey(ctx workflow.Context) error {
	if e.clusters.finished() && !e.searchNodesMissing() {
		return nil
	}
	apart, _ := workflow.NewDisconnectedContext(ctx)
	attending, stop := workflow.WithCancel(apart)
	workflow.GoNamed(attending, "private endpoints", e.endpoints.attend)
	if err := inOrder(ctx, e.encryptClusters, e.encryptSearchNodes, e.standOnEndpoints); err != nil {
		stop()
		return err
	}
	// A look that is in flight ends with the run: to call it off would take a workflow task.
	e.endpoints.unattended = true
	return nil
}

// standOnEndpoints waits until every endpoint is ACTIVE and approved, and asks a person about what does not pass by itself.
func (e *enable) standOnEndpoints(ctx workflow.Context) error {
	for {
		err := e.endpoints.stand(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if code := errorType(err); code == cmk.ErrLeaseLost || code == cmk.ErrAborted {
			return err
		}
		if e.askPerson(ctx, "approval of the private endpoints", err, false) == cmk.SignalAbort {
			return failure(cmk.ErrAborted, "%s", reason(err))
		}
	}
}

// pathLost looks at the endpoints when one has turned out not to be there, or not approved, and says whether that is so.
func (e *enable) pathLost(ctx workflow.Context, err error) bool {
	return errorType(err) == cmk.ErrNoPath && e.endpoints.look(ctx) == nil && !e.endpoints.complete()
}

func (e *enable) searchNodesMissing() bool {
	return e.request.SearchNodes && !e.seen.Project.Encryption.SearchNodes
}

// encryptClusters switches the clusters. From the first one on there is no way back.
func (e *enable) encryptClusters(ctx workflow.Context) error {
	if e.clusters.finished() {
		return nil
	}
	e.enter(ctx, cmk.PhaseClusters)
	e.saga.pass()
	e.pivoted = true
	if err := e.resumeClusters(ctx); err != nil {
		return err
	}
	return e.clusters.switchAll(ctx)
}

// resumeClusters resumes the paused clusters among those to switch; each is switched when it has come up.
func (e *enable) resumeClusters(ctx workflow.Context) error {
	paused := slices.DeleteFunc(slices.Clone(e.clusters.clusters), func(c *clusterSwitch) bool { return !c.cluster.Paused || c.done })
	names := clusterNames(paused)
	_, err := e.optional(ctx, "resume "+strings.Join(names, ", "), func(ctx workflow.Context) error { return e.resume(ctx, names) })
	return err
}

// encryptSearchNodes puts the search nodes on the key, if that was asked for, and waits until they are. They are not taken
// off it again; a person may leave them out.
func (e *enable) encryptSearchNodes(ctx workflow.Context) error {
	if !e.searchNodesMissing() {
		return nil
	}
	e.enter(ctx, cmk.PhaseSearchNodes)
	e.saga.pass()
	e.pivoted = true
	const step = "put search nodes on the key"
	written := false
	_, err := e.optional(ctx, step, func(ctx workflow.Context) error {
		in := activities.SearchNodesInput{Lease: e.under(), ProjectID: e.projectID(), Enabled: true}
		if err := workflow.ExecuteActivity(writing(ctx, step), atlas.EnsureSearchNodes, in).Get(ctx, nil); err != nil {
			return err
		}
		if !written {
			e.wrote(ctx, cmk.SystemAtlas, step, e.projectID())
			written = true
		}
		return e.awaitSearchNodes(ctx)
	})
	return err
}

func (e *enable) awaitSearchNodes(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Cluster))
	done := e.await(ctx, cmk.Wait{For: cmk.AwaitingSearchNodes, What: "search nodes to be replaced", Until: deadline})
	defer done()
	in := activities.ObserveSearchInput{ProjectID: e.projectID(), Clusters: clusterNames(e.clusters.clusters), Until: deadline, On: true}
	err := workflow.ExecuteActivity(observing(ctx, "watch the search nodes", deadline), atlas.ObserveSearch, in).Get(ctx, nil)
	if errorType(err) == cmk.ErrNotReady {
		return failure(cmk.ErrExpired, "the search nodes were not on the key by %s: %s", deadline.UTC().Format(time.RFC3339), reason(err))
	}
	return err
}

// takeSnapshots takes a first snapshot of each cluster that was switched, if that was asked for. It is not waited for: a
// cluster may take hours over it. A person may leave it out.
func (e *enable) takeSnapshots(ctx workflow.Context) error {
	if e.request.SnapshotDays == 0 {
		return nil
	}
	for _, c := range e.clusters.clusters {
		if !c.done || !needsSnapshot(e.request, c.cluster) {
			continue
		}
		in := activities.TakeSnapshotInput{
			Lease: e.under(), ProjectID: e.projectID(), Cluster: c.cluster.Name, Days: e.request.SnapshotDays,
			Description: "atlas-cmk " + workflow.GetInfo(ctx).OriginalRunID,
		}
		taken, err := e.optional(ctx, "snapshot of cluster "+in.Cluster, func(ctx workflow.Context) error {
			return workflow.ExecuteActivity(within(writing(ctx, "take a snapshot of "+in.Cluster), time.Duration(e.request.Deadlines.Verification)), atlas.TakeSnapshot, in).Get(ctx, nil)
		})
		if err != nil {
			return err
		}
		if taken {
			e.wrote(ctx, cmk.SystemAtlas, "take an on-demand snapshot", in.Cluster)
		}
	}
	return nil
}

// needsSnapshot says whether a first snapshot of a cluster is to be taken: what was on the key before has its snapshots.
func needsSnapshot(r cmk.EnableRequest, c activities.Cluster) bool {
	return r.SnapshotDays > 0 && c.Backup && c.Provider == cmk.ProviderNone
}

// roleOnKey is Atlas's role through which the project uses its key.
func (e *enable) roleOnKey() activities.AccessRole {
	if e.access.arn != "" {
		return activities.AccessRole{ID: e.access.granted.ID, ARN: e.access.arn}
	}
	return *e.seen.roleInUse()
}

// encrypt asks Atlas for the switch of some clusters.
func (e *enable) encrypt(ctx workflow.Context, names []string) ([]activities.ClusterState, error) {
	role := e.roleOnKey()
	in := activities.EncryptClustersInput{
		Lease: e.under(), ProjectID: e.request.ProjectID, Clusters: names, Approved: e.endpoints.ids(e.approvals.passes), After: e.clusters.unconfirmed(),
		RoleID: role.ID, RoleARN: role.ARN,
	}
	var states []activities.ClusterState
	// A cluster that is not IDLE is waited for, but not for ever: one that has lost its path may never be.
	err := workflow.ExecuteActivity(within(writing(ctx, "switch to the key: "+strings.Join(names, ", ")), time.Duration(e.request.Deadlines.Cluster)), atlas.EncryptClusters, in).Get(ctx, &states)
	if err == nil {
		e.clusters.confirm(in.After)
		for _, c := range e.clusters.clusters {
			if slices.Contains(names, c.cluster.Name) {
				e.approvals.nowInUse(c.cluster.Regions)
			}
		}
	}
	return states, err
}

// verify looks at everything once more. Past the point of no return a person is asked about what is not as it was asked for.
func (e *enable) verify(ctx workflow.Context) error {
	e.enter(ctx, cmk.PhaseVerification)
	err := e.compare(ctx)
	for err != nil && e.pivoted && ctx.Err() == nil && workflow.GetVersion(ctx, "ask-about-verification", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		if e.askPerson(ctx, "verification", err, false) == cmk.SignalAbort {
			return failure(cmk.ErrAborted, "verification: %s", reason(err))
		}
		err = e.compare(ctx)
	}
	return err
}

// compare waits until the project is as it was asked for.
func (e *enable) compare(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Verification))
	in := activities.VerifyInput{
		ProjectID: e.request.ProjectID, KeyID: e.target.keyID, RoleID: e.access.granted.ID, RoleARN: e.access.arn, Since: e.reachable, Until: deadline,
		Endpoints: e.endpoints.ids(func(string) bool { return true }), Clusters: e.clusters.settled(),
	}
	if e.status.Workflow != cmk.AddPrivateEndpoints && !e.request.Clusters.None {
		in.Known = clustersIn(e.seen.Project.Clusters)
	}
	var now activities.Verified
	err := workflow.ExecuteActivity(observing(ctx, "verify", deadline), atlas.VerifyProject, in).Get(ctx, &now)
	switch errorType(err) {
	case cmk.ErrNotReady:
		return failure(cmk.ErrNotVerified, "%s", reason(err))
	case cmk.ErrNotVerified:
		// What nodes have met with does not go away: it is told, and what they meet with from now on counts.
		e.reachable = workflow.Now(ctx)
		f := findings(e.status.Findings)
		f.warn(cmk.FindingKeyAlarm, e.projectID(), "look at the project's activity feed", "%s", reason(err))
		e.status.Findings = f
	}
	if err != nil {
		return err
	}
	e.appeared = slices.DeleteFunc(now.Appeared, func(name string) bool { return !e.request.Clusters.Selects(name) })
	e.final = &cmk.FinalState{
		Enabled: now.Enabled, Valid: now.Valid, RequirePrivateNetworking: now.RequirePrivateNetworking,
		Key: now.KeyID, KeyRegion: now.Region, RoleID: now.RoleID, RoleARN: e.access.arn,
	}
	e.keep = []string{
		fmt.Sprintf("KMS key %s and its replicas, for as long as any cluster or snapshot of project %s is encrypted with it", now.KeyID, e.request.ProjectID),
		fmt.Sprintf("IAM role %s with its policies, for as long", e.access.arn),
	}
	return nil
}
