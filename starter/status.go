package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

func (a *app) statusCommand() *cobra.Command {
	var watch, now bool
	cmd := &cobra.Command{
		Use:   "status" + targetUse,
		Short: "Show where a change stands, what it waits for, and what moves it on",
		Long: `Status shows where a change or a watch stands. With --now it reads the project itself instead: its settings, endpoints,
clusters, search nodes and key, and what is not well with them. That writes nothing; Atlas validates the key.`,
		Example: `  starter status 64b7f0c2a1b2c3d4e5f60718
  starter status cmk-64b7f0c2a1b2c3d4e5f60718 --watch
  starter status cmk-64b7f0c2a1b2c3d4e5f60718 -o json
  starter status 64b7f0c2a1b2c3d4e5f60718 --now`,
		Args: cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if now {
				return a.project(cmd.Context(), args[0])
			}
			return a.status(cmd.Context(), workflowID(args[0]), watch)
		}),
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "follow the change until it has ended; exit as enable --wait does")
	cmd.Flags().BoolVar(&now, "now", false, "read the project as it is now; the argument is its id")
	cmd.MarkFlagsMutuallyExclusive("watch", "now")
	cmd.Flags().DurationVar(&a.timeout, "timeout", 0, "stop waiting after this long")
	return cmd
}

func (a *app) status(ctx context.Context, workflowID string, watch bool) error {
	temporal, disconnect, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	if watch {
		return a.follow(ctx, temporal, client.Run{WorkflowID: workflowID})
	}
	status, err := ask(ctx, temporal, workflowID)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.printJSON(status)
	}
	for _, line := range block(*status, workflowID, time.Now()) {
		a.printf("%s\n", line)
	}
	if len(status.Documents) > 0 {
		a.printf("\nTo be put in place by hand\n%s\n", strings.Join(indent(documentLines(status.Documents)), "\n"))
	}
	if slices.ContainsFunc(status.Awaiting, plans) {
		a.printf("\n%s", planText(cmk.Report{Status: *status}))
	}
	return nil
}

func ask(ctx context.Context, temporal changes, workflowID string) (*cmk.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return temporal.Status(ctx, workflowID)
}
