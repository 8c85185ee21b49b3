package client_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
	"github.com/atlas-cmk/atlas-cmk/testsuite/schema"
)

const accessKey = "AKIAIOSFODNN7EXAMPLE"

func exit() cmk.ExitOptions { return cmk.ExitOptions{ProjectID: project, Requester: "dana"} }

// starting records with what a workflow is started.
func starting(workflow string, options *sdk.StartWorkflowOptions, input *any) *mocks.Client {
	c, run := &mocks.Client{}, &mocks.WorkflowRun{}
	run.On("GetID").Return("some id")
	run.On("GetRunID").Return("run-1")
	c.On("ExecuteWorkflow", mock.Anything, mock.Anything, workflow, mock.Anything).Run(func(args mock.Arguments) {
		*options, *input = args.Get(1).(sdk.StartWorkflowOptions), args.Get(3)
	}).Return(run, nil)
	return c
}

func TestEveryChangeCanBeStarted(t *testing.T) {
	t.Parallel()
	for workflow, test := range map[string]struct {
		start func(*client.Client) (client.Run, error)
		id    string
		// summary and completed are parts of what Temporal shows, and of the request as it is sent.
		summary, completed string
	}{
		cmk.MigrateUserToRole: {func(c *client.Client) (client.Run, error) {
			return c.Migrate(t.Context(), cmk.MigrateRequest{ProjectID: project, Requester: "dana"}, client.StartOptions{})
		}, id, "Migrate to an IAM role the Atlas project " + project, "atlas-cmk-" + project},
		cmk.RetireAccess: {func(c *client.Client) (client.Run, error) {
			r := cmk.RetireRequest{AccessKeyID: accessKey, ProjectIDs: []string{project}, SwitchedAt: time.Unix(1, 0), Requester: "dana"}
			return c.Retire(t.Context(), r, client.StartOptions{})
		}, "cmk-retire-" + accessKey, "Retire access key " + accessKey, "24h"},
		cmk.SafeDisableCMK: {func(c *client.Client) (client.Run, error) {
			return c.Disable(t.Context(), cmk.DisableRequest{ExitOptions: exit()}, client.StartOptions{})
		}, id, "Disable customer-managed keys for Atlas project " + project, "page"},
		cmk.RemovePrivateEndpoints: {func(c *client.Client) (client.Run, error) {
			return c.RemoveEndpoints(t.Context(), cmk.RemoveRequest{ExitOptions: exit(), Endpoints: cmk.EndpointSelection{All: true}}, client.StartOptions{})
		}, id, "Remove private endpoints of Atlas project " + project, "stop"},
		cmk.DisablePrivateNetworking: {func(c *client.Client) (client.Run, error) {
			return c.DisableNetworking(t.Context(), cmk.NetworkingRequest{ExitOptions: exit()}, client.StartOptions{})
		}, id, "Disable private networking of Atlas project " + project, "stop"},
	} {
		t.Run(workflow, func(t *testing.T) {
			t.Parallel()
			var options sdk.StartWorkflowOptions
			var input any
			run, err := test.start(client.New(starting(workflow, &options, &input)))
			require.NoError(t, err)
			require.Equal(t, client.Run{WorkflowID: "some id", RunID: "run-1"}, run)
			require.Equal(t, test.id, options.ID)
			require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL, options.WorkflowIDConflictPolicy)
			require.Equal(t, test.summary, options.StaticSummary)
			require.Contains(t, options.StaticDetails, "Asked for by dana.")
			require.Equal(t, map[string]any{"requester": "dana"}, options.Memo)
			require.Contains(t, jsonOf(t, input), test.completed)
		})
	}
}

// Whoever starts a change by its type, as other namespaces do, starts it under the same id and summary as the client.
func TestEveryRequestHasWorkflowOptions(t *testing.T) {
	t.Parallel()
	ids := map[string]string{
		cmk.RetireAccess: "cmk-retire-AKIAATLASUSEREXAMPLE", cmk.ReadProject: "cmk-read-" + project,
		cmk.WatchProject: "cmk-watch-" + project, cmk.WatchOrganization: "cmk-watch-org-64b7f0c2a1b2c3d4e5f60700",
	}
	for _, r := range cmk.RequestTypes() {
		want, special := ids[r.Workflow]
		if !special {
			want = id
		}
		request, err := r.Decode([]byte(schema.Examples()[r.Workflow]))
		require.NoError(t, err)
		options := client.WorkflowOptions(request, client.StartOptions{})
		require.Equal(t, want, options.ID, r.Workflow)
		require.NotEmpty(t, options.StaticSummary, r.Workflow)
		if special {
			continue
		}
		request, err = r.Decode(schema.With(schema.Examples()[r.Workflow], "dryRun", true))
		require.NoError(t, err)
		require.Equal(t, client.PlanID(project), client.WorkflowOptions(request, client.StartOptions{}).ID, r.Workflow)
	}
	require.Panics(t, func() { client.WorkflowOptions("no request", client.StartOptions{}) })
}

func TestADryRunOfAWayOutRunsBesideAChange(t *testing.T) {
	t.Parallel()
	var options sdk.StartWorkflowOptions
	var input any
	r := cmk.DisableRequest{ExitOptions: exit()}
	r.DryRun = true
	_, err := client.New(starting(cmk.SafeDisableCMK, &options, &input)).Disable(t.Context(), r, client.StartOptions{})
	require.NoError(t, err)
	require.Equal(t, client.PlanID(project), options.ID)
	require.Equal(t, "Plan to disable customer-managed keys for Atlas project "+project, options.StaticSummary)
	require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING, options.WorkflowIDConflictPolicy)
}

func TestAnInvalidRequestIsNotSent(t *testing.T) {
	t.Parallel()
	c := client.New(&mocks.Client{})
	var invalid *cmk.InvalidRequestError
	_, err := c.Retire(t.Context(), cmk.RetireRequest{}, client.StartOptions{})
	require.ErrorAs(t, err, &invalid)
	require.Len(t, invalid.Problems, 3, "everything at once")
	_, err = c.RemoveEndpoints(t.Context(), cmk.RemoveRequest{ExitOptions: exit()}, client.StartOptions{})
	require.ErrorAs(t, err, &invalid)
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
