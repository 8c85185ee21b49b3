package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// A look tells the server what is to be remembered, once: the server keeps it, and each heartbeat is a call of it.
func TestLooksSendHeartbeatsOnlyOfNews(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, oneReplica{})
	type told = map[string]time.Time
	look := func(before *told) (sent []told) {
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		env.RegisterActivity(g.ObserveClusters)
		if before != nil {
			env.SetHeartbeatDetails(*before)
		}
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			var one told
			require.NoError(t, details.Get(&one))
			sent = append(sent, one)
		})
		_, err := env.ExecuteActivity(g.ObserveClusters, activities.ObserveClustersInput{
			ProjectID: sim.ProjectA, LastSeen: []activities.ClusterState{{Name: sim.ClusterEast, State: cmk.ClusterIdle, Provider: cmk.ProviderNone}},
		})
		require.Error(t, err)
		return sent
	}
	first := look(nil)
	require.Len(t, first, 1)
	require.Contains(t, first[0], sim.ClusterEast, "since when it is IDLE")
	require.Empty(t, look(&first[0]))
}

// A step that is quick sends no heartbeat; one that is slow does, so that the loss of its worker is noticed.
func TestQuickStepsSendNoHeartbeat(t *testing.T) {
	t.Parallel()
	const timeout, quick = 3 * time.Second, 20 * time.Millisecond
	beat := make(chan struct{}, 100)
	for name, step := range map[string]func(context.Context) error{
		"quick": func(context.Context) error { <-time.After(quick); return nil },
		"slow":  func(context.Context) error { <-beat; return nil },
	} {
		env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
		env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{activities.Heartbeats()}})
		env.RegisterActivityWithOptions(step, activity.RegisterOptions{Name: "step"})
		sent := 0
		env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) {
			sent++
			beat <- struct{}{}
		})
		env.ExecuteWorkflow(func(ctx workflow.Context) error {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: timeout})
			return workflow.ExecuteActivity(ctx, "step").Get(ctx, nil)
		})
		require.NoError(t, env.GetWorkflowError(), name)
		require.Equal(t, name == "slow", sent > 0, name)
	}
}
