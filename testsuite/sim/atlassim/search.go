package atlassim

import (
	"fmt"
	"slices"
)

// searchDeployment are a cluster's search nodes.
type searchDeployment struct {
	id    string
	specs []searchSpec
	state string
	nodes []*node
	// shown is the encryption provider displayed.
	shown string
	// order counts what was asked for, so that a change overtaken by another ends itself.
	order int
}

type searchSpec struct {
	InstanceSize string `json:"instanceSize"`
	NodeCount    int    `json:"nodeCount"`
}

func (s *searchDeployment) encrypted() bool {
	return slices.ContainsFunc(s.nodes, func(n *node) bool { return n.encrypted })
}

// searchEncrypted is whether a cluster's search nodes are to be encrypted with the customer's key.
func (c *cluster) searchEncrypted() bool {
	return c.project.search && c.project.kms != nil && c.provider == providerAWS
}

// deploySearch gives a cluster new search nodes: so many for each shard in each region.
func (a *Atlas) deploySearch(c *cluster) {
	s := c.search
	s.nodes = nil
	encrypted := c.searchEncrypted()
	for shard, spec := range c.specs {
		for _, r := range spec.Regions {
			for range s.specs[0].NodeCount {
				n := a.newNode(c, shard, r.Provider, r.Region, search, encrypted)
				n.up = !c.paused && (!encrypted || a.probe(n) == nil)
				s.nodes = append(s.nodes, n)
			}
		}
	}
	s.shown, s.state = providerNone, idle
	if encrypted {
		s.shown = providerAWS
	}
}

// reprovisionSearch replaces search nodes that are not encrypted as they should be, and rebuilds their indexes.
func (a *Atlas) reprovisionSearch(c *cluster) {
	if c.search == nil || c.search.encrypted() == c.searchEncrypted() {
		return
	}
	a.changeSearch(c, "searchChange")
}

// changeSearch brings a cluster's search deployment to what is asked for, which takes a while.
func (a *Atlas) changeSearch(c *cluster, what string) {
	s := c.search
	s.state = updating
	s.order++
	order := s.order
	d := a.config.Durations.SearchChange
	if what == "searchCreate" {
		d = a.config.Durations.SearchCreate
	}
	a.world.After(a.world.Duration(d, what), func() {
		if c.search == s && s.order == order {
			a.deploySearch(c)
		}
	})
}

// removeSearch takes a cluster's search nodes away.
func (a *Atlas) removeSearch(c *cluster) { c.search = nil }

func (c *call) searchView(s *searchDeployment) any {
	state := s.state
	return map[string]any{
		"id": s.id, "groupId": c.project.id, "stateName": state, "encryptionAtRestProvider": s.shown,
		"specs": s.specs, "effectiveSpecs": s.specs,
	}
}

func getSearch(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	if cluster.search == nil {
		if c.version < "2025-03-12" {
			return nil, noSearch(cluster.name, c.project.id)
		}
		return struct{}{}, nil
	}
	return c.searchView(cluster.search), nil
}

func noSearch(name, group string) *APIError {
	return badRequest("ATLAS_SEARCH_DEPLOYMENT_DOES_NOT_EXIST",
		fmt.Sprintf("No search deployment exists for cluster %s in group %s.", name, group), name, group)
}
