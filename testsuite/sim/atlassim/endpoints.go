package atlassim

import (
	"fmt"
	"net/http"
	"slices"
)

// newEndpoint starts an endpoint, which nobody moves on yet.
func (a *Atlas) newEndpoint(p *project, region string) *endpoint {
	e := &endpoint{
		project: p, id: a.world.ID("endpoint"), region: region, status: initiating, shown: view{status: initiating},
		vpce: "vpce-" + a.world.ID("vpce")[:17], vpc: "vpc-" + a.world.ID("vpc")[:17],
	}
	p.endpoints = append(p.endpoints, e)
	return e
}

// provision takes an endpoint from INITIATING to wherever chance leads it.
func (a *Atlas) provision(e *endpoint) {
	if a.world.Chance(a.config.Chances.EndpointStuck, "endpointStuck") {
		return
	}
	fails := a.world.Chance(a.config.Chances.EndpointFails, "endpointFails") || !kmsRegion(e.region)
	a.world.After(a.world.Duration(a.config.Durations.EndpointCreate, "endpointCreate", e.region), func() {
		if e.held || e.gone || e.status != initiating {
			return
		}
		if fails {
			a.turn(e, failed, "The private endpoint could not be created.")
			return
		}
		a.turn(e, active, "")
		if e.successor {
			a.dropPredecessors(e)
		}
	})
}

// turn gives an endpoint a status, which the API shows a while later.
func (a *Atlas) turn(e *endpoint, status, message string) {
	e.status, e.message = status, message
	now := view{status, message}
	from := a.world.Now().Add(a.world.Scaled(a.world.Duration(a.config.Durations.EndpointStatusLag, "endpointStatusLag", e.region)))
	if from.Before(e.shownFrom) {
		from = e.shownFrom // statuses are shown in the order in which they came
	}
	e.shownFrom = from
	epoch := e.epoch
	a.world.At(from, func() {
		if e.epoch == epoch {
			e.shown = now
		}
	})
}

// turnAtOnce gives an endpoint a status that the API shows without delay.
func (a *Atlas) turnAtOnce(e *endpoint, status, message string) {
	e.epoch++
	e.shownFrom = a.world.Now()
	e.status, e.message = status, message
	e.shown = view{status, message}
}

// lose is what happens when an endpoint is rejected or removed on AWS's side: Atlas builds another in its region.
func (a *Atlas) lose(e *endpoint, message string) {
	a.turnAtOnce(e, pendingRecreation, message)
	a.world.After(a.world.Duration(a.config.Durations.EndpointRecreate, "endpointRecreate", e.region), func() {
		if e.gone || e.status != pendingRecreation {
			return
		}
		next := a.newEndpoint(e.project, e.region)
		next.successor = true
		a.provision(next)
	})
}

func (a *Atlas) dropPredecessors(next *endpoint) {
	for _, e := range slices.Clone(next.project.endpoints) {
		if e.region == next.region && e.status == pendingRecreation {
			a.drop(e)
		}
	}
}

// remove deletes an endpoint, which takes a while.
func (a *Atlas) remove(e *endpoint) {
	a.turnAtOnce(e, deletingEndpoint, "")
	e.held = false
	a.world.After(a.world.Duration(a.config.Durations.EndpointDelete, "endpointDelete", e.region), func() {
		if e.held || e.gone || e.status != deletingEndpoint {
			return
		}
		a.drop(e)
		a.record(e.project, "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETED", e.deleter)
	})
}

func (a *Atlas) drop(e *endpoint) {
	e.gone = true
	p := e.project
	p.endpoints = slices.DeleteFunc(p.endpoints, func(other *endpoint) bool { return other == e })
	if len(p.endpoints) == 0 {
		p.settled = a.world.Now().Add(a.world.Scaled(a.world.Duration(a.config.Durations.DisableGrace, "disableGrace")))
	}
}

// path is the ACTIVE endpoint of a region, or nil.
func (p *project) path(region string) *endpoint {
	for _, e := range p.endpoints {
		if e.region == region && e.status == active {
			return e
		}
	}
	return nil
}

func (c *call) endpointView(e *endpoint) any {
	view := map[string]any{
		"cloudProvider": "AWS", "id": e.id, "regionName": e.region, "status": e.shown.status, "errorMessage": nil,
	}
	if e.shown.message != "" {
		view["errorMessage"] = e.shown.message
	}
	if c.assume.ConnectionNameShown {
		view["privateEndpointConnectionName"] = e.vpce
	}
	return view
}

func listEndpoints(c *call) (any, error) {
	var all []*endpoint
	if c.param("cloudProvider") == "AWS" {
		all = c.project.endpoints
	}
	return page(c, all, c.endpointView)
}

func (c *call) endpoint() (*endpoint, error) {
	id := c.param("endpointId")
	for _, e := range c.project.endpoints {
		if e.id == id && c.param("cloudProvider") == "AWS" {
			return e, nil
		}
	}
	return nil, refusal(http.StatusNotFound, "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_NOT_FOUND",
		fmt.Sprintf("No Encryption at Rest private endpoint with ID %s exists in group %s.", id, c.project.id), id, c.project.id)
}

func getEndpoint(c *call) (any, error) {
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	return c.endpointView(e), nil
}

func createEndpoint(c *call) (any, error) {
	var body struct{ RegionName string }
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if err := awsOnly(c.param("cloudProvider")); err != nil {
		return nil, err
	}
	region := body.RegionName
	if region == "" {
		return nil, missingAttribute("regionName")
	}
	c.beforeEndpoint(c.project, region)
	if c.project.kms == nil {
		return nil, notEnabled(c.project.id)
	}
	if !c.project.kms.private && c.assume.EndpointNeedsPrivateNetworking {
		return nil, badRequest("ENCRYPTION_AT_REST_PRIVATE_NETWORKING_NOT_ENABLED",
			"Private endpoints need requirePrivateNetworking to be enabled.")
	}
	if !kmsRegion(region) && c.assume.UnsupportedRegionRefused {
		return nil, regionNotSupported()
	}
	for _, e := range c.project.endpoints {
		leaving := e.status == deletingEndpoint
		if e.region == region && (leaving && c.assume.DeletingTwinRefused || !leaving && c.assume.DuplicateEndpointRefused) {
			return nil, refusal(http.StatusConflict, "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_ALREADY_EXISTS",
				fmt.Sprintf("An Encryption at Rest private endpoint already exists in region %s.", region), region)
		}
	}
	e := c.newEndpoint(c.project, region)
	c.provision(e)
	c.apply(c.project.id + "/" + e.id)
	c.record(c.project, "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_CREATED", c)
	return c.endpointView(e), nil
}

func deleteEndpoint(c *call) (any, error) {
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	switch e.status {
	case initiating:
		return nil, deleteBlocked(e.id)
	case deletingEndpoint:
		return nil, nil
	}
	if c.assume.DeleteInUseRefused {
		for _, cluster := range c.project.clusters {
			if cluster.encryptedAny() && slices.Contains(cluster.regions(), e.region) {
				return nil, badRequest("ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_IN_USE",
					fmt.Sprintf("The private endpoint in region %s is in use by cluster %s.", e.region, cluster.name), e.region, cluster.name)
			}
		}
	}
	c.beforeEndpointGoes(c.project, e)
	e.deleter = c
	c.remove(e)
	c.apply("")
	return nil, nil
}
