package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// The ways out: commands that take a project off its key, or off its private endpoints.

func (a *app) disableCommand() *cobra.Command {
	p := procedure[cmk.DisableRequest]{
		workflow: cmk.SafeDisableCMK, fields: disableFields(), decode: cmk.DecodeDisable, start: changes.Disable,
	}
	return startCommand(a, p, &cobra.Command{
		Use:   "disable",
		Short: "Take a project and its clusters off the customer-managed key",
		Long: `Disable starts SafeDisableCMK: once the plan is approved, it takes away the private endpoints and private networking, takes
search nodes and clusters off the key, and then the key from the project. Key and role are left: snapshots need them, until
the time that the report names. Until the first cluster has left the key, restore puts everything back.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter disable --project-id 64b7f0c2a1b2c3d4e5f60718 --dry-run
  starter disable --project-id 64b7f0c2a1b2c3d4e5f60718 --wait
  starter disable -f request.yaml --order keepPrivatePath --wait`,
	})
}

func (a *app) networkingCommand() *cobra.Command {
	p := procedure[cmk.NetworkingRequest]{
		workflow: cmk.DisablePrivateNetworking, fields: networkingFields(), decode: cmk.DecodeNetworking, start: changes.DisableNetworking,
	}
	off := startCommand(a, p, &cobra.Command{
		Use:   "off",
		Short: "Delete the private endpoints and stop requiring private networking; the key stays",
		Long: `Off starts DisablePrivateNetworking: once the plan is approved, all private endpoints are deleted and private networking is
no longer required. Clusters then use the key over the public path, and have none for a short window in between.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter networking off --project-id 64b7f0c2a1b2c3d4e5f60718 --dry-run
  starter networking off --project-id 64b7f0c2a1b2c3d4e5f60718 --on-failure restore --wait`,
	})
	return group("networking", "Private networking of a project",
		"  starter networking off --project-id 64b7f0c2a1b2c3d4e5f60718 --dry-run", off)
}

func (a *app) endpointsCommand() *cobra.Command {
	p := procedure[cmk.RemoveRequest]{
		workflow: cmk.RemovePrivateEndpoints, fields: removeFields(), decode: cmk.DecodeRemove, start: changes.RemoveEndpoints,
	}
	remove := startCommand(a, p, &cobra.Command{
		Use:   "remove",
		Short: "Delete private endpoints that no cluster needs",
		Long: `Remove starts RemovePrivateEndpoints: once the plan is approved, the endpoints that are named are deleted. One that a
cluster on the key needs is not.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter endpoints remove --project-id 64b7f0c2a1b2c3d4e5f60718 --endpoints eu-west-1 --dry-run
  starter endpoints remove --project-id 64b7f0c2a1b2c3d4e5f60718 --endpoints 6650aa01bb02cc03dd04ee05,us-west-2 --wait`,
	})
	return group("endpoints", "Private endpoints of a project", `  starter endpoints list 64b7f0c2a1b2c3d4e5f60718
  starter endpoints add --project-id 64b7f0c2a1b2c3d4e5f60718 --regions eu-central-1 --dry-run`,
		a.addEndpointsCommand(), a.listEndpointsCommand(), remove)
}

// group is a command that only has others below it.
func group(name, short, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// disableFields mirror cmk.DisableRequest.
func disableFields() []field {
	return slices.Concat(exitFields(restores), []field{
		{"order", "order", text, "page (default): networking first; or keepPrivatePath: clusters first, over the endpoints"},
		{"parallel", "parallel", number, "how many clusters may leave the key at once (default 1)"},
		{"resume-paused", "resumePaused", truth, "resume paused clusters, to take them off the key; they stay running"},
		{"retire-start", "retire.start", truth, "then have the role, or the access key, retired once no snapshot needs it: see retire"},
	}, retireOptionFields("retire-", "retire."))
}

// networkingFields mirror cmk.NetworkingRequest.
func networkingFields() []field { return exitFields(restores) }

// removeFields mirror cmk.RemoveRequest.
func removeFields() []field {
	return append(exitFields("stop (default), which is all there is: what is being deleted cannot be kept"),
		field{"endpoints", "endpoints", selection, "endpoints to remove: all, or ids and regions"})
}

const restores = "before the first cluster is off the key: stop (default) and leave what was done, or restore it"

// exitFields mirror cmk.ExitOptions.
func exitFields(onFailure string) []field {
	return []field{
		projectField(),
		{"approvers", "approval.approvers", number, "how many distinct people must approve the plan (default 1)"},
		reminderField(),
		{"on-failure", "onFailure", text, onFailure},
		{"deadline-approval", "deadlines.approval", text, "for the approval of the plan (default 168h)"},
		{"deadline-endpoint", "deadlines.endpoint", text, "for endpoints to become deletable, and to be gone (default 6h)"},
		{"deadline-window", "deadlines.window", text, "for the time in which clusters have no path to the key (default 1h)"},
		{"deadline-cluster", "deadlines.cluster", text, "for one cluster to re-encrypt (default 72h)"},
		{"deadline-search", "deadlines.search", text, "for search nodes to be replaced (default 24h)"},
		{"deadline-verification", "deadlines.verification", text, "for the final look (default 30m)"},
		requesterField(),
	}
}
