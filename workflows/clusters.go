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

// clusterSet is clusters on their way to a provider of encryption at rest: each re-syncs all its data on the way.
type clusterSet struct {
	*change
	provider string
	parallel int
	deadline time.Duration
	clusters []*clusterSwitch
	// fastest is how long the fastest cluster has taken: what to expect of the next.
	fastest time.Duration
	// looked is when those in flight were last seen.
	looked time.Time
	// begin asks Atlas for the switch of some clusters, after looking at all that it depends on.
	begin func(ctx workflow.Context, names []string) ([]activities.ClusterState, error)
	// hold, if set, waits until the next clusters may begin. It is called again after an error of begin that again, if
	// set, says was because of that.
	hold  func(ctx workflow.Context) error
	again func(ctx workflow.Context, err error) bool
	// refuses, if set, picks the errors of begin that are for the procedure rather than for a person.
	refuses func(error) bool
}

// clusterSwitch is one cluster on its way.
type clusterSwitch struct {
	cluster activities.Cluster
	state   activities.ClusterState
	// since is when the state was first seen, began when Atlas was asked, until the deadline.
	since, began, until time.Time
	// started, done and skipped are its stages; began is zero if it was on its way before this run. It is confirmed once a later
	// look has found it as it was when it was done.
	started, done, skipped, confirmed bool
}

func newClusterSet(c *change, provider string, parallel int, deadline time.Duration, clusters []activities.Cluster) *clusterSet {
	s := &clusterSet{change: c, provider: provider, parallel: parallel, deadline: deadline}
	for _, cl := range clusters {
		s.clusters = append(s.clusters, &clusterSwitch{
			cluster: cl, done: cl.Provider == provider,
			state: activities.ClusterState{Name: cl.Name, State: cl.State, Provider: cl.Provider, Paused: cl.Paused},
		})
	}
	return s
}

// follow takes along the clusters that were on their way before this run: Atlas shows the provider from the beginning of a
// re-sync, which may take days and is no matter of verification.
func (s *clusterSet) follow(ctx workflow.Context) {
	var moving []*clusterSwitch
	for _, c := range s.clusters {
		if c.done && c.state.State != cmk.ClusterIdle && c.state.State != cmk.ClusterDeleting {
			moving = append(moving, c)
		}
	}
	if len(moving) == 0 || workflow.GetVersion(ctx, "re-syncs-followed", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
	for _, c := range moving {
		c.started, c.done = true, false
	}
}

// finished is true when there is nothing to switch.
func (s *clusterSet) finished() bool {
	return !slices.ContainsFunc(s.clusters, func(c *clusterSwitch) bool { return !c.done })
}

// switchAll switches the clusters, at most parallel at once; the first, which covers the most regions, alone. What goes
// wrong waits for a person, since there is no way back.
func (s *clusterSet) switchAll(ctx workflow.Context) error {
	// A cluster that has begun to re-sync finishes whatever happens to this run: cancellation only keeps the next from
	// beginning.
	apart, _ := workflow.NewDisconnectedContext(ctx)
	for _, c := range s.inFlight() {
		c.since, c.until = workflow.Now(ctx).UTC(), workflow.Now(ctx).Add(s.deadline)
	}
	for {
		if next := s.startable(ctx.Err() != nil); len(next) > 0 {
			if err := s.start(ctx, apart, next); err != nil {
				return err
			}
		}
		if len(s.inFlight()) == 0 {
			if len(s.startable(ctx.Err() != nil)) > 0 {
				continue
			}
			return ctx.Err()
		}
		if err := s.watch(apart); err != nil {
			return err
		}
	}
}

func (s *clusterSet) inFlight() []*clusterSwitch {
	return slices.DeleteFunc(slices.Clone(s.clusters), func(c *clusterSwitch) bool { return !c.started || c.done || c.skipped })
}

// startable lists the clusters that may begin now.
func (s *clusterSet) startable(stopping bool) []*clusterSwitch {
	waiting := slices.DeleteFunc(slices.Clone(s.clusters), func(c *clusterSwitch) bool { return c.started || c.done || c.skipped })
	if stopping || len(waiting) == 0 {
		return nil
	}
	room := s.parallel - len(s.inFlight())
	if first := !slices.ContainsFunc(s.clusters, func(c *clusterSwitch) bool { return c.started }); first {
		room = 1
	} else if s.canaryInFlight() {
		room = 0
	}
	return waiting[:max(0, min(room, len(waiting)))]
}

// canaryInFlight is true while the first cluster is the only one that has begun.
func (s *clusterSet) canaryInFlight() bool {
	started := slices.DeleteFunc(slices.Clone(s.clusters), func(c *clusterSwitch) bool { return !c.started })
	return len(started) == 1 && !started[0].done && !started[0].skipped
}

// start begins with some clusters, unless the change is cancelled while it waits for that or for a person.
func (s *clusterSet) start(ctx, apart workflow.Context, next []*clusterSwitch) error {
	for {
		states, err := s.tryToStart(ctx, apart, clusterNames(next))
		if err == nil {
			s.begun(ctx, next, states)
			return nil
		}
		if again, err := s.refused(ctx, apart, next, err); !again {
			return err
		}
	}
}

// refused deals with clusters that could not begin, and says whether to try again.
func (s *clusterSet) refused(ctx, apart workflow.Context, next []*clusterSwitch, err error) (again bool, _ error) {
	if code := errorType(err); code == cmk.ErrLeaseLost || code == cmk.ErrAborted || s.refuses != nil && s.refuses(err) {
		return false, err
	}
	if s.again != nil && s.again(apart, err) {
		return true, nil
	}
	if len(next) > 1 && workflow.GetVersion(ctx, "each-by-itself", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		return false, s.startEach(ctx, apart, next)
	}
	names := strings.Join(clusterNames(next), ", ")
	choice := s.askPerson(ctx, "cluster "+names, err, true)
	if ctx.Err() != nil { // the caller sees to a cancellation
		return false, nil //nolint:nilerr // what was refused is acknowledged
	}
	switch choice {
	case cmk.SignalSkip:
		for _, c := range next {
			c.skipped = true
		}
		return false, nil
	case cmk.SignalAbort:
		return false, failure(cmk.ErrAborted, "cluster %s: %s", names, reason(err))
	}
	return true, nil
}

// begun takes in that clusters have begun.
func (s *clusterSet) begun(ctx workflow.Context, clusters []*clusterSwitch, states []activities.ClusterState) {
	for i, c := range clusters {
		s.wrote(ctx, cmk.SystemAtlas, "switch cluster to "+s.provider, c.cluster.Name)
		c.started, c.state = true, states[i]
		c.since, c.began, c.until = workflow.Now(ctx).UTC(), workflow.Now(ctx), workflow.Now(ctx).Add(s.deadline)
	}
	s.looked = workflow.Now(ctx)
	s.show(ctx)
}

// startEach begins with clusters one by one, after some of them were refused together: those that had begun by then are
// followed to their end, and people are asked about the others alone.
func (s *clusterSet) startEach(ctx, apart workflow.Context, clusters []*clusterSwitch) error {
	for _, c := range clusters {
		alone := []*clusterSwitch{c}
		states, err := s.begin(apart, clusterNames(alone))
		if err == nil {
			s.begun(ctx, alone, states)
			continue
		}
		again, err := s.refused(ctx, apart, alone, err)
		if again {
			err = s.start(ctx, apart, alone)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *clusterSet) tryToStart(ctx, apart workflow.Context, names []string) ([]activities.ClusterState, error) {
	if s.hold != nil {
		if err := s.hold(ctx); err != nil {
			return nil, err
		}
	}
	return s.begin(apart, names)
}

func clusterNames(clusters []*clusterSwitch) []string {
	var names []string
	for _, c := range clusters {
		names = append(names, c.cluster.Name)
	}
	return names
}

// watch looks at the clusters in flight until one of them changes.
func (s *clusterSet) watch(ctx workflow.Context) error {
	flying := s.inFlight()
	in := activities.ObserveClustersInput{ProjectID: s.projectID(), Until: flying[0].until, Due: s.fastest, Looked: s.looked}
	for _, c := range flying {
		in.LastSeen = append(in.LastSeen, c.state)
		if c.began.After(in.Began) {
			in.Began = c.began
		}
		if c.until.Before(in.Until) {
			in.Until = c.until
		}
	}
	names := strings.Join(clusterNames(flying), ", ")
	done := s.await(ctx, cmk.Wait{For: cmk.AwaitingCluster, What: "clusters to re-sync: " + names, Until: in.Until})
	defer done()
	var now []activities.ClusterState
	err := workflow.ExecuteActivity(observing(ctx, "watch "+names, in.Until), atlas.ObserveClusters, in).Get(ctx, &now)
	if errorType(err) == cmk.ErrNotReady {
		err = failure(cmk.ErrExpired, "the re-sync of %s did not end by %s", names, in.Until.UTC().Format(time.RFC3339))
	}
	if err != nil {
		if s.askPerson(ctx, "watch clusters", err, false) == cmk.SignalAbort {
			return failure(cmk.ErrAborted, "%s", reason(err))
		}
		for _, c := range flying {
			c.until = workflow.Now(ctx).Add(s.deadline)
		}
		return nil
	}
	s.looked = workflow.Now(ctx)
	for i, c := range flying {
		if err := s.saw(ctx, c, now[i]); err != nil {
			return err
		}
	}
	return nil
}

// saw takes in what a cluster in flight has become.
func (s *clusterSet) saw(ctx workflow.Context, c *clusterSwitch, now activities.ClusterState) error {
	if c.state != now {
		c.state, c.since = now, workflow.Now(ctx).UTC()
	}
	switch {
	case now.State == cmk.ClusterDeleting:
		c.skipped = true
		s.status.Problem = fmt.Sprintf("cluster %s was deleted meanwhile", c.cluster.Name)
	case now.Settled && now.Provider == s.provider:
		c.done = true
		if took := workflow.Now(ctx).Sub(c.began); !c.began.IsZero() && (s.fastest == 0 || took < s.fastest) {
			s.fastest = took
		}
	case now.Settled:
		return s.switchedBack(ctx, c)
	}
	return nil
}

// switchedBack deals with a cluster that has come to rest with another provider: somebody else changed it.
func (s *clusterSet) switchedBack(ctx workflow.Context, c *clusterSwitch) error {
	err := failure(cmk.ErrForeign, "cluster %s came to rest with provider %s: somebody else has changed it", c.cluster.Name, c.state.Provider)
	switch s.askPerson(ctx, "cluster "+c.cluster.Name, err, true) {
	case cmk.SignalSkip:
		c.skipped = true
	case cmk.SignalRetry:
		c.started = false
	default:
		return failure(cmk.ErrAborted, "%s", reason(err))
	}
	return nil
}

// among are a project's clusters, of which these are told as they are now.
func (s *clusterSet) among(clusters []activities.Cluster) []activities.Cluster {
	now := slices.Clone(clusters)
	for _, c := range s.clusters {
		at := slices.IndexFunc(now, func(o activities.Cluster) bool { return o.Name == c.cluster.Name })
		if at >= 0 && c.state.State == cmk.ClusterDeleting {
			now = slices.Delete(now, at, at+1)
		} else if at >= 0 {
			now[at].Provider = c.state.Provider
		}
	}
	return now
}

// settled are the names of the clusters that are done.
func (s *clusterSet) settled() []string {
	return clusterNames(slices.DeleteFunc(slices.Clone(s.clusters), func(c *clusterSwitch) bool { return !c.done }))
}

// unconfirmed are those of them that have not been looked at once more. Each is so once, however many clusters there are.
func (s *clusterSet) unconfirmed() []string {
	return clusterNames(slices.DeleteFunc(slices.Clone(s.clusters), func(c *clusterSwitch) bool { return !c.done || c.confirmed }))
}

// confirm takes in that clusters were found as they were.
func (s *clusterSet) confirm(names []string) {
	for _, c := range s.clusters {
		c.confirmed = c.confirmed || slices.Contains(names, c.cluster.Name)
	}
}

// report lists the clusters.
func (s *clusterSet) report() []cmk.ClusterReport {
	var reports []cmk.ClusterReport
	for _, c := range s.clusters {
		reports = append(reports, cmk.ClusterReport{
			Name: c.cluster.Name, Regions: c.cluster.Regions, Provider: c.state.Provider, State: c.state.State, Since: c.since, Done: c.done, Skipped: c.skipped,
		})
	}
	return reports
}
