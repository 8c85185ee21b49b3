package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/nexus/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

const nexusEndpoint = "atlas-cmk-nexus-test"

// callThrough is a workflow of another team, in a namespace of its own: it has a project enabled, approves its endpoints
// once it is asked to, having read the project beside it, and gives back the report. What is refused on the way, it gives
// back too.
func callThrough(ctx workflow.Context, request cmk.EnableRequest) (cmk.Report, error) {
	ours := workflow.NewNexusClient(nexusEndpoint, cmk.NexusService)
	o := workflow.NexusOperationOptions{ScheduleToCloseTimeout: 2 * time.Minute}
	change := ours.ExecuteOperation(ctx, cmk.EnableWithPrivateEndpoints, request, o)
	var started workflow.NexusOperationExecution
	if err := change.GetNexusOperationExecution().Get(ctx, &started); err != nil {
		return cmk.Report{}, err
	}
	id := cmk.WorkflowID(request.ProjectID)
	for {
		var status cmk.Status
		if err := ours.ExecuteOperation(ctx, cmk.NexusStatus, cmk.NexusMessage{WorkflowID: id}, o).Get(ctx, &status); err != nil {
			return cmk.Report{}, err
		}
		if waitingForApproval(status) {
			break
		}
		if err := workflow.Sleep(ctx, 50*time.Millisecond); err != nil {
			return cmk.Report{}, err
		}
	}
	// The project can be read while the change runs, since each has an id of its own.
	var read cmk.Report
	if err := ours.ExecuteOperation(ctx, cmk.ReadProject, cmk.ReadRequest{ProjectID: request.ProjectID}, o).Get(ctx, &read); err != nil {
		return cmk.Report{}, err
	}
	decide := func(by string) (status cmk.Status, err error) {
		err = ours.ExecuteOperation(ctx, cmk.NexusDecide, map[string]any{
			"workflowId": id, "signal": cmk.SignalApproveEndpoint, "payload": cmk.Decision{By: by, Region: cmk.AllRegions},
		}, o).Get(ctx, &status)
		return status, err
	}
	if _, err := decide(request.Requester); err == nil {
		return cmk.Report{}, workflow.ErrCanceled // who asked must not approve
	}
	if _, err := decide("approver"); err != nil {
		return cmk.Report{}, err
	}
	var report cmk.Report
	err := change.Get(ctx, &report)
	return report, err
}

// Another namespace starts, watches and approves a change over Nexus, and gets its report.
func TestNexus(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.env["ATLAS_CMK_NEXUS"] = "on"
	s.start()
	s.ready()
	_, err := s.temporal.OperatorService().CreateNexusEndpoint(t.Context(), &operatorservice.CreateNexusEndpointRequest{Spec: &nexus.EndpointSpec{
		Name: nexusEndpoint, Target: &nexus.EndpointTarget{Variant: &nexus.EndpointTarget_Worker_{Worker: &nexus.EndpointTarget_Worker{Namespace: s.namespace, TaskQueue: cmk.TaskQueue}}},
	}})
	require.NoError(t, err)
	other, err := client.Dial(client.Options{HostPort: shared.server.Address, Logger: quiet{}})
	require.NoError(t, err)
	t.Cleanup(other.Close)
	theirs := worker.New(other, "callers", worker.Options{})
	theirs.RegisterWorkflow(callThrough)
	require.NoError(t, theirs.Start())
	t.Cleanup(theirs.Stop)

	// The oracle is told of the approval before it can count; nothing is switched before it.
	s.act(atlassim.Act{Kind: atlassim.Approve})
	run, err := other.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "callers"}, callThrough,
		cmk.EnableRequest{ProjectID: sim.ProjectA, Key: awssim.MultiRegionKeyARN, Requester: "requester"})
	require.NoError(t, err)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	for _, id := range []string{cmk.WorkflowID(sim.ProjectA), cmk.ReadID(sim.ProjectA)} {
		started, err := s.temporal.DescribeWorkflow(t.Context(), id, "")
		require.NoError(t, err)
		summary, err := started.GetStaticSummary()
		require.NoError(t, err)
		require.Contains(t, summary, sim.ProjectA, "as the client has it")
	}
	require.True(t, slices.ContainsFunc(report.Endpoints, func(e cmk.EndpointReport) bool { return len(e.Votes) == 1 && e.Votes[0].By == "approver" }))
}
