package search

import (
	"fmt"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Who takes part.
const (
	requester = "requester"
	alice     = "alice"
	bob       = "bob"
)

const (
	// round is how often people look what is asked of them.
	round = 10 * time.Minute
	// horizon is by when a run must have ended once people answer.
	horizon = 20 * 24 * time.Hour
	// retries is how often they have a step tried again.
	retries = 3
)

// attend has people look after a run from now on, round for round.
func (p *play) attend(want wish) {
	p.run.in(round, func() {
		if p.run.env.IsWorkflowCompleted() || p.run.stagehand.isTerminated() {
			return
		}
		if p.calm {
			p.answer(want)
		}
		if p.watches() && p.calm && p.run.env.Now().Sub(p.calmed) > afterwards {
			// What has changed just now the outside may not have been told yet.
			if p.stuck = p.inspect(want); p.stuck == nil || p.run.env.Now().Sub(p.calmed) > afterwards+3*round {
				p.run.env.CancelWorkflow()
				return
			}
		}
		if p.run.env.Now().Sub(p.run.began) > horizon {
			p.stuck = fmt.Errorf("the run neither ends nor waits for a person: %s", p.standing())
			p.run.stagehand.terminate()
			return
		}
		p.attend(want)
	})
}

func (p *play) standing() string {
	status, err := p.run.status()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("phase %s, awaiting %v, problem %q", status.Phase, status.Awaiting, status.Problem)
}

// answer does what the run asks for.
func (p *play) answer(want wish) {
	status, err := p.run.status()
	if err != nil {
		p.stuck = err
		return
	}
	for _, w := range status.Awaiting {
		if w.Signal == "" {
			continue // it passes by itself
		}
		p.asked++
		switch {
		case w.For == cmk.AwaitingDecision:
			p.resolve(want, w)
		case w.Signal == cmk.SignalRestore:
			// It passes by itself too.
		case p.decide(want, w):
			return
		}
	}
}

// decide answers a request for approval, and says whether that was the last word.
func (p *play) decide(want wish, w cmk.Wait) bool {
	if want == wishCancelled {
		p.run.env.CancelWorkflow()
		return true
	}
	// Where a rejection is refused they give in.
	if want == wishRejected && p.asked <= retries {
		if asksForPlan(w) {
			p.run.signal(cmk.SignalReject, cmk.Decision{By: alice})
		} else {
			p.run.signal(cmk.SignalRejectEndpoint, cmk.Decision{By: alice, Region: w.Region})
		}
		return true
	}
	if want != wishExpired {
		p.approve(w)
	}
	return false
}

func (p *play) approve(w cmk.Wait) {
	for _, by := range []string{alice, bob} {
		if asksForPlan(w) {
			p.run.signal(cmk.SignalApprove, cmk.Decision{By: by})
			continue
		}
		p.approved(by, w.Region)
		p.run.signal(cmk.SignalApproveEndpoint, cmk.Decision{By: by, Region: w.Region})
	}
}

// asksForPlan says whether a plan, or a part of one, is to be approved rather than an endpoint.
func asksForPlan(w cmk.Wait) bool { return w.Signal == cmk.SignalApprove }

// resolve answers what to do with a step that cannot go on: first to try again, in the end what people want.
func (p *play) resolve(want wish, w cmk.Wait) {
	p.tries[w.Step]++
	name := cmk.SignalRetry
	if p.tries[w.Step] > retries {
		name = cmk.SignalAbort
		if want == wishSkipped {
			name = cmk.SignalSkip
		}
		if p.tries[w.Step] > 2*retries {
			name = cmk.SignalAbort
		}
	}
	p.run.signal(name, cmk.Resolution{By: alice, Step: w.Step})
}
