package atlassim

import (
	"fmt"
	"net/http"
)

// getAddresses are the public addresses of a project's nodes.
func getAddresses(c *call) (any, error) {
	clusters := []any{}
	for _, k := range c.project.clusters {
		addresses := []string{}
		for _, n := range k.all() {
			addresses = append(addresses, n.ip)
		}
		clusters = append(clusters, map[string]any{
			"clusterName": k.name, "inbound": addresses, "outbound": addresses, "futureInbound": []any{}, "futureOutbound": []any{},
		})
	}
	return map[string]any{"groupId": c.project.id, "services": map[string]any{"clusters": clusters}}, nil
}

// listControlPlane are the addresses of Atlas itself.
func listControlPlane(c *call) (any, error) {
	addresses := map[string]any{"aws": map[string]any{"us-east-1": c.config.ControlPlane}}
	return map[string]any{"inbound": addresses, "outbound": addresses}, nil
}

func getWindow(c *call) (any, error) {
	w := MaintenanceWindow{}
	if c.project.window != nil {
		w = *c.project.window
	}
	return map[string]any{
		"dayOfWeek": w.Day, "hourOfDay": w.Hour, "autoDeferOnceEnabled": false, "numberOfDeferrals": 0,
		"startASAP": c.project.maintenance, "timeZoneId": "Etc/UTC",
	}, nil
}

func updateWindow(c *call) (any, error) {
	var body struct {
		DayOfWeek, HourOfDay *int
		StartASAP            bool
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	switch {
	case body.DayOfWeek == nil:
		return nil, missingAttribute("dayOfWeek")
	case *body.DayOfWeek < 1 || *body.DayOfWeek > 7:
		return nil, invalidAttribute("dayOfWeek")
	case body.HourOfDay != nil && (*body.HourOfDay < 0 || *body.HourOfDay > 23):
		return nil, invalidAttribute("hourOfDay")
	}
	w := &MaintenanceWindow{Day: *body.DayOfWeek}
	if body.HourOfDay != nil {
		w.Hour = *body.HourOfDay
	}
	c.project.window = w
	if body.StartASAP {
		c.maintain(c.project)
	}
	c.apply("")
	return nil, nil
}

func resetWindow(c *call) (any, error) {
	c.project.window = nil
	c.apply("")
	return nil, nil
}

// listAlertConfigs are the alerts that a new project has which concern its key.
func listAlertConfigs(c *call) (any, error) {
	notification := map[string]any{
		"typeName": "GROUP", "intervalMin": 60, "delayMin": 0, "emailEnabled": true, "smsEnabled": false, "roles": []string{owner},
	}
	alert := func(id, kind string) map[string]any {
		return map[string]any{
			"id": id, "groupId": c.project.id, "eventTypeName": kind, "enabled": true, "created": stamp(c.project.created),
			"updated": stamp(c.project.created), "matchers": []any{}, "notifications": []any{notification},
			"links": []link{{Href: c.base + apiRoot + "/groups/" + c.project.id + "/alertConfigs/" + id, Rel: "self"}},
		}
	}
	rotation := alert(c.project.alertIDs[1], "AWS_ENCRYPTION_KEY_NEEDS_ROTATION")
	rotation["threshold"] = map[string]any{"operator": "GREATER_THAN", "threshold": 90, "units": "DAYS"}
	all := []any{rotation}
	if !c.project.noKMSAlert {
		all = append([]any{alert(c.project.alertIDs[0], "ENCRYPTION_AT_REST_KMS_NETWORK_ACCESS_DENIED")}, all...)
	}
	return page(c, all, func(v any) any { return v })
}

// getOutage shows the simulated outage of a cluster's region, if there is one. The code for none is not documented.
func getOutage(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	if !k.outage {
		return nil, refusal(http.StatusNotFound, "CLUSTER_OUTAGE_SIMULATION_NOT_FOUND", "No outage simulation for cluster "+k.name+" exists.", k.name)
	}
	filter := map[string]any{"cloudProvider": providerAWS, "regionName": k.regions()[0], "type": "REGION"}
	return map[string]any{
		"id": k.id, "groupId": c.project.id, "clusterName": k.name, "state": "SIMULATING", "startRequestDate": stamp(k.created), "outageFilters": []any{filter},
	}, nil
}

// getStatus shows who calls, if it is by an API key.
func getStatus(c *call) (any, error) {
	status := map[string]any{
		"apiKey": nil, "appName": "MongoDB Atlas", "build": "b1a5e8ac6d8e0dd5ab5b5a7dcd9c2e8fbc9f4e3d", "throttling": false, "links": c.self(),
	}
	if c.caller.key {
		roles := []any{}
		for _, g := range c.caller.roles {
			if g.Project == "" {
				roles = append(roles, map[string]any{"orgId": c.config.Organization.ID, "roleName": g.Role})
			} else {
				roles = append(roles, map[string]any{"groupId": g.Project, "roleName": g.Role})
			}
		}
		accessList := []any{}
		for _, cidr := range c.caller.accessList {
			accessList = append(accessList, map[string]any{"cidrBlock": cidr, "ipAddress": cidr})
		}
		status["apiKey"] = map[string]any{"id": c.caller.id, "publicKey": c.caller.name, "roles": roles, "accessList": accessList}
	}
	return status, nil
}

func (c *call) rateLimitView(s *endpointSet) any {
	endpoints := []any{}
	for _, op := range operations() {
		if op.set == s.id {
			endpoints = append(endpoints, map[string]any{"method": op.method, "path": op.path})
		}
	}
	value := func(now, byDefault int) any { return map[string]any{"value": now, "defaultValue": byDefault} }
	return map[string]any{
		"endpointSetId": s.id, "endpointSetName": s.name, "scope": s.scope, "endpoints": endpoints,
		"capacity": value(s.Capacity, s.byDefault.Capacity), "refillRate": value(s.Refill, s.byDefault.Refill),
		"refillDurationSeconds": value(s.Seconds, s.byDefault.Seconds),
	}
}

func listRateLimits(c *call) (any, error) {
	var found []*endpointSet
	for _, s := range c.sets {
		if name := c.query.Get("name"); name != "" && name != s.name {
			continue
		}
		if path := c.query.Get("endpointPath"); path != "" && !s.covers(path) {
			continue
		}
		found = append(found, s)
	}
	return page(c, found, c.rateLimitView)
}

// covers is whether a set has an operation of that path.
func (s *endpointSet) covers(path string) bool {
	for _, op := range operations() {
		if op.set == s.id && op.path == path {
			return true
		}
	}
	return false
}

func getRateLimit(c *call) (any, error) {
	id := c.param("endpointSetId")
	if s := c.endpointSet(id); s != nil {
		return c.rateLimitView(s), nil
	}
	return nil, refusal(404, "RATE_LIMIT_NOT_FOUND", fmt.Sprintf("No rate limit with ID %s exists.", id), id)
}
