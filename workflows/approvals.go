package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// approvals is the state of every approval of a change. decide alone writes it, for signals and updates alike.
type approvals struct {
	policy    cmk.ApprovalPolicy
	requester string
	// plan is the plan that waits for approval, or was decided.
	plan *gate
	// regions are the planned endpoints; nil until the plan is known. Decisions that come before that are kept in early.
	regions []*endpointGate
	// waived is true of a change that finds nothing to do: then nobody is asked.
	waived bool
	early  []earlyDecision
	// contested is the last rejection of an endpoint through which a cluster reaches its key; nil once people have chosen what
	// becomes of it.
	contested *cmk.Refusal
	// refusals are the last decisions that were not taken.
	refusals []cmk.Refusal
}

// gate is what people vote on.
type gate struct {
	hash     string
	votes    []cmk.Vote
	rejected bool
	// given is true of what needs no vote: an endpoint that stood before anybody watched, or that clusters rely on already.
	given bool
}

// endpointGate is the gate of one region's endpoint.
type endpointGate struct {
	gate
	region string
	// endpoint is the one that the votes are bound to: the first that was seen in the region, or its successor if it
	// failed and was made anew.
	endpoint string
	// inUse is true when a cluster reaches its key through the endpoint: then it cannot be rejected.
	inUse bool
	// acceptance is true while Atlas waits for the endpoint to be accepted, where its status decides: then people are asked.
	acceptance bool
}

type earlyDecision struct {
	signal   string
	decision cmk.Decision
	at       time.Time
}

// maxRefusals is how many refusals are kept; maxEarly, how many decisions that came before the plan.
const (
	maxRefusals = 50
	maxEarly    = 100
)

func newApprovals(policy cmk.ApprovalPolicy, requester string) *approvals {
	return &approvals{policy: policy, requester: requester}
}

// decide takes a decision, or says why not.
func (a *approvals) decide(signal string, d cmk.Decision, at time.Time) *cmk.Refusal {
	if code, why := a.judge(signal, d); code != "" {
		refusal := cmk.Refusal{Signal: signal, By: d.By, At: at, Code: code, Why: why}
		a.refuse(refusal)
		if code == cmk.RefusedInUse {
			a.contested = &refusal
		}
		return &refusal
	}
	if a.regions == nil && aboutEndpoint(signal) {
		a.early = append(a.early, earlyDecision{signal, d, at})
		return nil
	}
	vote := cmk.Vote{By: d.By, Reason: d.Reason, At: at, Approved: signal == cmk.SignalApprove || signal == cmk.SignalApproveEndpoint}
	for _, g := range a.meant(signal, d) {
		if g.open(d.By, a.policy.Approvers) {
			g.votes = append(g.votes, vote)
			g.rejected = g.rejected || !vote.Approved
		}
	}
	return nil
}

// judge says why a decision cannot be taken, and changes nothing.
func (a *approvals) judge(signal string, d cmk.Decision) (code, why string) {
	approving := signal == cmk.SignalApprove || signal == cmk.SignalApproveEndpoint
	switch {
	case strings.TrimSpace(d.By) == "":
		return cmk.RefusedNameMissing, "by is missing: say who decides"
	case approving && samePerson(d.By, a.requester):
		return cmk.RefusedRequester, "who asked for a change cannot approve it"
	case aboutEndpoint(signal) && a.regions == nil:
		if len(a.early) >= maxEarly {
			return cmk.RefusedNothingWaits, "too many decisions before the plan is known"
		}
		return "", ""
	}
	gates := a.meant(signal, d)
	if len(gates) == 0 {
		return a.unknown(signal, d)
	}
	open := slices.ContainsFunc(gates, func(g *gate) bool { return g.open(d.By, a.policy.Approvers) })
	switch {
	case open && signal == cmk.SignalRejectEndpoint && a.inUse(d):
		return cmk.RefusedInUse, "a cluster reaches its key through this endpoint: rejecting it would cut the cluster off; abort or cancel the change to go no further"
	case open:
		return "", ""
	case gates[0].decided(a.policy.Approvers):
		return cmk.RefusedDecided, "this has been decided already"
	}
	return cmk.RefusedRepeated, "this person has decided already"
}

func (a *approvals) unknown(signal string, d cmk.Decision) (code, why string) {
	switch {
	case !aboutEndpoint(signal) && a.plan == nil:
		return cmk.RefusedNothingWaits, "no plan waits for approval"
	case !aboutEndpoint(signal):
		return cmk.RefusedOtherPlan, "the plan that waits is " + a.plan.hash
	case d.Endpoint == "" && d.Region == "":
		return cmk.RefusedUnknown, `name the endpoint: "endpoint" with its id, or "region" with its region or "all"`
	}
	return cmk.RefusedUnknown, fmt.Sprintf("no endpoint %s of this change is known", strings.TrimSpace(d.Endpoint+" "+d.Region))
}

// meant lists the gates that a decision is about.
func (a *approvals) meant(signal string, d cmk.Decision) []*gate {
	if !aboutEndpoint(signal) {
		if a.plan == nil || d.Plan != "" && d.Plan != a.plan.hash {
			return nil
		}
		return []*gate{a.plan}
	}
	var gates []*gate
	for _, e := range a.endpointsMeant(d) {
		gates = append(gates, &e.gate)
	}
	return gates
}

func (a *approvals) endpointsMeant(d cmk.Decision) []*endpointGate {
	if d.Endpoint == "" && strings.EqualFold(d.Region, cmk.AllRegions) {
		return a.regions
	}
	region, _ := cmk.ParseRegion(d.Region)
	var out []*endpointGate
	for _, e := range a.regions {
		if d.Endpoint != "" && e.endpoint == d.Endpoint || d.Endpoint == "" && e.region == string(region) {
			out = append(out, e)
		}
	}
	return out
}

func (a *approvals) inUse(d cmk.Decision) bool {
	return slices.ContainsFunc(a.endpointsMeant(d), func(e *endpointGate) bool { return e.inUse })
}

// open is true while a vote of that person would count.
func (g *gate) open(by string, approvers int) bool {
	return !g.decided(approvers) && !slices.ContainsFunc(g.votes, func(v cmk.Vote) bool { return samePerson(v.By, by) })
}

func (g *gate) decided(approvers int) bool { return g.rejected || g.approved(approvers) }

func (g *gate) approved(approvers int) bool {
	return !g.rejected && (g.given || len(g.votes) >= approvers)
}

// state is the gate's, in the contract's words.
func (g *gate) state(approvers int) cmk.ApprovalState {
	switch {
	case g.rejected:
		return cmk.ApprovalRejected
	case g.given:
		return cmk.ApprovalNotNeeded
	case g.approved(approvers):
		return cmk.ApprovalApproved
	}
	return cmk.ApprovalWaiting
}

// refuse records a decision that was not taken.
func (a *approvals) refuse(r cmk.Refusal) {
	a.refusals = append(a.refusals, r)
	if n := len(a.refusals); n > maxRefusals {
		a.refusals = a.refusals[n-maxRefusals:]
	}
}

// askEndpoints opens the gates of the planned regions and takes the decisions that came early.
func (a *approvals) askEndpoints(regions []string, inUse func(region string) bool) {
	gates := []*endpointGate{}
	for _, r := range regions {
		// What was voted on before, when preflight looked for the first time, stays.
		g := a.region(r)
		g.inUse = inUse(r)
		gates = append(gates, g)
	}
	a.regions = gates
	early := a.early
	a.early = nil
	for _, e := range early {
		a.decide(e.signal, e.decision, e.at)
	}
}

// nowInUse says that a cluster is about to reach its key through the endpoints of some regions: from then on they cannot
// be rejected.
func (a *approvals) nowInUse(regions []string) {
	for _, e := range a.regions {
		e.inUse = e.inUse || slices.Contains(regions, e.region)
	}
}

// region is the gate of a region's endpoint.
func (a *approvals) region(region string) *endpointGate {
	for _, e := range a.regions {
		if e.region == region {
			return e
		}
	}
	return &endpointGate{region: region}
}

// bind ties the votes of a region to the endpoint that is there now. An endpoint that Atlas recreated is another one,
// and is asked for anew; one that we made in place of one that failed is not.
func (e *endpointGate) bind(id string, remade bool) {
	if e.endpoint != "" && e.endpoint != id && !remade {
		e.gate = gate{}
	}
	e.endpoint = id
}

// endpointState is where a region's approval stands under the policy.
func (a *approvals) endpointState(region string) cmk.ApprovalState {
	g := a.region(region)
	if (a.waived || a.policy.Mode == cmk.ApproveProvider && !g.acceptance) && !g.rejected {
		return cmk.ApprovalNotNeeded
	}
	return g.state(a.policy.Approvers)
}

// passes says whether a region's endpoint may be relied on, as far as people are concerned.
func (a *approvals) passes(region string) bool {
	s := a.endpointState(region)
	return s == cmk.ApprovalApproved || s == cmk.ApprovalNotNeeded
}

// rejectedRegion is a region whose endpoint was rejected, or empty.
func (a *approvals) rejectedRegion() string {
	for _, e := range a.regions {
		if e.rejected {
			return e.region
		}
	}
	return ""
}

func aboutEndpoint(signal string) bool {
	return signal == cmk.SignalApproveEndpoint || signal == cmk.SignalRejectEndpoint
}

func samePerson(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}
