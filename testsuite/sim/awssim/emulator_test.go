package awssim_test

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// emulator starts another emulator of AWS, if it is found on PATH, and tells its URL. command makes its arguments and
// environment for a port of the loopback interface.
func emulator(t *testing.T, name string, command func(port string) (arguments, environment []string)) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s on PATH", name)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	arguments, environment := command(port)
	server := exec.CommandContext(t.Context(), path, arguments...)
	server.Env = append(os.Environ(), environment...)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		return err == nil && c.Close() == nil
	}, time.Minute, 20*time.Millisecond, "%s does not listen", name)
	return "http://" + address
}
