package workflows

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
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
