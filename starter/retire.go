package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

func (a *app) retireCommand() *cobra.Command {
	p := procedure[cmk.RetireRequest]{
		workflow: cmk.RetireAccess, fields: retireFields(), decode: cmk.DecodeRetire, start: changes.Retire, noDryRun: true,
	}
	return startCommand(a, p, &cobra.Command{
		Use:   "retire",
		Short: "Withdraw access that no project uses any more, once no snapshot needs it",
		Long: `Retire starts RetireAccess, as migrate does by itself: it waits until no snapshot needs the access key, proves that it is
not used, makes it Inactive, watches the projects, asks for an approval, and deletes it. That may take months. While the
access key is Inactive, restore makes it Active again. The other commands take the access key's id for the workflow's.

With --role-arn it withdraws what the projects may do through an IAM role: the keys in our inline policies, Atlas's
authorization, our trust statements, and the role itself if atlas-cmk made it and nobody else is in it. With --key-arns as
well, only the use of those keys, such as one that a project has been rotated away from. It asks before it takes the keys
out; restore puts them back until the rest is withdrawn.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter retire --access-key-id AKIAIOSFODNN7EXAMPLE --switched-at 2026-01-31T12:00:00Z \
    --project-ids 64b7f0c2a1b2c3d4e5f60718,64b7f0c2a1b2c3d4e5f60719
  starter retire --role-arn arn:aws:iam::111122223333:role/atlas-cmk-64b7f0c2a1b2c3d4e5f60718 \
    --project-ids 64b7f0c2a1b2c3d4e5f60718 --switched-at 2026-01-31T12:00:00Z
  starter retire -f request.yaml --wait`,
	})
}

// retireFields mirror cmk.RetireRequest, but for its progress, which is not to be given by hand.
func retireFields() []field {
	return slices.Concat([]field{
		{"access-key-id", "accessKeyId", text, "id of the access key"},
		{"role-arn", "roleArn", text, "in its place, the IAM role whose access is withdrawn"},
		{"key-arns", "keyArns", list, "of the role, only the use of these keys"},
		{"project-ids", "projectIds", list, "every project that has used it"},
		{"switched-at", "switchedAt", text, "when the last of them ceased to, such as 2026-01-31T12:00:00Z"},
		{"approvers", "approval.approvers", number, "how many distinct people must approve its withdrawal (default 1)"},
		reminderField(),
	}, retireOptionFields("", ""), []field{requesterField()})
}

// retireOptionFields mirror cmk.RetireOptions.
func retireOptionFields(flag, path string) []field {
	return []field{
		{flag + "accept-snapshot-loss", path + "acceptSnapshotLoss", truth, "ask for the approval of losing the snapshots that need it, rather than wait"},
		{flag + "disuse", path + "disuse", text, "for how long an access key must not have been used (default 24h)"},
		{flag + "settle-inactive", path + "settleInactive", text, "how long it stays Inactive, or a role without its keys, before the rest (default 24h)"},
		{flag + "approval-deadline", path + "approvalDeadline", text, "for the approval of its withdrawal (default 720h)"},
	}
}
