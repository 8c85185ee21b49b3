package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// changes is what the commands need of Temporal.
type changes interface {
	Enable(context.Context, cmk.EnableRequest, client.StartOptions) (client.Run, error)
	AddEndpoints(context.Context, cmk.AddRequest, client.StartOptions) (client.Run, error)
	Encrypt(context.Context, cmk.EncryptRequest, client.StartOptions) (client.Run, error)
	Migrate(context.Context, cmk.MigrateRequest, client.StartOptions) (client.Run, error)
	Rotate(context.Context, cmk.RotateRequest, client.StartOptions) (client.Run, error)
	Retire(context.Context, cmk.RetireRequest, client.StartOptions) (client.Run, error)
	Disable(context.Context, cmk.DisableRequest, client.StartOptions) (client.Run, error)
	RemoveEndpoints(context.Context, cmk.RemoveRequest, client.StartOptions) (client.Run, error)
	DisableNetworking(context.Context, cmk.NetworkingRequest, client.StartOptions) (client.Run, error)
	Read(context.Context, cmk.ReadRequest, client.StartOptions) (client.Run, error)
	StartWatch(context.Context, cmk.WatchRequest, client.StartOptions) (client.Run, error)
	StartOrganizationWatch(context.Context, cmk.OrganizationRequest, client.StartOptions) (client.Run, error)
	Watches(context.Context) ([]client.ProjectWatch, error)
	Cancel(ctx context.Context, workflowID string) error
	Send(ctx context.Context, workflowID, name string, payload any) (*cmk.Status, error)
	Signal(ctx context.Context, workflowID, name string, payload any) error
	Status(ctx context.Context, workflowID string) (*cmk.Status, error)
	Wait(context.Context, client.Run, client.Watch) (*cmk.Report, error)
	Workers(context.Context) (int, error)
}

// app is one invocation of the command line.
type app struct {
	out, errors io.Writer
	in          io.Reader
	env         func(string) string
	dial        func(context.Context, connection) (changes, func(), error)
	// screen is the terminal that out is, if it is one.
	screen *screen

	connection connection
	output     string
	progress   string
	every      time.Duration
	timeout    time.Duration
	// understood is true once the command line has been read: what fails before is a mistake in it.
	understood bool
}

// Values of --output and --progress.
const (
	outputText = "text"
	outputJSON = "json"

	progressAuto  = "auto"
	progressLive  = "live"
	progressLines = "lines"
	progressNone  = "none"
)

// callTimeout bounds a single call to Temporal.
const callTimeout = 10 * time.Second

// run carries out a command line and returns its exit code. Whatever goes wrong is told in one line.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if !a.understood {
		err = &misuseError{err}
	}
	code, line := judge(err)
	if line != "" {
		_, _ = fmt.Fprintln(a.errors, "starter: "+line)
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Start, plan, watch and decide on customer-managed-key changes of MongoDB Atlas projects",
		Long: `Starter drives the durable workflows of atlas-cmk: it starts and plans changes, watches them, and delivers approvals.

The connection to Temporal is configured as for the temporal command line: by its profile file, by TEMPORAL_ADDRESS,
TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS and the like, or by the flags below. Secrets are not taken as flags.

` + exitCodesHelp,
		Example: `  starter plan -f request.yaml
  starter enable -f request.yaml --wait
  starter status 64b7f0c2a1b2c3d4e5f60718
  starter approve 64b7f0c2a1b2c3d4e5f60718 --region all --by alice`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.check() },
	}
	root.SetOut(a.out)
	root.SetErr(a.errors)
	f := root.PersistentFlags()
	f.StringVar(&a.connection.profile, "profile", "", "profile of Temporal's configuration file")
	f.StringVar(&a.connection.address, "address", "", "host and port of the Temporal server")
	f.StringVar(&a.connection.namespace, "namespace", "", "Temporal namespace")
	f.StringVarP(&a.output, "output", "o", outputText, "text or json")
	f.StringVar(&a.progress, "progress", "", "while waiting: live (redrawn), lines (one for each change), none, or auto; also ATLAS_CMK_PROGRESS")
	f.DurationVar(&a.every, "every", 0, "how often to ask for the status while waiting (default 1s); also ATLAS_CMK_EVERY")
	completeGeneralFlags(root)
	root.AddCommand(a.enableCommand(), a.planCommand(), a.encryptCommand(), a.migrateCommand(), a.rotateCommand(), a.retireCommand(), a.disableCommand(),
		a.networkingCommand(), a.endpointsCommand(), a.watchCommand(), a.approveCommand(), a.rejectCommand(),
		a.resolveCommand(cmk.SignalRetry, "Try a step again that waits for a person"),
		a.resolveCommand(cmk.SignalSkip, "Leave out a cluster or an optional step that waits for a person"),
		a.resolveCommand(cmk.SignalAbort, "Give up at a step that waits for a person"),
		a.resolveCommand(cmk.SignalIAMReady, "Say that the IAM role has been prepared by hand (role mode readOnly)"),
		a.turnCommand(cmk.SignalRestore, "End a change before its point of no return, and have everything put back"),
		a.turnCommand(cmk.SignalStop, "End a change where it stands, in a state that its report names"),
		a.statusCommand())
	return root
}

// completeGeneralFlags has the shell complete the flags of every command; names of files only where one is asked for.
func completeGeneralFlags(root *cobra.Command) {
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for flag, words := range map[string][]string{
		"output": {outputText, outputJSON}, "progress": {progressAuto, progressLive, progressLines, progressNone},
	} {
		if err := root.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // the flag is defined
		}
	}
}

// does marks the command line as understood once a command begins its work.
func (a *app) does(work func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.understood = true
		return work(cmd, args)
	}
}

// check completes the general flags from the environment.
func (a *app) check() error {
	if a.output != outputText && a.output != outputJSON {
		return fmt.Errorf("--output %q: give text or json", a.output)
	}
	if a.progress == "" {
		a.progress = a.env("ATLAS_CMK_PROGRESS")
	}
	switch a.progress {
	case "":
		a.progress = progressAuto
	case progressAuto, progressLive, progressLines, progressNone:
	default:
		return fmt.Errorf("--progress %q: give auto, live, lines or none", a.progress)
	}
	if text := a.env("ATLAS_CMK_EVERY"); a.every == 0 && text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("ATLAS_CMK_EVERY=%q: give a duration such as 1s", text)
		}
		a.every = d
	}
	return nil
}

// connect connects to Temporal; the returned function disconnects.
func (a *app) connect(ctx context.Context) (changes, func(), error) { return a.dial(ctx, a.connection) }

var projectIDForm = regexp.MustCompile(`^[0-9a-f]{24}$`)

// workflowID takes a project's id for its change's, and an access key's for its retirement's.
func workflowID(target string) string {
	switch {
	case projectIDForm.MatchString(target):
		return cmk.WorkflowID(target)
	case cmk.IsAccessKeyID(target):
		return cmk.RetireID(target)
	}
	return target
}

func (a *app) printf(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format, args...) }

// notice is for people.
func (a *app) notice(format string, args ...any) {
	_, _ = fmt.Fprintf(a.people(), format+"\n", args...)
}

// people is where they read: where stdout belongs to JSON, that is stderr.
func (a *app) people() io.Writer {
	if a.output == outputJSON {
		return a.errors
	}
	return a.out
}
