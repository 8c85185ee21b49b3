package awssim

import (
	"encoding/json"
	"net/url"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// call is one request being served, under the world's lock.
type call struct {
	*store
	service, name string
	region        string
	caller        caller
	requestID     string
	body          []byte
	form          url.Values
	context       policy.Context
	// object is what the call turned out to be about, for the journal.
	object string
}

// operation is what a service can be asked.
type operation struct {
	// write is true of one that can change the world.
	write bool
	run   func(*call) (any, error)
}

// reads and writes make operations of KMS, whose requests are JSON.
func reads[In any](run func(*call, In) (any, error)) operation {
	return operation{run: decoded(run)}
}

func writes[In any](run func(*call, In) (any, error)) operation {
	return operation{write: true, run: decoded(run)}
}

func decoded[In any](run func(*call, In) (any, error)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		var in In
		if err := json.Unmarshal(c.body, &in); err != nil {
			return nil, refuse("SerializationException", "Start of structure or map found where not expected.")
		}
		return run(c, in)
	}
}

// account is the caller's.
func (c *call) account() string { return c.caller.principal.Account }

// action is the call as policies name it.
func (c *call) action() string { return c.service + ":" + c.name }

// with is the call's context with one more key.
func (c *call) with(key, value string) policy.Context {
	more := policy.Context{}
	more.Set(key, value)
	return c.context.With(more)
}
