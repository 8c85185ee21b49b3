package atlassim

import (
	"slices"
	"time"
)

// How long a node that cannot start for want of its key waits before it tries again within a change.
const resyncRetry = time.Minute

// begin and finish enclose a change of a cluster, several of which may be under way.
func (a *Atlas) begin(c *cluster) {
	c.work++
	if c.state == idle {
		c.state = updating
	}
}

func (a *Atlas) finish(c *cluster) {
	c.work--
	if c.work > 0 || c.state == deleting {
		return
	}
	if c.state == creating {
		a.record(c.project, "CLUSTER_READY", nil)
	} else {
		a.record(c.project, "CLUSTER_UPDATE_COMPLETED", nil)
	}
	c.state = idle
}

// spend is a change of a cluster that takes d, with then at its end.
func (a *Atlas) spend(c *cluster, d time.Duration, then func()) {
	a.begin(c)
	a.world.After(d, func() {
		if c.state == deleting {
			return
		}
		if then != nil {
			then()
		}
		a.finish(c)
	})
}

// resync makes a cluster's nodes one after another what its provider asks for, by an initial sync of each.
func (a *Atlas) resync(c *cluster) {
	if c.resyncing {
		return // the sync under way sees the new provider
	}
	c.resyncing = true
	a.begin(c)
	a.resyncNext(c)
}

func (a *Atlas) resyncNext(c *cluster) {
	want := c.provider == providerAWS
	i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.encrypted != want })
	if i < 0 {
		c.resyncing = false
		c.shown = c.provider
		a.reprovisionSearch(c)
		a.finish(c)
		return
	}
	d := a.world.Duration(a.config.Durations.ResyncNode, "resyncNode") +
		time.Duration(c.dataGB*float64(a.world.Duration(a.config.Durations.ResyncGB, "resyncGB")))
	a.world.After(d, func() { a.resyncEnd(c, c.nodes[min(i, len(c.nodes)-1)]) })
}

func (a *Atlas) resyncEnd(c *cluster, n *node) {
	if c.state == deleting {
		return
	}
	if c.provider == providerAWS && !n.encrypted && a.probe(n) != nil {
		n.up = false
		a.world.After(resyncRetry, func() { a.resyncEnd(c, n) })
		return
	}
	was := c.encryptedAny()
	n.encrypted = c.provider == providerAWS
	if was && !c.encryptedAny() {
		a.closeSpan(c)
	}
	n.up, n.refused, n.unreached = !c.paused, false, false
	a.resyncNext(c)
}

// rewrap has every cluster that uses the project's key wrap its master keys with the one now configured: paused ones
// when they are resumed. Until then they need the former key.
func (a *Atlas) rewrap(p *project, former *kms) {
	for _, c := range p.clusters {
		if !c.encryptedAny() {
			continue
		}
		if c.former == nil {
			c.former = former
		}
		if !c.paused {
			a.rewrapCluster(c)
		}
	}
}

// Once no running cluster needs the former key any more, the feed says so.
func (a *Atlas) rewrapCluster(c *cluster) {
	a.spend(c, a.world.Duration(a.config.Durations.Rewrap, "rewrap"), func() {
		c.former = nil
		if !slices.ContainsFunc(c.project.clusters, func(o *cluster) bool { return o.former != nil && !o.paused }) {
			a.record(c.project, "AWS_ENCRYPTION_KEY_ROTATED", nil)
		}
	})
}

// pause stops a cluster's nodes; resume starts them, for which encrypted ones need their key.
func (a *Atlas) pause(c *cluster) {
	if c.paused {
		return
	}
	c.paused = true
	for _, n := range c.all() {
		n.up = false
	}
	a.spend(c, a.world.Duration(a.config.Durations.ClusterChange, "pause"), nil)
}

func (a *Atlas) resume(c *cluster) {
	if !c.paused {
		return
	}
	c.paused = false
	a.spend(c, a.world.Duration(a.config.Durations.ClusterChange, "resume"), func() {
		for _, n := range c.all() {
			a.start(n)
		}
		if c.former != nil {
			a.rewrapCluster(c)
		}
	})
}

// maintain restarts the nodes of a project's clusters one after another, as maintenance does.
func (a *Atlas) maintain(p *project) {
	p.maintenance = true
	for _, c := range p.clusters {
		if c.paused || c.state != idle {
			continue
		}
		a.begin(c)
		a.roll(c, c.all(), func() bool { return p.maintenance })
	}
}

// scale gives a cluster's nodes another size, one after another.
func (a *Atlas) scale(c *cluster, size string) {
	for _, s := range c.specs {
		for _, r := range s.Regions {
			for _, h := range r.kinds() {
				if h != nil {
					h.InstanceSize = size
				}
			}
		}
	}
	if !c.paused {
		a.begin(c)
		a.roll(c, c.nodes, func() bool { return true })
	}
}

// roll restarts nodes one after another for as long as it is to go on, and finishes the change.
func (a *Atlas) roll(c *cluster, left []*node, goOn func() bool) {
	if len(left) == 0 || !goOn() || c.state == deleting {
		a.finish(c)
		return
	}
	left[0].up, left[0].starting = false, true
	a.world.After(a.world.Duration(a.config.Durations.NodeRestart, "nodeRestart"), func() {
		a.start(left[0])
		a.roll(c, left[1:], goOn)
	})
}
