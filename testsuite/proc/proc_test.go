//go:build unix

package proc_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
)

const parentMode = "PROC_TEST_PARENT"

// TestMain doubles as the parent of TestChildDiesWithItsParent: it starts a child, says its id and dies by SIGKILL.
func TestMain(m *testing.M) {
	if os.Getenv(parentMode) == "" {
		os.Exit(m.Run())
	}
	child, err := proc.Start(proc.Spec{Path: "sleep", Args: []string{"60"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(child.PID())
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func sh(t *testing.T, script string, grace time.Duration) *proc.Process {
	t.Helper()
	p, err := proc.Start(proc.Spec{Name: "script", Path: "sh", Args: []string{"-c", script}, Grace: grace})
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p
}

func says(t *testing.T, p *proc.Process, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.Tail(10), text) }, 10*time.Second, 10*time.Millisecond)
}

func gone(pid int) func() bool {
	return func() bool {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
			return strings.Contains(string(stat), ") Z ") // dead, and its new parent has not looked yet
		}
		return syscall.Kill(pid, 0) != nil
	}
}

func TestWaitReportsExitAndLastWords(t *testing.T) {
	t.Parallel()
	p := sh(t, "echo first; echo the reason >&2; exit 3", 0)
	err := p.Wait(t.Context())
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "the reason")
	require.Equal(t, 3, p.ExitCode())
	require.Equal(t, "the reason", p.Tail(1))
	require.NoError(t, p.Stop(), "stopping what has ended is no error")
	require.NoError(t, sh(t, "exit 0", 0).Wait(t.Context()))
}

func TestStopIsPolite(t *testing.T) {
	t.Parallel()
	p := sh(t, `trap 'echo tidied; exit 0' TERM; echo ready; while :; do sleep 0.05; done`, 0)
	says(t, p, "ready")
	require.Equal(t, -1, p.ExitCode())
	require.NoError(t, p.Stop())
	require.Equal(t, 0, p.ExitCode())
	require.Equal(t, "tidied", p.Tail(1))
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	t.Parallel()
	p := sh(t, `trap '' TERM; echo ready; while :; do sleep 0.05; done`, 100*time.Millisecond)
	says(t, p, "ready")
	require.ErrorContains(t, p.Stop(), "script did not stop within 100ms and was killed")
	require.False(t, p.Running())
}

func TestKillReachesGrandchildren(t *testing.T) {
	t.Parallel()
	p := sh(t, `sleep 60 & echo $!; wait`, 0)
	require.Eventually(t, func() bool { return p.Tail(1) != "" }, 10*time.Second, 10*time.Millisecond)
	grandchild, err := strconv.Atoi(p.Tail(1))
	require.NoError(t, err)
	p.Kill()
	require.Eventually(t, gone(grandchild), 10*time.Second, 10*time.Millisecond)
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux tells a child that its parent has died")
	}
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), parentMode+"=1")
	out, err := parent.Output()
	require.ErrorContains(t, err, "killed")
	child, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(t, err)
	require.Eventually(t, gone(child), 10*time.Second, 10*time.Millisecond)
}

func TestStartOfNothing(t *testing.T) {
	t.Parallel()
	_, err := proc.Start(proc.Spec{Path: "/nonexistent/program"})
	require.ErrorContains(t, err, "start program")
}

type stopper func() error

func (s stopper) Stop() error { return s() }

func TestGroupStopsInReverse(t *testing.T) {
	t.Parallel()
	var order []string
	var g proc.Group
	for _, name := range []string{"server", "worker", "starter"} {
		g.Add(stopper(func() error {
			order = append(order, name)
			return fmt.Errorf("%s complains", name)
		}))
	}
	err := g.Stop()
	require.Equal(t, []string{"starter", "worker", "server"}, order)
	require.ErrorContains(t, err, "server complains")
	require.NoError(t, g.Stop(), "an emptied group has nothing to stop")
}
