package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// turn is how people end a way out early. It takes the same road as a cancellation: a window is held, a cluster in flight
// finishes; only what follows differs.
type turn struct {
	// signal is what was asked for, restore or stop; empty while nothing was.
	signal string
	by     string
	cancel workflow.CancelFunc
}

func turns(name string) bool { return name == cmk.SignalRestore || name == cmk.SignalStop }

// examineTurn says why the change cannot be ended this way.
func (c *change) examineTurn(name string) (code, why string) {
	switch {
	case c.turn == nil:
		return cmk.RefusedNothingWaits, "this change takes nothing down: cancel it instead"
	case c.turn.signal != "":
		return cmk.RefusedDecided, c.turn.by + " has asked for " + c.turn.signal + " already"
	case name == cmk.SignalRestore && c.pivoted:
		return cmk.RefusedPastPivot, "a cluster has left the key: the change can be stopped, and its report says what would go back"
	}
	return "", ""
}

func (t *turn) take(name string, r cmk.Resolution) {
	t.signal, t.by = name, r.By
	t.cancel()
}

// runTurnable carries out steps that restore or stop may end.
func (c *change) runTurnable(ctx workflow.Context, dryRun bool, steps func(workflow.Context) error) (*cmk.Report, error) {
	turnable, cancel := workflow.WithCancel(ctx)
	c.turn = &turn{cancel: cancel}
	return c.run(ctx, dryRun, func(ctx workflow.Context) error {
		err := steps(turnable)
		if err == nil || c.turn.signal == "" || ctx.Err() != nil {
			return err
		}
		c.onFailure = cmk.Stop
		if c.turn.signal == cmk.SignalRestore {
			c.onFailure = cmk.Restore
		}
		return failure(cmk.ErrAborted, "%s has asked for %s", c.turn.by, c.turn.signal)
	})
}
