package atlassim

import "time"

// snapshot is a backup of a cluster, which needs the key and the credentials of its time to be restored.
type snapshot struct {
	id               string
	created, expires time.Time
	status           string
	kind             string // onDemand or scheduled
	description      string
	provider         string
	copyRegions      []string
	// key and its user at the time the snapshot was taken, if provider is AWS.
	kms  *kms
	role *role
}

// restoreJob puts a snapshot into a cluster.
type restoreJob struct {
	id               string
	snapshot         *snapshot
	target           *cluster
	delivery         string
	started          time.Time
	finished         time.Time
	failed, canceled bool
}

func (c *cluster) restoring() bool {
	for _, other := range c.project.clusters {
		for _, j := range other.restores {
			if j.target == c && j.finished.IsZero() {
				return true
			}
		}
	}
	return false
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
	a.keep(c, s, a.world.Scaled(cfg.Retention))
}

func (a *Atlas) newSnapshot(c *cluster, kind string) *snapshot {
	s := &snapshot{
		id: a.world.ID("snapshot"), created: a.world.Now(), status: "queued", kind: kind, provider: providerNone,
	}
	if c.encryptedAny() {
		s.provider = providerAWS
	}
	if k := c.project.kms; k != nil {
		then := *k
		s.kms = &then
		if r := c.project.role(k.roleID); r != nil {
			s.role = r
		}
	}
	c.snapshots = append(c.snapshots, s)
	return s
}

// keep has a snapshot expire when it has been retained for that long.
func (a *Atlas) keep(c *cluster, s *snapshot, retention time.Duration) {
	s.expires = s.created.Add(retention)
	a.world.At(s.expires, func() { a.forget(c, s) })
}

func (a *Atlas) forget(c *cluster, s *snapshot) {
	for i := range c.snapshots {
		if c.snapshots[i] == s {
			c.snapshots = append(c.snapshots[:i:i], c.snapshots[i+1:]...)
			return
		}
	}
}
