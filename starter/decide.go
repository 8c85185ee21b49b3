package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

const targetUse = " WORKFLOW|PROJECT|ACCESSKEY"

// approveCommand approves a plan or endpoints.
func (a *app) approveCommand() *cobra.Command {
	cmd := a.decisionCommand("approve", cmk.SignalApprove, cmk.SignalApproveEndpoint)
	cmd.Short = "Approve the plan, or private endpoints"
	cmd.Long = `Approve delivers an approval: of the plan, or with --endpoint or --region of private endpoints. On AWS, Atlas's endpoints
become ACTIVE by themselves: the approval is the change's own gate, and clusters are not switched before it.`
	cmd.Example = `  starter approve 64b7f0c2a1b2c3d4e5f60718 --endpoint 6650aa01bb02cc03dd04ee05 --by alice --reason "CHG-1234"
  starter approve cmk-64b7f0c2a1b2c3d4e5f60718 --region all --by alice
  starter approve cmk-64b7f0c2a1b2c3d4e5f60718 --plan 1f2e3d4c5b6a7988 --by alice`
	return cmd
}

func (a *app) rejectCommand() *cobra.Command {
	cmd := a.decisionCommand("reject", cmk.SignalReject, cmk.SignalRejectEndpoint)
	cmd.Short = "Reject the plan, or private endpoints"
	cmd.Long = `Reject delivers a rejection: of the plan, or with --endpoint or --region of private endpoints. The change then ends, and
takes back what it did unless its request says otherwise.`
	cmd.Example = `  starter reject 64b7f0c2a1b2c3d4e5f60718 --region eu-west-1 --by alice --reason "not in this region"`
	return cmd
}

func (a *app) decisionCommand(verb, aboutPlan, aboutEndpoint string) *cobra.Command {
	var d cmk.Decision
	var bySignal bool
	cmd := &cobra.Command{
		Use:  verb + targetUse,
		Args: cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			signal := aboutPlan
			if d.Endpoint != "" || d.Region != "" {
				signal = aboutEndpoint
			}
			return a.send(cmd.Context(), workflowID(args[0]), signal, d, bySignal)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&d.By, "by", "", "who decides (required); it is shown as claimed")
	f.StringVar(&d.Reason, "reason", "", "why, for the record")
	f.StringVar(&d.Plan, "plan", "", "hash of the plan that is meant; by default the one that waits")
	f.StringVar(&d.Endpoint, "endpoint", "", "id of the private endpoint that is meant")
	f.StringVar(&d.Region, "region", "", "region whose private endpoint is meant, or all")
	addSignalFlag(cmd, &bySignal)
	cmd.MarkFlagsMutuallyExclusive("plan", "endpoint", "region")
	return cmd
}

// resolveCommand says what to do with a step that waits for a person.
func (a *app) resolveCommand(signal, short string) *cobra.Command {
	var r cmk.Resolution
	cmd := a.resolutionCommand(signal, &r)
	cmd.Short = short
	cmd.Example = fmt.Sprintf("  starter %s 64b7f0c2a1b2c3d4e5f60718 --by alice", signal)
	if signal != cmk.SignalIAMReady { // which one step alone waits for
		cmd.Example += ` --step "cluster payments"`
	}
	cmd.Flags().StringVar(&r.Step, "step", "", "the step that is meant; by default every one that waits")
	return cmd
}

// turnCommand ends a way out, or a retirement whose access key is Inactive, before it is through.
func (a *app) turnCommand(signal, short string) *cobra.Command {
	cmd := a.resolutionCommand(signal, &cmk.Resolution{})
	cmd.Short = short
	cmd.Long = short + `.

Restore and stop are for the ways out (disable, networking off, endpoints remove), and for retire once the access key is
Inactive. A window in which clusters have no path to the key is left first, and a cluster in flight finishes. Restore is
not taken any more once a cluster has left the key.`
	cmd.Example = fmt.Sprintf("  starter %s 64b7f0c2a1b2c3d4e5f60718 --by alice --reason CHG-1234\n  starter %s AKIAIOSFODNN7EXAMPLE --by alice", signal, signal)
	return cmd
}

func (a *app) resolutionCommand(signal string, r *cmk.Resolution) *cobra.Command {
	var bySignal bool
	cmd := &cobra.Command{
		Use:  signal + targetUse,
		Args: cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			return a.send(cmd.Context(), workflowID(args[0]), signal, *r, bySignal)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&r.By, "by", "", "who decides (required); it is shown as claimed")
	f.StringVar(&r.Reason, "reason", "", "why, for the record")
	addSignalFlag(cmd, &bySignal)
	return cmd
}

func addSignalFlag(cmd *cobra.Command, bySignal *bool) {
	cmd.Flags().BoolVar(bySignal, "signal", false, "leave a signal, and do not wait for an answer")
	if err := cmd.MarkFlagRequired("by"); err != nil {
		panic(err) // the flag is defined above
	}
}

// send delivers a decision and says what became of it. Where no worker answers, it is left as a signal, so that it is not
// lost: a change that gets both takes one.
func (a *app) send(ctx context.Context, workflowID, signal string, payload any, bySignal bool) error {
	temporal, disconnect, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	var status *cmk.Status
	if !bySignal {
		status, err = update(ctx, temporal, workflowID, signal, payload)
		var silent *client.NoAnswerError
		if bySignal = errors.As(err, &silent) && ctx.Err() == nil; bySignal {
			a.notice("no worker answers")
		}
	}
	if bySignal {
		err = leave(ctx, temporal, workflowID, signal, payload)
	}
	if err != nil {
		return err
	}
	switch {
	case a.output == outputJSON && status != nil:
		return a.printJSON(status)
	case status == nil:
		a.notice("left signal %s for %s: the change takes it when a worker runs, and `starter status %s` shows what became of it", signal, workflowID, workflowID)
	default:
		a.notice("%s: taken by %s, %s", strings.ReplaceAll(signal, "-", " "), workflowID, standing(*status))
	}
	return nil
}

func update(ctx context.Context, temporal changes, workflowID, signal string, payload any) (*cmk.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return temporal.Send(ctx, workflowID, signal, payload)
}

func leave(ctx context.Context, temporal changes, workflowID, signal string, payload any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return temporal.Signal(ctx, workflowID, signal, payload)
}

// standing is a status in a few words.
func standing(s cmk.Status) string {
	if len(s.Awaiting) == 0 {
		return "now in phase " + string(s.Phase)
	}
	if len(s.Approvals) > 0 && plans(s.Awaiting[0]) {
		// Whether that is enough shows only in the moment after.
		return fmt.Sprintf("now in phase %s, decided on by %s", s.Phase, voters(s.Approvals))
	}
	var what []string
	for _, w := range s.Awaiting {
		what = append(what, w.What)
	}
	return fmt.Sprintf("now in phase %s, waiting for %s", s.Phase, strings.Join(what, "; "))
}

func voters(votes []cmk.Vote) string {
	names := make([]string, len(votes))
	for i, v := range votes {
		names[i] = v.By
	}
	return strings.Join(names, ", ")
}
