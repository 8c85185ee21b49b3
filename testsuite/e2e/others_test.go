package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// While a change waits, somebody else touches the project's encryption: the next write that depends on it does not happen
// before a person has said so.
func TestWhatOthersDoMeanwhileIsAskedAbout(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(nil)
	s.until(run, "waiting for approval", waitingForApproval)
	others, err := activities.AtlasAccess{BaseURL: s.world.AtlasURL, PublicKey: sim.APIPublicKey, PrivateKey: sim.APIPrivateKey}.Client("others")
	require.NoError(t, err)
	_, _, err = others.EncryptionAtRestUsingCustomerKeyManagementApi.CreateRestPrivateEndpoint(t.Context(), sim.ProjectA, "AWS",
		&admin.EARPrivateEndpoint{RegionName: new("AP_SOUTHEAST_2")}).Execute()
	require.NoError(t, err)
	s.approveAll(run)

	st := s.until(run, "asking about it", askingPerson)
	require.Contains(t, st.Awaiting[0].What, "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_CREATED by "+sim.APIPublicKey)
	require.False(t, slices.ContainsFunc(s.writes(), func(w string) bool { return strings.HasPrefix(w, "updateGroupCluster ") }), "no cluster is switched yet")
	require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalRetry, cmk.Resolution{By: "ann"}))

	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	s.record(run, "enable-others-meanwhile")
}

func askingPerson(st cmk.Status) bool {
	return len(st.Awaiting) > 0 && st.Awaiting[0].For == cmk.AwaitingDecision
}
