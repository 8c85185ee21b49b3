package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// repairs says that the watch has repaired the endpoint of a region.
func repairs(region string) func(cmk.Status) bool {
	return func(st cmk.Status) bool { return standing(st, region) != "" && len(st.Writes) == 2 }
}

// The worker is killed at either write of a repair, at each moment: the repair is finished, and nothing of it is done twice.
func TestWatchKilledAtItsRepair(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 2; n++ {
		for _, when := range moments(n) {
			t.Run(fmt.Sprintf("%d-%s", n, when), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, shared, sim.Options{World: grown(nil)})
				crashed := s.dieAt(n, when)
				s.start()
				run := s.watch(cmk.RepairRemakeFailed)
				s.act(atlassim.Act{Kind: atlassim.FailEndpoint, Region: "EU_WEST_1", Message: "as it happens"})
				<-crashed
				s.start()
				s.until(run, "repaired", repairs("EU_WEST_1"))
				require.Len(t, s.writes(), 2, "one deletion and one creation: %v", s.writes())
				require.Eventually(t, func() bool { return !s.open(cmk.LeaseID(sim.ProjectA)) }, patience, 20*time.Millisecond)
				require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
				s.outcome(run)
				s.record(run, fmt.Sprintf("watch-killed-at-repair-%d", n))
			})
		}
	}
}

// A watch that holds the project to repair it lets go of it however it ends; added again, or reset, it repairs what is left.
func TestWatchThatEndsInItsRepair(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*stage, client.WorkflowRun){
		"terminated": func(s *stage, run client.WorkflowRun) {
			require.NoError(s.t, s.temporal.TerminateWorkflow(s.t.Context(), run.GetID(), "", "test"))
		},
		"cancelled": func(s *stage, run client.WorkflowRun) {
			require.NoError(s.t, s.temporal.CancelWorkflow(s.t.Context(), run.GetID(), ""))
			_, failed := s.outcome(run)
			require.Equal(s.t, "Canceled", failed)
		},
		"reset": func(s *stage, run client.WorkflowRun) { s.reset(run, s.workflowTasks(run)[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(nil)})
			crashed := s.dieAt(2, beforeWrite) // the failed endpoint is gone by then, and no other is there
			s.start()
			run := s.watch(cmk.RepairRemakeFailed, cmk.RepairCreateMissing)
			s.act(atlassim.Act{Kind: atlassim.FailEndpoint, Region: "EU_WEST_1", Message: "as it happens"})
			<-crashed
			require.True(t, s.open(cmk.LeaseID(sim.ProjectA)))
			if name == "cancelled" {
				s.start()
			}
			end(s, run)
			s.record(run, "watch-repair-"+name)
			if name != "cancelled" {
				s.start()
			}
			if name != "reset" {
				require.Eventually(t, func() bool { return !s.open(cmk.LeaseID(sim.ProjectA)) }, patience, 20*time.Millisecond)
				var err error
				run, err = s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: cmk.WatchID(sim.ProjectA), TaskQueue: cmk.TaskQueue}, cmk.WatchProject,
					cmk.WatchRequest{ProjectID: sim.ProjectA, WatchOptions: cmk.WatchOptions{
						Interval: cmk.Duration(time.Second), Soon: cmk.Duration(time.Second), Repair: []cmk.Repair{cmk.RepairCreateMissing},
					}})
				require.NoError(t, err)
			}
			s.until(s.temporal.GetWorkflow(t.Context(), run.GetID(), ""), "repaired", func(st cmk.Status) bool { return standing(st, "EU_WEST_1") != "" })
			require.Len(t, s.writes(), 2, "one deletion and one creation: %v", s.writes())
			require.Eventually(t, func() bool { return !s.open(cmk.LeaseID(sim.ProjectA)) }, patience, 20*time.Millisecond)
			change := s.begin(cmk.ReadProject, cmk.ReadRequest{ProjectID: sim.ProjectA})
			_, failed := s.outcome(change)
			require.Empty(t, failed)
		})
	}
}

// A watch whose repairs fail, and that cannot read its project any more, continues as a new run on the server, again and again:
// what it could not do and what it cannot read stand as findings all the while, of which the outside is told once. A repair
// that has failed too often is given up, and stays a finding.
func TestWatchContinuesAsNewWithItsTrouble(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := devserver.Start(t.Context(), devserver.Options{Fast: true, LongHistory: 60, LogFile: filepath.Join(dir, "server.log")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	received := &inbox{}
	receiver := httptest.NewServer(received)
	t.Cleanup(receiver.Close)
	s := newStage(t, &theatre{server: server, worker: shared.worker}, sim.Options{World: grown(nil)})
	s.env["ATLAS_CMK_WEBHOOK_URL"], s.env["ATLAS_CMK_WEBHOOK_SECRET"] = receiver.URL, webhookSecret
	s.start()
	first := s.watch(cmk.RepairRemakeFailed)

	refused := fault.Rule{System: "atlas", Operation: "requestGroupEncryptionAtRestPrivateEndpointDeletion", Kind: fault.Status, Status: http.StatusForbidden}
	require.NoError(t, s.world.Faults.Add(refused))
	s.act(atlassim.Act{Kind: atlassim.FailEndpoint, Region: "EU_WEST_1", Message: "as it happens"})
	given := func(p *cmk.WatchProgress) bool { return p.Remakes["EU_WEST_1"] == 3 && p.RepairFailed != "" }
	s.continues(first, given)
	looks := s.eventsWhileLooking(s.current(first), "listGroupEncryptionAtRestPrivateEndpoints", 3)
	require.Zero(t, looks, "a repair that has been given up is not tried again")
	require.Contains(t, s.codes(s.current(first)), cmk.FindingRepairFailed)

	refused.Operation = "*"
	require.NoError(t, s.world.Faults.Add(refused))
	s.until(s.current(first), "unable to read the project", func(st cmk.Status) bool { return found(st.Findings, cmk.FindingProjectUnreadable, sim.ProjectA) })
	s.continues(first, func(p *cmk.WatchProgress) bool { return p.Unreadable != "" })
	require.Contains(t, s.codes(s.current(first)), cmk.FindingProjectUnreadable)
	require.Contains(t, s.codes(s.current(first)), cmk.FindingRepairFailed)
	s.world.Faults.Clear()
	s.until(s.current(first), "reading it again", func(st cmk.Status) bool { return !found(st.Findings, cmk.FindingProjectUnreadable, sim.ProjectA) })
	require.Contains(t, s.codes(s.current(first)), cmk.FindingRepairFailed)
	require.Empty(t, s.writes())

	last := s.current(first)
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), first.GetID(), ""))
	_, failed := s.outcome(last)
	require.Equal(t, "Canceled", failed)
	require.Equal(t, 1, received.times(cmk.FindingRepairFailed))
	require.Equal(t, 1, received.times(cmk.FindingProjectUnreadable))
	s.record(first, "watch-continues-as-new")
	s.record(s.runWith(first, given), "watch-continued-repair-given-up")
	s.record(s.runWith(first, func(p *cmk.WatchProgress) bool { return p.Unreadable != "" }), "watch-continued-unreadable")
}

// times is how often the outside was told that a finding has opened; one that was delivered twice counts once.
func (i *inbox) times(code cmk.FindingCode) int {
	told := map[string]bool{}
	i.has(func(n cmk.Notification) bool {
		if slices.ContainsFunc(n.Opened, func(f cmk.Finding) bool { return f.Code == code }) {
			told[n.ID] = true
		}
		return false
	})
	return len(told)
}

// codes are those of the findings of a run.
func (s *stage) codes(run client.WorkflowRun) (codes []cmk.FindingCode) {
	s.t.Helper()
	st, err := s.status(run)
	require.NoError(s.t, err)
	for _, f := range st.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

// current is the run of a workflow that goes on.
func (s *stage) current(run client.WorkflowRun) client.WorkflowRun {
	s.t.Helper()
	described, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), run.GetID(), "")
	require.NoError(s.t, err)
	return s.temporal.GetWorkflow(s.t.Context(), run.GetID(), described.GetWorkflowExecutionInfo().GetExecution().GetRunId())
}

// continues waits until the watch has continued as a run that such progress was handed to. What it is told meanwhile, and
// refuses, makes its history longer.
func (s *stage) continues(run client.WorkflowRun, such func(*cmk.WatchProgress) bool) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		if p := s.handed(s.current(run)); p != nil && such(p) {
			return true
		}
		require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), run.GetID(), "", cmk.SignalRetry, cmk.Resolution{By: "operator"}))
		return false
	}, patience, 50*time.Millisecond, "it does not continue as new")
}

// handed is the progress that a run of the watch was handed; nil for the first.
func (s *stage) handed(run client.WorkflowRun) *cmk.WatchProgress {
	s.t.Helper()
	var request cmk.WatchRequest
	input := s.history(run).Events[0].GetWorkflowExecutionStartedEventAttributes().GetInput()
	require.NoError(s.t, converter.GetDefaultDataConverter().FromPayloads(input, &request))
	return request.Progress
}

// runWith is the first run after another that such progress was handed to.
func (s *stage) runWith(run client.WorkflowRun, such func(*cmk.WatchProgress) bool) client.WorkflowRun {
	s.t.Helper()
	for {
		events := s.history(run).Events
		next := events[len(events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
		require.NotEmpty(s.t, next)
		run = s.temporal.GetWorkflow(s.t.Context(), run.GetID(), next)
		if such(s.handed(run)) {
			return run
		}
	}
}
