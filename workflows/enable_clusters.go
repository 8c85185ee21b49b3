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

// clusterSwitch is one cluster on its way to the key.
type clusterSwitch struct {
	cluster activities.Cluster
	state   activities.ClusterState
	since   time.Time
	until   time.Time
	// started, done and skipped are its stages.
	started, done, skipped bool
}

// encryptClusters switches the clusters, at most Parallel at once; the first, which covers the most regions, alone. From
// the first one on there is no way back: what goes wrong then waits for a person.
func (e *enable) encryptClusters(ctx workflow.Context) error {
	if !slices.ContainsFunc(e.clusters, func(c *clusterSwitch) bool { return !c.done }) {
		return nil
	}
	e.enter(ctx, cmk.PhaseClusters)
	e.saga.pass()
	e.pivoted = true
	// A cluster that has begun to re-sync finishes whatever happens to this run: cancellation only keeps the next from
	// beginning.
	apart, _ := workflow.NewDisconnectedContext(ctx)
	for {
		for _, c := range e.startable(ctx.Err() != nil) {
			if err := e.switchCluster(apart, c); err != nil {
				return err
			}
		}
		if len(e.inFlight()) == 0 {
			return ctx.Err()
		}
		if err := e.watchClusters(apart); err != nil {
			return err
		}
	}
}

func (e *enable) inFlight() []*clusterSwitch {
	return slices.DeleteFunc(slices.Clone(e.clusters), func(c *clusterSwitch) bool { return !c.started || c.done || c.skipped })
}

// startable lists the clusters that may begin now.
func (e *enable) startable(stopping bool) []*clusterSwitch {
	waiting := slices.DeleteFunc(slices.Clone(e.clusters), func(c *clusterSwitch) bool { return c.started || c.done || c.skipped })
	if stopping || len(waiting) == 0 {
		return nil
	}
	room := e.request.Parallel - len(e.inFlight())
	if first := !slices.ContainsFunc(e.clusters, func(c *clusterSwitch) bool { return c.started }); first {
		room = 1
	} else if e.canaryInFlight() {
		room = 0
	}
	return waiting[:max(0, min(room, len(waiting)))]
}

// canaryInFlight is true while the first cluster is the only one that has begun.
func (e *enable) canaryInFlight() bool {
	started := slices.DeleteFunc(slices.Clone(e.clusters), func(c *clusterSwitch) bool { return !c.started })
	return len(started) == 1 && !started[0].done && !started[0].skipped
}

// switchCluster begins with one cluster.
func (e *enable) switchCluster(ctx workflow.Context, c *clusterSwitch) error {
	in := activities.EncryptClusterInput{Lease: e.under(), ProjectID: e.request.ProjectID, Cluster: c.cluster.Name}
	for _, p := range e.endpoints {
		if e.approvals.passes(p.Region) {
			in.Approved = append(in.Approved, p.ID)
		}
	}
	for {
		c.started = true
		e.show(ctx)
		err := workflow.ExecuteActivity(writing(ctx, "switch cluster "+c.cluster.Name+" to the key"), atlas.EncryptCluster, in).Get(ctx, &c.state)
		if err == nil {
			e.wrote(ctx, cmk.SystemAtlas, "switch cluster to the key", c.cluster.Name)
			c.since, c.until = workflow.Now(ctx).UTC(), workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Cluster))
			return nil
		}
		if errorType(err) == cmk.ErrLeaseLost {
			return err
		}
		switch e.askPerson(ctx, "cluster "+c.cluster.Name, err, true) {
		case cmk.SignalSkip:
			c.skipped = true
			return nil
		case cmk.SignalAbort:
			return failure(cmk.ErrAborted, "cluster %s: %s", c.cluster.Name, reason(err))
		}
	}
}

// watchClusters looks at the clusters in flight until one of them changes.
func (e *enable) watchClusters(ctx workflow.Context) error {
	flying := e.inFlight()
	deadline := flying[0].until
	var in activities.ObserveClustersInput
	var names []string
	for _, c := range flying {
		in.LastSeen = append(in.LastSeen, c.state)
		names = append(names, c.cluster.Name)
		if c.until.Before(deadline) {
			deadline = c.until
		}
	}
	in.ProjectID, in.Until = e.request.ProjectID, deadline
	done := e.await(ctx, cmk.Wait{For: cmk.AwaitingCluster, What: "clusters to be re-encrypted: " + strings.Join(names, ", "), Until: deadline})
	defer done()
	var now []activities.ClusterState
	err := workflow.ExecuteActivity(observing(ctx, "watch "+strings.Join(names, ", "), deadline), atlas.ObserveClusters, in).Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		err = failure(cmk.ErrExpired, "re-encryption of %s did not end by %s", strings.Join(names, ", "), deadline.UTC().Format(time.RFC3339))
	}
	if err != nil {
		if e.askPerson(ctx, "watch clusters", err, false) == cmk.SignalAbort {
			return failure(cmk.ErrAborted, "%s", reason(err))
		}
		for _, c := range flying {
			c.until = workflow.Now(ctx).Add(time.Duration(e.request.Deadlines.Cluster))
		}
		return nil
	}
	for i, c := range flying {
		if c.state != now[i] {
			c.state, c.since = now[i], workflow.Now(ctx).UTC()
		}
		c.done = c.state.Settled && c.state.Provider == cmk.ProviderAWS
		if c.state.State == cmk.ClusterDeleting {
			c.skipped = true
			e.status.Problem = fmt.Sprintf("cluster %s was deleted meanwhile", c.cluster.Name)
		}
		if c.state.Settled && c.state.Provider != cmk.ProviderAWS {
			if err := e.switchedBack(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// switchedBack deals with a cluster that has come to rest without the key: somebody else changed it.
func (e *enable) switchedBack(ctx workflow.Context, c *clusterSwitch) error {
	err := failure(cmk.ErrForeign, "cluster %s came to rest with provider %s: somebody else has changed it", c.cluster.Name, c.state.Provider)
	switch e.askPerson(ctx, "cluster "+c.cluster.Name, err, true) {
	case cmk.SignalSkip:
		c.skipped = true
	case cmk.SignalRetry:
		c.started = false
	default:
		return failure(cmk.ErrAborted, "%s", reason(err))
	}
	return nil
}
