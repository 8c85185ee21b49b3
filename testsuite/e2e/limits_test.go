//go:build limits

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// What one change may grow to: it never continues as new.
const (
	mostEvents = 15_000
	mostBytes  = 15 << 20
	// mostPayload is what Temporal takes for a result, or for the answer to a query.
	mostPayload = 2 << 20
)

// A project of 500 clusters in all regions that Atlas has goes on its key, five clusters at once, and off it again, 50
// at once; each change fits into one history.
func TestLargeProject(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: large(500), Scale: 1500})
	s.start()
	enabling := s.enable(func(r *cmk.EnableRequest) { r.Parallel = 5 })
	s.approveAll(enabling)
	report, failed := s.result(enabling)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Len(t, report.Endpoints, len(everywhere()))
	require.Len(t, report.Clusters, 500)
	s.fits(enabling, report)
	before := len(s.writes())
	again := s.enable(nil)
	report, failed = s.result(again)
	require.Empty(t, failed, report.Problem)
	require.Len(t, s.writes(), before)

	leaving := s.disable(func(r *cmk.DisableRequest) { r.Order, r.Parallel = cmk.OrderKeepPrivatePath, 50 })
	s.approvePlan(leaving)
	report, failed = s.result(leaving)
	require.Empty(t, failed, report.Problem)
	s.fits(leaving, report)
}

// everywhere are the regions of AWS that Atlas has outside of GovCloud and China.
func everywhere() []string {
	return strings.Fields(`US_EAST_1 US_EAST_2 US_WEST_1 US_WEST_2 CA_CENTRAL_1 CA_WEST_1 MX_CENTRAL_1 SA_EAST_1 AF_SOUTH_1
		AP_EAST_1 AP_EAST_2 AP_NORTHEAST_1 AP_NORTHEAST_2 AP_NORTHEAST_3 AP_SOUTH_1 AP_SOUTH_2 AP_SOUTHEAST_1 AP_SOUTHEAST_2
		AP_SOUTHEAST_3 AP_SOUTHEAST_4 AP_SOUTHEAST_5 AP_SOUTHEAST_6 AP_SOUTHEAST_7 EU_CENTRAL_1 EU_CENTRAL_2 EU_NORTH_1
		EU_SOUTH_1 EU_SOUTH_2 EU_WEST_1 EU_WEST_2 EU_WEST_3 IL_CENTRAL_1 ME_CENTRAL_1 ME_SOUTH_1`)
}

// large is a project with many clusters, each in one of all regions.
func large(clusters int) *sim.Config {
	config := sim.DefaultConfig()
	config.AWS.Delays = awssim.NoDelays()
	config.Atlas.Durations.ResyncGB = world.Always(0)
	key := &config.AWS.Accounts[0].Keys[0]
	key.Replicas = nil
	for _, name := range everywhere() {
		if region := cmk.Region(name).AWS(); region != key.Region {
			key.Replicas = append(key.Replicas, awssim.Replica{Region: region})
		}
	}
	p := &config.Atlas.Projects[0]
	p.Clusters = nil
	for i := range clusters {
		region := everywhere()[i%len(everywhere())]
		p.Clusters = append(p.Clusters, atlassim.Cluster{Name: fmt.Sprintf("cluster-with-a-long-name-%03d", i), Backup: true, Regions: []atlassim.Region{{Name: region, Electable: 3}}})
	}
	return &config
}

// fits makes sure that a run keeps to what Temporal takes, with room to spare.
func (s *stage) fits(run client.WorkflowRun, report cmk.Report) {
	s.t.Helper()
	described, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), run.GetID(), run.GetRunID())
	require.NoError(s.t, err)
	info := described.GetWorkflowExecutionInfo()
	text, err := json.Marshal(report)
	require.NoError(s.t, err)
	s.t.Logf("%s: %d events, %d bytes, report of %d bytes, %s", report.Workflow, info.GetHistoryLength(), info.GetHistorySizeBytes(), len(text), report.Ended.Sub(report.Started))
	require.Less(s.t, info.GetHistoryLength(), int64(mostEvents))
	require.Less(s.t, info.GetHistorySizeBytes(), int64(mostBytes))
	require.Less(s.t, len(text), mostPayload)
}

// A run that has been sent all the signals that Temporal takes goes on: it keeps the last refusals, and is approved by
// update.
func TestTenThousandSignals(t *testing.T) {
	t.Parallel()
	const taken = 10_000
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(nil)
	s.until(run, "waiting for approval", waitingForApproval)
	sent := 0
	for ; ; sent++ {
		require.Less(t, sent, 2*taken)
		err := s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalApproveEndpoint, cmk.Decision{By: fmt.Sprint("nobody-", sent), Region: "AF_SOUTH_1"})
		var exhausted *serviceerror.ResourceExhausted
		var refused *serviceerror.InvalidArgument
		if errors.As(err, &refused) || errors.As(err, &exhausted) {
			t.Log(err)
			break
		}
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, sent, taken-100)
	st := s.until(run, "through with the signals", func(st cmk.Status) bool {
		return len(st.Refusals) > 0 && st.Refusals[len(st.Refusals)-1].By == fmt.Sprint("nobody-", sent-1)
	})
	require.Len(t, st.Refusals, 50)
	require.True(t, waitingForApproval(st))

	s.act(atlassim.Act{Kind: atlassim.Approve})
	require.NoError(t, s.update(run, cmk.SignalApproveEndpoint, cmk.Decision{By: "approver", Region: cmk.AllRegions}))
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
}

// A run is reset to each of its workflow tasks, while it is open and after its end.
func TestResetToAnyWorkflowTask(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{true, false} {
		s := newStageNamed(t, shared, fmt.Sprintf("%s-open-%t", t.Name(), open), sim.Options{})
		s.start()
		run := s.enable(nil)
		s.until(run, "waiting for approval", waitingForApproval)
		if !open {
			s.approveAll(run)
			_, failed := s.result(run)
			require.Empty(t, failed)
		}
		for n := range len(s.workflowTasks(run)) {
			t.Run(fmt.Sprintf("open-%t-to-task-%d", open, n), func(t *testing.T) {
				t.Parallel()
				// Another run may have taken a task less: two things that came one by one may come at once.
				convergesWhenReset(t, open, func(tasks []int64) int64 { return tasks[min(n, len(tasks)-1)] })
			})
		}
	}
}
