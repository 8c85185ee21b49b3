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
	return map[string]any{
		"id": s.id, "groupId": c.project.id, "stateName": s.state, "encryptionAtRestProvider": s.shown,
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

func (c *call) searchSpecs() ([]searchSpec, error) {
	var body struct{ Specs []searchSpec }
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if len(body.Specs) != 1 {
		return nil, missingAttribute("specs")
	}
	if body.Specs[0].NodeCount < 1 {
		body.Specs[0].NodeCount = 2
	}
	return body.Specs, nil
}

func createSearch(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	specs, err := c.searchSpecs()
	if err != nil {
		return nil, err
	}
	if k.search != nil {
		return nil, badRequest("ATLAS_SEARCH_DEPLOYMENT_ALREADY_EXISTS",
			fmt.Sprintf("A search deployment already exists for cluster %s in group %s.", k.name, c.project.id), k.name, c.project.id)
	}
	k.search = &searchDeployment{id: c.world.ID("search"), specs: specs, shown: providerNone}
	c.changeSearch(k, "searchCreate")
	c.apply("")
	return c.searchView(k.search), nil
}

func updateSearch(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	specs, err := c.searchSpecs()
	if err != nil {
		return nil, err
	}
	if k.search == nil {
		return nil, noSearch(k.name, c.project.id)
	}
	k.search.specs = specs
	c.changeSearch(k, "searchChange")
	c.apply("")
	return c.searchView(k.search), nil
}

func deleteSearch(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	if k.search == nil {
		return nil, noSearch(k.name, c.project.id)
	}
	c.removeSearch(k)
	c.apply("")
	return nil, nil
}
