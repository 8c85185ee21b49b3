package compose_test

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
)

const version = "1.2.3-compose"

// build runs the Dockerfile's own build commands, into a directory instead of the image's /out.
func build(t *testing.T) (out string) {
	t.Helper()
	out = t.TempDir()
	commands := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*)$`).FindAllStringSubmatch(read(t, "Dockerfile"), -1)
	require.Len(t, commands, 2, "one for the worker, one for the simulator")
	for _, c := range commands {
		line := strings.ReplaceAll(c[1], "/out/", out+"/")
		command := exec.CommandContext(t.Context(), "sh", "-c", line)
		command.Dir = root
		command.Env = append(os.Environ(), "VERSION="+version)
		said, err := command.CombinedOutput()
		require.NoError(t, err, "%s\n%s", line, said)
	}
	return out
}

// TestImagesRun builds what the images hold and runs it as the compose file says, but for the containers: the script
// that sets up the namespace against a real server, then the simulator and the worker with their own settings, judged
// by their own health checks.
func TestImagesRun(t *testing.T) {
	t.Parallel()
	out := build(t)
	for _, copied := range regexp.MustCompile(`/out/(\w+)`).FindAllStringSubmatch(read(t, "Dockerfile"), -1) {
		require.FileExists(t, filepath.Join(out, copied[1]))
	}
	worker := filepath.Join(out, "worker")
	requireStatic(t, worker)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	bin, err := devserver.Find(ctx)
	require.NoError(t, err)
	server, err := devserver.Start(ctx, devserver.Options{Bin: bin, Port: freePort(t)})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	addresses := map[string]string{"temporal:7233": server.Address}
	setUpNamespace(t, bin, server)

	// Ports of the containers become free ones of this machine.
	for _, inside := range []string{"simulator:8080", "simulator:8081", "127.0.0.1:8090"} {
		addresses[inside] = "127.0.0.1:" + strconv.Itoa(freePort(t))
	}
	addresses["0.0.0.0:8080"], addresses["127.0.0.1:8080"] = addresses["simulator:8080"], addresses["simulator:8080"]
	addresses["0.0.0.0:8081"] = addresses["simulator:8081"]
	here := func(text string) string {
		for inside, address := range addresses {
			text = strings.ReplaceAll(text, inside, address)
		}
		return text
	}

	services := project(t, "simulated").Services
	run(t, filepath.Join(out, "simulator"), each(services["simulator"].Command, here), nil)
	healthcheck := func(service string) []string {
		test := services[service].HealthCheck.Test
		require.Equal(t, []string{"CMD", "/healthcheck"}, []string(test[:2]))
		return each(test[2:], here)
	}
	requireHealth(t, out, healthcheck("simulator"))
	require.Error(t, health(t, out, []string{"http://" + addresses["simulator:8080"] + "/nowhere"}))

	env := []string{"ATLAS_CMK_HEALTH_ADDRESS=" + addresses["127.0.0.1:8090"]}
	for name, value := range services["worker-simulated"].Environment {
		env = append(env, name+"="+here(*value))
	}
	p := run(t, worker, nil, env)
	requireHealth(t, out, healthcheck("worker-simulated"))
	require.Contains(t, p.Tail(50), version)
	require.NoError(t, p.Stop())
	require.Equal(t, 0, p.ExitCode(), p.Tail(20))
}

func requireStatic(t *testing.T, path string) {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	require.NoError(t, err)
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	require.Equal(t, "0", settings["CGO_ENABLED"])
	require.Equal(t, "true", settings["-trimpath"])
	if runtime.GOOS != "linux" {
		return
	}
	file, err := elf.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	for _, p := range file.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "an image without a C library cannot run it")
	}
}

// setUpNamespace runs the script twice, since containers start again.
func setUpNamespace(t *testing.T, bin string, server *devserver.Server) {
	t.Helper()
	const namespace = "set-up-by-the-script"
	for range 2 {
		script := exec.CommandContext(t.Context(), "sh", "deploy/temporal/namespace.sh")
		script.Dir = root
		script.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+server.Address, "TEMPORAL_NAMESPACE="+namespace,
			"PATH="+filepath.Dir(absolute(t, bin))+string(os.PathListSeparator)+os.Getenv("PATH"))
		said, err := script.CombinedOutput()
		require.NoError(t, err, string(said))
	}
	c, err := server.Dial(t.Context())
	require.NoError(t, err)
	defer c.Close()
	listed, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	require.NoError(t, err)
	for _, name := range cmk.SearchAttributes() {
		require.Equal(t, enums.INDEXED_VALUE_TYPE_KEYWORD, listed.CustomAttributes[name], name)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := devserver.FreePort(t.Context())
	require.NoError(t, err)
	return port
}

func each(values []string, do func(string) string) []string {
	var out []string
	for _, v := range values {
		out = append(out, do(v))
	}
	return out
}

func run(t *testing.T, path string, args, env []string) *proc.Process {
	t.Helper()
	p, err := proc.Start(proc.Spec{Path: path, Args: args, Env: env})
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.Name(), p.Tail(20))
		}
	})
	return p
}

func health(t *testing.T, out string, args []string) error {
	t.Helper()
	var said bytes.Buffer
	check := exec.CommandContext(t.Context(), filepath.Join(out, "healthcheck"), args...)
	check.Stderr = &said
	err := check.Run()
	if err != nil {
		t.Logf("healthcheck %s: %s", args, said.String())
	}
	return err
}

func requireHealth(t *testing.T, out string, args []string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, health(t, out, args))
	}, time.Minute, 250*time.Millisecond)
}
