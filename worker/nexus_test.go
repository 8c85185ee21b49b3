package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
	"github.com/atlas-cmk/atlas-cmk/testsuite/schema"
)

// Each operation starts its workflow under the id under which the Go client and the command line start it, and look for it.
func TestNexusStartsUnderTheClientsIDs(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111122223333:role/atlas-cmk"
	type start struct{ workflow, request string }
	var starts []start
	for _, r := range cmk.RequestTypes() {
		starts = append(starts, start{r.Workflow, schema.Examples()[r.Workflow]})
	}
	starts = append(
		starts,
		start{cmk.SafeDisableCMK, string(schema.With(schema.Examples()[cmk.SafeDisableCMK], "dryRun", true))},
		start{cmk.RetireAccess, `{"roleArn": "` + role + `", "projectIds": ["64b7f0c2a1b2c3d4e5f60718"], "switchedAt": "2026-01-31T12:00:00Z"}`},
	)
	types := map[string]cmk.RequestType{}
	for _, r := range cmk.RequestTypes() {
		types[r.Workflow] = r
	}
	for _, s := range starts {
		request, err := types[s.workflow].Decode([]byte(s.request))
		require.NoError(t, err, s.workflow)
		id, input := nexusStarts(t, s.workflow, s.request)
		require.Equal(t, client.WorkflowOptions(request, client.StartOptions{}).ID, id, s)
		completed, err := json.Marshal(request)
		require.NoError(t, err)
		require.JSONEq(t, string(completed), input, "history records the defaults")
	}
}

// nexusStarts has another namespace start a workflow type, and tells under which id that began, and with which input.
func nexusStarts(t *testing.T, workflowType, request string) (id, input string) {
	t.Helper()
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	service, err := nexusService()
	require.NoError(t, err)
	env.RegisterNexusService(service)
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in json.RawMessage) (*cmk.Report, error) {
		id, input = workflow.GetInfo(ctx).WorkflowExecution.ID, string(in)
		return &cmk.Report{}, nil
	}, workflow.RegisterOptions{Name: workflowType})
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ours := workflow.NewNexusClient("any", cmk.NexusService)
		return ours.ExecuteOperation(ctx, workflowType, json.RawMessage(request), workflow.NexusOperationOptions{ScheduleToCloseTimeout: time.Minute}).Get(ctx, nil)
	})
	require.NoError(t, env.GetWorkflowError(), workflowType)
	return id, input
}
