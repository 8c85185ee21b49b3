package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

func enabling() procedure[cmk.EnableRequest] {
	return procedure[cmk.EnableRequest]{
		workflow: cmk.EnableWithPrivateEndpoints, fields: enableFields(), decode: cmk.DecodeEnable, start: changes.Enable,
	}
}

func (a *app) enableCommand() *cobra.Command {
	return startCommand(a, enabling(), &cobra.Command{
		Use:   "enable",
		Short: "Enable a customer-managed key over private endpoints for a project and its clusters",
		Long: `Enable starts EnableWithPrivateEndpoints: role-based access, the key on the project, private networking, an endpoint
in every region, their approvals, and then the clusters. The request is a file, flags, or both: flags go over the file.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter enable -f request.yaml --dry-run
  starter enable -f request.yaml --wait
  starter enable --project-id 64b7f0c2a1b2c3d4e5f60718 --wait --clusters payments,orders \
    --key arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab`,
	})
}

func (a *app) planCommand() *cobra.Command {
	flags := startFlags{dryRun: true}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what enable would do, and what stands in its way; nothing is written",
		Example: `  starter plan -f request.yaml
  starter plan -f request.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error { return begin(a, enabling(), cmd, flags) }),
	}
	addRequestFlags(cmd, cmk.EnableWithPrivateEndpoints, enableFields(), &flags)
	cmd.Flags().DurationVar(&a.timeout, "timeout", 0, "stop waiting after this long")
	return cmd
}

// enableFields mirror cmk.EnableRequest.
func enableFields() []field {
	return slices.Concat([]field{
		projectField(),
		{"key", "key", text, "KMS key: ARN, id, or alias (alias/NAME)"},
		{"key-region", "keyRegion", text, "region of the key; may be left out with an ARN"},
	}, roleFields(), []field{
		{"regions", "regions", list, "regions that get a private endpoint (default: all in which clusters have nodes)"},
		{"clusters", "clusters", selection, "clusters to switch to the key: all (default), none, or names"},
		{"parallel", "parallel", number, "how many clusters may re-encrypt at once (default 1)"},
		{"resume-paused", "resumePaused", truth, "resume paused clusters, to switch them"},
		{"search-nodes", "searchNodes", truth, "put search nodes on the key too"},
		snapshotField(),
		{"replicas", "replicas", text, "check (default), or create: replicate the key to regions that lack it"},
		{"approval-mode", "approval.mode", text, "use (default), create or provider"},
		{"approvers", "approval.approvers", number, "how many distinct people must approve (default 1)"},
		reminderField(),
		{"plan-approval", "planApproval", truth, "ask for the plan to be approved before anything is written"},
		{"on-failure", "onFailure", text, "compensate (default) or stop"},
	}, deadlineFields(), []field{requesterField()})
}

// reminderField is of every approval policy.
func reminderField() field {
	return field{"reminder", "approval.reminder", text, "ask people again when they have been waited for that long, such as 24h (default: never)"}
}

// snapshotField is of what switches clusters to the key.
func snapshotField() field {
	return field{"snapshot-days", "snapshotDays", number, "have a snapshot taken of each cluster with backup once it is on the key, kept for so many days (default: none)"}
}

// deadlineFields mirror cmk.Deadlines.
func deadlineFields() []field {
	return []field{
		{"deadline-propagation", "deadlines.propagation", text, "for IAM to show Atlas the role (default 10m)"},
		{"deadline-endpoint", "deadlines.endpoint", text, "for endpoints to become ACTIVE (default 4h)"},
		{"deadline-cluster", "deadlines.cluster", text, "for one cluster to re-encrypt (default 72h)"},
		{"deadline-approval", "deadlines.approval", text, "for an approval to come (default 168h)"},
		{"deadline-verification", "deadlines.verification", text, "for the final look (default 30m)"},
	}
}

// roleFields mirror cmk.RoleRequest.
func roleFields() []field {
	return []field{
		{"role-mode", "role.mode", text, "create (default) the IAM role if it is missing, adopt one that exists, or readOnly: write nothing in IAM"},
		{"role-name", "role.name", text, "name of the IAM role (default atlas-cmk-<project>)"},
		{"role-permissions-boundary", "role.permissionsBoundary", text, "ARN of the policy that bounds a created role"},
	}
}
