package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/workflows"
)

// recorded is how many histories there are: one that gets lost is noticed.
const recorded = 202

func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.Len(t, files, recorded, "histories are recorded by `make histories`, and none is ever thrown away")
	return files
}

// replay replays a history under the workflow id that it was recorded under: a run tells its own leases by that.
func replay(t *testing.T, replayer worker.WorkflowReplayer, file string) error {
	t.Helper()
	reader, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = reader.Close() }()
	history, err := client.HistoryFromJSON(reader, client.HistoryJSONOptions{})
	require.NoError(t, err)
	started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(nil, history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
	})
}

// Every history that was ever recorded replays: a worker may be replaced by a newer one while changes are running.
func TestRecordedHistoriesReplay(t *testing.T) {
	for _, file := range histories(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			require.NoError(t, replay(t, replayer, file))
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
		require.Error(t, replay(t, replayer, file), file)
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
