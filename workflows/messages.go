package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// listen registers the handlers of the query, the signals and the updates. It is called before anything blocks, so that
// no message can come too early.
func (c *change) listen(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, cmk.QueryStatus, func() (cmk.Status, error) { return c.snapshot(), nil },
		workflow.QueryHandlerOptions{Description: "where the change stands, what it waits for, and what moves it on"})
	if err != nil {
		return err
	}
	for _, m := range messages() {
		if err := c.listenTo(ctx, m.name, m.description); err != nil {
			return err
		}
	}
	return nil
}

type message struct{ name, description string }

func messages() []message {
	return []message{
		{cmk.SignalApprove, `approve the plan: {"by", "reason", "plan": hash}`},
		{cmk.SignalReject, `reject the plan: {"by", "reason", "plan": hash}`},
		{cmk.SignalApproveEndpoint, `approve an endpoint: {"by", "reason", "endpoint": id or "region": region or "all"}`},
		{cmk.SignalRejectEndpoint, `reject an endpoint: {"by", "reason", "endpoint": id or "region": region or "all"}`},
		{cmk.SignalRetry, `try a step again that waits for a person: {"by", "step"}`},
		{cmk.SignalSkip, `leave out a step that waits for a person: {"by", "step"}`},
		{cmk.SignalAbort, `give up at a step that waits for a person: {"by", "step"}`},
		{cmk.SignalIAMReady, `the IAM role has been prepared by hand: {"by"}`},
		{cmk.SignalRestore, `end a way out before its point of no return, and put everything back: {"by", "reason"}`},
		{cmk.SignalStop, `end a way out where it stands, in a state that its report names: {"by", "reason"}`},
	}
}

// listenTo registers a message as a signal and as an update of the same name.
func (c *change) listenTo(ctx workflow.Context, name, description string) error {
	channel := workflow.GetSignalChannelWithOptions(ctx, name, workflow.SignalChannelOptions{Description: description})
	apart, _ := workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(apart, name, func(ctx workflow.Context) {
		for {
			var raw json.RawMessage
			if !channel.Receive(ctx, &raw) {
				return
			}
			if refusal := c.take(ctx, name, raw); refusal != nil {
				workflow.GetLogger(ctx).Info("message refused", "signal", name, "code", refusal.Code)
			}
		}
	})
	return workflow.SetUpdateHandlerWithOptions(ctx, name,
		func(ctx workflow.Context, raw json.RawMessage) (cmk.Status, error) {
			if refusal := c.take(ctx, name, raw); refusal != nil {
				return cmk.Status{}, refused(*refusal)
			}
			return c.snapshot(), nil
		},
		workflow.UpdateHandlerOptions{
			Description: description,
			Validator: func(_ workflow.Context, raw json.RawMessage) error {
				// A rejection of what is in use is answered by the handler, since people have to choose then.
				if code, why := c.examine(name, raw); code != "" && code != cmk.RefusedInUse {
					return refused(cmk.Refusal{Signal: name, Code: code, Why: why})
				}
				return nil
			},
		})
}

// refused is a refusal as the answer to an update: its code is the error's type.
func refused(r cmk.Refusal) error { return temporal.NewApplicationError(r.Code+": "+r.Why, r.Code) }

// take acts on a message, or says why not.
func (c *change) take(ctx workflow.Context, name string, raw json.RawMessage) *cmk.Refusal {
	at := workflow.Now(ctx).UTC()
	refuse := func(by, code, why string) *cmk.Refusal {
		r := cmk.Refusal{Signal: name, By: by, At: at, Code: code, Why: why}
		c.approvals.refuse(r)
		return &r
	}
	if resolves(name) {
		r, err := decode[cmk.Resolution](raw)
		if err != nil {
			return refuse("", cmk.RefusedUnreadable, err.Error())
		}
		if code, why := c.examineResolution(name, r); code != "" {
			return refuse(r.By, code, why)
		}
		if turns(name) {
			c.turn.take(name, r)
			return nil
		}
		for _, step := range c.stepsMeant(name, r.Step) {
			c.chosen[step] = name
		}
		return nil
	}
	d, err := decode[cmk.Decision](raw)
	if err != nil {
		return refuse("", cmk.RefusedUnreadable, err.Error())
	}
	refusal := c.approvals.decide(name, d, at)
	c.show(ctx)
	return refusal
}

// examine says why a message cannot be acted on, and changes nothing.
func (c *change) examine(name string, raw json.RawMessage) (code, why string) {
	if resolves(name) {
		r, err := decode[cmk.Resolution](raw)
		if err != nil {
			return cmk.RefusedUnreadable, err.Error()
		}
		return c.examineResolution(name, r)
	}
	d, err := decode[cmk.Decision](raw)
	if err != nil {
		return cmk.RefusedUnreadable, err.Error()
	}
	return c.approvals.judge(name, d)
}

func (c *change) examineResolution(name string, r cmk.Resolution) (code, why string) {
	if r.By == "" {
		return cmk.RefusedNameMissing, "by is missing: say who decides"
	}
	if turns(name) {
		return c.examineTurn(name)
	}
	if len(c.stepsMeant(name, r.Step)) == 0 {
		return cmk.RefusedNothingWaits, "no such step waits for " + name
	}
	return "", ""
}

func resolves(name string) bool {
	return name == cmk.SignalRetry || name == cmk.SignalSkip || name == cmk.SignalAbort || name == cmk.SignalIAMReady || turns(name)
}

// stepsMeant lists the steps that wait for a person and that a resolution may be about; an empty step means all.
func (c *change) stepsMeant(name, step string) []string {
	var steps []string
	for _, w := range c.status.Awaiting {
		if w.Step != "" && (step == "" || step == w.Step) && slices.Contains(options(w), name) {
			steps = append(steps, w.Step)
		}
	}
	return steps
}

// decode reads a message from outside.
func decode[T any](raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 {
		return v, errors.New("the payload is missing: give a JSON object")
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("the payload is not the JSON object expected: %w", err)
	}
	return v, nil
}
