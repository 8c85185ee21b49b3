// Package workflows holds the procedures: what happens in what order, what waits for whom, and what is taken back when.
package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Register makes the workflows known to a worker, a replayer or a test environment, under the contract's names. Where
// the worker is versioned, a change ends on the build that it began on, and what lives for months moves on to the next.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(EnableWithPrivateEndpoints, workflow.RegisterOptions{Name: cmk.EnableWithPrivateEndpoints})
	r.RegisterWorkflowWithOptions(AddPrivateEndpoints, workflow.RegisterOptions{Name: cmk.AddPrivateEndpoints})
	r.RegisterWorkflowWithOptions(EncryptClusters, workflow.RegisterOptions{Name: cmk.EncryptClusters})
	r.RegisterWorkflowWithOptions(SafeDisableCMK, workflow.RegisterOptions{Name: cmk.SafeDisableCMK})
	r.RegisterWorkflowWithOptions(DisablePrivateNetworking, workflow.RegisterOptions{Name: cmk.DisablePrivateNetworking})
	r.RegisterWorkflowWithOptions(RemovePrivateEndpoints, workflow.RegisterOptions{Name: cmk.RemovePrivateEndpoints})
	r.RegisterWorkflowWithOptions(MigrateUserToRole, workflow.RegisterOptions{Name: cmk.MigrateUserToRole})
	r.RegisterWorkflowWithOptions(RotateKey, workflow.RegisterOptions{Name: cmk.RotateKey})
	r.RegisterWorkflowWithOptions(RetireAccess, workflow.RegisterOptions{Name: cmk.RetireAccess, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
	r.RegisterWorkflowWithOptions(WatchProject, workflow.RegisterOptions{Name: cmk.WatchProject, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
	r.RegisterWorkflowWithOptions(WatchOrganization, workflow.RegisterOptions{Name: cmk.WatchOrganization, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
	r.RegisterWorkflowWithOptions(ReadProject, workflow.RegisterOptions{Name: cmk.ReadProject})
	r.RegisterWorkflowWithOptions(Lease, workflow.RegisterOptions{Name: cmk.LeaseWorkflow})
}
