package atlassim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// snapshot is a backup of a cluster, which needs the key and the credentials of its time to be restored.
type snapshot struct {
	id               string
	created, expires time.Time
	status           string
	kind             string // onDemand or scheduled
	description      string
	provider         string
	copyRegions      []string
	// kms is the project's configuration at the time the snapshot was taken, if provider is AWS.
	kms *kms
}

// addSnapshot makes a snapshot as configured.
func (a *Atlas) addSnapshot(c *cluster, cfg Snapshot) {
	s := a.newSnapshot(c, "scheduled")
	s.created = a.world.Now().Add(-a.world.Scaled(cfg.Age))
	s.status = "completed"
	s.copyRegions = cfg.CopyRegions
	if cfg.Provider != "" {
		s.provider = cfg.Provider
	}
	a.keep(c, s, cfg.Retention)
}

func (a *Atlas) newSnapshot(c *cluster, kind string) *snapshot {
	s := &snapshot{id: a.world.ID("snapshot"), created: a.world.Now(), status: "queued", kind: kind, provider: providerNone}
	if c.encryptedAny() {
		s.provider = providerAWS
		if k := c.project.kms; k != nil {
			then := *k
			s.kms = &then
		}
	}
	c.snapshots = append(c.snapshots, s)
	return s
}

// keep has a snapshot expire when it has been retained for that simulated time.
func (a *Atlas) keep(c *cluster, s *snapshot, retention time.Duration) {
	s.expires = s.created.Add(a.world.Scaled(retention))
	a.world.At(s.expires, func() { c.forget(s) })
}

func (c *cluster) forget(s *snapshot) {
	c.snapshots = slices.DeleteFunc(c.snapshots, func(other *snapshot) bool { return other == s })
}

func (c *cluster) sharded() bool { return c.doc["clusterType"] != "REPLICASET" }

func (c *call) snapshotView(k *cluster, s *snapshot) any {
	view := map[string]any{
		"id": s.id, "createdAt": stamp(s.created), "expiresAt": stampOrNil(s.expires), "description": s.description,
		"frequencyType": nil, "snapshotType": s.kind, "status": s.status, "type": "replicaSet", "mongodVersion": "8.0.4",
		"policyItems": []any{}, "storageSizeBytes": int64(k.dataGB * (1 << 30)),
		"links": []link{{Href: c.base + apiRoot + "/groups/" + k.project.id + "/clusters/" + k.name + "/backup/snapshots/" + s.id, Rel: "self"}},
	}
	if s.kind == "scheduled" {
		view["frequencyType"] = "daily"
	}
	if s.kms != nil {
		view["masterKeyUUID"] = keyUUID(s.kms.key)
	}
	if !k.sharded() {
		view["cloudProvider"], view["replicaSetName"] = "AWS", k.name
		view["copyRegions"] = s.copyRegions
		return view
	}
	members, ids := []any{}, []string{}
	for _, shard := range k.specs {
		members = append(members, map[string]any{"cloudProvider": "AWS", "id": shard.ID, "replicaSetName": k.name})
		ids = append(ids, shard.ID)
	}
	view["type"], view["members"], view["snapshotIds"] = "shardedCluster", members, ids
	return view
}

// keyUUID is the form in which a snapshot names its key: that of a multi-Region key is an assumption.
func keyUUID(ref string) string {
	id := strings.TrimPrefix(keyID(ref), "mrk-")
	if len(id) != 32 {
		return id
	}
	return strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")
}

// snapshotsOf are a cluster's snapshots if its kind is asked for, newest first.
func (c *call) snapshotsOf(sharded bool) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	var found []*snapshot
	if k.sharded() == sharded {
		found = slices.Clone(k.snapshots)
		slices.Reverse(found)
	}
	if sharded { // this list is not paged
		results := []any{}
		for _, s := range found {
			results = append(results, c.snapshotView(k, s))
		}
		n := len(results)
		return list{Links: c.self(), Results: results, TotalCount: &n}, nil
	}
	return page(c, found, func(s *snapshot) any { return c.snapshotView(k, s) })
}

func listSnapshots(c *call) (any, error) { return c.snapshotsOf(false) }

func listShardedSnapshots(c *call) (any, error) { return c.snapshotsOf(true) }

func (c *call) snapshot() (*cluster, *snapshot, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, nil, err
	}
	s, err := k.snapshot(c.param("snapshotId"))
	return k, s, err
}

func (c *cluster) snapshot(id string) (*snapshot, error) {
	for _, s := range c.snapshots {
		if s.id == id {
			return s, nil
		}
	}
	return nil, refusal(http.StatusNotFound, "SNAPSHOT_NOT_FOUND", fmt.Sprintf("No snapshot with ID %s exists for cluster %s.", id, c.name), id, c.name)
}

func getSnapshot(c *call) (any, error) {
	k, s, err := c.snapshot()
	if err != nil {
		return nil, err
	}
	return c.snapshotView(k, s), nil
}

func deleteSnapshot(c *call) (any, error) {
	k, s, err := c.snapshot()
	if err != nil {
		return nil, err
	}
	k.forget(s)
	c.apply("")
	return nil, nil
}

func takeSnapshot(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	var body struct {
		Description     string
		RetentionInDays int
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if k.doc["backupEnabled"] != true {
		return nil, badRequest("BACKUP_JOB_NOT_FOUND", "Backups are not enabled for this cluster.")
	}
	s := c.newSnapshot(k, "onDemand")
	s.description = body.Description
	c.keep(k, s, time.Duration(max(body.RetentionInDays, 1))*24*time.Hour)
	c.world.After(c.world.Duration(c.config.Durations.Snapshot, "snapshot"), func() { s.status = "completed" })
	c.apply(objectOf(c.request) + "/" + s.id)
	return c.snapshotView(k, s), nil
}
