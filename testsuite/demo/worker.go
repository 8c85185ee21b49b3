package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
)

// worker is the worker's process, which can be killed and started again.
type worker struct {
	stage   *stage
	process *proc.Process
}

// start starts a process and waits until it takes work.
func (w *worker) start(ctx context.Context) error {
	p, err := proc.Start(proc.Spec{Path: filepath.Join(w.stage.dir, "worker"), Env: w.stage.workerEnv()})
	if err != nil {
		return err
	}
	w.process = p
	return until(ctx, p, func() bool { return strings.Contains(p.Tail(200), `"msg":"ready"`) })
}

// Stop ends the worker in order.
func (w *worker) Stop() error {
	if w.process == nil {
		return nil
	}
	return w.process.Stop()
}

// crash kills the worker as the loss of its machine would, and starts another.
func (w *worker) crash(ctx context.Context) error {
	before := w.process.PID()
	w.process.Kill()
	w.stage.out.say(">>> The worker was killed with SIGKILL (process %d). Starting another.", before)
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := w.start(starting); err != nil {
		return err
	}
	w.stage.out.say(">>> Worker is back as process %d; it goes on from the history.", w.process.PID())
	return nil
}
