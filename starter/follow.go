package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// view shows a change while it is waited for.
type view interface {
	// status shows where the change stands.
	status(cmk.Status)
	// silent shows why nobody answers.
	silent(why string)
	// end leaves the output as it shall stay.
	end()
}

// follow shows a change until it has ended, and then its report.
func (a *app) follow(ctx context.Context, temporal changes, run client.Run) error {
	v := a.view(run.WorkflowID)
	report, err := a.wait(ctx, temporal, run, v)
	if err == nil {
		v.status(report.Status)
	}
	var failed *client.FailedError
	if errors.As(err, &failed) && failed.Report != nil {
		report = failed.Report
		v.status(report.Status)
	}
	v.end()
	if report == nil {
		return err
	}
	if a.output == outputJSON {
		return errors.Join(a.printJSON(report), err)
	}
	a.printf("\n%s", reportText(*report))
	return err
}

// wait waits for a change, and tells a view how it goes.
func (a *app) wait(ctx context.Context, temporal changes, run client.Run, v view) (*cmk.Report, error) {
	waiting := ctx
	if a.timeout > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	if n, err := workers(ctx, temporal); err == nil && n == 0 {
		v.silent(noWorker)
	}
	report, err := temporal.Wait(waiting, run, client.Watch{
		Every:  a.every,
		Status: v.status,
		Silent: func(err error) { v.silent(silence(err)) },
	})
	switch {
	case err == nil:
		return report, nil
	case ctx.Err() != nil:
		return nil, &interruptedError{run.WorkflowID}
	case waiting.Err() != nil:
		return nil, &stillRunningError{run.WorkflowID}
	}
	return nil, err
}

const noWorker = "no worker polls the task queue " + cmk.TaskQueue + ": the change waits until one runs"

func silence(err error) string {
	var silent *client.NoAnswerError
	if errors.As(err, &silent) {
		return "no worker answers: the change waits until one runs"
	}
	return "Temporal does not answer: " + oneLine(err)
}

func workers(ctx context.Context, temporal changes) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return temporal.Workers(ctx)
}

// warnWithoutWorker says so when nobody is there to do the work.
func (a *app) warnWithoutWorker(ctx context.Context, temporal changes) {
	if n, err := workers(ctx, temporal); err == nil && n == 0 {
		a.notice("warning: %s", noWorker)
	}
}

// view is the one that was asked for, or that suits the output.
func (a *app) view(workflowID string) view {
	mode := a.progress
	if mode == progressAuto {
		mode = progressLines
		if a.screen != nil && a.output == outputText {
			mode = progressLive
		}
	}
	switch mode {
	case progressNone:
		return &quiet{print: a.notice}
	case progressLive:
		s := a.screen
		if s == nil {
			s = screenOf(a.env)
		}
		return newLive(a.people(), s, workflowID)
	default:
		return &lines{print: a.notice, workflowID: workflowID, now: time.Now}
	}
}

// quiet shows only that nobody answers.
type quiet struct {
	print func(format string, args ...any)
	last  string
}

func (*quiet) status(cmk.Status) {}

func (q *quiet) silent(why string) {
	if why != q.last {
		q.print("%s", why)
	}
	q.last = why
}

func (*quiet) end() {}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
