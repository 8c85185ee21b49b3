package atlassim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// addProject makes a project as configured.
func (a *Atlas) addProject(cfg Project) error {
	p := &project{
		id: cfg.ID, name: cfg.Name, tags: cfg.Tags, created: a.world.Now(), window: cfg.Window,
		alertIDs: []string{a.world.ID("alertConfig"), a.world.ID("alertConfig")},
	}
	if p.id == "" {
		p.id = a.world.ID("project")
	}
	if a.project(p.id) != nil {
		return fmt.Errorf("id %s is taken", p.id)
	}
	a.projects = append(a.projects, p)
	for _, r := range cfg.Roles {
		made := a.newRole(p)
		if r.ID != "" {
			made.id = r.ID
		}
		if r.ExternalID != "" {
			made.externalID = r.ExternalID
		}
		if r.ARN != "" {
			made.arn, made.authorized = r.ARN, a.world.Now()
		}
	}
	if e := cfg.Encryption; e != nil {
		if e.RoleID != "" && p.role(e.RoleID) == nil {
			return fmt.Errorf("encryption: no role %s among roles", e.RoleID)
		}
		a.configure(p, &kms{
			key: e.Key, region: e.Region, roleID: e.RoleID, accessKeyID: e.AccessKeyID, secret: e.SecretAccessKey,
			private: e.Private, valid: true,
		})
		p.search = e.SearchNodes
	}
	for _, e := range cfg.Endpoints {
		made := a.newEndpoint(p, e.Region)
		if e.ID != "" {
			made.id = e.ID
		}
		if e.Status != "" {
			made.status = e.Status
		} else {
			made.status = active
		}
		made.shown = view{status: made.status}
	}
	for _, cluster := range cfg.Clusters {
		if err := a.addCluster(p, cluster); err != nil {
			return fmt.Errorf("cluster %s: %w", cluster.Name, err)
		}
	}
	p.noKMSAlert, p.state = cfg.NoKMSAlert, cfg.State
	if cfg.Compliance != nil {
		p.compliance = newCompliance(p, *cfg.Compliance, a.world.Now())
	}
	return nil
}

func listGroups(c *call) (any, error) {
	var mine []*project
	for _, p := range c.projects {
		if c.caller.rank(p.id) > 0 {
			mine = append(mine, p)
		}
	}
	return page(c, mine, func(p *project) any { return c.group(p) })
}

func getGroup(c *call) (any, error) { return c.group(c.project), nil }

func deleteGroup(c *call) (any, error) {
	if len(c.project.clusters) > 0 {
		return nil, refusal(http.StatusConflict, "CANNOT_CLOSE_GROUP_ACTIVE_ATLAS_CLUSTERS",
			"Cannot close group while it has active clusters; please terminate all clusters.")
	}
	c.configure(c.project, nil)
	c.projects = slices.DeleteFunc(c.projects, func(other *project) bool { return other == c.project })
	c.apply("")
	return nil, nil
}

func (c *call) group(p *project) any {
	tags := []any{}
	for _, k := range slices.Sorted(maps.Keys(p.tags)) {
		tags = append(tags, map[string]string{"key": k, "value": p.tags[k]})
	}
	return map[string]any{
		"id": p.id, "name": p.name, "orgId": c.config.Organization.ID, "created": stamp(p.created),
		"clusterCount": len(p.clusters), "withDefaultAlertsSettings": true, "tags": tags,
		"links": []link{{Href: c.base + apiRoot + "/groups/" + p.id, Rel: "self"}},
	}
}
