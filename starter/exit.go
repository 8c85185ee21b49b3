package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// Exit codes. They are part of the interface: scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitInvalid     = 2
	exitRefused     = 3
	exitEnded       = 4
	exitUnreachable = 5
	exitRunning     = 6
	exitUnknown     = 7
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes:
  0    done: the change is complete and verified, the plan has no errors, the decision was taken
  1    failed: the change ended part-way or was taken back; its report says how
  2    the command line or the request is invalid
  3    refused, and nothing was written: by preflight, because the project is busy, or the decision was not taken
  4    ended by people: rejected, expired, aborted, restored, stopped, cancelled or terminated
  5    Temporal cannot be reached, or does not let us in, or no worker answers
  6    still running when --timeout had passed; the change goes on
  7    there is no such change
  130  interrupted; the change goes on`

// misuseError is a mistake in the command line.
type misuseError struct{ cause error }

func (e *misuseError) Error() string { return e.cause.Error() }

// unreachableError: no connection to Temporal.
type unreachableError struct {
	address string
	cause   error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("cannot reach Temporal at %s: is it running, and is TEMPORAL_ADDRESS or --address right? (%s)", e.address, oneLine(e.cause))
}

// stillRunningError: --timeout has passed.
type stillRunningError struct{ workflowID string }

func (e *stillRunningError) Error() string {
	return fmt.Sprintf("%s still runs, and goes on: watch it with `starter status --watch %s`", e.workflowID, e.workflowID)
}

// interruptedError: Ctrl-C while waiting.
type interruptedError struct{ workflowID string }

func (e *interruptedError) Error() string {
	return fmt.Sprintf("no longer watching; %s goes on: watch it with `starter status --watch %s`", e.workflowID, e.workflowID)
}

// planError: a dry run found what a change would be refused for.
type planError struct{ errors int }

func (e *planError) Error() string {
	if e.errors == 1 {
		return "the plan has an error: the change would be refused"
	}
	return fmt.Sprintf("the plan has %d errors: the change would be refused", e.errors)
}

// judge gives an error its exit code and its one line.
func judge(err error) (code int, line string) {
	line = oneLine(err)
	var (
		invalid     *cmk.InvalidRequestError
		bad         *misuseError
		gone        *unreachableError
		running     *stillRunningError
		stopped     *interruptedError
		planned     *planError
		busy        *client.BusyError
		already     *client.AlreadyRunningError
		refused     *client.RefusedError
		closed      *client.ClosedError
		unknown     *client.NotFoundError
		failed      *client.FailedError
		silent      *client.NoAnswerError
		unavailable *serviceerror.Unavailable
		denied      *serviceerror.PermissionDenied
		namespace   *serviceerror.NamespaceNotFound
	)
	switch {
	case errors.As(err, &invalid):
		return exitInvalid, "invalid request: " + line
	case errors.As(err, &bad):
		return exitInvalid, line
	case errors.As(err, &namespace):
		return exitInvalid, fmt.Sprintf("Temporal has no namespace %q: check TEMPORAL_NAMESPACE or --namespace", namespace.Namespace)
	case errors.As(err, &gone):
		return exitUnreachable, line
	case errors.As(err, &unavailable), errors.As(err, &denied):
		return exitUnreachable, "Temporal: " + line
	case errors.As(err, &running):
		return exitRunning, line
	case errors.As(err, &stopped), errors.Is(err, context.Canceled):
		return exitInterrupted, line
	case errors.As(err, &already):
		return exitRefused, fmt.Sprintf("%s: watch it with `starter status --watch %s`", line, already.Run.WorkflowID)
	case errors.As(err, &busy), errors.As(err, &planned):
		return exitRefused, line
	case errors.As(err, &refused):
		return exitRefused, "not taken: " + line
	case errors.As(err, &closed):
		return exitRefused, line
	case errors.As(err, &unknown):
		return exitUnknown, line
	case errors.As(err, &failed):
		return judgeFailed(failed), failed.Type + ": " + line
	case errors.As(err, &silent):
		return exitUnreachable, line
	}
	return exitFailed, line
}

func judgeFailed(f *client.FailedError) int {
	switch f.Type {
	case cmk.ErrRejected, cmk.ErrExpired, cmk.ErrAborted, client.Canceled, client.Terminated, client.TimedOut:
		return exitEnded
	case cmk.ErrInvalidRequest:
		return exitInvalid
	case cmk.ErrPreflightFailed:
		return exitRefused
	}
	if f.Report != nil && f.Report.Phase == cmk.PhaseRefused {
		return exitRefused
	}
	return exitFailed
}

// oneLine is an error without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
