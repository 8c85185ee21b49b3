package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Commands that add to a project that is on its key already.

func (a *app) addEndpointsCommand() *cobra.Command {
	p := procedure[cmk.AddRequest]{workflow: cmk.AddPrivateEndpoints, fields: addingFields(), decode: cmk.DecodeAdd, start: changes.AddEndpoints}
	return startCommand(a, p, &cobra.Command{
		Use:   "add",
		Short: "Add private endpoints in more regions to a project that is on its key",
		Long: `Add starts AddPrivateEndpoints: the key's replicas are checked, or made where that is asked for, the role is given the use of
them, and each region gets its endpoint, which is waited for until it is ACTIVE and approved.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter endpoints add --project-id 64b7f0c2a1b2c3d4e5f60718 --regions eu-central-1 --dry-run
  starter endpoints add --project-id 64b7f0c2a1b2c3d4e5f60718 --regions eu-central-1,ap-south-1 --replicas create --wait`,
	})
}

func (a *app) encryptCommand() *cobra.Command {
	p := procedure[cmk.EncryptRequest]{workflow: cmk.EncryptClusters, fields: encryptFields(), decode: cmk.DecodeEncrypt, start: changes.Encrypt}
	return startCommand(a, p, &cobra.Command{
		Use:   "encrypt",
		Short: "Put more clusters of a project on its key",
		Long: `Encrypt starts EncryptClusters: the clusters that are named, or all that are not on the project's key, are switched to it one
by one. Where a region has no ACTIVE private endpoint, it refuses.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter encrypt --project-id 64b7f0c2a1b2c3d4e5f60718 --dry-run
  starter encrypt --project-id 64b7f0c2a1b2c3d4e5f60718 --clusters payments,orders --wait
  starter encrypt --project-id 64b7f0c2a1b2c3d4e5f60718 --clusters none --planned-regions us-east-1,eu-west-1 --dry-run`,
	})
}

// addingFields mirror cmk.AddRequest.
func addingFields() []field {
	return slices.Concat([]field{
		projectField(),
		{"regions", "regions", list, "regions that get a private endpoint"},
		{"replicas", "replicas", text, "check (default), or create: replicate the key to regions that lack it"},
		{"approval-mode", "approval.mode", text, "use (default), create or provider"},
		{"on-failure", "onFailure", text, "compensate (default) or stop"},
	}, moreFields())
}

// encryptFields mirror cmk.EncryptRequest.
func encryptFields() []field {
	return slices.Concat([]field{
		projectField(),
		{"clusters", "clusters", selection, "clusters to switch to the key: all (default) that are not on it, none, or names"},
		{"parallel", "parallel", number, "how many clusters may re-encrypt at once (default 1)"},
		{"resume-paused", "resumePaused", truth, "resume paused clusters, to switch them"},
		{"search-nodes", "searchNodes", truth, "put search nodes on the key too"},
		snapshotField(),
		{"planned-regions", "plannedRegions", list, "regions of a cluster that does not exist yet: says how to create it, with --dry-run"},
		{"approval-mode", "approval.mode", text, "use (default) or provider"},
	}, moreFields())
}

// moreFields are what both have.
func moreFields() []field {
	return slices.Concat([]field{
		{"role-mode", "roleMode", text, "adopt (default): edit our statements in the IAM role; or readOnly: write nothing in IAM"},
		{"approvers", "approval.approvers", number, "how many distinct people must approve (default 1)"},
		reminderField(),
		{"plan-approval", "planApproval", truth, "ask for the plan to be approved before anything is written"},
	}, deadlineFields(), []field{requesterField()})
}
