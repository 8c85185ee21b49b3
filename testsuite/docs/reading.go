package docs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// project is the one that the docs speak of.
const project = "64b7f0c2a1b2c3d4e5f60718"

// organization is the one that it belongs to.
const organization = "64b7f0c2a1b2c3d4e5f60700"

// reading is somebody who reads a page and types what it says.
type reading struct {
	t       *testing.T
	theatre *theatre
	dir     string
	env     map[string]string
	worlds  int
}

func begin(t *testing.T, th *theatre) *reading {
	t.Helper()
	r := &reading{t: t, theatre: th, dir: t.TempDir()}
	require.NoError(t, th.clone(r.dir))
	r.env = map[string]string{
		"PATH":                 th.path + string(os.PathListSeparator) + os.Getenv("PATH"),
		"TEMPORAL_CLI":         filepath.Join(th.path, "temporal"),
		"TEMPORAL_CONFIG_FILE": filepath.Join(r.dir, "temporal.toml"), // not there: the machine's own profiles are for real servers
		"ATLAS_CMK_EVERY":      "100ms",
		// As written, the simulator takes its usual ports.
		"SIMULATED_ATLAS": freeAddress(t), "SIMULATED_AWS": freeAddress(t), "APPROVALS_ADDRESS": freeAddress(t),
		"ATLAS_CMK_HEALTH_ADDRESS": "127.0.0.1:0",
	}
	return r
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := devserver.FreePort(t.Context())
	require.NoError(t, err)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// run does everything that the blocks say, in order.
func (r *reading) run(blocks []block) {
	for _, b := range blocks {
		switch {
		case b.file != "":
			require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, b.file), []byte(b.text), 0o600))
		case b.runs():
			if b.world != "" {
				r.enter(b.world)
			}
			r.do(b)
		}
	}
}

const (
	// patience bounds a block.
	patience = 5 * time.Minute
	// pause is how often a reader looks again.
	pause = 500 * time.Millisecond
)

// do runs a block.
func (r *reading) do(b block) {
	r.t.Helper()
	began := time.Now()
	if b.background {
		r.leave(b)
		return
	}
	again := time.NewTicker(pause)
	defer again.Stop()
	for {
		out, code := r.bash(b.text)
		if b.until != "" && !strings.Contains(out, b.until) && time.Since(began) < patience {
			<-again.C
			continue
		}
		require.Equal(r.t, b.exit, code, "%s\n%s\n%s", b, b.text, out)
		require.Contains(r.t, out, b.until, b)
		r.t.Logf("%s took %s", b, time.Since(began).Round(100*time.Millisecond))
		return
	}
}

// bash runs a script to its end.
func (r *reading) bash(script string) (out string, code int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = r.dir, r.environ()
	cmd.WaitDelay = time.Second
	text, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return string(text) + err.Error(), -1
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func (r *reading) environ() []string {
	env := os.Environ()
	for name, value := range r.env {
		env = append(env, name+"="+value)
	}
	return env
}

var serverForm = regexp.MustCompile(`(?m)^Temporal +(\S+)`)

// leave starts a block and leaves it running until the page has been read.
func (r *reading) leave(b block) {
	r.t.Helper()
	p, err := proc.Start(proc.Spec{Name: b.String(), Path: "/bin/bash", Args: []string{"-euo", "pipefail", "-c", b.text}, Dir: r.dir, Env: r.environ()})
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = p.Stop() })
	require.Eventually(r.t, func() bool { return !p.Running() || strings.Contains(p.Tail(200), b.until) }, patience, 20*time.Millisecond, "%s: %s", b, b.text)
	require.True(r.t, p.Running(), "%s has ended: %s", b, p.Tail(50))
	// The usual port may be taken here; the reader would be told, and set the variable.
	if m := serverForm.FindStringSubmatch(p.Tail(200)); m != nil {
		r.env["TEMPORAL_ADDRESS"] = m[1]
	}
}

// enter gives the reader a namespace, a world and a worker.
func (r *reading) enter(world string) {
	t, server := r.t, r.theatre.server
	t.Helper()
	r.worlds++
	namespace := fmt.Sprintf("%s-%d", strings.ToLower(strings.ReplaceAll(filepath.Base(t.Name()), ".", "-")), r.worlds)
	base, err := client.Dial(client.Options{HostPort: server.Address, Logger: silent{}})
	require.NoError(t, err)
	defer base.Close()
	_, err = base.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	config := config(t, world)
	running := sim.Start(t, sim.Options{World: config, Scale: scale})
	maps.Copy(r.env, map[string]string{
		"TEMPORAL_ADDRESS": server.Address, "TEMPORAL_NAMESPACE": namespace, "TEMPORAL_HTTP": server.HTTPURL,
		"AWS_ENDPOINT_URL": running.AWSURL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": awssim.WorkerAccessKeyID, "AWS_SECRET_ACCESS_KEY": awssim.WorkerSecret,
	})
	env := maps.Clone(r.env)
	maps.Copy(env, map[string]string{
		"MONGODB_ATLAS_BASE_URL": running.AtlasURL, "MONGODB_ATLAS_CLIENT_ID": sim.ClientID, "MONGODB_ATLAS_CLIENT_SECRET": sim.ClientSecret,
		"ATLAS_CMK_POLL_SHORTEST": "50ms", "ATLAS_CMK_POLL_LONGEST": "250ms", "ATLAS_CMK_POLL_IDLE": "1s", "ATLAS_CMK_POLL_SETTLE": "50ms",
		"ATLAS_CMK_DUE_ENDPOINT": "50ms", "ATLAS_CMK_DUE_CLUSTER": "50ms",
	})
	spec := proc.Spec{Path: filepath.Join(r.dir, "bin", "worker")}
	for name, value := range env {
		spec.Env = append(spec.Env, name+"="+value)
	}
	worker, err := proc.Start(spec)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = worker.Stop()
		if t.Failed() {
			t.Logf("worker:\n%s", worker.Tail(40))
		}
	})
	require.Eventually(t, func() bool { return strings.Contains(worker.Tail(200), `"msg":"ready"`) }, patience, 20*time.Millisecond)
	if world == "enabled" {
		out, code := r.bash("bin/starter enable --project-id " + project + " --key " + awssim.MultiRegionKeyARN + " --approval-mode provider --wait")
		require.Zero(t, code, out)
	}
}

// scale is how much faster than life the worlds are.
const scale = 1500

// config is the default world with the docs' project in place of one of its own.
func config(t *testing.T, world string) *sim.Config {
	t.Helper()
	text, err := os.ReadFile("../sim/world.yaml")
	require.NoError(t, err)
	replaced := map[string]string{"new": sim.ProjectA, "enabled": sim.ProjectA, "refusing": sim.ProjectA, "legacy": sim.ProjectB}[world]
	require.NotEmpty(t, replaced, "world %q", world)
	out := strings.NewReplacer(replaced, project, sim.OrganizationID, organization, "name: east\n", "name: payments\n", "name: west\n", "name: orders\n").Replace(string(text))
	c, err := sim.ParseConfig([]byte(out))
	require.NoError(t, err)
	if world == "refusing" {
		c.Faults = []fault.Rule{{System: "atlas", Operation: "updateGroupCluster", Kind: fault.Status, Status: http.StatusBadRequest, After: 1, Times: 3}}
	}
	return &c
}

// silent is a logger that says nothing.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
