package cmk

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMinimalMigrationIsCompleted(t *testing.T) {
	r, err := DecodeMigrate([]byte(`{"projectId":"` + projectID + `"}`))
	require.NoError(t, err)
	require.Equal(t, MigrateRequest{
		ProjectID: projectID, Role: RoleRequest{Mode: RoleCreate, Name: "atlas-cmk-" + projectID}, Approval: PlanPolicy{Approvers: 1},
		Rest: Duration(2 * time.Minute), Settle: Duration(30 * time.Minute), OnFailure: Compensate,
		Deadlines: MigrateDeadlines{Propagation: Duration(10 * time.Minute), Approval: Duration(168 * time.Hour), Verification: Duration(30 * time.Minute)},
		Retire: MigrateRetirement{RetireOptions: RetireOptions{
			Disuse: Duration(24 * time.Hour), SettleInactive: Duration(24 * time.Hour), ApprovalDeadline: Duration(720 * time.Hour),
		}},
	}, r)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	again, err := DecodeMigrate(text)
	require.NoError(t, err)
	require.Equal(t, r, again, "a completed request stands for itself")
}

func TestMigrationNamesEveryProblem(t *testing.T) {
	_, err := DecodeMigrate([]byte(`{"projectId":"x","role":{"mode":"adopt"},"settle":"1ms","approval":{"approvers":9},
		"retire":{"accessKeyId":"****MPLE","alsoProjects":["y"],"disuse":"1ms"}}`))
	require.ElementsMatch(t, []string{"projectId", "role.name", "approval.approvers", "settle", "retire.accessKeyId", "retire.alsoProjects", "retire.disuse"}, fields(t, err))
	_, err = DecodeMigrate([]byte(`{"projectId":"` + projectID + `","accessKey":"AKIA"}`))
	require.ErrorContains(t, err, "accessKey")
}

func TestRetirementIsCompletedAndChecked(t *testing.T) {
	r, err := DecodeRetire([]byte(`{"accessKeyId":"AKIAIOSFODNN7EXAMPLE","projectIds":["` + projectID + `"],"switchedAt":"2026-01-31T12:00:00Z","disuse":"48h"}`))
	require.NoError(t, err)
	require.Equal(t, Duration(48*time.Hour), r.Disuse)
	require.Equal(t, Duration(24*time.Hour), r.SettleInactive)
	require.Equal(t, 1, r.Approval.Approvers)

	_, err = DecodeRetire([]byte(`{}`))
	require.ElementsMatch(t, []string{"accessKeyId", "projectIds", "switchedAt"}, fields(t, err))
	_, err = DecodeRetire([]byte(`{"accessKeyId":"a","projectIds":["` + projectID + `","` + projectID + `"],"switchedAt":"2026-01-31T12:00:00Z"}`))
	require.ElementsMatch(t, []string{"accessKeyId", "projectIds"}, fields(t, err))
	_, err = DecodeRetire([]byte(`{"roleId":"x"}`))
	require.ErrorContains(t, err, "roleId", "what is not retired yet is refused")
}

func fields(t *testing.T, err error) (names []string) {
	t.Helper()
	var invalid *InvalidRequestError
	require.ErrorAs(t, err, &invalid)
	for _, p := range invalid.Problems {
		names = append(names, p.Field)
	}
	return names
}
