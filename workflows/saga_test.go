package workflows

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Past the pivot nothing is taken back, and what is armed afterwards is.
func TestSaga(t *testing.T) {
	nothing := func(workflow.Context) error { return nil }
	var s saga
	s.arm("first", nothing)
	s.arm("second", nothing)
	s.disarm()
	require.Len(t, s.undos, 1)
	require.Equal(t, "first", s.undos[0].name)
	s.pass()
	require.Empty(t, s.undos)
	s.arm("third", nothing)
	require.Len(t, s.undos, 1)
}

// A change that is cancelled still needs its lease, to take back what it did: only a release ends it.
func TestLeaseOutlastsCancellation(t *testing.T) {
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	env.RegisterWorkflow(Lease)
	began := env.Now()
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(signalRelease, nil) }, time.Hour)
	env.ExecuteWorkflow(Lease)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, time.Hour, env.Now().Sub(began))
}

// A change holds its lease until it releases it.
func TestLeaseIsHeldUntilItsRelease(t *testing.T) {
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	env.RegisterWorkflowWithOptions(Lease, workflow.RegisterOptions{Name: cmk.LeaseWorkflow})
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		l, err := acquire(ctx, cmk.LeaseID(aProject), false)
		if err != nil {
			return err
		}
		if err := workflow.Sleep(ctx, time.Hour); err != nil {
			return err
		}
		l.release(ctx)
		return l.child.Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "holding"})
	began := env.Now()
	var ended time.Time
	env.SetOnChildWorkflowCompletedListener(func(*workflow.Info, converter.EncodedValue, error) { ended = env.Now() })
	env.ExecuteWorkflow("holding")
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, time.Hour, ended.Sub(began))
}

// What was done last is taken back first, under a cancelled context too.
func TestCompensationGoesBackwards(t *testing.T) {
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	var order []string
	compensating := func(ctx workflow.Context) (cmk.Phase, error) {
		c := newChange(ctx, cmk.EnableWithPrivateEndpoints, aProject, "", one(), cmk.Compensate)
		c.describe = func(*cmk.Status) {}
		for _, name := range []string{"first", "second", "third"} {
			c.saga.arm(name, func(ctx workflow.Context) error {
				order = append(order, name)
				return ctx.Err()
			})
		}
		cancelled, cancel := workflow.WithCancel(ctx)
		cancel()
		return c.compensate(cancelled, errors.New("because")), nil
	}
	env.SetTestTimeout(10 * time.Second)
	env.RegisterWorkflow(compensating)
	env.ExecuteWorkflow(compensating)
	require.NoError(t, env.GetWorkflowError())
	var phase cmk.Phase
	require.NoError(t, env.GetWorkflowResult(&phase))
	require.Equal(t, cmk.PhaseCompensated, phase)
	require.Equal(t, []string{"third", "second", "first"}, order)
}
