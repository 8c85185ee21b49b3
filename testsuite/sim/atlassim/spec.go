package atlassim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// replicationSpec is one shard of a cluster.
type replicationSpec struct {
	ID       string         `json:"id"`
	ZoneID   string         `json:"zoneId"`
	ZoneName string         `json:"zoneName"`
	Regions  []regionConfig `json:"regionConfigs"`
}

// regionConfig is what a shard has in one region.
type regionConfig struct {
	Provider             string    `json:"providerName"`
	BackingProvider      string    `json:"backingProviderName,omitempty"`
	Region               string    `json:"regionName"`
	Priority             int       `json:"priority"`
	Electable            *hardware `json:"electableSpecs,omitempty"`
	ReadOnly             *hardware `json:"readOnlySpecs,omitempty"`
	Analytics            *hardware `json:"analyticsSpecs,omitempty"`
	AutoScaling          *scaling  `json:"autoScaling,omitempty"`
	AnalyticsAutoScaling *scaling  `json:"analyticsAutoScaling,omitempty"`
}

// hardware is a kind of node in a region, and how many of it.
type hardware struct {
	InstanceSize  string  `json:"instanceSize,omitempty"`
	NodeCount     *int    `json:"nodeCount,omitempty"`
	DiskSizeGB    float64 `json:"diskSizeGB,omitempty"`
	DiskIOPS      int     `json:"diskIOPS,omitempty"`
	EBSVolumeType string  `json:"ebsVolumeType,omitempty"`
}

// scaling is the auto-scaling of a region.
type scaling struct {
	Compute *computeScaling `json:"compute,omitempty"`
	Disk    *diskScaling    `json:"diskGB,omitempty"`
}

type computeScaling struct {
	Enabled   bool   `json:"enabled"`
	ScaleDown bool   `json:"scaleDownEnabled"`
	Min       string `json:"minInstanceSize,omitempty"`
	Max       string `json:"maxInstanceSize,omitempty"`
}

type diskScaling struct {
	Enabled bool `json:"enabled"`
}

func (h *hardware) count() int {
	if h == nil || h.NodeCount == nil {
		return 0
	}
	return *h.NodeCount
}

// kinds are the nodes of a region by kind.
func (r regionConfig) kinds() map[string]*hardware {
	return map[string]*hardware{electable: r.Electable, readOnly: r.ReadOnly, analytics: r.Analytics}
}

// tier is the number in an instance size: 30 of M30, R30 and M30_NVME.
func tier(instanceSize string) int {
	digits := strings.TrimLeft(instanceSize, "MR")
	digits, _, _ = strings.Cut(digits, "_")
	n, _ := strconv.Atoi(digits)
	return n
}

// configuredSpecs are the specs of a configured cluster.
func (a *Atlas) configuredSpecs(cfg Cluster) []replicationSpec {
	size, disk := cfg.Size, cfg.DiskGB
	if size == "" {
		size = "M30"
	}
	if disk == 0 {
		disk = 40
	}
	nodes := func(n int) *hardware {
		return &hardware{InstanceSize: size, NodeCount: &n, DiskSizeGB: disk, DiskIOPS: 3000, EBSVolumeType: "STANDARD"}
	}
	var specs []replicationSpec
	for range max(cfg.Shards, 1) {
		s := replicationSpec{}
		for i, r := range cfg.Regions {
			cloud := r.Cloud
			if cloud == "" {
				cloud = "AWS"
			}
			rc := regionConfig{
				Provider: cloud, Region: r.Name, Priority: max(7-i, 0),
				Electable: nodes(r.Electable), ReadOnly: nodes(r.ReadOnly), Analytics: nodes(r.Analytics),
				AutoScaling: &scaling{Compute: &computeScaling{}, Disk: &diskScaling{Enabled: true}},
			}
			if r.Electable == 0 {
				rc.Priority = 0
			}
			if s := cfg.AutoScaling; s != nil {
				rc.AutoScaling.Compute = &computeScaling{Enabled: true, ScaleDown: true, Min: s.Min, Max: s.Max}
			}
			s.Regions = append(s.Regions, rc)
		}
		specs = append(specs, s)
	}
	return specs
}

// checkSpecs refuses specs that Atlas would, and gives new shards their ids.
func (a *Atlas) checkSpecs(specs, old []replicationSpec) error {
	if len(specs) == 0 {
		return missingAttribute("replicationSpecs")
	}
	for i := range specs {
		s := &specs[i]
		if i < len(old) {
			s.ID, s.ZoneID = old[i].ID, old[i].ZoneID
		} else {
			s.ID, s.ZoneID = a.world.ID("replicationSpec"), a.world.ID("zone")
		}
		if s.ZoneName == "" {
			s.ZoneName = fmt.Sprintf("Zone %d", i+1)
		}
		if len(s.Regions) == 0 {
			return missingAttribute("regionConfigs")
		}
		for _, r := range s.Regions {
			if r.Provider == "" {
				return missingAttribute("providerName")
			}
			if r.Region == "" {
				return missingAttribute("regionName")
			}
		}
	}
	return nil
}

// regions are the AWS regions in which a cluster has nodes, sorted, each once.
func (c *cluster) regions() []string {
	var regions []string
	for _, n := range c.all() {
		regions = append(regions, n.region)
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// multiCloud is whether a cluster has nodes on several clouds.
func (c *cluster) multiCloud() bool {
	return slices.ContainsFunc(c.nodes, func(n *node) bool { return n.cloud != c.nodes[0].cloud })
}

// all are a cluster's nodes, search nodes included.
func (c *cluster) all() []*node {
	if c.search == nil {
		return c.nodes
	}
	return slices.Concat(c.nodes, c.search.nodes)
}

// encryptedAny is whether any node of a cluster needs the customer's key.
func (c *cluster) encryptedAny() bool {
	return slices.ContainsFunc(c.all(), func(n *node) bool { return n.encrypted })
}
