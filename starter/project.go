package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// project shows a project as it is now.
func (a *app) project(ctx context.Context, projectID string) error {
	report, err := a.read(ctx, projectID)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.printJSON(report)
	}
	for _, line := range projectLines(*report, time.Now()) {
		a.printf("%s\n", line)
	}
	return nil
}

// read has the worker read a project.
func (a *app) read(ctx context.Context, projectID string) (*cmk.Report, error) {
	temporal, disconnect, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer disconnect()
	run, err := temporal.Read(ctx, cmk.ReadRequest{ProjectID: projectID}, client.StartOptions{})
	if err != nil {
		return nil, err
	}
	a.warnWithoutWorker(ctx, temporal)
	return a.wait(ctx, temporal, run, &quiet{print: a.notice})
}

func (a *app) listEndpointsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list PROJECT",
		Short: "List the private endpoints of a project, as Atlas shows them now",
		Long: `List reads the project's private endpoints from Atlas: their regions, ids and statuses, and whether an approval is known of
a change or a watch that runs. It writes nothing. Status --now shows the rest of the project too.`,
		Example: `  starter endpoints list 64b7f0c2a1b2c3d4e5f60718
  starter endpoints list 64b7f0c2a1b2c3d4e5f60718 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error { return a.endpoints(cmd.Context(), args[0]) }),
	}
}

func (a *app) endpoints(ctx context.Context, projectID string) error {
	report, err := a.read(ctx, projectID)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.printJSON(append([]cmk.EndpointReport{}, report.Endpoints...))
	}
	rows := [][]string{{"REGION", "ID", "STATUS", "APPROVAL", "ERROR"}}
	for _, e := range report.Endpoints {
		rows = append(rows, []string{e.Region, e.ID, string(e.Status), string(e.Approval), e.ErrorMessage})
	}
	for _, line := range align(rows) {
		a.printf("%s\n", line)
	}
	return nil
}

// projectLines are a project as a few lines: its settings, an endpoint, a cluster and a replica a line, and what is not well.
func projectLines(r cmk.Report, now time.Time) []string {
	out := []string{"project " + r.ProjectID}
	if s := r.Settings; s != nil && s.Enabled {
		out = append(out, fmt.Sprintf("  encryption at rest is on, %s, private networking %s", either(s.Valid, "valid", "NOT VALID"), either(s.RequirePrivateNetworking, "required", "not required")),
			fmt.Sprintf("  key %s in %s, through role %s", s.Key, s.KeyRegion, s.RoleID))
	} else {
		out = append(out, "  encryption at rest is off")
	}
	var rows [][]string
	for _, e := range r.Endpoints {
		rows = append(rows, endpointRow(e, r.Status, now))
	}
	for _, c := range r.Clusters {
		rows = append(rows, []string{"cluster", c.Name, c.Provider + " " + c.State, "", strings.Join(c.Regions, " ")})
	}
	for _, s := range r.Search {
		rows = append(rows, []string{"search nodes", s.Cluster, s.Provider + " " + s.State})
	}
	if r.Key != nil {
		for _, k := range r.Key.Replicas {
			rows = append(rows, []string{"key", k.Region, k.State, "", k.ARN})
		}
	}
	out = append(out, indent(align(rows))...)
	out = append(out, stateLines(r.Status, now)...)
	for _, f := range r.Findings {
		line := fmt.Sprintf("%s %s: %s", f.Severity, f.Code, f.Detail)
		if f.Remedy != "" {
			line += "; " + f.Remedy
		}
		out = append(out, line)
	}
	return out
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
