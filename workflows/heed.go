package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// heed carries out a step whose writes refuse to go on when somebody else has changed the project's encryption at rest
// meanwhile: a person then says whether it goes on, from how the project is now, or not. Steps that ask a person about
// every error need no heed.
func (c *change) heed(ctx workflow.Context, name string, step func(workflow.Context) error) error {
	for {
		err := step(ctx)
		if errorType(err) != cmk.ErrDisturbed {
			return err
		}
		if c.askPerson(ctx, name, err, false) == cmk.SignalAbort {
			return failure(cmk.ErrAborted, "%s: %s", name, reason(err))
		}
	}
}

// optional carries out a step that the change can do without: when it fails, a person says whether to try it again, to
// leave it out, or to give up. It says whether the step was done.
func (c *change) optional(ctx workflow.Context, name string, step func(workflow.Context) error) (done bool, err error) {
	for {
		err := step(ctx)
		if err == nil || ctx.Err() != nil || errorType(err) == cmk.ErrLeaseLost {
			return err == nil, err
		}
		switch c.askPerson(ctx, name, err, true) {
		case cmk.SignalSkip:
			return false, nil
		case cmk.SignalAbort:
			return false, failure(cmk.ErrAborted, "%s: %s", name, reason(err))
		}
	}
}

// acknowledge takes note that people have been shown what others have done, so that it is not held against the next write.
func (c *change) acknowledge(err error) {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != cmk.ErrDisturbed {
		return
	}
	var shown activities.Feed
	if app.Details(&shown) == nil {
		c.feed = &shown
	}
}
