// Package awssim is a simulated AWS: KMS, IAM and STS over HTTP for unmodified AWS clients, started in-process.
//
// It keeps what matters to customer-managed keys and what other emulators leave out, all at once: trust, identity and
// key policies that are really evaluated; multi-Region replicas that each have a policy and a state of their own; key
// states with AWS's rules for every call; and services that learn late of what was written (Delays). Nothing runs in
// the background: all delays are events of the world that it shares with the simulated Atlas, which uses its keys and
// roles through the calls in atlas.go.
//
// Authentication: while Config.CheckSignatures is off, the access key id in the request alone tells who calls, and one
// that is unknown is taken for the root user of Config.DefaultAccount. Every request must carry an Authorization
// header, for its credential scope tells service and region.
package awssim

import (
	"errors"
	"fmt"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// Options make an AWS. World and Journal are required; without Faults none happen.
type Options struct {
	World   *world.World
	Journal *journal.Journal
	Faults  *fault.Plan
	Config  Config
}

// AWS is a simulated AWS. ServeHTTP is safe for concurrent use; all other methods but Reset are called from within
// World.Do.
type AWS struct {
	world   *world.World
	journal *journal.Journal
	faults  *fault.Plan
	config  Config
	kms     map[string]operation
	iam     map[string]operation
	sts     map[string]operation
	store   *store
}

// New makes an AWS as configured.
func New(o Options) (*AWS, error) {
	if o.World == nil || o.Journal == nil {
		return nil, errors.New("awssim: a world and a journal are needed")
	}
	if o.Faults == nil {
		o.Faults = fault.NewPlan(o.World)
	}
	a := &AWS{
		world: o.World, journal: o.Journal, faults: o.Faults, config: o.Config,
		kms: kmsOperations(), iam: iamOperations(), sts: stsOperations(),
	}
	return a, a.Reset()
}

// Reset puts everything back to the configuration. It takes the world's lock, and so is called outside Do.
func (a *AWS) Reset() error {
	var err error
	a.world.Do(func() { err = a.ResetInside() })
	return err
}

// ResetInside is Reset for a caller that is within World.Do.
func (a *AWS) ResetInside() error {
	fresh, err := newStore(a.world, a.config)
	if err != nil {
		return fmt.Errorf("awssim: configuration: %w", err)
	}
	a.store = fresh
	return nil
}
