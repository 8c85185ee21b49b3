package e2e

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// built is the theatre with the worker built in another way.
func built(t *testing.T, flags ...string) *theatre {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worker")
	args := append(append([]string{"build"}, flags...), "-o", path, "github.com/atlas-cmk/atlas-cmk/worker")
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return &theatre{server: shared.server, worker: path}
}

// Another build of the worker takes the place of the first while a run waits for approval: the new one starts, the old
// one is asked to stop, and the run goes on where it stood.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	next := built(t, "-ldflags", "-X main.version=next")
	s := newStage(t, shared, sim.Options{})
	s.start()
	run := s.enable(nil)
	s.until(run, "waiting for approval", waitingForApproval)
	old := s.worker
	s.theatre = next
	s.start()
	require.NoError(t, old.Stop())
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	once(t, s.writes())
	switched := 0
	for _, e := range s.world.Journal.Entries() {
		if e.Write && e.Method == http.MethodPatch && strings.Contains(e.Path, "/clusters/") {
			require.Contains(t, e.Who, "atlas-cmk/next", "the new build has switched the clusters")
			switched++
		}
	}
	require.Len(t, report.Clusters, switched)
}

// With worker versioning, a change ends on the build that it began on, and the next begins on the one that is current by
// then.
func TestVersionedUpgrade(t *testing.T) {
	t.Parallel()
	const deployment = "atlas-cmk"
	config := sim.DefaultConfig()
	other := atlassim.Project{ID: sim.ProjectB[:23] + "9", Name: "other", Clusters: []atlassim.Cluster{{Name: "only", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}}}}
	config.Atlas.Projects = append(config.Atlas.Projects, other)
	config.Atlas.ServiceAccounts[0].Roles = append(config.Atlas.ServiceAccounts[0].Roles, atlassim.Grant{Project: other.ID, Role: "GROUP_OWNER"})
	s := newStage(t, shared, sim.Options{World: &config})
	s.env["TEMPORAL_WORKER_DEPLOYMENT_NAME"] = deployment
	begin := func(build string) *proc.Process {
		s.env["TEMPORAL_WORKER_BUILD_ID"] = build
		s.start()
		handle := s.temporal.WorkerDeploymentClient().GetHandle(deployment)
		require.Eventually(t, func() bool { // once the server knows of the build
			_, err := handle.SetCurrentVersion(t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build})
			return err == nil
		}, patience, 100*time.Millisecond)
		return s.worker
	}
	buildOf := func(run client.WorkflowRun) string {
		got, err := s.temporal.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		require.NoError(t, err)
		return got.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId()
	}

	one := begin("one")
	first := s.enable(nil)
	s.until(first, "waiting for approval", waitingForApproval)
	begin("two")
	second := s.enable(func(r *cmk.EnableRequest) {
		r.ProjectID, r.Approval = other.ID, cmk.ApprovalPolicy{Mode: cmk.ApproveProvider}
	})
	report, failed := s.outcome(second)
	require.Empty(t, failed, report.Problem)
	require.Equal(t, "two", buildOf(second))

	s.approveAll(first)
	report, failed = s.result(first)
	require.Empty(t, failed, report.Problem)
	require.Equal(t, "one", buildOf(first))
	require.True(t, one.Running())
}
