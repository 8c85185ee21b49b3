package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// read reads project A as it is now, and says how many calls of Atlas that took.
func (s *stage) read(name string) (cmk.Report, int) {
	s.t.Helper()
	before := s.world.Journal.Len()
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{ID: cmk.ReadID(sim.ProjectA), TaskQueue: cmk.TaskQueue},
		cmk.ReadProject, cmk.ReadRequest{ProjectID: sim.ProjectA})
	require.NoError(s.t, err)
	report, failed := s.outcome(run)
	require.Empty(s.t, failed, report.Problem)
	s.record(run, name)
	return report, int(s.atlasCalls(before))
}

// A project is read as it is: before, during and after a change, whose approvals it tells, and when something is amiss.
func TestProjectAsItIsNow(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	off, _ := s.read("read-project-off")
	require.Equal(t, cmk.StateOff, off.State)
	require.False(t, off.Settings.Enabled)
	require.Empty(t, off.Findings)

	run := s.enable(nil)
	s.until(run, "waiting for approval", waitingForApproval)
	waiting, _ := s.read("read-project-waiting")
	require.NotEmpty(t, waiting.Endpoints)
	for _, e := range waiting.Endpoints {
		require.Equal(t, cmk.ApprovalWaiting, e.Approval, e.Region)
		require.NotEmpty(t, e.ID)
	}
	s.approveAll(run)
	_, failed := s.result(run)
	require.Empty(t, failed)

	on, calls := s.read("read-project-on")
	require.Equal(t, cmk.StateOn, on.State)
	require.True(t, on.Settings.Valid && on.Settings.RequirePrivateNetworking)
	require.NotNil(t, on.Key)
	require.NotEmpty(t, on.Key.Replicas)
	for _, f := range on.Findings {
		require.NotEqual(t, cmk.SeverityError, f.Severity, "%+v", f)
	}
	require.Equal(t, 3+len(on.Clusters), calls, "three calls, and one for each cluster")

	s.act(atlassim.Act{Kind: atlassim.FailEndpoint, Region: on.Endpoints[0].Region, Message: "quota"})
	amiss, _ := s.read("read-project-amiss")
	require.Equal(t, cmk.StateWindow, amiss.State)
	codes := map[cmk.FindingCode]bool{}
	for _, f := range amiss.Findings {
		codes[f.Code] = true
	}
	require.True(t, codes[cmk.FindingEndpointFailed] && codes[cmk.FindingClusterUncovered], "%+v", amiss.Findings)
}
