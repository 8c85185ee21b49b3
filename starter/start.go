package main

import (
	"context"
	"encoding/json"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// procedure is a change that a command starts. R is its request.
type procedure[R any] struct {
	workflow string
	fields   []field
	decode   func([]byte) (R, error)
	start    func(changes, context.Context, R, client.StartOptions) (client.Run, error)
	// noDryRun is true where there is none.
	noDryRun bool
}

// startFlags are the flags of a command that are no fields of its request.
type startFlags struct {
	file, workflowID string
	dryRun, wait     bool
}

// startCommand completes a command that starts a change.
func startCommand[R any](a *app, p procedure[R], cmd *cobra.Command) *cobra.Command {
	var flags startFlags
	cmd.RunE = a.does(func(cmd *cobra.Command, _ []string) error { return begin(a, p, cmd, flags) })
	a.addStartFlags(cmd, p.workflow, p.fields, &flags)
	if !p.noDryRun {
		cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "show the plan and its findings, and write nothing")
	}
	return cmd
}

func (a *app) addStartFlags(cmd *cobra.Command, workflow string, fields []field, flags *startFlags) {
	cmd.Args = cobra.NoArgs
	addRequestFlags(cmd, workflow, fields, flags)
	f := cmd.Flags()
	f.BoolVar(&flags.wait, "wait", false, "wait until the change has ended, showing its progress")
	f.StringVar(&flags.workflowID, "workflow-id", "", "Temporal workflow id (default "+defaultID(workflow)+")")
	f.DurationVar(&a.timeout, "timeout", 0, "stop waiting after this long; the change goes on")
}

func defaultID(workflow string) string {
	switch workflow {
	case cmk.RetireAccess:
		return cmk.RetireID("<access key>")
	case cmk.WatchProject:
		return cmk.WatchID("<project>")
	}
	return cmk.WorkflowID("<project>")
}

func addRequestFlags(cmd *cobra.Command, workflow string, fields []field, flags *startFlags) {
	const file = "file"
	cmd.Flags().StringVarP(&flags.file, file, "f", "", "request in YAML or JSON; - for standard input")
	if err := cmd.MarkFlagFilename(file, "json", "yaml", "yml"); err != nil {
		panic(err) // the flag is defined above
	}
	addFields(cmd, workflow, fields)
}

// begin starts a change, or a dry run of it, and follows it as far as the flags say.
func begin[R any](a *app, p procedure[R], cmd *cobra.Command, flags startFlags) error {
	ctx := cmd.Context()
	document, err := buildRequest(cmd, p.fields, flags.file, a.in)
	if err != nil {
		return err
	}
	request, err := complete(document, p.decode, flags.dryRun)
	if err != nil {
		return err
	}
	temporal, disconnect, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	run, err := start(ctx, temporal, p, request, flags.workflowID)
	if err != nil {
		return err
	}
	if document[fieldDryRun] == true {
		return a.plan(ctx, temporal, run)
	}
	if a.output == outputJSON && !flags.wait {
		if err := a.printJSON(run); err != nil {
			return err
		}
	} else {
		a.notice("started %s of %s: workflow %s, run %s", p.workflow, subject(document), run.WorkflowID, run.RunID)
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

// Fields of requests that a command gives by itself.
const (
	fieldRequester = "requester"
	fieldDryRun    = "dryRun"

	fieldOrganization = "organizationId"
)

// complete is the request that a document makes. Whoever runs this asks, unless it says who does.
func complete[R any](document map[string]any, decode func([]byte) (R, error), dryRun bool) (R, error) {
	if who := document[fieldRequester]; who == nil || who == "" {
		document[fieldRequester] = whoami()
	}
	if dryRun {
		document[fieldDryRun] = true
	}
	text, err := json.Marshal(document)
	if err != nil {
		var none R
		return none, err
	}
	return decode(text)
}

// whoami is the name of whoever runs this, or nothing.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// subject is what a request is about.
func subject(document map[string]any) string {
	if id, ok := document["accessKeyId"].(string); ok {
		return "access key " + id
	}
	if arn, ok := document["roleArn"].(string); ok {
		return "IAM role " + arn
	}
	if id, ok := document[fieldOrganization].(string); ok {
		return "organization " + id
	}
	id, _ := document["projectId"].(string)
	return "project " + id
}

func start[R any](ctx context.Context, temporal changes, p procedure[R], request R, workflowID string) (client.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return p.start(temporal, ctx, request, client.StartOptions{WorkflowID: workflowID})
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
