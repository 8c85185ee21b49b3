package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// reminded runs a change that waits for its plan to be approved, and lists what people have been told, each with the time
// since the start.
func reminded(t *testing.T, every time.Duration, approveAfter time.Duration) (told map[time.Duration]cmk.Notification, ended error) {
	t.Helper()
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	env.RegisterActivity(notifier)
	env.SetTestTimeout(time.Minute)
	start := env.Now()
	told = map[time.Duration]cmk.Notification{}
	env.OnActivity(notifier.Notify, mock.Anything, mock.Anything).Return(func(_ context.Context, n cmk.Notification) error {
		told[env.Now().Sub(start).Round(time.Minute)] = n
		return nil
	})
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(cmk.SignalApprove, cmk.Decision{By: "approver"}) }, approveAfter)
	env.ExecuteWorkflow(func(ctx workflow.Context) (*cmk.Report, error) {
		policy := cmk.PlanPolicy{Approvers: 1, Reminder: cmk.Duration(every)}.Approval(cmk.ApproveUse)
		c := newChange(ctx, cmk.MigrateUserToRole, aProject, "requester", policy, cmk.Stop)
		return c.run(ctx, true, func(ctx workflow.Context) error {
			if err := c.awaitPlan(ctx, "approval of the plan", "abc", cmk.Duration(10_000*time.Hour)); err != nil {
				return err
			}
			return workflow.Sleep(ctx, 1000*time.Hour) // nobody is asked for anything
		})
	})
	require.True(t, env.IsWorkflowCompleted())
	return told, env.GetWorkflowError()
}

func TestPeopleAreRemindedUntilTheyAnswer(t *testing.T) {
	told, err := reminded(t, 24*time.Hour, 60*time.Hour)
	require.NoError(t, err)
	require.Len(t, told, 2)
	for _, after := range []time.Duration{24 * time.Hour, 48 * time.Hour} {
		n := told[after]
		require.True(t, n.Reminder)
		require.Equal(t, aProject, n.ProjectID)
		require.Len(t, n.Asked, 1)
		require.Equal(t, cmk.SignalApprove, n.Asked[0].Signal)
		require.Contains(t, n.Asked[0].Example, "abc")
	}
	require.NotEqual(t, told[24*time.Hour].ID, told[48*time.Hour].ID)
}

func TestNobodyIsRemindedForEver(t *testing.T) {
	told, err := reminded(t, time.Hour, 9000*time.Hour)
	require.NoError(t, err)
	require.Len(t, told, maxReminders)
}

func TestNobodyIsRemindedUnasked(t *testing.T) {
	told, err := reminded(t, 0, 60*time.Hour)
	require.NoError(t, err)
	require.Empty(t, told)
}
