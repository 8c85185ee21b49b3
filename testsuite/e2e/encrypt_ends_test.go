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

// encryptWrites is what encryptAll writes: two clusters, the search nodes, and a snapshot of the cluster that has backups.
const encryptWrites = 4

// twoOff has clusters east, with search nodes and backups, and west off the key.
func twoOff(p *atlassim.Project) {
	westOff(p)
	p.Clusters[0].Provider = ""
}

// encryptAll puts on the key whatever is not.
func (s *stage) encryptAll() client.WorkflowRun {
	s.t.Helper()
	return s.encrypt(func(r *cmk.EncryptRequest) { r.SearchNodes, r.SnapshotDays = true, 7 })
}

// An answer is lost, the worker dies, and the change is cancelled before it is back: what has begun to re-sync finishes, and
// nothing more begins. Run again, it does what is left.
func TestEncryptCancelledAfterLostAnswer(t *testing.T) {
	t.Parallel()
	for n := 1; n <= encryptWrites; n++ {
		if !chosen(n) {
			continue
		}
		t.Run(fmt.Sprintf("write-%d", n), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(twoOff)})
			s.act(atlassim.Act{Kind: atlassim.Approve})
			crashed := s.dieAt(n, afterWrite)
			s.start()
			run := s.encryptAll()
			<-crashed
			require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			s.start()
			report, failed := s.result(run)
			require.Equal(t, "Canceled", failed)
			require.Equal(t, cmk.PhaseStopped, report.Phase)
			require.Len(t, s.writes(), n, "%v", s.writes())
			s.record(run, fmt.Sprintf("encrypt-cancelled-after-write-%d", n))

			report, failed = s.result(s.encryptAll())
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			once(t, s.writes())
			require.True(t, s.project().SearchNodes)
			for _, c := range s.project().Clusters {
				require.Equal(t, cmk.ProviderAWS, c.Provider, c.Name)
			}
		})
	}
}

// Nothing but search nodes is to be switched, the answer to that is lost, and the change is cancelled: it does not say that
// nothing was written.
func TestEncryptSearchNodesCancelledAfterLostAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil)})
	s.act(atlassim.Act{Kind: atlassim.Approve})
	crashed := s.dieAt(1, afterWrite)
	s.start()
	run := s.encryptAll()
	<-crashed
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	s.start()
	report, failed := s.result(run)
	require.Equal(t, "Canceled", failed)
	require.Equal(t, cmk.PhaseStopped, report.Phase, report.Problem)
	require.Len(t, s.writes(), 1)
	require.True(t, s.project().SearchNodes)
	s.record(run, "encrypt-search-nodes-cancelled")
}

// Nothing is written before people have approved what they are asked for, and the endpoints stay whatever they say. Once the
// plan is approved the role may have been edited, and is looked at again.
func TestEncryptThatIsNotApproved(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(unswitched)})
	s.start()
	cancelled := func(run client.WorkflowRun) {
		require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	}
	tell := func(signal string, d cmk.Decision) func(client.WorkflowRun) {
		return func(run client.WorkflowRun) {
			d.By = "approver"
			require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), run.GetRunID(), signal, d))
		}
	}
	for _, c := range []struct {
		name   string
		change func(*cmk.EncryptRequest)
		asked  cmk.Awaiting
		end    func(client.WorkflowRun)
		failed string
		phase  cmk.Phase
	}{
		{"plan-cancelled", func(r *cmk.EncryptRequest) { r.PlanApproval = true }, cmk.AwaitingPlanApproval, cancelled, "Canceled", cmk.PhaseRefused},
		{"plan-rejected", func(r *cmk.EncryptRequest) { r.PlanApproval = true }, cmk.AwaitingPlanApproval, tell(cmk.SignalReject, cmk.Decision{}), cmk.ErrRejected, cmk.PhaseRefused},
		{"endpoint-cancelled", nil, cmk.AwaitingEndpointApproval, cancelled, "Canceled", cmk.PhaseCompensated},
		{
			"endpoint-rejected", nil, cmk.AwaitingEndpointApproval, tell(cmk.SignalRejectEndpoint, cmk.Decision{Region: "eu-west-1"}),
			cmk.ErrRejected, cmk.PhaseCompensated,
		},
		{
			"endpoint-expired", func(r *cmk.EncryptRequest) { r.Deadlines.Approval = cmk.Duration(time.Second) }, cmk.AwaitingEndpointApproval,
			func(client.WorkflowRun) {}, cmk.ErrExpired, cmk.PhaseCompensated,
		},
	} {
		run := s.encrypt(c.change)
		s.until(run, "asking for approval, or over", func(st cmk.Status) bool { return awaits(c.asked)(st) || st.Ended != nil })
		c.end(run)
		report, failed := s.result(run)
		require.Equal(t, c.failed, failed, "%s: %s", c.name, report.Problem)
		require.Equal(t, c.phase, report.Phase, c.name)
		require.Empty(t, s.writes(), c.name)
		require.Len(t, s.project().Endpoints, 3, c.name)
		s.record(run, "encrypt-"+c.name)
	}
}
