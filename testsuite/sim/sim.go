// Package sim is a simulated world: an Atlas, an AWS, and the time, chance, faults and journal that they share.
package sim

import (
	"net/http"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// Options make a Sim. The zero value is the default world on the wall clock, neither scaled nor validated.
type Options struct {
	// Clock is the source of time; nil means the wall clock.
	Clock world.Clock
	// Scale divides every simulated duration; 0 means 1.
	Scale float64
	// Seed decides all that is left to chance.
	Seed uint64
	// World is what exists at the start; nil means DefaultConfig.
	World *Config
	// Schema checks what is said to and by Atlas against its own description; nil checks nothing, except that Start
	// takes Description then. It is to be shared.
	Schema *atlassim.Schema
	// Wire is the clock by which tokens expire and rate limits refill; nil means the wall clock, as clients have it.
	Wire world.Clock
	// AllowMismatches keeps Start from failing a test that says what the description does not allow on purpose.
	AllowMismatches bool
}

// Sim is a simulated world. It is safe for concurrent use.
type Sim struct {
	World   *world.World
	Journal *journal.Journal
	Faults  *fault.Plan

	atlas  *atlassim.Atlas
	aws    *awssim.AWS
	config Config
	mux    *http.ServeMux
}

// New makes a world and puts its configured faults in force.
func New(o Options) (*Sim, error) {
	config := o.World
	if config == nil {
		c := DefaultConfig()
		config = &c
	}
	s := &Sim{
		World:   world.New(world.Options{Clock: o.Clock, Scale: o.Scale, Seed: o.Seed}),
		Journal: &journal.Journal{},
		config:  *config,
	}
	s.Faults = fault.NewPlan(s.World)
	if err := s.Faults.Add(config.Faults...); err != nil {
		return nil, err
	}
	aws := awssim.DefaultConfig()
	if config.AWS != nil {
		aws = *config.AWS
	}
	var err error
	if s.aws, err = awssim.New(awssim.Options{World: s.World, Journal: s.Journal, Faults: s.Faults, Config: aws}); err != nil {
		return nil, err
	}
	s.atlas, err = atlassim.New(atlassim.Options{
		World: s.World, Journal: s.Journal, Faults: s.Faults, AWS: s.aws, Config: config.Atlas, Schema: o.Schema, Wire: o.Wire,
	})
	if err != nil {
		return nil, err
	}
	s.mux = s.control()
	s.mux.Handle("/", s.atlas)
	return s, nil
}

// Atlas serves the Administration API, OAuth, and under /_sim/ the control of the simulation.
func (s *Sim) Atlas() http.Handler { return s.mux }

// AWS serves KMS, IAM and STS of all regions.
func (s *Sim) AWS() http.Handler { return s.aws }

// Mismatches are what was said to or by Atlas against its own description.
func (s *Sim) Mismatches() []atlassim.Mismatch { return s.atlas.Mismatches() }

// State is the present state of both services.
type State struct {
	Atlas atlassim.State `json:"atlas"`
	AWS   awssim.State   `json:"aws"`
}

// State is a copy of the present state.
func (s *Sim) State() State {
	var state State
	s.World.Do(func() { state = State{Atlas: s.atlas.State(), AWS: s.aws.State()} })
	return state
}

// Reset goes back to the start: the configured world with its faults, an empty journal, the same chances again.
func (s *Sim) Reset() error {
	var err error
	s.World.Do(func() {
		s.World.Reset()
		if err = s.aws.ResetInside(); err == nil {
			err = s.atlas.ResetInside()
		}
	})
	s.Journal.Reset()
	s.atlas.ForgetMismatches()
	s.Faults.Reset()
	if err == nil {
		err = s.Faults.Add(s.config.Faults...)
	}
	return err
}
