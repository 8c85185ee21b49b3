package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
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
