package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

func (a *app) watchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch projects: what changes, what is not well, which endpoints await approval",
		Long: `Watch starts, ends and lists the watches of projects. A watch looks at a project every few minutes for as long as it runs, which
may be years. What it finds stands in its status (starter status cmk-watch-PROJECT), in its search attributes, and goes to
the webhook that the worker is configured with.`,
	}
	cmd.AddCommand(a.watchAddCommand(), a.watchRemoveCommand(), a.watchListCommand())
	return cmd
}

func (a *app) watchAddCommand() *cobra.Command {
	p := procedure[cmk.WatchRequest]{workflow: cmk.WatchProject, fields: watchFields(), decode: cmk.DecodeWatch, start: changes.StartWatch, noDryRun: true}
	return startCommand(a, p, &cobra.Command{
		Use:   "add",
		Short: "Begin to watch a project",
		Long: `Add starts WatchProject. What is found by the first look is what the project is held against from then on: the endpoints that
stand need no approval, and the settings are taken to be as they should be.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter watch add --project-id 64b7f0c2a1b2c3d4e5f60718
  starter watch add --project-id 64b7f0c2a1b2c3d4e5f60718 --repair remake-failed,create-missing --interval 10m`,
	})
}

// watchFields mirror cmk.WatchRequest.
func watchFields() []field {
	return []field{
		projectField(),
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
	return &cobra.Command{
		Use:     "remove WORKFLOW|PROJECT",
		Short:   "End the watch of a project",
		Long:    "Remove cancels WatchProject. Nothing of the project is changed.",
		Example: "  starter watch remove 64b7f0c2a1b2c3d4e5f60718",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			return a.unwatch(cmd.Context(), watchID(args[0]))
		}),
	}
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
		rows = append(rows, []string{w.ProjectID, string(w.Phase), string(w.Awaiting), w.Started.UTC().Format(time.RFC3339), w.WorkflowID})
	}
	for _, line := range align(rows) {
		a.printf("%s\n", line)
	}
	return nil
}
