package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// agreeing is a change that has a plan approved by one person, and of which each preflight finds the next plan.
func agreeing(t *testing.T, plans ...string) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context) (looks int, err error) {
		c := newChange(ctx, cmk.SafeDisableCMK, aProject, "requester", one(), cmk.Stop)
		if err := c.listen(ctx); err != nil {
			return 0, err
		}
		look := func(workflow.Context) error {
			c.status.Plan = &cmk.Plan{Hash: plans[looks]}
			looks++
			return nil
		}
		if err := look(ctx); err != nil {
			return looks, err
		}
		err = c.agreeAlways(ctx, cmk.Duration(time.Hour), func() bool { return true }, look)
		return looks, err
	}, workflow.RegisterOptions{Name: "agreeing"})
	return env
}

// What people have approved is what is done: a plan that has changed until then is asked for anew.
func TestPlanThatHasChangedIsAskedForAnew(t *testing.T) {
	env := agreeing(t, "one", "another", "another")
	for i, plan := range []string{"one", "another"} {
		env.RegisterDelayedCallback(func() {
			env.SignalWorkflow(cmk.SignalApprove, cmk.Decision{By: "ann", Plan: plan})
		}, time.Duration(i+1)*time.Minute)
	}
	env.ExecuteWorkflow("agreeing")
	require.NoError(t, env.GetWorkflowError())
	var looks int
	require.NoError(t, env.GetWorkflowResult(&looks))
	require.Equal(t, 3, looks)
}

// One person who rejects a plan ends it, as the deadline does.
func TestPlanThatIsNotApproved(t *testing.T) {
	env := agreeing(t, "one", "one")
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(cmk.SignalReject, cmk.Decision{By: "ann"}) }, time.Minute)
	env.ExecuteWorkflow("agreeing")
	require.Equal(t, cmk.ErrRejected, errorType(env.GetWorkflowError()))

	env = agreeing(t, "one", "one")
	env.ExecuteWorkflow("agreeing")
	require.Equal(t, cmk.ErrExpired, errorType(env.GetWorkflowError()))
}
