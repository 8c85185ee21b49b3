package main

import (
	"bytes"
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
		var out bytes.Buffer
		a := &app{out: &out, errors: &out, env: func(string) string { return "" }}
		args := append([]string{cobra.ShellCompRequestCmd}, strings.Fields(command.CommandPath())[1:]...)
		require.Equal(t, exitDone, a.run(t.Context(), append(args, "--out")), out.String())
		require.Contains(t, out.String(), "--output", command.CommandPath())
	}
}
