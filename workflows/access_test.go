package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Atlas that does not come to assume a role that others prepare, whether it refuses or gives no answer in time, is a reason
// to ask them again, and none to give up.
func TestWhoPreparesTheRoleIsAskedAgain(t *testing.T) {
	for name, failed := range map[string]error{
		"refused":   temporal.NewNonRetryableApplicationError("cannot assume", "CANNOT_ASSUME_ROLE", nil),
		"no answer": temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil),
	} {
		t.Run(name, func(t *testing.T) {
			env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
			env.RegisterActivity(atlas)
			env.OnActivity(atlas.AuthorizeAccessRole, mock.Anything, mock.Anything).Return(failed).Once()
			env.OnActivity(atlas.AuthorizeAccessRole, mock.Anything, mock.Anything).Return(nil)
			var asked []cmk.Document
			var problem string
			env.ExecuteWorkflow(func(ctx workflow.Context) error {
				c := newChange(ctx, cmk.EnableWithPrivateEndpoints, aProject, "requester", cmk.ApprovalPolicy{}, cmk.Stop)
				c.lease = &lease{}
				a := access{
					change: c, role: cmk.RoleRequest{Mode: cmk.RoleReadOnly}, before: &activities.IAMRole{}, propagation: time.Minute, patience: time.Hour,
					arn: "arn:aws:iam::111122223333:role/r",
				}
				if err := c.listen(ctx); err != nil {
					return err
				}
				workflow.Go(ctx, func(ctx workflow.Context) {
					_ = workflow.Sleep(ctx, time.Minute)
					asked, problem = c.status.Documents, c.status.Problem
					c.chosen["IAM role"] = cmk.SignalIAMReady
				})
				return a.authorize(ctx)
			})
			require.NoError(t, env.GetWorkflowError())
			require.Len(t, asked, 2)
			require.NotEmpty(t, problem)
			require.NotContains(t, problem, "scheduledEventID")
		})
	}
}
