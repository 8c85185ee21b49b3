package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// A tenth of all requests goes wrong, each in every way, and the way out is none the longer for it but in time: five
// clusters in three regions, in both orders, and back from a window too.
func TestDisableUnderFaults(t *testing.T) {
	t.Parallel()
	faulty := func() *sim.Config {
		world := grown(func(p *atlassim.Project) {
			searching(p)
			p.Clusters = append(p.Clusters, atlassim.Cluster{Name: "fifth", Provider: cmk.ProviderAWS, Regions: []atlassim.Region{{Name: "EU_WEST_1", Electable: 3}}})
		})
		const often = 0.02
		world.Faults = []fault.Rule{
			{Kind: fault.Status, Status: 503, Chance: often}, {Kind: fault.Status, Status: 429, Chance: often},
			{Kind: fault.DropBefore, Chance: often}, {Kind: fault.DropAfter, Chance: often}, {Kind: fault.Garbage, Chance: often},
		}
		return world
	}
	for name, change := range map[string]func(*cmk.DisableRequest){
		"page":     func(r *cmk.DisableRequest) { r.Order = cmk.OrderPage },
		"keep":     func(r *cmk.DisableRequest) { r.Order, r.Parallel = cmk.OrderKeepPrivatePath, 3 },
		"restored": func(*cmk.DisableRequest) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: faulty(), Scale: 600})
			s.start()
			run := s.disable(change)
			s.approvePlan(run)
			if name == "restored" {
				s.until(run, "in the window", arrived(cmk.PhaseWindow))
				s.say(run, cmk.SignalRestore)
				report, failed := s.result(run)
				require.Equal(t, cmk.ErrAborted, failed, report.Problem)
				require.Equal(t, cmk.PhaseCompensated, report.Phase)
				require.Len(t, s.project().Endpoints, 3)
				require.True(t, s.project().Encryption.Private)
				return
			}
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			onceOff(t, s.writes())
			require.Len(t, report.Writes, len(s.writes()))
			s.off()
		})
	}
}

// A project that uses its key with an IAM user's credentials, with a paused cluster, finds its way out too.
func TestDisableProjectOnCredentials(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: cmk.WorkflowID(sim.ProjectB), TaskQueue: cmk.TaskQueue},
		cmk.SafeDisableCMK, cmk.DisableRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectB}, ResumePaused: true})
	require.NoError(t, err)
	s.approvePlan(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	s.record(run, "disable-project-on-credentials")
	require.True(t, report.Verified)
	require.Len(t, report.Writes, 4)
	require.Len(t, s.writes(), 4)
	require.Contains(t, report.Keep[1], awssim.AtlasUserAccessKeyID)
	require.Nil(t, report.WayBack)
}

// Two people approve; neither the requester nor one person twice will do. A rejected plan writes nothing.
func TestDisableApprovedByTwo(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil)})
	s.start()
	start := func() client.WorkflowRun {
		run := s.disable(func(r *cmk.DisableRequest) { r.Approval.Approvers = 2 })
		s.until(run, "at the gate", arrived(cmk.PhasePlanApproval))
		return run
	}
	decide := func(run client.WorkflowRun, signal, by string) {
		require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), run.GetRunID(), signal, cmk.Decision{By: by}))
	}
	run := start()
	decide(run, cmk.SignalApprove, "ann")
	decide(run, cmk.SignalReject, "bob")
	report, failed := s.result(run)
	require.Equal(t, cmk.ErrRejected, failed)
	require.Equal(t, cmk.PhaseRefused, report.Phase)
	require.Empty(t, s.writes())
	s.record(run, "disable-rejected")

	run = start()
	for _, by := range []string{"requester", "ann", "Ann "} {
		decide(run, cmk.SignalApprove, by)
	}
	st := s.until(run, "refusing twice", func(st cmk.Status) bool { return len(st.Refusals) == 2 })
	require.Equal(t, cmk.PhasePlanApproval, st.Phase)
	require.Empty(t, s.writes())
	decide(run, cmk.SignalApprove, "bob")
	report, failed = s.result(run)
	require.Empty(t, failed, report.Problem)
	require.Len(t, report.Approvals, 2)
	s.off()
}

// From the first path that is taken away until private networking is off, nothing is written but deletions: what could
// hold the window open came before it. How long it is, BenchmarkWindow measures.
func TestWindowHoldsDeletionsAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil)})
	s.start()
	run := s.leaveNetworking(nil)
	s.approvePlan(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	var operations []string
	for _, w := range s.writes() {
		operations = append(operations, strings.Fields(w)[0])
	}
	require.Equal(t, []string{"requestGroupEncryptionAtRestPrivateEndpointDeletion", "updateGroupEncryptionAtRest"}, slices.Compact(operations))
	require.Positive(t, s.longestWithoutPath(), "the window is there, and the oracle has timed it")
}

// Atlas takes one cluster of several and refuses the next: the first is followed to its end, the others go on, and a person
// is asked about the refused one alone.
func TestDisableHalfOfABatchIsRefused(t *testing.T) {
	t.Parallel()
	for _, choice := range []string{cmk.SignalRetry, cmk.SignalSkip} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			config := grown(nil)
			// The first cluster goes alone, then three at once: the second of those is refused, and once more by itself.
			config.Faults = []fault.Rule{{System: "atlas", Operation: "updateGroupCluster", Kind: fault.Status, Status: 400, After: 2, Times: 2}}
			s := newStage(t, shared, sim.Options{World: config})
			s.start()
			run := s.disable(func(r *cmk.DisableRequest) { r.Order, r.Parallel = cmk.OrderKeepPrivatePath, 3 })
			s.approvePlan(run)
			st := s.until(run, "asking about a cluster", askingPerson)
			refused := slices.DeleteFunc(slices.Clone(st.Clusters), func(c cmk.ClusterReport) bool {
				return st.Awaiting[0].Step != "cluster "+c.Name
			})
			require.Len(t, refused, 1, "%s", st.Awaiting[0].Step)
			require.Equal(t, cmk.ProviderAWS, refused[0].Provider)
			require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", choice, cmk.Resolution{By: "ann", Step: st.Awaiting[0].Step}))
			report, failed := s.result(run)
			s.record(run, "disable-batch-refused-"+choice)
			if choice == cmk.SignalRetry {
				require.Empty(t, failed, report.Problem)
				s.off()
				onceOff(t, s.writes())
				return
			}
			require.NotEmpty(t, failed)
			require.Equal(t, cmk.StateSomeOff, report.State)
			for _, c := range report.Clusters {
				require.Equal(t, c.Name == refused[0].Name, c.Skipped, "%+v", c)
				require.Equal(t, c.Name != refused[0].Name, c.Done, "%+v", c)
			}
		})
	}
}
