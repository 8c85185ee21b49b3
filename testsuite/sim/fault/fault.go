// Package fault makes simulated services misbehave on demand, by script or by seeded chance, per operation.
package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// Kind is a way to misbehave.
type Kind string

// The kinds of fault.
const (
	// Status answers Rule.Status (429, 500, 503 ...) without doing anything, with Retry-After if RetryAfter is set.
	Status Kind = "status"
	// Slow does the work and answers Rule.Delay late.
	Slow Kind = "slow"
	// DropBefore closes the connection before the work is done.
	DropBefore Kind = "dropBefore"
	// DropAfter does the work and closes the connection instead of answering: the lost response.
	DropAfter Kind = "dropAfter"
	// Truncate does the work and answers half of the body under the full Content-Length.
	Truncate Kind = "truncate"
	// Garbage does the work and answers an HTML page, as a broken proxy would.
	Garbage Kind = "garbage"
	// ExpiredToken refuses the caller's credentials once, as if its token had just expired.
	ExpiredToken Kind = "expiredToken"
)

// Rule is a fault to inject.
type Rule struct {
	// System is "atlas" or "aws"; empty means both.
	System string `json:"system,omitempty" yaml:"system,omitempty"`
	// Operation is a pattern (path.Match) over operation names, such as "kms:*"; empty means all.
	Operation string `json:"operation,omitempty" yaml:"operation,omitempty"`
	// Who, when set, is a pattern (path.Match) over the caller's User-Agent.
	Who  string `json:"who,omitempty" yaml:"who,omitempty"`
	Kind Kind   `json:"kind" yaml:"kind"`
	// Status and RetryAfter (seconds; 0: no header) belong to the kind Status.
	Status     int `json:"status,omitempty" yaml:"status,omitempty"`
	RetryAfter int `json:"retryAfter,omitempty" yaml:"retryAfter,omitempty"`
	// ErrorCode is the code of Atlas's refusal; empty is one that goes with the status.
	ErrorCode string `json:"errorCode,omitempty" yaml:"errorCode,omitempty"`
	// Delay belongs to the kind Slow; on the wall clock, unscaled.
	Delay time.Duration `json:"delay,omitempty" yaml:"delay,omitempty"`
	// After lets this many matching requests through first; Times is how many are then hit, 0 meaning all.
	After int `json:"after,omitempty" yaml:"after,omitempty"`
	Times int `json:"times,omitempty" yaml:"times,omitempty"`
	// Chance hits a matching request with this probability; 0 means always.
	Chance float64 `json:"chance,omitempty" yaml:"chance,omitempty"`
}

// UnmarshalJSON reads a rule whose delay is a text like "2s". Unknown members are errors.
func (r *Rule) UnmarshalJSON(text []byte) error {
	type plain Rule
	rule := struct {
		*plain
		Delay string `json:"delay"`
	}{plain: (*plain)(r)}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&rule); err != nil {
		return err
	}
	if rule.Delay == "" {
		return nil
	}
	delay, err := time.ParseDuration(rule.Delay)
	r.Delay = delay
	return err
}

// Validate says what is wrong with a rule.
func (r Rule) Validate() error {
	switch r.Kind {
	case Status:
		if r.Status < 400 || r.Status > 599 {
			return fmt.Errorf("fault of kind status: status %d: give an HTTP status from 400 to 599", r.Status)
		}
	case Slow:
		if r.Delay <= 0 {
			return fmt.Errorf("fault of kind slow: delay %s: give a positive duration", r.Delay)
		}
	case DropBefore, DropAfter, Truncate, Garbage, ExpiredToken:
	default:
		return fmt.Errorf("fault kind %q: use status, slow, dropBefore, dropAfter, truncate, garbage or expiredToken", r.Kind)
	}
	for _, p := range []string{r.Operation, r.Who} {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("fault pattern %q: %w", p, err)
		}
	}
	return nil
}

// Plan holds the rules in force. It is safe for concurrent use, from within World.Do too: it never waits for the world.
type Plan struct {
	world *world.World
	mu    sync.Mutex
	rules []*armed
	draws map[string]uint64
}

type armed struct {
	Rule
	seen, hit int
}

// NewPlan makes an empty plan that draws its chances from w.
func NewPlan(w *world.World) *Plan { return &Plan{world: w} }

// Add puts rules in force.
func (p *Plan) Add(rules ...Rule) error {
	for _, r := range rules {
		if err := r.Validate(); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rules {
		p.rules = append(p.rules, &armed{Rule: r})
	}
	return nil
}

// Clear takes all rules out of force.
func (p *Plan) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}

// Reset clears the plan and forgets what was drawn.
func (p *Plan) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.draws = nil, nil
}

// Next says which fault hits a request, if any: the first rule that matches and is due.
func (p *Plan) Next(system, operation, who string) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rules {
		if !r.matches(system, operation, who) {
			continue
		}
		r.seen++
		if r.seen <= r.After || r.Times > 0 && r.hit >= r.Times {
			continue
		}
		if r.Chance > 0 && !p.toss(r.Rule) {
			continue
		}
		r.hit++
		rule := r.Rule
		return &rule
	}
	return nil
}

// toss draws whether a rule hits. The n-th draw about an operation depends on the world's seed alone.
func (p *Plan) toss(r Rule) bool {
	what := []string{"fault", string(r.Kind), r.System, r.Operation}
	if p.draws == nil {
		p.draws = map[string]uint64{}
	}
	key := strings.Join(what, "/")
	p.draws[key]++
	return p.world.Toss(r.Chance, p.draws[key], what...)
}

func (r Rule) matches(system, operation, who string) bool {
	return (r.System == "" || r.System == system) && like(r.Operation, operation) && like(r.Who, who)
}

func like(pattern, s string) bool {
	if pattern == "" || pattern == "*" {
		return true
	}
	ok, err := path.Match(pattern, s)
	return err == nil && ok
}

// Serve serves a request through a fault. refuse writes a refusal of the given status in the service's own format;
// work does what the request asks. A nil rule just works. ExpiredToken is the service's own business: Serve treats it
// as a refusal with status 401.
func (r *Rule) Serve(rw http.ResponseWriter, req *http.Request, refuse func(http.ResponseWriter, int), work http.HandlerFunc) {
	if r == nil {
		work(rw, req)
		return
	}
	switch r.Kind {
	case Status:
		if r.RetryAfter > 0 {
			rw.Header().Set("Retry-After", strconv.Itoa(r.RetryAfter))
		}
		refuse(rw, r.Status)
	case ExpiredToken:
		refuse(rw, http.StatusUnauthorized)
	case Slow:
		answer := httptest.NewRecorder()
		work(answer, req)
		select {
		case <-time.After(r.Delay):
			copyAnswer(rw, answer, answer.Body.Bytes())
		case <-req.Context().Done():
		}
	case DropBefore:
		drop(rw)
	case DropAfter:
		work(httptest.NewRecorder(), req)
		drop(rw)
	case Truncate:
		answer := httptest.NewRecorder()
		work(answer, req)
		body := answer.Body.Bytes()
		answer.Header().Set("Content-Length", strconv.Itoa(len(body)))
		copyAnswer(rw, answer, body[:len(body)/2])
		drop(rw)
	case Garbage:
		work(httptest.NewRecorder(), req)
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write([]byte("<html><body><h1>502 Bad Gateway</h1></body></html>"))
	}
}

func copyAnswer(rw http.ResponseWriter, answer *httptest.ResponseRecorder, body []byte) {
	for name, values := range answer.Header() {
		rw.Header()[name] = values
	}
	rw.WriteHeader(answer.Code)
	_, _ = rw.Write(body)
	if f, ok := rw.(http.Flusher); ok {
		f.Flush()
	}
}

// drop closes the connection under the client. It does not return.
func drop(http.ResponseWriter) { panic(http.ErrAbortHandler) }
