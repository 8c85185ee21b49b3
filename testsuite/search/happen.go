package search

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// happen has an event come about, in the middle of a run.
func (p *play) happen(e event) {
	switch e.Kind {
	case terminateRun:
		p.run.stagehand.terminate()
	case cancelRun:
		p.run.env.CancelWorkflow()
	case renewRun:
		p.run.env.SetContinueAsNewSuggested(true)
	case loseLease:
		p.leases.endAll()
	case jumpClock:
		off, err := time.ParseDuration(e.Detail)
		if err != nil {
			panic(err) // schedules hold what can be read
		}
		p.worker.jump(off)
	case refuseWrite:
		if err := p.world.Faults.Add(fault.Rule{Kind: fault.Status, Status: http.StatusForbidden, Times: 1}); err != nil {
			panic(err) // it is a fault that there is
		}
	case signalRun:
		p.run.signal(e.Detail, p.message(e))
	case updateRun:
		p.run.update(e.Detail, p.message(e))
	default:
		p.strangers(e)
	}
}

// message is the payload of a message: of a decision, or of what to do with a step.
func (p *play) message(e event) any {
	switch e.Detail {
	case cmk.SignalApprove, cmk.SignalReject:
		return cmk.Decision{By: e.By}
	case cmk.SignalApproveEndpoint:
		p.approved(e.By, e.Region)
		return cmk.Decision{By: e.By, Region: e.Region}
	case cmk.SignalRejectEndpoint:
		return cmk.Decision{By: e.By, Region: e.Region}
	}
	return cmk.Resolution{By: e.By}
}

// approved tells the oracle what a person has said, once enough of them have.
func (p *play) approved(by, region string) {
	if by == requester || by == "" {
		return
	}
	for _, r := range regions() {
		if region != cmk.AllRegions && region != r {
			continue
		}
		if !slices.Contains(p.votes[r], by) {
			p.votes[r] = append(p.votes[r], by)
		}
		if len(p.votes[r]) < max(p.Approvers, 1) {
			continue
		}
		// The endpoint that is there, and the first one that comes to be there.
		p.tell(atlassim.Act{Kind: atlassim.Approve, Region: r})
		for _, id := range p.twins(p.endpointIn(r)) {
			p.tell(atlassim.Act{Kind: atlassim.Approve, Endpoint: id})
		}
	}
}

// endpointIn is the endpoint that the run shows in a region, which people approve when they approve the region.
func (p *play) endpointIn(region string) string {
	status, err := p.run.status()
	if err != nil {
		return ""
	}
	for _, e := range status.Endpoints {
		if e.Region == region {
			return e.ID
		}
	}
	return ""
}

// twins are an endpoint and, where it is ACTIVE, all others that are ACTIVE in its region beside it: which of them nodes take
// nobody can tell.
func (p *play) twins(id string) []string {
	endpoints := p.world.State().Atlas.Projects[0].Endpoints
	at := slices.IndexFunc(endpoints, func(e atlassim.EndpointState) bool { return e.ID == id })
	if at < 0 || endpoints[at].Status != string(cmk.EndpointActive) {
		return []string{id}
	}
	var all []string
	for _, e := range endpoints {
		if e.Region == endpoints[at].Region && e.Status == string(cmk.EndpointActive) {
			all = append(all, e.ID)
		}
	}
	return all
}

// added is the cluster that others add, elsewhere a region of another cloud that it may have nodes in too.
const (
	added     = "added"
	elsewhere = "US_EAST_2"
)

// strangers have an act of others come about, or one of the world itself.
func (p *play) strangers(e event) {
	a := sim.Act{Act: atlassim.Act{Kind: e.Kind, Region: e.Region, Cluster: e.Cluster, Status: e.Detail}, Key: awssim.MultiRegionKeyARN, Role: grownRoleARN}
	switch e.Kind {
	case sim.DisableKey, sim.EnableKey, sim.ScheduleKeyDeletion:
		a.Key = p.keyIn(e.Region)
	case changeKey:
		a.Kind, a.Key, a.Policy = sim.PutKeyPolicy, p.keyIn(e.Region), strangers
	case changeTrust:
		a.Kind, a.Policy = sim.SetTrust, p.strangerTrusted()
	case atlassim.ScaleCluster:
		a.Size, a.Status = "M40", ""
	case atlassim.AddCluster:
		if p.onCredentials() {
			e.Region = regions()[0] // where the key is
		}
		a.Add = &atlassim.Cluster{Name: added, Regions: []atlassim.Region{{Name: e.Region, Electable: 3}}}
		if e.Detail != "" {
			a.Add.Regions = []atlassim.Region{{Name: e.Region, Electable: 2}, {Name: elsewhere, Cloud: e.Detail, Electable: 1}}
		}
	case atlassim.RestartNode:
		a.Node = ""
	}
	p.act(a)
}

// keyIn is the project's key, as it is in a region.
func (p *play) keyIn(region string) string {
	if p.inOneRegion() {
		return awssim.SingleRegionKeyARN
	}
	return strings.Replace(awssim.MultiRegionKeyARN, "us-east-1", strings.ReplaceAll(strings.ToLower(region), "_", "-"), 1)
}

// strangers is a key policy that leaves everything to IAM, as the default does, and has a statement of somebody else's.
const strangers = `{"Version":"2012-10-17","Statement":[` +
	`{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + awssim.CustomerAccount + `:root"},"Action":"kms:*","Resource":"*"},` +
	`{"Sid":"Stranger","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + awssim.CustomerAccount + `:root"},"Action":"kms:ListGrants","Resource":"*"}]}`

// strangerTrusted is the role's trust policy with a statement of somebody else's before all others.
func (p *play) strangerTrusted() string {
	for _, role := range p.world.State().AWS.Roles {
		if role.ARN != grownRoleARN {
			continue
		}
		var policy struct {
			Version   string
			Statement []json.RawMessage
		}
		if json.Unmarshal([]byte(role.Trust), &policy) == nil {
			stranger := `{"Sid":"Stranger","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + awssim.CustomerAccount + `:root"},"Action":"sts:TagSession"}`
			policy.Statement = append([]json.RawMessage{json.RawMessage(stranger)}, policy.Statement...)
			if text, err := json.Marshal(policy); err == nil {
				return string(text)
			}
		}
	}
	return ""
}

// appease undoes the trouble: what others have broken they mend, and no fault is in force any more.
func (p *play) appease() {
	if p.calm {
		return
	}
	p.calm, p.calmed = true, p.clock.Now()
	p.worker.jump(0)
	p.world.Faults.Clear()
	p.tell(atlassim.Act{Kind: atlassim.RestoreNetwork})
	p.tell(atlassim.Act{Kind: atlassim.StopMaintenance})
	for _, region := range regions() {
		p.act(sim.Act{Act: atlassim.Act{Kind: sim.CancelKeyDeletion, Region: region}, Key: p.keyIn(region)})
		p.act(sim.Act{Act: atlassim.Act{Kind: sim.EnableKey, Region: region}, Key: p.keyIn(region)})
	}
	state := p.world.State().Atlas.Projects[0]
	for _, e := range state.Endpoints {
		if p.has(atlassim.HoldEndpoint) {
			p.tell(atlassim.Act{Kind: atlassim.HoldEndpoint, Endpoint: e.ID})
		}
	}
	for _, c := range state.Clusters {
		if c.Paused {
			p.tell(atlassim.Act{Kind: atlassim.ResumeCluster, Cluster: c.Name})
		}
	}
	p.tell(atlassim.Act{Kind: atlassim.CheckKeys})
}
