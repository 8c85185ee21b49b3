package client

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Watch says what Wait tells while it waits. Its functions are called from one goroutine, and not after Wait returned.
type Watch struct {
	// Every is how often the status is asked for; a second if zero.
	Every time.Duration
	// Status gets each answer; it may be nil.
	Status func(cmk.Status)
	// Silent gets the reason when nobody answers: no worker runs, or the server cannot be reached. It may be nil.
	Silent func(error)
}

const (
	defaultEvery = time.Second
	// answerTimeout bounds one question for the status.
	answerTimeout = 5 * time.Second
)

// Wait waits until a run has ended, and returns its report. An error is *BusyError or *FailedError when the change did not
// complete, *NotFoundError when there is none, or ctx's. A server or worker that is gone for a while is waited for. A run
// that somebody reset is followed.
func (c *Client) Wait(ctx context.Context, run Run, w Watch) (*cmk.Report, error) {
	type result struct {
		report *cmk.Report
		err    error
	}
	over := make(chan result, 1)
	silent := make(chan error)
	getCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		r, err := c.result(getCtx, run, silent)
		over <- result{r, err}
	}()
	every := w.Every
	if every <= 0 {
		every = defaultEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case r := <-over:
			return r.report, r.err
		case err := <-silent:
			w.silent(err)
		case <-tick.C:
			c.look(ctx, run, w)
		}
	}
}

func (w Watch) silent(err error) {
	if w.Silent != nil {
		w.Silent(err)
	}
}

// look asks for the status once.
func (c *Client) look(ctx context.Context, run Run, w Watch) {
	if w.Status == nil {
		return
	}
	asked, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	status, err := c.status(asked, Run{WorkflowID: run.WorkflowID})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.silent(err)
	default:
		w.Status(*status)
	}
}

// result waits for the end of a run, across outages of the server, and follows it where it was reset.
func (c *Client) result(ctx context.Context, run Run, silent chan<- error) (*cmk.Report, error) {
	for {
		var report cmk.Report
		err := c.temporal.GetWorkflow(ctx, run.WorkflowID, run.RunID).Get(ctx, &report)
		var terminated *temporal.TerminatedError
		var notFound *serviceerror.NotFound
		switch {
		case err == nil:
			return &report, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &notFound):
			return nil, &NotFoundError{WorkflowID: run.WorkflowID}
		case errors.As(err, &terminated):
			next := c.afterReset(ctx, run)
			if next == "" {
				return nil, ended(err)
			}
			run.RunID = next
			continue
		case !passing(err):
			return nil, ended(err)
		}
		select {
		case silent <- err:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select {
		case <-time.After(defaultEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// afterReset is the run that a reset put in the place of one that it terminated, or nothing.
func (c *Client) afterReset(ctx context.Context, run Run) string {
	d, err := c.temporal.DescribeWorkflowExecution(ctx, run.WorkflowID, run.RunID)
	if err != nil {
		return ""
	}
	return d.GetWorkflowExtendedInfo().GetResetRunId()
}

// passing says whether an error of the connection may pass by itself.
func passing(err error) bool {
	var unavailable *serviceerror.Unavailable
	var deadline *serviceerror.DeadlineExceeded
	var exhausted *serviceerror.ResourceExhausted
	return errors.As(err, &unavailable) || errors.As(err, &deadline) || errors.As(err, &exhausted) ||
		errors.Is(err, context.DeadlineExceeded)
}
