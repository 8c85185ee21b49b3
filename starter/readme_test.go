package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	return string(text)
}

// fenced is the block that follows a marker.
func fenced(t *testing.T, marker string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)<!-- " + marker + " -->\n```[a-z]*\n(.*?)```").FindStringSubmatch(readme(t))
	require.NotNil(t, found, "README.md has no block after %s", marker)
	return found[1]
}

func TestTheRequestInTheReadmeIsValid(t *testing.T) {
	t.Parallel()
	request, err := cmk.DecodeEnable([]byte(fenced(t, "file: request.json")))
	require.NoError(t, err)
	require.Len(t, request.Regions, 3)
}

func TestTheReadmeSaysHowToTest(t *testing.T) {
	t.Parallel()
	require.Equal(t, "make test\n", fenced(t, "ci:test"))
}

// Each command line of ours in the README must be one that the command line takes.
func TestTheCommandsInTheReadmeExist(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`(?m)^bin/starter ([^#\n]+)`).FindAllStringSubmatch(readme(t), -1)
	require.NotEmpty(t, found)
	for _, f := range found {
		checkCommand(t, strings.Fields(f[1]))
	}
}

// So must each example in the help, and each command has one.
func TestTheExamplesInTheHelpExist(t *testing.T) {
	t.Parallel()
	for _, command := range below((&app{}).root()) {
		require.NotEmpty(t, command.Example, command.CommandPath())
		for line := range strings.SplitSeq(strings.ReplaceAll(command.Example, "\\\n", ""), "\n") {
			require.Contains(t, line, command.CommandPath()+" ")
			checkCommand(t, words(strings.TrimPrefix(strings.TrimSpace(line), "starter ")))
		}
	}
}

// What waits for the role to be prepared is no cluster's step.
func TestTheExampleOfIAMReadyNamesNoStep(t *testing.T) {
	t.Parallel()
	command, _, err := (&app{}).root().Find([]string{cmk.SignalIAMReady})
	require.NoError(t, err)
	require.NotContains(t, command.Example, "--step")
	command, _, err = (&app{}).root().Find([]string{cmk.SignalSkip})
	require.NoError(t, err)
	require.Contains(t, command.Example, "--step")
}

// below are a command and all under it.
func below(command *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{command}
	for _, c := range command.Commands() {
		out = append(out, below(c)...)
	}
	return out
}

// leavesOf are the commands that do something.
func leavesOf(command *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(below(command), (*cobra.Command).HasSubCommands)
}

// words splits a command line as a shell would, as far as examples need it.
func words(line string) []string {
	var out []string
	for _, w := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		out = append(out, strings.Trim(w, `"`))
	}
	return out
}

func checkCommand(t *testing.T, args []string) {
	t.Helper()
	command, rest, err := (&app{}).root().Find(args)
	require.NoError(t, err, args)
	require.NotEqual(t, "starter", command.Name(), args)
	require.NoError(t, command.ParseFlags(rest), args)
	require.NoError(t, (&cobra.Command{Args: command.Args}).ValidateArgs(command.Flags().Args()), args)
	require.NoError(t, command.ValidateRequiredFlags(), args)
	require.NoError(t, command.ValidateFlagGroups(), args)
}

// Every command tells its result as JSON too, takes the connection by flags, and takes no secret by one; its flags are
// completed by the shell.
func TestWhatEveryCommandTakes(t *testing.T) {
	t.Parallel()
	for _, command := range leavesOf((&app{}).root()) {
		if command.Parent().Name() == "completion" || command.Name() == "help" {
			continue
		}
		command.Flags().AddFlagSet(command.InheritedFlags())
		for _, name := range []string{"output", "address", "namespace", "profile"} {
			require.NotNil(t, command.Flags().Lookup(name), "%s takes no --%s", command.CommandPath(), name)
		}
		command.Flags().VisitAll(func(f *pflag.Flag) {
			require.NotRegexp(t, `(?i)secret|password|api-?key$|token`, f.Name, "%s: secrets are not taken by flags", command.CommandPath())
		})
		require.Contains(t, completed(t, command, "--out"), "--output", command.CommandPath())
	}
}

// completed is what the shell is told to complete the last word of a command line with: words, and after a colon what else
// it may do.
func completed(t *testing.T, command *cobra.Command, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	a := &app{out: &out, errors: io.Discard, env: func(string) string { return "" }}
	line := slices.Concat([]string{cobra.ShellCompRequestCmd}, strings.Fields(command.CommandPath())[1:], args)
	require.Equal(t, exitDone, a.run(t.Context(), line), out.String())
	return out.String()
}

// The shell completes what a flag can be where that is one of a few words, and files only where a file is meant.
func TestTheShellCompletesValues(t *testing.T) {
	t.Parallel()
	files := fmt.Sprintf(":%d\n", cobra.ShellCompDirectiveFilterFileExt)
	nothing := fmt.Sprintf(":%d\n", cobra.ShellCompDirectiveNoFileComp)
	several := map[string]bool{}
	for _, command := range leavesOf((&app{}).root()) {
		require.True(t, strings.HasSuffix(completed(t, command, ""), nothing), "arguments of %s", command.CommandPath())
		command.Flags().AddFlagSet(command.InheritedFlags())
		command.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" {
				return
			}
			got := completed(t, command, "--"+f.Name, "")
			if f.Name == "file" {
				require.Equal(t, "json\nyaml\nyml\n"+files, got, command.CommandPath())
				return
			}
			words, only := strings.CutSuffix(got, nothing)
			require.True(t, only, "--%s of %s: %s", f.Name, command.CommandPath(), got)
			for word := range strings.Lines(words) {
				several[f.Name+" "+strings.TrimSpace(word)] = true
			}
		})
	}
	require.Equal(t, []string{
		"approval-mode create", "approval-mode provider", "approval-mode use", "clusters all", "clusters none", "endpoints all",
		"on-failure compensate", "on-failure restore", "on-failure stop", "order keepPrivatePath", "order page",
		"output json", "output text", "progress auto", "progress lines", "progress live", "progress none",
		"repair create-missing", "repair remake-failed", "replicas check", "replicas create",
		"role-mode adopt", "role-mode create", "role-mode readOnly",
	}, slices.Sorted(maps.Keys(several)))

	watch, _, err := (&app{}).root().Find([]string{"watch", "add"})
	require.NoError(t, err)
	require.NotContains(t, completed(t, watch, "--approval-mode", ""), "create", "each command has its own")
}
