package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

func (a *app) rotateCommand() *cobra.Command {
	p := procedure[cmk.RotateRequest]{
		workflow: cmk.RotateKey, fields: rotateFields(), decode: cmk.DecodeRotate, start: changes.Rotate,
	}
	return startCommand(a, p, &cobra.Command{
		Use:   "rotate",
		Short: "Move a project to another key, or to another region of its multi-Region key",
		Long: `Rotate starts RotateKey: the other key is proved to be usable wherever the project has nodes, the plan is approved, the
role is given the use of it beside the former one, and Atlas is told of it. Without --key the project keeps its key and
goes over to --key-region with it.
The former key, and the role's use of it, are kept: snapshots need them.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter rotate --project-id 64b7f0c2a1b2c3d4e5f60718 --key alias/atlas-2027 --key-region us-east-1 --dry-run
  starter rotate --project-id 64b7f0c2a1b2c3d4e5f60718 --key-region us-west-2 --wait`,
	})
}

// rotateFields mirror cmk.RotateRequest.
func rotateFields() []field {
	return slices.Concat([]field{
		projectField(),
		{"key", "key", text, "KMS key to go over to: ARN, id or alias (default: the project's own)"},
		{"key-region", "keyRegion", text, "region in which the key is looked up and which Atlas is told (default: the ARN's)"},
		{"role-mode", "roleMode", text, "adopt (default) or readOnly"},
		{"replicas", "replicas", text, "missing replicas of a multi-Region key: check (default) or create"},
		{"resume-paused", "resumePaused", truth, "resume paused clusters that use the key; they stay running"},
		{"approvers", "approval.approvers", number, "how many distinct people must approve the plan (default 1)"},
		reminderField(),
		{"rest", "rest", text, "how long the role's permissions stand before the rotation (default 2m)"},
		{"settle", "settle", text, "how long after the rotation the key must stay valid (default 30m)"},
		{"on-failure", "onFailure", text, "before the rotation: compensate (default) or stop"},
		{"retire-start", "retire.start", truth, "then have the role's use of the former key retired once no snapshot needs it: see retire"},
		{"deadline-propagation", "deadlines.propagation", text, "for IAM to show Atlas the permissions (default 10m)"},
		{"deadline-approval", "deadlines.approval", text, "for the approval of the plan (default 168h)"},
		{"deadline-clusters", "deadlines.clusters", text, "for the clusters to be at rest, before and after (default 24h)"},
		{"deadline-verification", "deadlines.verification", text, "for the final look, beyond --settle (default 30m)"},
		requesterField(),
	}, retireOptionFields("retire-", "retire."))
}
