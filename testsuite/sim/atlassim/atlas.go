// Package atlassim is a simulated MongoDB Atlas: the part of its Administration API that has to do with keys of the
// customer's own on AWS, and the world behind it, in which nodes need those keys.
package atlassim

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// Options make an Atlas. World, Journal and AWS are needed.
type Options struct {
	World   *world.World
	Journal *journal.Journal
	// Faults is empty if nil.
	Faults *fault.Plan
	AWS    Amazon
	Config Config
	// Schema checks requests and answers against the service's own description; nil checks nothing.
	Schema *Schema
	// Wire is the clock of the wire protocol (lifetimes of tokens and nonces, rate limits), which real clients count
	// by their own; nil means the wall clock.
	Wire world.Clock
}

// Atlas is a simulated Atlas. ServeHTTP is safe for concurrent use; Act, State and Settled are called from within
// World.Do.
type Atlas struct {
	world      *world.World
	journal    *journal.Journal
	faults     *fault.Plan
	aws        Amazon
	config     Config
	schema     *Schema
	wire       world.Clock
	mux        http.Handler
	sets       []*endpointSet
	mismatches mismatches
	oracle     *oracle
	state
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

// New makes an Atlas in the state that its configuration describes.
func New(o Options) (*Atlas, error) {
	if o.World == nil || o.Journal == nil || o.AWS == nil {
		return nil, errors.New("atlassim: a world, a journal and an AWS are needed")
	}
	if o.Faults == nil {
		o.Faults = fault.NewPlan(o.World)
	}
	if o.Wire == nil {
		o.Wire = wallClock{}
	}
	a := &Atlas{
		world: o.World, journal: o.Journal, faults: o.Faults, aws: o.AWS, config: o.Config, schema: o.Schema, wire: o.Wire,
	}
	a.sets = endpointSets(o.Config.RateLimits)
	a.mux = a.routes()
	var err error
	o.World.Do(func() { err = a.ResetInside() })
	o.World.Observe(a.observe)
	return a, err
}

// ResetInside goes back to the configured state. The caller is within World.Do and has emptied the world's queue.
func (a *Atlas) ResetInside() error {
	a.oracle = nil // what is made now, is made by nobody
	a.state = state{
		assume: DefaultAssumptions(), nonces: map[string]time.Time{}, tokens: map[string]token{},
		buckets: map[string]*bucket{}, unreachable: map[string]bool{}, full: map[string]bool{},
	}
	if a.config.Assumptions != nil {
		a.assume = *a.config.Assumptions
	}
	if err := a.assume.validate(); err != nil {
		return err
	}
	for _, p := range a.config.Projects {
		if err := a.addProject(p); err != nil {
			return fmt.Errorf("atlassim: project %s: %w", p.Name, err)
		}
	}
	a.oracle = a.newOracle()
	for _, p := range a.projects {
		for _, r := range p.roles {
			a.oracle.foreign[r] = !a.trusted(r)
		}
	}
	a.observe()
	return nil
}

func (a *Atlas) project(id string) *project {
	for _, p := range a.projects {
		if p.id == id {
			return p
		}
	}
	return nil
}

// record adds an event to a project's activity feed. actor is nil of what Atlas does itself.
func (a *Atlas) record(p *project, kind string, c *call) {
	e := event{id: a.world.ID("event"), kind: kind, created: a.world.Now()}
	if c != nil {
		e.actor, e.address = c.caller, c.address
	}
	p.events = append(p.events, e)
}

// address makes the public address of a node or of the control plane.
func (a *Atlas) address() string {
	a.addresses++
	return fmt.Sprintf("52.%d.%d.%d", 20+a.addresses/65025, a.addresses/255%255, 1+a.addresses%255)
}

// controlPlaneIP is the address from which the control plane reaches KMS.
func (a *Atlas) controlPlaneIP() string {
	if len(a.config.ControlPlane) == 0 {
		return "3.92.113.1"
	}
	ip, _, _ := strings.Cut(a.config.ControlPlane[0], "/")
	return ip
}
