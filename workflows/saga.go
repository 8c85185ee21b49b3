package workflows

import (
	"go.temporal.io/sdk/workflow"
)

// inOrder carries out steps, none of them once the change is to end.
func inOrder(ctx workflow.Context, steps ...func(workflow.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// saga remembers how to take back what a change does. An undo is armed before its step runs: a step whose answer is
// lost may have been done.
type saga struct {
	undos []undo
}

type undo struct {
	name string
	run  func(workflow.Context) error
}

// arm adds the undo of the step that comes next.
func (s *saga) arm(name string, run func(workflow.Context) error) {
	s.undos = append(s.undos, undo{name, run})
}

// disarm drops the undo that was armed last: its step has taken itself back.
func (s *saga) disarm() { s.undos = s.undos[:len(s.undos)-1] }

// pass is called at the pivot: from there on the change goes forward.
func (s *saga) pass() { s.undos = nil }
