package atlassim

import (
	"fmt"
	"slices"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// windowLimit is how long a window may last, in simulated time, before it counts as a state to have stopped in.
const windowLimit = 2 * time.Hour

// window is a time in which nodes of a project have no path to their key, by a client's leave.
type window struct {
	opened   time.Time
	overlong bool
	lost     bool // a node has been seen without path
}

// approvals are what people have approved, where that is needed.
type approvals struct {
	required bool
	approved map[string]bool // by endpoint id
	regions  map[string]bool
	all      bool
}

func (a *Atlas) approvalsOf(p *project) *approvals {
	if a.oracle.approvals[p] == nil {
		a.oracle.approvals[p] = &approvals{approved: map[string]bool{}, regions: map[string]bool{}}
	}
	return a.oracle.approvals[p]
}

// approve keeps an approval: of an endpoint, or of the first in a region, or of all that exist or will.
func (a *Atlas) approve(p *project, act Act) {
	y := a.approvalsOf(p)
	switch {
	case act.Endpoint != "":
		y.approved[act.Endpoint] = true
	case act.Region != "":
		y.regions[act.Region] = true
	default:
		y.all = true
	}
	a.bindApprovals(p)
}

// bindApprovals ties the approval of a region, or of all, to the first endpoint seen there. What Atlas recreates is
// another endpoint, which nobody has approved.
func (a *Atlas) bindApprovals(p *project) {
	y := a.oracle.approvals[p]
	if y == nil {
		return
	}
	for _, e := range p.endpoints {
		if (y.all || y.regions[e.region]) && !e.successor {
			y.approved[e.id] = true
		}
	}
}

// beforeSwitch judges a cluster's change to the customer's key, before it happens.
func (a *Atlas) beforeSwitch(p *project, c *cluster) {
	a.bindApprovals(p)
	y := a.oracle.approvals[p]
	seen := map[question]error{}
	for _, n := range c.all() {
		switch a.lackOf(n, seen) {
		case lacksNothing:
		case lacksPath:
			a.violate(RulePath, p, fmt.Sprintf("cluster %s is switched to the customer's key without a path to it in %s", c.name, n.region))
		case lacksGrant, lacksKey:
			a.violate(RulePath, p, fmt.Sprintf("cluster %s is switched to the customer's key, which its nodes in %s cannot use", c.name, n.region))
		}
		if e := p.path(n.region); p.kms.private && y != nil && y.required && e != nil && !y.approved[e.id] {
			a.violate(RulePath, p, fmt.Sprintf("cluster %s is switched before the endpoint in %s is approved", c.name, n.region))
		}
	}
}

// beforeWindow judges a step that takes the path of nodes away, before it happens: lost tells which nodes.
func (a *Atlas) beforeWindow(p *project, lost func(*node) bool) {
	if a.oracle.windows[p] != nil || !slices.ContainsFunc(p.encryptedNodes(), lost) {
		return
	}
	a.oracle.windows[p] = &window{opened: a.world.Now()}
	if p.maintenance {
		a.violate(RulePath, p, "a window without path is entered during maintenance")
	}
	for _, c := range p.clusters {
		if c.state != idle {
			a.violate(RulePath, p, fmt.Sprintf("a window without path is entered while cluster %s is %s", c.name, c.state))
		}
	}
	for _, e := range p.endpoints {
		if e.status == initiating {
			a.violate(RulePath, p, fmt.Sprintf("a window without path is entered while the endpoint in %s cannot be deleted", e.region))
		}
	}
	region := awsRegion(p.kms.region)
	for _, n := range p.encryptedNodes() {
		err := a.couldUse(p.kms.identity(p, a.config.AccountARN), a.keyIn(p.kms.key, region), region, awssim.Path{SourceIP: n.ip})
		if err != nil {
			a.violate(RulePath, p, fmt.Sprintf("a window without path is entered although the public path is closed to cluster %s: %v", n.cluster.name, err))
			return
		}
	}
}

// beforeEndpointGoes judges the deletion of an endpoint.
func (a *Atlas) beforeEndpointGoes(p *project, e *endpoint) {
	if p.kms == nil || !p.kms.private {
		return
	}
	twin := slices.ContainsFunc(p.endpoints, func(other *endpoint) bool {
		return other != e && other.region == e.region && other.status == active
	})
	if e.status == active && !twin {
		a.beforeWindow(p, func(n *node) bool { return n.region == e.region })
	}
}

// beforePrivate judges that private networking is turned on.
func (a *Atlas) beforePrivate(p *project) {
	if a.assume.PublicPathCut {
		a.beforeWindow(p, func(n *node) bool { return p.path(n.region) == nil })
	}
}

// judgeWindows closes the windows that are over, and finds those that are not for too long.
func (a *Atlas) judgeWindows() {
	for _, p := range a.projects {
		w := a.oracle.windows[p]
		if w == nil {
			continue
		}
		without := slices.ContainsFunc(p.encryptedNodes(), func(n *node) bool { return a.oracle.lacks[n] == lacksPath })
		w.lost = w.lost || without
		switch {
		case !without:
			if w.lost {
				delete(a.oracle.windows, p)
			}
		case !w.overlong && a.world.Now().Sub(w.opened) > a.world.Scaled(windowLimit):
			w.overlong = true
			a.violate(RulePath, p, "a window without path has been left open")
		}
	}
}
