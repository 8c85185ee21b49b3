package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// play is a schedule being played on a stage.
type play struct {
	*stage
	schedule
	run   *run
	stuck error
	// calm says that there is no trouble any more, calmed since when people have been at hand.
	calm   bool
	calmed time.Time
	// outside is told by watches; found is what those of them have found that were looked at in calm weather.
	outside *outside
	found   [][]string
	// refused is true where the world leaves no way to what is asked for, and the run in calm weather has said so.
	refused bool
	// votes are who has approved the endpoint of each region; tries, how often each step was tried again; asked, how often
	// people were asked anything.
	votes map[string][]string
	tries map[string]int
	asked int
	// wrote counts the writes; due are the events that have not happened yet.
	wrote int
	due   []event
	ended []outcome
	// origin is when the schedule begins; switched when the project has ceased to use its access key.
	origin, switched time.Time
}

// mostRuns is how many runs a schedule may have until it is calm: each termination makes one more.
const mostRuns = 4

// perform plays a schedule, and then what must follow from any: once all is calm, a run that converges, and one that has
// nothing to do. The error says which rule was broken.
func perform(s schedule) error {
	p, err := prepare(s)
	if err != nil {
		return err
	}
	if err := p.all(); err != nil {
		return fmt.Errorf("%w\n%s", err, p.told())
	}
	return nil
}

// all plays everything, up to what goes wrong.
func (p *play) all() error {
	for _, act := range []func() error{p.lead, p.storm, p.converge, p.rest} {
		if err := act(); errors.Is(err, errNoWay) {
			return p.judge()
		} else if err != nil {
			return err
		}
	}
	return nil
}

// prepare sets the stage for a schedule.
func prepare(s schedule) (*play, error) {
	config := worldOf(s.Start)
	if s.Type == cmk.RetireAccess {
		withSnapshot(config)
	}
	st, err := newStage(config, s.Seed, fewLooks())
	if err != nil {
		return nil, err
	}
	p := &play{stage: st, schedule: s, votes: map[string][]string{}, tries: map[string]int{}, due: slices.Clone(s.Events)}
	if s.Assume != "" {
		if err := p.world.Act(sim.Act{Act: atlassim.Act{Kind: atlassim.Assume, Project: sim.ProjectA, Settings: json.RawMessage(s.Assume)}}); err != nil {
			return nil, err
		}
	}
	if s.Start == startPending || s.Type == cmk.RetireAccess {
		// The run that made the role had written its documents, and the next may write them again, or withdraw them.
		p.tell(atlassim.Act{Kind: atlassim.Own, Role: grownRoleName})
	}
	if s.switches() && s.Mode != cmk.ApproveProvider {
		p.tell(atlassim.Act{Kind: atlassim.RequireApprovals})
	}
	return p, nil
}

// storm plays the schedule: one run, and another after each termination.
func (p *play) storm() error {
	before := p.readable()
	for range mostRuns {
		written := len(p.writes())
		o, err := p.once(p.Wish, true)
		if err != nil {
			return err
		}
		if more := p.writes()[written:]; o.report.Phase == cmk.PhaseRefused && len(more) > 0 {
			return fmt.Errorf("the run says that nothing was written, and wrote %v", more)
		}
		if o.failed == terminated {
			continue
		}
		if o.report.Phase == cmk.PhaseCompensated && len(p.ended) == 1 && !p.foreign() && p.restorable() {
			if after := p.readable(); after != before {
				return fmt.Errorf("all was taken back, yet the world is not as before:\n%s\n%s", before, after)
			}
		}
		break
	}
	p.appease()
	return p.judge()
}

// once is one run.
func (p *play) once(want wish, stormy bool) (outcome, error) {
	if p.watches() {
		p.outside = newOutside()
		p.notifier = p.outside.notifier()
	}
	if p.calm {
		p.calmed = p.clock.Now()
	}
	if p.Type == cmk.EncryptClusters {
		p.rely()
	}
	p.asked = 0
	var o outcome
	var err error
	for request := p.request(); err == nil; request = o.next {
		p.run = p.newRun()
		clear(p.tries)
		if stormy {
			p.arrange()
		}
		p.attend(want)
		o, err = p.run.execute(p.workflowType(), request)
		p.onWrite = func(bool) {}
		if o.failed != continued {
			break
		}
	}
	if p.run.stagehand.circles() {
		p.stuck = fmt.Errorf("the run goes round in circles: it has attempted its steps %d times by %s", mostAttempts, p.clock.Now().Sub(p.run.began))
	}
	if err == nil {
		err = p.stuck
	}
	if err == nil {
		err = named(o)
	}
	p.ended = append(p.ended, o)
	return o, err
}

// rely tells the oracle of the endpoints that clusters rely on when a run begins: nobody is asked for those.
func (p *play) rely() {
	project := p.world.State().Atlas.Projects[0]
	for _, e := range project.Endpoints {
		if slices.ContainsFunc(project.Clusters, func(c atlassim.ClusterState) bool {
			return onKey(c) && slices.ContainsFunc(c.Nodes, func(n atlassim.NodeState) bool { return n.Region == e.Region })
		}) {
			p.tell(atlassim.Act{Kind: atlassim.Approve, Endpoint: e.ID})
		}
	}
}

// named refuses an end that has no name.
func named(o outcome) error {
	names := []cmk.Phase{cmk.PhaseDone, cmk.PhaseRefused, cmk.PhaseCompensated, cmk.PhaseStopped}
	if o.failed == terminated || slices.Contains(names, o.report.Phase) {
		return nil
	}
	return fmt.Errorf("the run ended in phase %q with %q: %s", o.report.Phase, o.failed, o.report.Problem)
}

// arrange has what is still due happen in the run that begins.
func (p *play) arrange() {
	passed := p.clock.Now().Sub(p.origin)
	for i, e := range p.due {
		if e.Write == 0 {
			p.run.in(max(e.At-passed, time.Millisecond), func() { p.come(i) })
		}
	}
	p.run.in(max(p.Calm-passed, time.Millisecond), p.appease)
	p.onWrite = func(served bool) {
		if !served {
			p.wrote++
		}
		for i, e := range p.due {
			switch {
			case e.Write != p.wrote || e.Served != served || e.Kind == "":
			case e.Kind == refuseWrite: // the request that is under way is hit, and no other
				p.come(i)
			default:
				p.meanwhile(func() { p.come(i) })
			}
		}
	}
}

// come has an event happen that has not happened yet.
func (p *play) come(i int) {
	e := p.due[i]
	if p.calm || e.Kind == "" || p.run.stagehand.isTerminated() {
		return
	}
	p.due[i] = event{Write: -1}
	p.happen(e)
}

// meanwhile has something happen while a step is under way, and waits for it.
func (p *play) meanwhile(happen func()) {
	done := make(chan struct{})
	happen()
	p.run.in(0, func() { close(done) })
	<-done
}

// converge is a run in calm weather, with everybody helpful: it ends verified, whatever was before.
func (p *play) converge() error {
	p.pause(3 * time.Hour)
	p.tell(atlassim.Act{Kind: atlassim.CheckKeys})
	o, err := p.once(wishDone, false)
	if err != nil {
		return err
	}
	if p.watches() {
		return p.judge()
	}
	if p.rightly(o) {
		p.refused = true
		return p.judge()
	}
	if o.failed != "" || !o.report.Verified {
		return fmt.Errorf("the run in calm weather ended in phase %s with %q: %s", o.report.Phase, o.failed, o.report.Problem)
	}
	p.tell(atlassim.Act{Kind: atlassim.FinishChange})
	return p.judge()
}

// rest is a run that finds all done, and writes nothing.
func (p *play) rest() error {
	if p.refused {
		return nil
	}
	before := p.writes()
	o, err := p.once(wishDone, false)
	if err != nil {
		return err
	}
	if !p.watches() && (o.failed != "" || !o.report.Verified) {
		return fmt.Errorf("the run with nothing to do ended in phase %s with %q: %s", o.report.Phase, o.failed, o.report.Problem)
	}
	if more := p.writes()[len(before):]; len(more) > 0 {
		return fmt.Errorf("the run with nothing to do wrote %v", more)
	}
	if p.watches() {
		return errors.Join(p.judge(), p.agreed())
	}
	return errors.Join(p.judge(), p.lacking())
}

// lacking finds nodes that were ever without their key, where neither others nor the world that was found are to blame.
func (p *play) lacking() error {
	if p.foreign() || p.enables() && p.Start == startPublic || p.Start == startNoPath || !p.enables() && p.broken() {
		return nil
	}
	bound := p.windows()
	for _, c := range p.world.State().Atlas.Projects[0].Clusters {
		for _, n := range c.Nodes {
			if n.Without.Path > bound || n.Without.Grant > 0 || n.Without.Key > 0 && !p.keyless() {
				return fmt.Errorf("the node %s of cluster %s in %s was without its key: %+v", n.ID, c.Name, n.Region, n.Without)
			}
		}
	}
	return nil
}

// pause lets time pass between two runs.
func (p *play) pause(d time.Duration) {
	then := p.clock.Now().Add(d)
	p.clock.follow(func() time.Time { return then })
}

// judge asks the oracle.
func (p *play) judge() error { return p.judged(p.excused) }

// excused is what cannot be helped: a run that was ended between two writes leaves a pending role that carries no name,
// and who comes after it leaves that alone and makes another.
//
// And that the network between nodes and KMS is lost shows nowhere before a node needs it.
func (p *play) excused(v sim.Violation) bool {
	if p.has(atlassim.LoseNetwork) && v.Rule == atlassim.RulePath && strings.Contains(v.Message, "is switched to the customer's key without a path") {
		return true
	}
	if p.has(atlassim.LoseNetwork) && v.Rule == atlassim.RulePath && strings.HasSuffix(v.Message, "has no path to its key, outside of any window") {
		return true
	}
	// Between the deletion of one endpoint and that of the next others may begin something; by then there is no way but on.
	if p.meddled() && v.Rule == atlassim.RulePath && strings.Contains(v.Message, "a window without path is entered while cluster") {
		return true
	}
	// We have no call that could; the oracle takes a call about the project for one about its key.
	if (p.has(sim.DisableKey) || p.has(sim.ScheduleKeyDeletion)) && strings.HasSuffix(v.Message, "has lost its enabled key") {
		return true
	}
	// What a node asks for the key by shows nowhere before it does, over an endpoint.
	if p.keyless() && (strings.Contains(v.Message, "is switched to the customer's key, which its nodes in") ||
		strings.HasSuffix(v.Message, "with nodes that cannot use their key") || strings.HasSuffix(v.Message, "has lost its enabled key")) {
		return true
	}
	// What others have broken meanwhile it is not for who withdraws something to mend.
	if p.Type == cmk.RetireAccess && p.foreign() && v.Rule == atlassim.RulePivot {
		return true
	}
	// Who is ended inside a window cannot leave it.
	if p.broken() && v.Rule == atlassim.RulePath && strings.HasSuffix(v.Message, "a window without path has been left open") {
		return true
	}
	// An endpoint that had failed before, or without us, stays where no cluster has nodes any more.
	if p.has(atlassim.RemoveCluster) && v.Rule == atlassim.RuleOnce && strings.HasSuffix(v.Message, "is left FAILED") {
		return true
	}
	// An endpoint that others have failed is not looked at by who removes that of another region.
	if p.Type == cmk.RemovePrivateEndpoints && slices.ContainsFunc(p.Events, func(e event) bool {
		return e.Kind == atlassim.FailEndpoint && e.Region != p.Region && strings.HasSuffix(v.Message, "in "+e.Region+" is left FAILED")
	}) {
		return true
	}
	return p.broken() && v.Rule == atlassim.RuleOnce && strings.Contains(v.Message, "role") && strings.Contains(v.Message, "pending")
}

// restorable says whether all that a change does can be taken back: an endpoint that had failed is not made anew, a pending
// role that was authorized does not become pending again, and a path that clusters use by then is not taken from them.
func (p *play) restorable() bool {
	return p.Start != startPending && p.Start != startFailed && p.Start != startNoPath
}

// meddled says whether others act between two writes.
func (p *play) meddled() bool {
	return slices.ContainsFunc(p.Events, func(e event) bool {
		return e.Write > 0 && slices.Contains([]string{atlassim.PauseCluster, atlassim.ResumeCluster, atlassim.ScaleCluster, atlassim.StartMaintenance}, e.Kind)
	})
}

// broken says whether a run was ended from outside, without leave to clean up.
func (p *play) broken() bool {
	return p.has(terminateRun) || p.has(loseLease) || p.OnFailure == cmk.Stop
}

// readable is the state of the world as far as somebody has set it, as JSON: without times and last uses, and without the
// replica that a rotation makes, which is never taken back.
func (p *play) readable() string {
	state := p.world.State()
	if p.leaves() { // endpoints that are put back are others, in the same regions
		for i := range state.Atlas.Projects[0].Endpoints {
			e := &state.Atlas.Projects[0].Endpoints[i]
			*e = atlassim.EndpointState{Region: e.Region, Status: e.Status}
		}
	}
	keys := slices.DeleteFunc(state.AWS.Keys, func(k awssim.KeyState) bool { return p.Start == startFewer && k.ARN == madeReplicaARN })
	text, err := json.Marshal([]any{state.Atlas.Projects[0].Encryption, state.Atlas.Projects[0].Roles, state.Atlas.Projects[0].Endpoints, state.AWS.Roles, keys})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// told is how it came to that, for whoever reads of it.
func (p *play) told() string {
	var b strings.Builder
	for i, o := range p.ended {
		fmt.Fprintf(&b, "run %d: phase %s, failed %q, problem %q\n", i+1, o.report.Phase, o.failed, o.report.Problem)
	}
	for _, e := range p.world.Journal.Entries() {
		if e.Write && !strings.Contains(strings.ToLower(e.Operation), "token") {
			fmt.Fprintf(&b, "%s %s %s %s -> %d %s %s\n", e.Time.Sub(beginning()).Round(time.Second), e.Operation, e.Object, e.Request, e.Status, e.ErrorCode, e.Fault)
		}
	}
	return b.String()
}
