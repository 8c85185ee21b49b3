package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// disable starts SafeDisableCMK.
func (s *stage) disable(change func(*cmk.DisableRequest)) client.WorkflowRun {
	s.t.Helper()
	request := cmk.DisableRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA, Requester: "requester"}}
	if change != nil {
		change(&request)
	}
	return s.begin(cmk.SafeDisableCMK, request)
}

// begin starts a change of project A.
func (s *stage) begin(workflow string, request any) client.WorkflowRun {
	s.t.Helper()
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: cmk.WorkflowID(sim.ProjectA), TaskQueue: cmk.TaskQueue,
	}, workflow, request)
	require.NoError(s.t, err)
	return run
}

// approvePlan waits for a plan that is not one of those known, and approves it.
func (s *stage) approvePlan(run client.WorkflowRun, known ...string) string {
	s.t.Helper()
	st := s.until(run, "waiting for the plan's approval", func(st cmk.Status) bool {
		return st.Phase == cmk.PhasePlanApproval && !slices.Contains(known, st.Plan.Hash)
	})
	require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), run.GetID(), run.GetRunID(), cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash}))
	return st.Plan.Hash
}

// say sends a resolution.
func (s *stage) say(run client.WorkflowRun, signal string) {
	s.t.Helper()
	require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), run.GetID(), run.GetRunID(), signal, cmk.Resolution{By: "operator"}))
}

// exitOrder is the order of the phases of SafeDisableCMK in the page's order.
var exitOrder = []cmk.Phase{
	cmk.PhasePreflight, cmk.PhasePlanApproval, cmk.PhaseReadiness, cmk.PhaseWindow, cmk.PhaseSearchNodes, cmk.PhaseClusters, cmk.PhaseProject, cmk.PhaseVerification, cmk.PhaseDone,
}

// arrived is true in a phase and in those that follow it: a short one may be over between two looks.
func arrived(phase cmk.Phase) func(cmk.Status) bool {
	return func(st cmk.Status) bool { return slices.Index(exitOrder, st.Phase) >= slices.Index(exitOrder, phase) }
}

// searching has search nodes on the key too.
func searching(p *atlassim.Project) { p.Encryption.SearchNodes = true }

// off requires that the project has no key, no endpoint and no encrypted node, and that its role is as it was.
func (s *stage) off() {
	s.t.Helper()
	project := s.project()
	require.Nil(s.t, project.Encryption)
	require.Empty(s.t, project.Endpoints)
	for _, c := range project.Clusters {
		for _, n := range c.Nodes {
			require.False(s.t, n.Encrypted, "%s in %s", n.ID, c.Name)
		}
	}
	require.Equal(s.t, grownRoleARN, project.Roles[0].ARN)
}

// onceOff requires that nothing was written twice; the project's setting is written for networking, for the search nodes,
// and at the end.
func onceOff(t *testing.T, writes []string) {
	t.Helper()
	seen := map[string]int{}
	for _, w := range writes {
		seen[w]++
		most := 1
		if strings.HasPrefix(w, "updateGroupEncryptionAtRest ") {
			most = 3
		}
		require.LessOrEqual(t, seen[w], most, "%s: %v", w, writes)
	}
}

// project is the state of project A.
func (s *stage) project() atlassim.ProjectState {
	s.t.Helper()
	projects := s.world.State().Atlas.Projects
	return projects[slices.IndexFunc(projects, func(p atlassim.ProjectState) bool { return p.ID == sim.ProjectA })]
}

func TestDisable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order   cmk.DisableOrder
		windows int
	}{
		"page": {cmk.OrderPage, 1},
		"keep": {cmk.OrderKeepPrivatePath, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(searching)})
			s.start()
			run := s.disable(func(r *cmk.DisableRequest) { r.Order = c.order })
			s.approvePlan(run)
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			s.record(run, "disable-"+name)
			require.True(t, report.Verified)
			require.Equal(t, cmk.StateOff, report.State)
			require.Len(t, report.Windows, c.windows)
			require.Len(t, report.Writes, len(s.writes()), "%v", s.writes())
			require.False(t, report.KeepUntil.IsZero())
			require.Len(t, report.Keep, 2)
			require.Equal(t, cmk.EnableWithPrivateEndpoints, report.WayBack.Workflow)
			require.Len(t, report.WayBack.Request.Regions, 3)
			require.Len(t, report.WayBack.Request.Clusters.Names, 4)
			s.off()
			onceOff(t, s.writes())
			calls := 0
			for _, e := range s.world.Journal.Entries() {
				if !strings.Contains(strings.ToLower(e.Operation), "token") {
					calls++
				}
			}
			t.Logf("%d events, %d calls", len(s.history(run).Events), calls)

			before := len(s.writes())
			again := s.disable(nil)
			report, failed = s.result(again)
			require.Empty(t, failed, report.Problem)
			require.Empty(t, report.Writes)
			require.Len(t, s.writes(), before, "a finished change that is run again writes nothing")
			s.record(again, "disable-done-already-"+name)
		})
	}
}

func TestDisableWorkerKilledInEveryPhase(t *testing.T) {
	t.Parallel()
	for _, phase := range []cmk.Phase{cmk.PhasePlanApproval, cmk.PhaseWindow, cmk.PhaseSearchNodes, cmk.PhaseClusters, cmk.PhaseProject} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(searching)})
			s.start()
			run := s.disable(nil)
			if phase != cmk.PhasePlanApproval {
				s.approvePlan(run)
			}
			s.until(run, "in phase "+string(phase), arrived(phase))
			s.worker.Kill()
			s.start()
			if phase == cmk.PhasePlanApproval {
				s.approvePlan(run)
			}
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			s.off()
			onceOff(t, s.writes())
			s.record(run, "disable-killed-in-"+string(phase))
		})
	}
}

// Cancelled, a way out stops in a state that has a name; the window is not one.
func TestDisableCancelled(t *testing.T) {
	t.Parallel()
	for phase, states := range map[cmk.Phase][]cmk.ProjectState{
		cmk.PhasePlanApproval: {cmk.StateOn},
		cmk.PhaseWindow:       {cmk.StatePublic},
		cmk.PhaseSearchNodes:  {cmk.StatePublic},
		cmk.PhaseClusters:     {cmk.StateSomeOff, cmk.StatePublic},
	} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(searching)})
			s.start()
			run := s.disable(nil)
			if phase != cmk.PhasePlanApproval {
				s.approvePlan(run)
			}
			s.until(run, "in phase "+string(phase), arrived(phase))
			require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			report, failed := s.result(run)
			require.Equal(t, "Canceled", failed)
			s.record(run, "disable-cancelled-in-"+string(phase))
			require.Contains(t, states, report.State)
			if phase == cmk.PhasePlanApproval {
				require.Equal(t, cmk.PhaseRefused, report.Phase)
				require.Empty(t, s.writes())
				return
			}
			require.Equal(t, cmk.PhaseStopped, report.Phase)
			require.NotNil(t, report.WayBack)

			// The way back that the report gives is one that works.
			request, err := json.Marshal(report.WayBack.Request)
			require.NoError(t, err)
			back := s.begin(report.WayBack.Workflow, json.RawMessage(request))
			s.approveAll(back)
			s.until(back, "back on private endpoints", func(st cmk.Status) bool {
				return st.Phase == cmk.PhaseVerification || st.Phase == cmk.PhaseDone
			})
			require.True(t, s.project().Encryption.Private)
			require.Len(t, s.project().Endpoints, 3)
			require.Empty(t, s.world.Violations())
		})
	}
}

// Before the first cluster leaves the key, everything can be put back: networking, endpoints in the same regions, and
// the search nodes.
func TestDisableRestored(t *testing.T) {
	t.Parallel()
	for _, phase := range []cmk.Phase{cmk.PhaseWindow, cmk.PhaseSearchNodes} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(searching)})
			s.start()
			run := s.disable(nil)
			s.approvePlan(run)
			s.until(run, "in phase "+string(phase), arrived(phase))
			s.say(run, cmk.SignalRestore)
			report, failed := s.result(run)
			require.Equal(t, cmk.ErrAborted, failed)
			s.record(run, "disable-restored-in-"+string(phase))
			require.Equal(t, cmk.PhaseCompensated, report.Phase)
			require.Equal(t, cmk.StateOn, report.State)
			require.True(t, s.project().Encryption.Private)
			require.True(t, s.project().SearchNodes)
			require.Len(t, s.project().Endpoints, 3)
			for _, e := range s.project().Endpoints {
				require.Equal(t, "ACTIVE", e.Status)
			}
		})
	}
}

// Past the first cluster nothing goes back: restore is refused, stop finishes the cluster in flight.
func TestDisableStopped(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil), Scale: 600})
	s.start()
	run := s.disable(nil)
	s.approvePlan(run)
	s.until(run, "past the first cluster", func(st cmk.Status) bool { return st.State == cmk.StateSomeOff })
	s.say(run, cmk.SignalRestore)
	s.until(run, "refusing to restore", func(st cmk.Status) bool {
		return slices.ContainsFunc(st.Refusals, func(r cmk.Refusal) bool { return r.Code == cmk.RefusedPastPivot })
	})
	s.say(run, cmk.SignalStop)
	report, failed := s.result(run)
	require.Equal(t, cmk.ErrAborted, failed)
	s.record(run, "disable-stopped")
	require.Equal(t, cmk.PhaseStopped, report.Phase)
	require.Equal(t, cmk.StateSomeOff, report.State)
	require.True(t, slices.ContainsFunc(report.Clusters, func(c cmk.ClusterReport) bool { return !c.Done }))
}

// The worker is killed before and after every single write of SafeDisableCMK, and after its answer. Each time the run
// finishes as if nothing had happened.
func TestDisableCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	// The first cluster goes alone, the others at once: a lost answer leaves some of them on their way.
	together := func(r *cmk.DisableRequest) { r.Parallel = 3 }
	calm := newStage(t, shared, sim.Options{World: grown(searching)})
	points := &gate{}
	calm.guard(points)
	calm.start()
	run := calm.disable(together)
	calm.approvePlan(run)
	report, failed := calm.result(run)
	require.Empty(t, failed, report.Problem)
	require.Len(t, points.writes, 10)

	for n, write := range points.writes {
		for _, when := range moments(n + 1) {
			t.Run(fmt.Sprintf("%02d-%s-%s", n+1, write[strings.LastIndex(write, " ")+1:], when), func(t *testing.T) {
				t.Parallel()
				o := sim.Options{World: grown(searching)}
				if n < 4 {
					o.Scale = 600 // what a crash costs in the window counts as simulated time
				}
				s := newStage(t, shared, o)
				crashed := s.dieAt(n+1, when)
				s.start()
				run := s.disable(together)
				s.approvePlan(run)
				<-crashed
				s.start()
				report, failed := s.result(run)
				require.Empty(t, failed, report.Problem)
				require.True(t, report.Verified)
				require.Len(t, report.Writes, 10)
				onceOff(t, s.writes())
				require.Len(t, s.writes(), 10)
			})
		}
	}
}
