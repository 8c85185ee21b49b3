package atlassim

import (
	"fmt"
	"net/http"
	"slices"
)

// What follows has nothing to do with keys, but clients ask for it when they read a project or a cluster: the Terraform
// provider for the containers of a cluster's networks and for the properties of a project.

func getGroupByName(c *call) (any, error) {
	name := c.param("groupName")
	for _, p := range c.projects {
		if p.name == name && c.caller.rank(p.id) > 0 {
			return c.group(p), nil
		}
	}
	return nil, refusal(http.StatusNotFound, "GROUP_NAME_NOT_FOUND", fmt.Sprintf("No group with name \"%s\" exists.", name), name)
}

func getSettings(*call) (any, error) {
	return map[string]any{
		"isClusterAiAssistantEnabled": true, "isCollectDatabaseSpecificsStatisticsEnabled": true, "isDataExplorerEnabled": true,
		"isDataExplorerGenAIFeaturesEnabled": true, "isDataExplorerGenAISampleDocumentPassingEnabled": false,
		"isExtendedStorageSizesEnabled": false, "isPerformanceAdvisorEnabled": true, "isRealtimePerformancePanelEnabled": true,
		"isSchemaAdvisorEnabled": true,
	}, nil
}

func listLimits(c *call) (any, error) {
	return []any{map[string]any{
		"name": "atlas.project.deployment.clusters", "value": 25, "defaultLimit": 25, "maximumLimit": 100, "currentUsage": len(c.project.clusters),
	}}, nil
}

func listTeams(c *call) (any, error) { return nobody(c) }

func listUsers(c *call) (any, error) { return nobody(c) }

// nobody is an empty page: there are no people in this world.
func nobody(c *call) (any, error) {
	return page(c, []struct{}{}, func(v struct{}) any { return v })
}

func getManagedSlowMs(*call) (any, error) { return true, nil }

// container is the network of a project in a region of AWS, which is there as long as a cluster uses it.
type container struct{ id, region string }

// containers are made when they are first looked at; nothing else in the simulation depends on them.
func (a *Atlas) containersOf(p *project) []container {
	var all []container
	for _, k := range p.clusters {
		for _, n := range k.nodes {
			if n.cloud != providerAWS || slices.ContainsFunc(all, func(c container) bool { return c.region == n.region }) {
				continue
			}
			if p.networks == nil {
				p.networks = map[string]string{}
			}
			if p.networks[n.region] == "" {
				p.networks[n.region] = a.world.ID("container")
			}
			all = append(all, container{p.networks[n.region], n.region})
		}
	}
	return all
}

func listContainers(c *call) (any, error) {
	all := c.containersOf(c.project)
	if cloud := c.query.Get("providerName"); cloud != "" && cloud != providerAWS {
		all = nil
	}
	return page(c, all, func(n container) any {
		return map[string]any{
			"id": n.id, "providerName": providerAWS, "provisioned": true, "regionName": n.region, "atlasCidrBlock": "192.168.248.0/21",
			"vpcId": "vpc-0" + n.id[:16],
		}
	})
}

func listFlexClusters(c *call) (any, error) {
	flex := slices.DeleteFunc(slices.Clone(c.project.clusters), func(k *cluster) bool { return !k.flex })
	return page(c, flex, func(k *cluster) any {
		region := k.specs[0].Regions[0].Region
		return map[string]any{
			"id": k.id, "groupId": c.project.id, "name": k.name, "clusterType": "REPLICASET", "stateName": k.state, "createDate": stamp(k.created),
			"mongoDBVersion": "8.0.4", "terminationProtectionEnabled": false, "versionReleaseSystem": "LTS",
			"providerSettings": map[string]any{"providerName": "FLEX", "backingProviderName": providerAWS, "regionName": region, "diskSizeGB": 5},
		}
	})
}
