package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// request is what is asked for: the whole project, on a multi-Region key. Two clusters may re-encrypt at once.
const request = `projectId: "` + sim.ProjectA + `"
key: ` + awssim.MultiRegionKeyARN + `
clusters: all
parallel: 2
requester: ` + requester + `
`

const (
	requester = "dana@platform"
	approver  = "alex@security"
)

// play is the demo from the request to the verified end.
func play(ctx context.Context, s *stage, o options) error {
	file := filepath.Join(s.dir, "request.yaml")
	if err := os.WriteFile(file, []byte(request), 0o600); err != nil {
		return err
	}
	s.out.say("\nThe request, request.yaml:\n%s", strings.Join(indented(request), "\n"))
	s.out.say("First the plan, which writes nothing.")
	if err := s.command(ctx, "plan", "-f", file); err != nil {
		return err
	}
	s.out.say("\nNow the change itself. Its endpoints have to be approved by somebody else than the requester.")
	enable, err := s.enable(file)
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan error, 1)
	go func() { watched <- s.watch(watching, o) }()
	select {
	case err := <-watched:
		return err
	case <-enable.Done():
	}
	stop()
	if err := <-watched; !errors.Is(err, context.Canceled) {
		return err
	}
	s.out.settle()
	if err := enable.Wait(ctx); err != nil {
		return fmt.Errorf("the change did not complete, exit code %d", enable.ExitCode())
	}
	return s.conclude(ctx)
}

// enable starts `starter enable --wait`.
func (s *stage) enable(file string) (*proc.Process, error) {
	args := []string{"enable", "-f", file, "--wait"}
	s.out.say("$ starter %s", typed(args))
	spec := s.starter(s.out, args...)
	if s.out.live() {
		spec.Env = append(spec.Env, "ATLAS_CMK_PROGRESS=live", "COLUMNS="+strconv.Itoa(s.out.width), "LINES="+strconv.Itoa(s.out.height))
	}
	p, err := proc.Start(spec)
	if err != nil {
		return nil, err
	}
	s.running.Add(p)
	return p, nil
}

// typed is a command line as a person would type it in the directory of the demo.
func typed(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if filepath.IsAbs(a) {
			a = filepath.Base(a)
		}
		if strings.Contains(a, " ") {
			a = strconv.Quote(a)
		}
		out[i] = a
	}
	return strings.Join(out, " ")
}

func indented(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = "  " + line
	}
	return lines
}

// lookEvery is how often the demo asks for the status.
const lookEvery = 100 * time.Millisecond

// watch approves what waits for approval and, if that was asked for, kills the worker, until ctx ends.
func (s *stage) watch(ctx context.Context, o options) error {
	acts := []act{&approving{stage: s, ask: o.ask, decided: map[string]bool{}}}
	if o.kill {
		acts = append(acts,
			&killing{stage: s, when: "an endpoint is being created", is: endpointInitiating},
			&killing{stage: s, when: "a cluster is being re-encrypted", is: clusterUpdating})
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		status, err := s.temporal.Status(ctx, cmk.WorkflowID(sim.ProjectA))
		if err != nil {
			continue // the workflow may not have begun, or the worker is down: the next look tells
		}
		for _, a := range acts {
			if err := a.on(ctx, *status); err != nil {
				return err
			}
		}
	}
}

// act is something that the demo does when the change has come to a certain point.
type act interface {
	on(context.Context, cmk.Status) error
}

// killing kills the worker once.
type killing struct {
	stage *stage
	when  string
	is    func(cmk.Status) bool
	done  bool
}

func (k *killing) on(ctx context.Context, status cmk.Status) error {
	if k.done || !k.is(status) {
		return nil
	}
	k.done = true
	k.stage.out.say(">>> KILL=1: %s.", k.when)
	return k.stage.worker.crash(ctx)
}

func endpointInitiating(s cmk.Status) bool {
	for _, e := range s.Endpoints {
		if e.Status == cmk.EndpointInitiating {
			return true
		}
	}
	return false
}

func clusterUpdating(s cmk.Status) bool {
	for _, c := range s.Clusters {
		if c.State == cmk.ClusterUpdating {
			return true
		}
	}
	return false
}
