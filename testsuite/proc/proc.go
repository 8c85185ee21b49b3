// Package proc runs the child processes of the demo and of the end-to-end suites: it starts them, shows what they said
// last, stops them politely or not at all politely, and lets none outlive its parent.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// DefaultGrace is how long Stop waits for a process that has been asked to end.
const DefaultGrace = 15 * time.Second

// Spec says what to run.
type Spec struct {
	Name   string        // what errors call it; the base of Path if empty
	Path   string        // the executable
	Args   []string      // without the executable's own name
	Dir    string        // working directory; ours if empty
	Env    []string      // NAME=value, on top of our own environment
	Output io.Writer     // gets stdout and stderr as they come; may be nil
	Grace  time.Duration // DefaultGrace if zero
}

// Process is a running, or ended, child.
type Process struct {
	name  string
	cmd   *exec.Cmd
	tail  *tail
	grace time.Duration
	done  chan struct{}
	err   error // written before done is closed
}

// Start runs a child in a process group of its own, so that a Ctrl-C in the terminal reaches us alone and we end our
// children in order. On Linux the kernel kills it should we die first.
func Start(s Spec) (*Process, error) {
	if s.Name == "" {
		s.Name = filepath.Base(s.Path)
	}
	if s.Grace == 0 {
		s.Grace = DefaultGrace
	}
	p := &Process{name: s.Name, tail: &tail{}, grace: s.Grace, done: make(chan struct{})}
	out := io.Writer(p.tail)
	if s.Output != nil {
		out = io.MultiWriter(p.tail, s.Output)
	}
	// Not CommandContext: a context's end would kill the child at once, out of order.
	p.cmd = exec.Command(s.Path, s.Args...) //nolint:noctx // running the given program is the point
	p.cmd.Dir = s.Dir
	p.cmd.Env = append(os.Environ(), s.Env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = attributes()
	p.cmd.WaitDelay = time.Second // a grandchild that keeps the pipe open does not hold us
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Name is what errors call the process.
func (p *Process) Name() string { return p.name }

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Tail is the last n lines of what the process wrote.
func (p *Process) Tail(n int) string { return p.tail.lines(n) }

// Wait returns when the process has ended, with an error that carries its last words unless it exited with 0, or when
// ctx ends. It does not end the process.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
	}
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w\n%s", p.name, p.err, p.Tail(20))
}

// ExitCode is the exit status of an ended process, and -1 while it runs or if a signal ended it.
func (p *Process) ExitCode() int {
	if p.Running() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// Stop asks the process to end and waits until it has. One that takes longer than its grace is killed, which is an
// error; one that had ended before is not.
func (p *Process) Stop() error {
	if !p.Running() {
		return nil
	}
	terminate(p.cmd.Process)
	select {
	case <-p.done:
		return nil
	case <-time.After(p.grace):
		p.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed", p.name, p.grace)
	}
}

// Kill ends the process and its own children without a chance to tidy up, and waits until it is gone.
func (p *Process) Kill() {
	if p.Running() {
		kill(p.cmd.Process)
		<-p.done
	}
}

// Stopper is anything that is started before use and stopped after.
type Stopper interface{ Stop() error }

// Group stops what was added to it, the last one first. The zero value is ready.
type Group struct{ members []Stopper }

// Add appends a member that has been started.
func (g *Group) Add(s Stopper) { g.members = append(g.members, s) }

// Stop stops every member, whatever the others return, and empties the group.
func (g *Group) Stop() error {
	var errs []error
	for len(g.members) > 0 {
		last := len(g.members) - 1
		errs = append(errs, g.members[last].Stop())
		g.members = g.members[:last]
	}
	return errors.Join(errs...)
}
