package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

func (a *app) migrateCommand() *cobra.Command {
	p := procedure[cmk.MigrateRequest]{
		workflow: cmk.MigrateUserToRole, fields: migrateFields(), decode: cmk.DecodeMigrate, start: changes.Migrate,
	}
	return startCommand(a, p, &cobra.Command{
		Use:   "migrate",
		Short: "Move a project from an IAM user's access key to an IAM role; the key stays",
		Long: `Migrate starts MigrateUserToRole: an IAM role is given the use of the key, all that can be evaluated is evaluated, the plan
is approved, and Atlas goes over to the role, which cannot be taken back. The access key is then retired by RetireAccess,
a change of its own that may take months: see retire.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter migrate --project-id 64b7f0c2a1b2c3d4e5f60718 --dry-run
  starter migrate --project-id 64b7f0c2a1b2c3d4e5f60718 --wait
  starter migrate -f request.yaml --retire-none --wait`,
	})
}

// migrateFields mirror cmk.MigrateRequest.
func migrateFields() []field {
	return slices.Concat([]field{projectField()}, roleFields(), []field{
		{"approvers", "approval.approvers", number, "how many distinct people must approve the plan (default 1)"},
		reminderField(),
		{"rest", "rest", text, "how long the role's documents stand before the switch (default 2m)"},
		{"settle", "settle", text, "how long after the switch the key must stay valid (default 30m)"},
		{"on-failure", "onFailure", text, "before the switch: compensate (default) or stop"},
		{"deadline-propagation", "deadlines.propagation", text, "for IAM to show Atlas the role (default 10m)"},
		{"deadline-approval", "deadlines.approval", text, "for the approval of the plan (default 168h)"},
		{"deadline-verification", "deadlines.verification", text, "for the final look, beyond --settle (default 30m)"},
		{"retire-none", "retire.none", truth, "leave the access key alone"},
		{"retire-access-key-id", "retire.accessKeyId", text, "the access key that was used, where Atlas no longer tells"},
		{"retire-also-projects", "retire.alsoProjects", list, "other projects that have used the same access key"},
	}, retireOptionFields("retire-", "retire."), []field{requesterField()})
}
