package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// stage is everything that the demo starts.
type stage struct {
	out *console
	dir string
	// running is stopped in reverse order.
	running proc.Group

	server    *devserver.Server
	simulator *proc.Process
	atlasURL  string
	awsURL    string
	worker    *worker
	temporal  *client.Client
}

// startTimeout bounds the start of each process; the first look at Temporal's command line can be slow.
const startTimeout = time.Minute

// open builds and starts everything.
func (s *stage) open(ctx context.Context) error {
	var err error
	if s.dir, err = os.MkdirTemp("", "atlas-cmk-demo"); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{s.startServer, s.startSimulator, s.startWorker} {
		starting, cancel := context.WithTimeout(ctx, startTimeout)
		err := start(starting)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// close stops everything, last first.
func (s *stage) close() error {
	return errors.Join(s.running.Stop(), os.RemoveAll(s.dir))
}

// build makes the programs as they ship, and the simulator.
func (s *stage) build(ctx context.Context) error {
	s.out.say("Building the worker, the command line and the simulator.")
	module := "github.com/atlas-cmk/atlas-cmk/"
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.dir+string(filepath.Separator), module+"worker", module+"starter", module+"testsuite/simulator")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func (s *stage) startServer(ctx context.Context) error {
	server, err := devserver.Start(ctx, devserver.Options{UI: true, Fast: true, LogFile: s.log("temporal")})
	if err != nil {
		return err
	}
	s.server = server
	s.running.Add(server)
	dialled, err := server.Dial(ctx)
	if err != nil {
		return err
	}
	s.running.Add(closing(dialled.Close))
	s.temporal = client.New(dialled)
	s.out.say("Temporal server     %s, UI %s", server.Address, server.UIURL)
	return nil
}

// closing is something that is closed rather than stopped.
type closing func()

func (c closing) Stop() error {
	c()
	return nil
}

var readyForm = regexp.MustCompile(`(?m)^ready atlas=(\S+) aws=(\S+)$`)

func (s *stage) startSimulator(ctx context.Context) error {
	text, err := worldText()
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, "world.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	p, err := proc.Start(proc.Spec{
		Path: filepath.Join(s.dir, "simulator"),
		Args: []string{"-atlas", "127.0.0.1:0", "-aws", "127.0.0.1:0", "-world", file, "-scale", strconv.Itoa(scale), "-seed", "1"},
	})
	if err != nil {
		return err
	}
	s.simulator = p
	s.running.Add(p)
	var found []string
	err = until(ctx, p, func() bool {
		found = readyForm.FindStringSubmatch(p.Tail(100))
		return found != nil
	})
	if err != nil {
		return err
	}
	s.atlasURL, s.awsURL = found[1], found[2]
	s.out.say("Simulated Atlas     %s, AWS %s, both %d times faster than life, clusters with little data", s.atlasURL, s.awsURL, scale)
	return nil
}

func (s *stage) startWorker(ctx context.Context) error {
	s.worker = &worker{stage: s}
	s.running.Add(s.worker)
	if err := s.worker.start(ctx); err != nil {
		return err
	}
	s.out.say("Worker              process %d, task queue %s", s.worker.process.PID(), cmk.TaskQueue)
	return nil
}

// temporalEnv points a process at the demo's server.
func (s *stage) temporalEnv() []string {
	return []string{
		"TEMPORAL_ADDRESS=" + s.server.Address, "TEMPORAL_NAMESPACE=" + s.server.Namespace,
		// A file that is not there: the machine's own profiles are for real servers.
		"TEMPORAL_CONFIG_FILE=" + filepath.Join(s.dir, "temporal.toml"),
	}
}

// workerEnv is the worker's configuration. Only the endpoints, and how often it looks, differ from real life.
func (s *stage) workerEnv() []string {
	nothing := filepath.Join(s.dir, "aws")
	return append(s.temporalEnv(),
		"MONGODB_ATLAS_BASE_URL="+s.atlasURL, "MONGODB_ATLAS_CLIENT_ID="+sim.ClientID, "MONGODB_ATLAS_CLIENT_SECRET="+sim.ClientSecret,
		"AWS_ENDPOINT_URL="+s.awsURL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+awssim.WorkerAccessKeyID, "AWS_SECRET_ACCESS_KEY="+awssim.WorkerSecret,
		"AWS_CONFIG_FILE="+nothing, "AWS_SHARED_CREDENTIALS_FILE="+nothing, "AWS_EC2_METADATA_DISABLED=true",
		"ATLAS_CMK_POLL_SHORTEST=200ms", "ATLAS_CMK_POLL_LONGEST=1s", "ATLAS_CMK_POLL_IDLE=1s", "ATLAS_CMK_POLL_SETTLE=200ms", "ATLAS_CMK_DUE_DELETION=1s",
		"ATLAS_CMK_HEALTH_ADDRESS=127.0.0.1:0",
	)
}

// starter is a run of the command line.
func (s *stage) starter(out io.Writer, args ...string) proc.Spec {
	return proc.Spec{Path: filepath.Join(s.dir, "starter"), Args: args, Env: append(s.temporalEnv(), "ATLAS_CMK_EVERY=300ms"), Output: out}
}

// command runs the command line to its end, and says what was typed and what it answered.
func (s *stage) command(ctx context.Context, args ...string) error {
	s.out.say("$ starter %s", typed(args))
	var answer bytes.Buffer
	p, err := proc.Start(s.starter(&answer, args...))
	if err != nil {
		return err
	}
	if err := p.Wait(ctx); err != nil {
		return errors.Join(err, p.Stop())
	}
	s.out.say("%s", answer.String())
	return nil
}

// where says where to look.
func (s *stage) where() string {
	return fmt.Sprintf("Temporal UI: %s/namespaces/%s/workflows/%s", s.server.UIURL, s.server.Namespace, cmk.WorkflowID(sim.ProjectA))
}

func (s *stage) log(name string) string { return filepath.Join(s.dir, name+".log") }

// until waits until something is true of a process; one that ends before is an error.
func until(ctx context.Context, p *proc.Process, condition func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.Name(), ctx.Err(), p.Tail(20))
		case <-p.Done():
			return fmt.Errorf("%s has ended before it was ready\n%s", p.Name(), p.Tail(20))
		case <-tick.C:
		}
	}
	return nil
}
