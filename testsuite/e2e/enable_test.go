package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

func TestEnableFromNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(nil)
	s.until(run, "waiting for approval", func(st cmk.Status) bool {
		return len(st.Awaiting) > 0 && st.Awaiting[0].For == cmk.AwaitingEndpointApproval
	})
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	t.Logf("events %d; writes %v", s.events(run), s.writes())
	require.True(t, report.Verified)
	require.Equal(t, cmk.PhaseDone, report.Phase)
	require.True(t, report.Final.Valid)
	require.Equal(t, awssim.MultiRegionKeyARN, report.Final.Key)
	require.Len(t, report.Endpoints, 3)
	for _, e := range report.Endpoints {
		require.Equal(t, cmk.EndpointActive, e.Status)
		require.Equal(t, cmk.ApprovalApproved, e.Approval)
	}
	require.Len(t, report.Clusters, 4)
	for _, c := range report.Clusters {
		require.True(t, c.Done)
		require.Equal(t, cmk.ProviderAWS, c.Provider)
	}
	require.Len(t, report.Writes, len(s.writes()))

	before := len(s.writes())
	again := s.enable(nil)
	report, failed = s.result(again)
	require.Empty(t, failed, report.Problem)
	require.Empty(t, report.Writes)
	require.Len(t, s.writes(), before, "a finished change that is run again writes nothing")
}
