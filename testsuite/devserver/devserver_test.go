package devserver_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
)

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, o devserver.Options) *devserver.Server {
	t.Helper()
	s, err := devserver.Start(within(t, time.Minute), o)
	require.NoError(t, err)
	t.Cleanup(s.Kill)
	return s
}

func dial(t *testing.T, s *devserver.Server) client.Client {
	t.Helper()
	c, err := s.Dial(within(t, 10*time.Second))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// startWorkflow starts a run that nobody serves, carrying the search attributes.
func startWorkflow(t *testing.T, c client.Client, id string) {
	t.Helper()
	attributes := map[string]any{}
	for _, name := range cmk.SearchAttributes() {
		attributes[name] = id
	}
	//nolint:staticcheck // the untyped attributes take the names as they are declared
	_, err := c.ExecuteWorkflow(within(t, 10*time.Second), client.StartWorkflowOptions{
		ID: id, TaskQueue: cmk.TaskQueue, SearchAttributes: attributes,
	}, cmk.EnableWithPrivateEndpoints)
	require.NoError(t, err)
}

func find(t *testing.T, c client.Client, id string) {
	t.Helper()
	require.EventuallyWithT(t, func(ct *assert.CollectT) {
		found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: cmk.SearchAttributeProjectID + " = '" + id + "'",
		})
		require.NoError(ct, err)
		require.Len(ct, found.Executions, 1)
		got := found.Executions[0].SearchAttributes.IndexedFields[cmk.SearchAttributeProjectID]
		var value string
		require.NoError(ct, converter.GetDefaultDataConverter().FromPayload(got, &value))
		require.Equal(ct, id, value)
	}, 20*time.Second, 50*time.Millisecond)
}

func TestServerIsReadyWhenStarted(t *testing.T) {
	t.Parallel()
	s := start(t, devserver.Options{UI: true, Namespace: "platform", Fast: true})
	require.Equal(t, "platform", s.Namespace)
	require.NotEmpty(t, s.UIURL)
	c := dial(t, s)
	listed, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: s.Namespace})
	require.NoError(t, err)
	for _, name := range cmk.SearchAttributes() {
		require.Contains(t, listed.CustomAttributes, name)
	}
	startWorkflow(t, c, "first")
	find(t, c, "first")
	require.NoError(t, s.Stop())
	_, err = net.DialTimeout("tcp", s.Address, time.Second)
	require.Error(t, err, "a stopped server listens no more")
}

func TestKilledServerComesBackWithItsRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port, err := devserver.FreePort(t.Context()) // the usual one would go to whoever starts while ours is dead
	require.NoError(t, err)
	s := start(t, devserver.Options{Port: port, DBFile: filepath.Join(dir, "temporal.db"), LogFile: filepath.Join(dir, "temporal.log")})
	require.Empty(t, s.UIURL)
	before := s.Address
	startWorkflow(t, dial(t, s), "survivor")

	s.Kill()
	require.NoError(t, s.Restart(within(t, time.Minute)))
	require.Equal(t, before, s.Address)
	c := dial(t, s)
	_, err = c.DescribeWorkflowExecution(within(t, 10*time.Second), "survivor", "")
	require.NoError(t, err)
	find(t, c, "survivor")
	require.NoError(t, s.Stop())

	log, err := os.ReadFile(filepath.Join(dir, "temporal.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "Stopping server")
}

func TestTakenPortIsToldNotWaitedFor(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)

	_, err = devserver.Start(within(t, time.Minute), devserver.Options{Port: number})
	require.ErrorContains(t, err, "ended before it was ready")
	require.ErrorContains(t, err, "address already in use")
}

func TestServerThatNeverAnswersIsEnded(t *testing.T) {
	t.Parallel()
	bin := script(t, `echo thinking; exec sleep 60`)
	_, err := devserver.Start(within(t, 300*time.Millisecond), devserver.Options{Bin: bin})
	require.ErrorContains(t, err, "the Temporal server is not ready")
	require.ErrorContains(t, err, "thinking")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "temporal")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	return path
}

func TestFind(t *testing.T) {
	// Not parallel: the environment is the subject.
	newer := script(t, `echo "temporal version 1.6.0 (Server 1.30.1, UI 2.45.0)"`)
	older := script(t, `echo "temporal version 1.0.0 (Server 1.24.2, UI 2.28.0)"`)
	foreign := script(t, `echo "something else altogether"`)

	t.Setenv(devserver.EnvBin, newer)
	path, err := devserver.Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, newer, path)

	t.Setenv(devserver.EnvBin, older)
	_, err = devserver.Find(t.Context())
	require.ErrorContains(t, err, "server 1.24.2, older than 1.29.1", "what a person names is not passed over")

	t.Setenv(devserver.EnvBin, "")
	t.Setenv("PATH", filepath.Dir(newer)+":/usr/bin:/bin")
	path, err = devserver.Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, newer, path)

	t.Chdir(t.TempDir()) // outside the module there is no bin/temporal
	for _, bad := range []string{older, foreign} {
		t.Setenv("PATH", filepath.Dir(bad)+":/usr/bin:/bin")
		_, err = devserver.Find(t.Context())
		require.ErrorIs(t, err, devserver.ErrNoServer)
		require.ErrorContains(t, err, "make bin/temporal")
		require.ErrorContains(t, err, bad)
	}
}
