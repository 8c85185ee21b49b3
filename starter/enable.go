package main

import (
	"context"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// enableFlags are the flags of enable that are no fields of its request.
type enableFlags struct {
	file, workflowID string
	dryRun, wait     bool
}

func (a *app) enableCommand() *cobra.Command {
	var flags enableFlags
	cmd := &cobra.Command{
		Use:   "enable",
		Short: "Enable a customer-managed key over private endpoints for a project and its clusters",
		Long: `Enable starts EnableWithPrivateEndpoints: role-based access, the key on the project, private networking, an endpoint
in every region, their approvals, and then the clusters. The request is a file, flags, or both: flags go over the file.
Without --requester, whoever runs this asks; who asks cannot approve.`,
		Example: `  starter enable -f request.yaml --dry-run
  starter enable -f request.yaml --wait
  starter enable --project-id 64b7f0c2a1b2c3d4e5f60718 --wait --clusters payments,orders \
    --key arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab`,
		Args: cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error { return a.enable(cmd, flags) }),
	}
	addEnableFlags(cmd, &flags)
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "show the plan and its findings, and write nothing")
	cmd.Flags().BoolVar(&flags.wait, "wait", false, "wait until the change has ended, showing its progress")
	cmd.Flags().StringVar(&flags.workflowID, "workflow-id", "", "Temporal workflow id (default cmk-<project>)")
	cmd.Flags().DurationVar(&a.timeout, "timeout", 0, "stop waiting after this long; the change goes on")
	return cmd
}

func (a *app) planCommand() *cobra.Command {
	flags := enableFlags{dryRun: true}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what enable would do, and what stands in its way; nothing is written",
		Example: `  starter plan -f request.yaml
  starter plan -f request.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error { return a.enable(cmd, flags) }),
	}
	addEnableFlags(cmd, &flags)
	cmd.Flags().DurationVar(&a.timeout, "timeout", 0, "stop waiting after this long")
	return cmd
}

func addEnableFlags(cmd *cobra.Command, flags *enableFlags) {
	cmd.Flags().StringVarP(&flags.file, "file", "f", "", "request in YAML or JSON; - for standard input")
	addFields(cmd, enableFields())
}

func (a *app) enable(cmd *cobra.Command, flags enableFlags) error {
	ctx := cmd.Context()
	request, err := a.enableRequest(cmd, flags)
	if err != nil {
		return err
	}
	temporal, disconnect, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	run, err := start(ctx, temporal, request, flags.workflowID)
	if err != nil {
		return err
	}
	if request.DryRun {
		return a.plan(ctx, temporal, run)
	}
	if a.output == outputJSON && !flags.wait {
		if err := a.printJSON(run); err != nil {
			return err
		}
	} else {
		a.notice("started %s of project %s: workflow %s, run %s", cmk.EnableWithPrivateEndpoints, request.ProjectID, run.WorkflowID, run.RunID)
		if url := a.env("TEMPORAL_UI_URL"); url != "" {
			a.notice("%s", url)
		}
	}
	if !flags.wait {
		a.warnWithoutWorker(ctx, temporal)
		return nil
	}
	return a.follow(ctx, temporal, run)
}

// enableRequest is the request that the file and the flags make.
func (a *app) enableRequest(cmd *cobra.Command, flags enableFlags) (cmk.EnableRequest, error) {
	text, err := buildRequest(cmd, enableFields(), flags.file, a.in)
	if err != nil {
		return cmk.EnableRequest{}, err
	}
	request, err := cmk.DecodeEnable(text)
	if err != nil {
		return cmk.EnableRequest{}, err
	}
	if request.Requester == "" {
		request.Requester = whoami()
	}
	request.DryRun = request.DryRun || flags.dryRun
	return request, nil
}

// whoami is the name of whoever runs this, or nothing.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

func start(ctx context.Context, temporal changes, request cmk.EnableRequest, workflowID string) (client.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return temporal.Enable(ctx, request, client.StartOptions{WorkflowID: workflowID})
}

// plan waits for a dry run and prints what it found.
func (a *app) plan(ctx context.Context, temporal changes, run client.Run) error {
	report, err := a.wait(ctx, temporal, run, &quiet{print: a.notice})
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		err = a.printJSON(report)
	} else {
		a.printf("%s", planText(*report))
	}
	if n := count(report.Findings, cmk.SeverityError); err == nil && n > 0 {
		return &planError{n}
	}
	return err
}
