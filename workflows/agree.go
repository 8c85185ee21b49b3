package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// agreeAlways has the plan approved for as long as that is needed. People take their time: what they have approved is
// looked at once more, and a plan that has come to differ is asked for anew.
func (c *change) agreeAlways(ctx workflow.Context, within cmk.Duration, needed func() bool, preflight func(workflow.Context) error) error {
	for needed() {
		c.enter(ctx, cmk.PhasePlanApproval)
		hash := c.status.Plan.Hash
		if err := c.awaitPlan(ctx, "approval of plan "+hash, hash, within); err != nil {
			return err
		}
		if err := preflight(ctx); err != nil {
			return err
		}
		if c.status.Plan.Hash == hash {
			return nil
		}
	}
	return nil
}

// replicate makes replicas of a key. They are not taken back: nothing here ever deletes a key.
func (c *change) replicate(ctx workflow.Context, key *activities.Key, regions []string) error {
	if len(regions) == 0 {
		return nil
	}
	c.enter(ctx, cmk.PhaseKey)
	in := activities.ReplicasInput{Lease: c.under(), Key: key.ARN, Region: key.Region, Regions: regions}
	err := workflow.ExecuteActivity(writing(ctx, "replicate the key to "+strings.Join(regions, ", ")), kms.EnsureReplicas, in).Get(ctx, nil)
	if err != nil && workflow.GetVersion(ctx, "replicas-made", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return err
	}
	if err != nil {
		regions = c.replicated(ctx, key, regions)
	}
	for _, region := range regions {
		c.wrote(ctx, cmk.SystemKMS, "replicate the key to "+region, key.ARN)
		c.keep = append(c.keep, fmt.Sprintf("the replica of KMS key %s in %s, which this change has made: nothing here deletes a key", key.ARN, region))
	}
	return err
}

// replicated are those of some regions in which the key has a replica by now, although the step that was to make them all
// has failed or was cancelled; all of them when that cannot be read.
func (c *change) replicated(ctx workflow.Context, key *activities.Key, regions []string) []string {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	var now activities.Key
	in := activities.KeyInput{Key: key.ARN, Region: key.Region}
	if err := workflow.ExecuteActivity(looking(apart, "look which replicas have been made"), kms.ReadKey, in).Get(apart, &now); err != nil {
		workflow.GetLogger(ctx).Warn("replicas not read", "key", key.ARN, "error", err)
		return regions
	}
	return slices.DeleteFunc(slices.Clone(regions), func(region string) bool {
		return !slices.ContainsFunc(now.Replicas, func(r activities.KeyReplica) bool { return r.Region == region })
	})
}

// resume resumes paused clusters, which stay running.
func (c *change) resume(ctx workflow.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	const resumed = "resume cluster"
	in := activities.ReleaseInput{Lease: c.under(), ProjectID: c.projectID(), Clusters: names}
	err := workflow.ExecuteActivity(writing(ctx, "resume "+strings.Join(names, ", ")), atlas.ResumeClusters, in).Get(ctx, nil)
	if err != nil && workflow.GetVersion(ctx, "clusters-resumed", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return err
	}
	if err != nil {
		names = c.running(ctx, names)
	}
	for _, name := range names {
		told := func(w cmk.Write) bool { return w.Operation == resumed && w.Object == name }
		if !slices.ContainsFunc(c.status.Writes, told) {
			c.wrote(ctx, cmk.SystemAtlas, resumed, name)
		}
	}
	return err
}

// running are those of some clusters that were paused and are not any more, although the step that was to resume them all has
// failed or was cancelled; none when that cannot be read.
func (c *change) running(ctx workflow.Context, names []string) []string {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	in := activities.ObserveClustersInput{ProjectID: c.projectID()}
	for _, name := range names {
		in.LastSeen = append(in.LastSeen, activities.ClusterState{Name: name})
	}
	var now []activities.ClusterState
	if err := workflow.ExecuteActivity(looking(apart, "look which clusters have been resumed"), atlas.ObserveClusters, in).Get(apart, &now); err != nil {
		workflow.GetLogger(ctx).Warn("clusters not read", "error", err)
		return nil
	}
	now = slices.DeleteFunc(now, func(s activities.ClusterState) bool {
		return s.State == "" || s.Paused || s.State == cmk.ClusterDeleting
	})
	var running []string
	for _, s := range now {
		running = append(running, s.Name)
	}
	return running
}
