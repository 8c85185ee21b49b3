package atlassim

import (
	"errors"
	"slices"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// errNoPath is that a node cannot reach KMS at all, as against being refused by it.
var errNoPath = errors.New("no network path to KMS")

// errNoConfiguration is that a node needs a key that its project no longer tells of.
var errNoConfiguration = errors.New("the project has no customer key")

func (a *Atlas) newNode(c *cluster, shard int, cloud, region, kind string, encrypted bool) *node {
	return &node{
		id: a.world.ID("node"), cluster: c, shard: shard, cloud: cloud, region: region, kind: kind, ip: a.address(),
		encrypted: encrypted, up: true,
	}
}

// arrange makes a cluster's nodes those that its specs ask for: what is there stays, the rest comes and goes. The former
// list is left as it is, for a roll may be on its way through it.
func (a *Atlas) arrange(c *cluster) {
	old := slices.Clone(c.nodes)
	c.nodes = nil
	take := func(shard int, cloud, region, kind string) *node {
		for i, n := range old {
			if n != nil && n.shard == shard && n.cloud == cloud && n.region == region && n.kind == kind {
				old[i] = nil
				return n
			}
		}
		n := a.newNode(c, shard, cloud, region, kind, c.provider == providerAWS && !c.resyncing)
		n.up = !c.paused && (!n.encrypted || a.use(n) == nil)
		return n
	}
	for shard, s := range c.specs {
		for _, r := range s.Regions {
			for _, kind := range []string{electable, readOnly, analytics} {
				for range r.kinds()[kind].count() {
					c.nodes = append(c.nodes, take(shard, r.Provider, r.Region, kind))
				}
			}
		}
	}
}

// route is how a node gets to its key: the region it asks, the key by the name it uses there, and the path.
func (a *Atlas) route(n *node) (region, key string, path awssim.Path, err error) {
	p := n.cluster.project
	k := p.kms
	if k == nil {
		return "", "", path, errNoConfiguration
	}
	region = awsRegion(k.region)
	path = awssim.Path{SourceIP: n.ip}
	if k.private {
		e := p.path(n.region)
		switch {
		case e != nil && n.cloud == "AWS":
			region = awsRegion(n.region)
			path = awssim.Path{VPCEndpoint: e.vpce, VPC: e.vpc}
		case a.assume.PublicPathCut:
			return "", "", path, errNoPath
		}
	}
	if a.unreachable[region] || a.unreachable["*"] {
		return "", "", path, errNoPath
	}
	return region, a.keyIn(k.key, region), path, nil
}

// use is whether a node can use its key now: nil, errNoPath, or why it is refused.
func (a *Atlas) use(n *node) error {
	region, key, path, err := a.route(n)
	if err != nil {
		return err
	}
	p := n.cluster.project
	return a.test(p.kms.identity(p, a.config.AccountARN), key, region, path)
}

// probe has a node use its key, and keeps what came of it.
func (a *Atlas) probe(n *node) error {
	err := a.use(n)
	n.unreached = errors.Is(err, errNoPath)
	n.refused = err != nil && !n.unreached
	return err
}

// restart stops a node and starts it again, which needs the key if its data is encrypted: without it, it stays down.
func (a *Atlas) restart(n *node) {
	n.up, n.starting = false, true
	a.world.After(a.world.Duration(a.config.Durations.NodeRestart, "nodeRestart"), func() { a.start(n) })
}

func (a *Atlas) start(n *node) {
	n.starting = false
	if n.cluster.paused {
		return
	}
	n.up = !n.encrypted || a.probe(n) == nil
}

// scheduleCheck has the key of a project checked periodically for as long as its configuration stays.
func (a *Atlas) scheduleCheck(p *project, generation int) {
	interval := a.config.Durations.KeyCheck
	if interval <= 0 {
		interval = 15 * time.Minute
	}
	a.world.After(interval, func() {
		if p.generation != generation || p.kms == nil {
			return
		}
		a.validate(p)
		a.check(p)
		a.scheduleCheck(p, generation)
	})
}

// validate finds out whether a project's configuration is valid, as a look at it does too.
func (a *Atlas) validate(p *project) {
	k := p.kms
	if k == nil {
		return
	}
	region := awsRegion(k.region)
	valid := a.test(k.identity(p, a.config.AccountARN), a.keyIn(k.key, region), region, awssim.Path{SourceIP: a.controlPlaneIP()}) == nil
	if a.assume.ValidSeesDataPlane {
		for _, n := range p.encryptedNodes() {
			valid = valid && a.use(n) == nil
		}
	}
	if valid == k.valid {
		return
	}
	k.valid = valid
	if !valid {
		a.record(p, "ENCRYPTION_AT_REST_CONFIG_NO_LONGER_VALID", nil)
		return
	}
	a.record(p, "ENCRYPTION_AT_REST_CONFIG_IS_VALID", nil)
	a.recover(p)
}

// check is the periodic check of every node: refused, it is shut down; unreachable, it runs on and there is an alert.
func (a *Atlas) check(p *project) {
	unreached := false
	for _, n := range p.encryptedNodes() {
		if n.cluster.paused {
			continue
		}
		if err := a.probe(n); err != nil && n.refused {
			n.up = false
		}
		unreached = unreached || n.unreached
	}
	a.recover(p)
	switch k := p.kms; {
	case unreached && !k.networkDenied:
		k.networkDenied = true
		a.record(p, "ENCRYPTION_AT_REST_KMS_NETWORK_ACCESS_DENIED", nil)
	case !unreached && k.networkDenied:
		k.networkDenied = false
		a.record(p, "ENCRYPTION_AT_REST_KMS_NETWORK_ACCESS_RESTORED", nil)
	}
}

// recover starts the nodes that are down and could use their key again.
func (a *Atlas) recover(p *project) {
	for _, n := range p.encryptedNodes() {
		if !n.up && !n.starting && !n.cluster.paused && a.probe(n) == nil {
			a.restart(n)
		}
	}
}

// encryptedNodes are the nodes of a project that need the customer's key, those of paused clusters too.
func (p *project) encryptedNodes() []*node {
	var nodes []*node
	for _, c := range p.clusters {
		for _, n := range c.all() {
			if n.encrypted {
				nodes = append(nodes, n)
			}
		}
	}
	return nodes
}
