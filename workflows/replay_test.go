package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/workflows"
)

// recorded is how many histories there are: one that gets lost is noticed.
const recorded = 84

func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.Len(t, files, recorded, "histories are recorded by `make histories`, and none is ever thrown away")
	return files
}

// Every history that was ever recorded replays: a worker may be replaced by a newer one while changes are running.
func TestRecordedHistoriesReplay(t *testing.T) {
	for _, file := range histories(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, file))
		})
	}
}

// The replay has teeth: a workflow that does something else first is caught by every history of its type.
func TestIncompatibleChangeIsCaught(t *testing.T) {
	for _, file := range histories(t) {
		if !strings.HasPrefix(filepath.Base(file), "enable-") || strings.HasPrefix(filepath.Base(file), "enable-refused-") {
			continue
		}
		replayer := worker.NewWorkflowReplayer()
		replayer.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
			return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 1}), "SomethingElse").Get(ctx, nil)
		}, workflow.RegisterOptions{Name: cmk.EnableWithPrivateEndpoints})
		require.Error(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, file), file)
	}
}

func TestHistoriesHoldNoSecrets(t *testing.T) {
	for _, file := range histories(t) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, secret := range []string{"mdb_sa_sk_", "workerSecretKey", "Bearer ", "Authorization", "aws_secret"} {
			require.NotContains(t, string(text), secret, file)
		}
	}
}
