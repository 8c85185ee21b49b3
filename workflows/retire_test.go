package workflows

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// retiring is an environment in which time is skipped, on an access key that exists, of a project on a role.
func retiring(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	env.RegisterActivity(atlas)
	env.RegisterActivity(iam)
	env.RegisterActivity(withdrawing)
	env.SetTestTimeout(time.Minute)
	env.OnActivity(iam.ReadAccessKey, mock.Anything, mock.Anything).Return(&activities.AccessKey{ID: anAccessKey, Exists: true, Active: true, User: "atlas"}, nil).Maybe()
	env.OnActivity(atlas.ReadProject, mock.Anything, mock.Anything).Return(&activities.Project{
		ID: aProject, Encryption: activities.Encryption{Enabled: true, Valid: true, RoleID: "role"},
	}, nil).Maybe()
	env.OnActivity(iam.ReadUserStatements, mock.Anything, mock.Anything).Return(&activities.UserStatements{}, nil).Maybe()
	return env
}

func retirementOf(env *testsuite.TestWorkflowEnvironment) json.RawMessage {
	text, err := json.Marshal(cmk.RetireRequest{AccessKeyID: anAccessKey, ProjectIDs: []string{aProject}, SwitchedAt: env.Now()})
	if err != nil {
		panic(err)
	}
	return text
}

// Months pass while snapshots expire. The list is looked at again every week, since their retention may change, and a
// history that has grown long is left for a new run with all that is known.
func TestRetirementContinuesAsNew(t *testing.T) {
	env := retiring(t)
	looks := 0
	env.OnActivity(atlas.ReadBackups, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.BackupsInput) (*activities.Backups, error) {
		looks++
		if looks == 10 {
			env.SetContinueAsNewSuggested(true)
		}
		return &activities.Backups{Count: 1, Until: in.Before.AddDate(1, 0, 0), Some: []activities.Snapshot{{Cluster: "c", ID: "s"}}}, nil
	})
	start := env.Now()
	env.ExecuteWorkflow(RetireAccess, retirementOf(env))
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &next)
	require.Equal(t, cmk.RetireAccess, next.WorkflowType.Name)
	var handed cmk.RetireRequest
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &handed))
	require.Equal(t, anAccessKey, handed.AccessKeyID)
	require.NotNil(t, handed.Progress)
	require.WithinDuration(t, start.Add(9*7*24*time.Hour), env.Now(), time.Hour)
}

// The access key is looked at no earlier than a day after the switch, however long ago the snapshots have expired.
func TestRetirementWaitsForAWSToTell(t *testing.T) {
	env := retiring(t)
	start := env.Now()
	var deactivated time.Time
	env.OnActivity(atlas.ReadBackups, mock.Anything, mock.Anything).Return(&activities.Backups{}, nil)
	env.OnActivity(atlas.ObserveIdle, mock.Anything, mock.Anything).Return(nil)
	env.RegisterWorkflowWithOptions(Lease, workflow.RegisterOptions{Name: cmk.LeaseWorkflow})
	env.OnActivity(withdrawing.DeactivateAccessKey, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.WithdrawAccessKeyInput) error {
		deactivated = env.Now()
		require.True(t, in.UnusedSince.Equal(start))
		require.Len(t, in.Leases, 1)
		return nil
	})
	env.OnActivity(atlas.WatchKey, mock.Anything, mock.Anything).Return(&activities.Encryption{}, nil)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(cmk.SignalStop, cmk.Resolution{By: "somebody"}) }, 48*time.Hour)
	env.ExecuteWorkflow(RetireAccess, retirementOf(env))
	require.ErrorContains(t, env.GetWorkflowError(), "stays Inactive")
	require.False(t, deactivated.Before(start.Add(24*time.Hour)))
}

// No access key is touched while a snapshot needs it, long though its disuse be proven; whether one does is asked of Atlas
// again when the last was to expire, since it may be kept for longer by then.
func TestRetirementWaitsForTheSnapshots(t *testing.T) {
	env := retiring(t)
	start := env.Now()
	expiry := start.AddDate(0, 0, 10)
	var deactivated time.Time
	env.OnActivity(atlas.ReadBackups, mock.Anything, mock.Anything).Return(func(context.Context, activities.BackupsInput) (*activities.Backups, error) {
		switch now := env.Now(); {
		case now.Before(expiry):
			return &activities.Backups{Count: 1, Until: expiry}, nil
		case now.Before(expiry.AddDate(0, 0, 1)): // somebody has had it kept for a day longer
			return &activities.Backups{Count: 1, Until: expiry.AddDate(0, 0, 1)}, nil
		}
		return &activities.Backups{}, nil
	})
	env.OnActivity(atlas.ObserveIdle, mock.Anything, mock.Anything).Return(nil)
	env.RegisterWorkflowWithOptions(Lease, workflow.RegisterOptions{Name: cmk.LeaseWorkflow})
	env.OnActivity(withdrawing.DeactivateAccessKey, mock.Anything, mock.Anything).Return(func(context.Context, activities.WithdrawAccessKeyInput) error {
		deactivated = env.Now()
		return nil
	})
	env.OnActivity(atlas.WatchKey, mock.Anything, mock.Anything).Return(&activities.Encryption{}, nil)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(cmk.SignalStop, cmk.Resolution{By: "somebody"}) }, 12*24*time.Hour)
	env.ExecuteWorkflow(RetireAccess, retirementOf(env))
	require.ErrorContains(t, env.GetWorkflowError(), "stays Inactive")
	require.WithinDuration(t, expiry.AddDate(0, 0, 1), deactivated, time.Minute)
}

// Whatever refuses to have the access key taken out of use, and however often: the next look takes its time.
func TestRetirementThatIsRefusedTakesItsTime(t *testing.T) {
	env := retiring(t)
	refused := 0
	env.OnActivity(atlas.ReadBackups, mock.Anything, mock.Anything).Return(&activities.Backups{}, nil)
	env.OnActivity(atlas.ObserveIdle, mock.Anything, mock.Anything).Return(nil)
	env.RegisterWorkflowWithOptions(Lease, workflow.RegisterOptions{Name: cmk.LeaseWorkflow})
	env.OnActivity(atlas.WatchKey, mock.Anything, mock.Anything).Return(&activities.Encryption{}, nil).Maybe()
	env.OnActivity(withdrawing.DeactivateAccessKey, mock.Anything, mock.Anything).Return(func(context.Context, activities.WithdrawAccessKeyInput) error {
		if refused++; refused < 1000 {
			return temporal.NewNonRetryableApplicationError("it is needed", cmk.ErrForeign, nil)
		}
		return nil // so that the test ends even where no time passes
	})
	env.RegisterDelayedCallback(env.CancelWorkflow, 25*time.Hour)
	env.ExecuteWorkflow(RetireAccess, retirementOf(env))
	require.True(t, temporal.IsCanceledError(env.GetWorkflowError()))
	require.LessOrEqual(t, refused, 61)
	require.Greater(t, refused, 1, "it is tried again")
}
