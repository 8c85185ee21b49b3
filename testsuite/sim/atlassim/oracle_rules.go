package atlassim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// beforeOff judges that the project's key is switched off, whether Atlas goes along or not.
func (a *Atlas) beforeOff(p *project) {
	off := "the project's key is switched off while "
	for _, c := range p.clusters {
		switch {
		case c.provider != providerNone || c.encryptedAny():
			a.violate(RuleOff, p, off+"cluster "+c.name+" is on it")
		case c.state != idle:
			a.violate(RuleOff, p, off+"cluster "+c.name+" is "+c.state)
		case c.search != nil && c.search.state != idle:
			a.violate(RuleOff, p, off+"the search nodes of cluster "+c.name+" are "+c.search.state)
		}
	}
	if p.search {
		a.violate(RuleOff, p, off+"it is on for search nodes")
	}
}

// beforeRole judges that a cloud provider access role is created: a pending one that a client made serves first.
func (a *Atlas) beforeRole(p *project) {
	for _, r := range p.roles {
		if r.arn == "" && !a.oracle.foreign[r] {
			a.violate(RuleOnce, p, "a second cloud provider access role is created while "+r.id+" is pending")
		}
	}
}

// trusted says whether some IAM role trusts Atlas with the external id of r already: then r, although it carries no
// name, can be told to be of whoever wrote that.
func (a *Atlas) trusted(r *role) bool {
	return slices.ContainsFunc(a.aws.State().Roles, func(e awssim.EntityState) bool { return strings.Contains(e.Trust, r.externalID) })
}

// beforeRoleChange judges that a role is authorized or deauthorized: somebody else's pending one is not touched.
func (a *Atlas) beforeRoleChange(p *project, r *role) {
	if a.oracle.foreign[r] && r.arn == "" {
		a.violate(RuleOthers, p, "the pending cloud provider access role "+r.id+" of somebody else is used")
	}
}

// beforeEndpoint judges that an endpoint is created.
func (a *Atlas) beforeEndpoint(p *project, region string) {
	for _, e := range p.endpoints {
		if e.region == region && (e.status == initiating || e.status == pendingAcceptance || e.status == active) {
			a.violate(RuleOnce, p, "a second private endpoint is created in "+region)
		}
	}
}

// finish judges the state that a change has ended in: it is one that has a name, and is valid, with nothing left over.
func (a *Atlas) finishChange(p *project) {
	for _, r := range p.roles {
		if r.arn == "" && !a.oracle.foreign[r] {
			a.violate(RuleOnce, p, "the pending cloud provider access role "+r.id+" is left over")
		}
	}
	for _, e := range p.endpoints {
		switch {
		case p.kms == nil || !p.kms.private:
			a.violate(RuleOnce, p, "the private endpoint in "+e.region+" is left over")
		case e.status != active && !e.successor && e.status != pendingRecreation:
			a.violate(RuleOnce, p, fmt.Sprintf("the private endpoint in %s is left %s", e.region, e.status))
		}
	}
	if p.kms != nil && !p.kms.valid {
		a.violate(RulePivot, p, "a change has ended with an invalid configuration")
	}
	for _, c := range p.clusters {
		if c.state != idle && c.state != creating && (c.resyncing || c.provider != c.shown) {
			a.violate(RulePivot, p, fmt.Sprintf("a change has ended with cluster %s %s", c.name, c.state))
		}
	}
	if slices.ContainsFunc(p.encryptedNodes(), func(n *node) bool { return a.oracle.lacks[n] != lacksNothing }) && a.clientDid([]string{p.id}) {
		a.violate(RulePivot, p, "a change has ended with nodes that cannot use their key")
	}
}
