package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// registry keeps the options with which workflows are registered.
type registry struct {
	worker.WorkflowRegistry
	options map[string]workflow.RegisterOptions
}

func (r registry) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.options[o.Name] = o
}

// What lives for months would keep a build of the worker alive for as long; a change is too short to be moved.
func TestOnlyTheLongLivedMoveToAnotherBuild(t *testing.T) {
	r := registry{options: map[string]workflow.RegisterOptions{}}
	Register(r)
	longLived := []string{cmk.RetireAccess, cmk.WatchProject, cmk.WatchOrganization}
	for name, o := range r.options {
		want := workflow.VersioningBehaviorUnspecified // that is, the worker's default: pinned
		for _, l := range longLived {
			if name == l {
				want = workflow.VersioningBehaviorAutoUpgrade
			}
		}
		require.Equal(t, want, o.VersioningBehavior, name)
	}
	require.Contains(t, r.options, cmk.RetireAccess)
}
