package cmk

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMinimalRotationIsCompleted(t *testing.T) {
	r, err := DecodeRotate([]byte(`{"projectId":"` + projectID + `","keyRegion":"us-west-2"}`))
	require.NoError(t, err)
	require.Equal(t, RotateRequest{
		ProjectID: projectID, KeyRegion: "US_WEST_2", RoleMode: RoleAdopt, Replicas: ReplicasCheck, Approval: PlanPolicy{Approvers: 1},
		Rest: Duration(2 * time.Minute), Settle: Duration(30 * time.Minute), OnFailure: Compensate,
		Retire:    RetireAfter{RetireOptions: RetireOptions{Disuse: Duration(24 * time.Hour), SettleInactive: Duration(24 * time.Hour), ApprovalDeadline: Duration(720 * time.Hour)}},
		Deadlines: RotateDeadlines{Propagation: Duration(10 * time.Minute), Approval: Duration(168 * time.Hour), Clusters: Duration(24 * time.Hour), Verification: Duration(30 * time.Minute)},
	}, r)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	again, err := DecodeRotate(text)
	require.NoError(t, err)
	require.Equal(t, r, again, "a completed request stands for itself")
}

func TestRotationNamesEveryProblem(t *testing.T) {
	for text, problems := range map[string][]string{
		`{"projectId":"x"}`: {"projectId", "key"},
		`{"projectId":"` + projectID + `","key":"arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab","keyRegion":"eu-west-1"}`: {"keyRegion"},
		`{"projectId":"` + projectID + `","key":"alias/next"}`:                   {"keyRegion"},
		`{"projectId":"` + projectID + `","key":"next","keyRegion":"somewhere"}`: {"key", "keyRegion"},
		`{"projectId":"` + projectID + `","keyRegion":"us-east-1","roleMode":"create","replicas":"x","onFailure":"x","approval":{"approvers":9},"rest":"1ms","settle":"1ms",
			"retire":{"disuse":"1ms"},"deadlines":{"clusters":"1ms"}}`: {"roleMode", "replicas", "onFailure", "approval.approvers", "rest", "settle", "retire.disuse", "deadlines.clusters"},
	} {
		_, err := DecodeRotate([]byte(text))
		require.ElementsMatch(t, problems, fields(t, err), text)
	}
	_, err := DecodeRotate([]byte(`{"projectId":"` + projectID + `","role":"r"}`))
	require.ErrorContains(t, err, "role")
}
