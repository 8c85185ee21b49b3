package atlassim

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// Until this version, one replication spec stands for all the shards of a zone, which are alike, and the size of the
// disk is one for the whole cluster.
const shardsApart = "2024-08-05"

// newerMembers are what a cluster did not show before shardsApart.
var newerMembers = []string{
	"adaptiveCapacity", "effectiveReplicationSpecs", "featureCompatibilityVersion", "redactClientLogData", "replicaSetScalingStrategy",
	"useAwsTimeBasedSnapshotCopyForFastInitialSync",
}

// zonesOf are the shards of a cluster by zone, zones in the order of their first shard.
func zonesOf(specs []replicationSpec) [][]replicationSpec {
	var zones [][]replicationSpec
	for _, s := range specs {
		i := slices.IndexFunc(zones, func(z []replicationSpec) bool { return z[0].ZoneID == s.ZoneID })
		if i < 0 {
			zones = append(zones, []replicationSpec{s})
			continue
		}
		zones[i] = append(zones[i], s)
	}
	return zones
}

// asymmetric is whether a zone has shards that are not alike, which versions before shardsApart cannot say.
func asymmetric(specs []replicationSpec) bool {
	return slices.ContainsFunc(zonesOf(specs), func(zone []replicationSpec) bool {
		return slices.ContainsFunc(zone, func(s replicationSpec) bool { return !reflect.DeepEqual(s.Regions, zone[0].Regions) })
	})
}

// asymmetricUnsupported is known by its code; its wording was not seen. That lists leave such clusters out is a guess.
func asymmetricUnsupported(name string) *APIError {
	return badRequest("ASYMMETRIC_SHARD_UNSUPPORTED",
		fmt.Sprintf("Cluster %s has shards that differ, which this version of the API does not support.", name), name)
}

// asBefore2024 shows a cluster, whose newest view is given, as versions before shardsApart did.
func asBefore2024(view map[string]any, specs []replicationSpec) map[string]any {
	for _, name := range newerMembers {
		delete(view, name)
	}
	shown := []replicationSpec{}
	for _, zone := range zonesOf(specs) {
		s := zone[0]
		s.ID, s.NumShards = s.zoneSpecID, len(zone)
		s.Regions = clone(s.Regions)
		for _, h := range hardwareOf([]replicationSpec{s}) {
			view["diskSizeGB"] = h.DiskSizeGB
			h.DiskSizeGB = 0
		}
		shown = append(shown, s)
	}
	view["replicationSpecs"] = shown
	return view
}

// modernize turns a change in the words of versions before shardsApart into one in today's. The cluster is nil when it
// is to be made.
func (change *clusterChange) modernize(k *cluster) {
	delete(change.members, "diskSizeGB")
	disk := change.DiskSizeGB
	if change.Specs == nil {
		if k == nil || disk == 0 {
			return
		}
		same := clone(k.specs)
		change.Specs = &same
	} else {
		var shards []replicationSpec
		for _, s := range *change.Specs {
			if k != nil && s.ZoneName == "" {
				s.ZoneName = k.zoneName(s.ID)
			}
			n := max(s.NumShards, 1)
			s.NumShards = 0
			for range n {
				one := s
				one.Regions = clone(s.Regions)
				shards = append(shards, one)
			}
		}
		change.Specs = &shards
		if had := hardwareOfCluster(k); disk == 0 && len(had) > 0 {
			disk = had[0].DiskSizeGB
		}
	}
	for _, h := range hardwareOf(*change.Specs) {
		h.DiskSizeGB = disk
	}
}

func (c *cluster) zoneName(zoneSpecID string) string {
	for _, s := range c.specs {
		if s.zoneSpecID == zoneSpecID {
			return s.ZoneName
		}
	}
	return ""
}

func hardwareOfCluster(c *cluster) []*hardware {
	if c == nil {
		return nil
	}
	return hardwareOf(c.specs)
}

// hardwareOf is all that specs ask for.
func hardwareOf(specs []replicationSpec) []*hardware {
	var all []*hardware
	for _, s := range specs {
		for _, r := range s.Regions {
			for _, h := range []*hardware{r.Electable, r.ReadOnly, r.Analytics} {
				if h != nil {
					all = append(all, h)
				}
			}
		}
	}
	return all
}

// clone copies what JSON can say, so that a change to the copy is none to the original.
func clone[T any](v T) T {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was read from JSON
	}
	var out T
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return out
}
