package search

import (
	"strings"
	"sync"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// censor reads all that a server would record, and looks for secrets.
type censor struct {
	mu      sync.Mutex
	secrets []string
	seen    []string
}

func newCensor() *censor {
	return &censor{secrets: []string{sim.ClientSecret, sim.APIPrivateKey, awssim.WorkerSecret, "Bearer ", "AWS4-HMAC-SHA256", "client_secret"}}
}

func (c *censor) read(text string) {
	for _, secret := range c.secrets {
		if strings.Contains(text, secret) {
			c.mu.Lock()
			c.seen = append(c.seen, secret+" in "+text)
			c.mu.Unlock()
		}
	}
}

func (c *censor) found() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.seen...)
}

// payloads is the default converter, read by the censor.
func (c *censor) payloads() converter.DataConverter {
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), payloadReader{c})
}

type payloadReader struct{ censor *censor }

func (r payloadReader) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	for _, p := range payloads {
		r.censor.read(string(p.GetData()))
	}
	return payloads, nil
}

func (r payloadReader) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return payloads, nil
}

// failures is the default converter, read by the censor.
func (c *censor) failures() converter.FailureConverter {
	return failureReader{temporal.GetDefaultFailureConverter(), c}
}

type failureReader struct {
	converter.FailureConverter
	censor *censor
}

func (r failureReader) ErrorToFailure(err error) *failurepb.Failure {
	f := r.FailureConverter.ErrorToFailure(err)
	r.censor.read(f.String())
	return f
}
