package awssim_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// emulator starts another emulator of AWS, if it is found on PATH, and tells its URL, whose port is what announcement
// finds in what it prints.
func emulator(t *testing.T, name string, announcement *regexp.Regexp, arguments, environment []string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s on PATH", name)
	}
	output, printed := io.Pipe()
	server := exec.CommandContext(t.Context(), path, arguments...)
	server.Env = append(os.Environ(), environment...)
	server.Stdout, server.Stderr = printed, printed
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = printed.Close()
	})
	announced := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if found := announcement.FindStringSubmatch(lines.Text()); found != nil {
				select {
				case announced <- "127.0.0.1:" + found[1]:
				default: // it says so again
				}
			}
		}
	}()
	var address string
	select {
	case address = <-announced:
	case <-time.After(time.Minute):
		require.Failf(t, "no start", "%s has not said where it listens", name)
	}
	require.Eventually(t, func() bool {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		return err == nil && c.Close() == nil
	}, time.Minute, 20*time.Millisecond, "%s does not listen", name)
	return "http://" + address
}

// freePort is a port that nobody listens on, for emulators that cannot choose one themselves.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return port
}
