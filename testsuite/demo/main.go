// Demo runs EnableWithPrivateEndpoints from nothing to its verified end: a real Temporal server, the worker, the command
// line and the simulated Atlas and AWS, each a process of its own. It only watches and approves; nothing is staged.
//
// KEEP=1 leaves everything running at the end. KILL=1 kills the worker twice on the way. APPROVE=ask asks the person at
// the terminal for the approvals.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const exitInterrupted = 130

var errInterrupted = errors.New("interrupted")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o, err := readOptions(os.Getenv)
	if err == nil {
		isolate()
		err = run(ctx, stop, o)
	}
	switch {
	case errors.Is(err, errInterrupted):
		os.Exit(exitInterrupted)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, forget func(), o options) (err error) {
	out := newConsole(os.Stdout)
	s := &stage{out: out}
	defer func() {
		if ctx.Err() != nil {
			out.mute()
			out.say("\nEnding what was started: the command line, the worker, the simulator, the server.")
			err = errInterrupted
		}
		// From here on a second Ctrl-C ends this process at once, and its children with it.
		forget()
		err = errors.Join(err, s.close())
	}()
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := play(ctx, s, o); err != nil {
		return err
	}
	if o.keep {
		out.say("\nEverything is left running. Ctrl-C ends it.\n%s", s.where())
		<-ctx.Done()
	}
	return nil
}
