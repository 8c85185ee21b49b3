package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

func (a *app) watchCommand() *cobra.Command {
	cmd := group("watch", "Watch projects: what changes, what is not well, which endpoints await approval",
		`  starter watch add --project-id 64b7f0c2a1b2c3d4e5f60718
  starter watch list`,
		a.watchAddCommand(), a.watchRemoveCommand(), a.watchListCommand())
	cmd.Long = `Watch starts, ends and lists the watches of projects. A watch looks at a project every few minutes for as long as it runs, which
may be years. What it finds stands in its status (starter status cmk-watch-PROJECT), in its search attributes, and goes to
the webhook that the worker is configured with.`
	return cmd
}

func (a *app) watchAddCommand() *cobra.Command {
	project := procedure[cmk.WatchRequest]{
		workflow: cmk.WatchProject, fields: append(watchFields(), projectField()), decode: cmk.DecodeWatch, start: changes.StartWatch, noDryRun: true,
	}
	organization := procedure[cmk.OrganizationRequest]{
		workflow: cmk.WatchOrganization, fields: append(watchFields(), organizationFields()...), decode: cmk.DecodeOrganization,
		start: changes.StartOrganizationWatch, noDryRun: true,
	}
	var flags startFlags
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Begin to watch a project, or all projects of an organization",
		Long: `Add starts WatchProject. What is found by the first look is what the project is held against from then on: the endpoints that
stand need no approval, and the settings are taken to be as they should be.
With --org it starts WatchOrganization instead, which keeps such a watch of each project of the organization that uses a
customer-managed key, of those that come, too.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter watch add --project-id 64b7f0c2a1b2c3d4e5f60718
  starter watch add --project-id 64b7f0c2a1b2c3d4e5f60718 --repair remake-failed,create-missing --interval 10m
  starter watch add --org 64b7f0c2a1b2c3d4e5f60700 --exclude 64b7f0c2a1b2c3d4e5f60718`,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed(flagOrganization) {
				return begin(a, organization, cmd, flags)
			}
			for _, f := range organizationFields() {
				if cmd.Flags().Changed(f.flag) {
					return &misuseError{fmt.Errorf("--%s: give it with --%s", f.flag, flagOrganization)}
				}
			}
			return begin(a, project, cmd, flags)
		}),
	}
	a.addStartFlags(cmd, cmk.WatchProject, project.fields, &flags)
	addFields(cmd, cmk.WatchOrganization, organizationFields())
	cmd.MarkFlagsMutuallyExclusive(projectField().flag, flagOrganization)
	return cmd
}

const flagOrganization = "org"

// organizationFields mirror cmk.OrganizationRequest, besides those of each watch.
func organizationFields() []field {
	return []field{
		{flagOrganization, fieldOrganization, text, "Atlas organization, 24 hexadecimal digits, instead of a project"},
		{"projects-interval", "projectsInterval", text, "with --org: how often its projects are listed (default 1h)"},
		{"exclude", "exclude", list, "with --org: projects that are not to be watched on its account"},
	}
}

// watchFields mirror cmk.WatchOptions.
func watchFields() []field {
	return []field{
		{"interval", "interval", text, "how often endpoints, clusters and alarms are looked at (default 5m)"},
		{"soon", "soon", text, "how often while an endpoint is not ACTIVE (default 30s)"},
		{"settings-interval", "settingsInterval", text, "how often settings, roles and key are read, besides when something changes (default 6h)"},
		{"stuck", "stuck", text, "for how long an endpoint may be on its way before that is a finding (default 4h)"},
		{"repair", "repair", list, "what the watch may do by itself: remake-failed, create-missing"},
		{"approvers", "approval.approvers", number, "how many distinct people must approve an endpoint (default 1)"},
		reminderField(),
		{"approval-mode", "approval.mode", text, "use (default) or provider"},
		requesterField(),
	}
}

func (a *app) watchRemoveCommand() *cobra.Command {
	var organization string
	cmd := &cobra.Command{
		Use:   "remove WORKFLOW|PROJECT",
		Short: "End the watch of a project, or of an organization",
		Long: `Remove cancels WatchProject. Nothing of the project is changed.
With --org it cancels WatchOrganization, and the watches that it has begun end with it.`,
		Example: `  starter watch remove 64b7f0c2a1b2c3d4e5f60718
  starter watch remove --org 64b7f0c2a1b2c3d4e5f60700`,
		Args: func(cmd *cobra.Command, args []string) error {
			if organization != "" {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.unwatch(cmd.Context(), cmk.OrganizationWatchID(organization))
			}
			return a.unwatch(cmd.Context(), watchID(args[0]))
		}),
	}
	cmd.Flags().StringVar(&organization, flagOrganization, "", "Atlas organization, 24 hexadecimal digits, instead of a project")
	return cmd
}

// watchID is the watch that an argument means.
func watchID(arg string) string {
	if projectIDForm.MatchString(arg) {
		return cmk.WatchID(arg)
	}
	return arg
}

func (a *app) unwatch(ctx context.Context, id string) error {
	temporal, disconnect, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := temporal.Cancel(ctx, id); err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.printJSON(client.Run{WorkflowID: id})
	}
	a.printf("%s is asked to end\n", id)
	return nil
}

func (a *app) watchListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the projects that are watched, and which need somebody",
		Example: "  starter watch list -o json",
		Args:    cobra.NoArgs,
		RunE:    a.does(func(cmd *cobra.Command, _ []string) error { return a.watches(cmd.Context()) }),
	}
}

func (a *app) watches(ctx context.Context) error {
	temporal, disconnect, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	all, err := temporal.Watches(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(x, y client.ProjectWatch) int { return cmp.Compare(x.ProjectID, y.ProjectID) })
	if a.output == outputJSON {
		return a.printJSON(append([]client.ProjectWatch{}, all...))
	}
	rows := [][]string{{"PROJECT", "PHASE", "AWAITING", "SINCE", "WORKFLOW"}}
	for _, w := range all {
		project := w.ProjectID
		if w.Organization {
			project = "(organization)"
		}
		rows = append(rows, []string{project, string(w.Phase), string(w.Awaiting), w.Started.UTC().Format(time.RFC3339), w.WorkflowID})
	}
	for _, line := range align(rows) {
		a.printf("%s\n", line)
	}
	return nil
}
