package atlassim

import (
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

	// NumShards is how versions before 2024-08-05 say how many shards are like this one.
	NumShards int `json:"numShards,omitempty"`
	// zoneSpecID is by what id those versions know all the shards of a zone.
	zoneSpecID string
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

// standardDisk is the disk in GB that an instance size comes with, by tier; larger ones have 750.
var standardDisk = map[int]float64{10: 10, 20: 20, 30: 40, 40: 80, 50: 160, 60: 320}

// equip gives hardware on AWS the disk that it has when the client does not say.
func (r regionConfig) equip() {
	if r.Provider != providerAWS {
		return
	}
	for _, h := range r.kinds() {
		if h == nil {
			continue
		}
		if h.DiskSizeGB == 0 {
			h.DiskSizeGB = standardDisk[tier(h.InstanceSize)]
		}
		if h.DiskSizeGB == 0 {
			h.DiskSizeGB = 750
		}
		if h.DiskIOPS == 0 {
			h.DiskIOPS = 3000
		}
		if h.EBSVolumeType == "" {
			h.EBSVolumeType = "STANDARD"
		}
	}
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
	zones := map[string]replicationSpec{}
	for _, s := range old {
		zones[s.ZoneName] = s
	}
	for i := range specs {
		s := &specs[i]
		s.ID = ""
		if i < len(old) {
			s.ID = old[i].ID
			if s.ZoneName == "" {
				s.ZoneName = old[i].ZoneName
			}
		}
		if s.ID == "" {
			s.ID = a.world.ID("replicationSpec")
		}
		if s.ZoneName == "" {
			s.ZoneName = "Zone 1"
		}
		zone, known := zones[s.ZoneName]
		if !known {
			zone = replicationSpec{ZoneID: a.world.ID("zone"), zoneSpecID: a.world.ID("zoneSpec")}
			zones[s.ZoneName] = zone
		}
		s.ZoneID, s.zoneSpecID = zone.ZoneID, zone.zoneSpecID
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
			r.equip()
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
