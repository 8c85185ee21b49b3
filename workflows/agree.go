package workflows

import (
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
	if err := workflow.ExecuteActivity(writing(ctx, "replicate the key to "+strings.Join(regions, ", ")), kms.EnsureReplicas, in).Get(ctx, nil); err != nil {
		return err
	}
	for _, region := range regions {
		c.wrote(ctx, cmk.SystemKMS, "replicate the key to "+region, key.ARN)
	}
	return nil
}

// resume resumes paused clusters, which stay running.
func (c *change) resume(ctx workflow.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	in := activities.ReleaseInput{Lease: c.under(), ProjectID: c.projectID(), Clusters: names}
	if err := workflow.ExecuteActivity(writing(ctx, "resume "+strings.Join(names, ", ")), atlas.ResumeClusters, in).Get(ctx, nil); err != nil {
		return err
	}
	for _, name := range names {
		c.wrote(ctx, cmk.SystemAtlas, "resume cluster", name)
	}
	return nil
}
