package atlassim

import (
	"fmt"
	"net/http"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

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

// restoring is whether a snapshot is being put into a cluster.
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

func (c *call) restoreView(k *cluster, j *restoreJob) any {
	view := map[string]any{
		"id": j.id, "deliveryType": j.delivery, "snapshotId": j.snapshot.id, "timestamp": stamp(j.snapshot.created),
		"targetClusterName": j.target.name, "targetGroupId": j.target.project.id, "cancelled": j.canceled, "failed": j.failed,
		"expired": false, "finishedAt": stampOrNil(j.finished), "deliveryUrl": []any{}, "components": []any{},
		"links": []link{{Href: c.base + apiRoot + "/groups/" + k.project.id + "/clusters/" + k.name + "/backup/restoreJobs/" + j.id, Rel: "self"}},
	}
	return view
}

func listRestores(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	return page(c, k.restores, func(j *restoreJob) any { return c.restoreView(k, j) })
}

func (c *call) restore() (*cluster, *restoreJob, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, nil, err
	}
	id := c.param("restoreJobId")
	for _, j := range k.restores {
		if j.id == id {
			return k, j, nil
		}
	}
	return nil, nil, refusal(http.StatusNotFound, "RESTORE_JOB_NOT_FOUND", fmt.Sprintf("No restore job with ID %s exists for cluster %s.", id, k.name), id, k.name)
}

func getRestore(c *call) (any, error) {
	k, j, err := c.restore()
	if err != nil {
		return nil, err
	}
	return c.restoreView(k, j), nil
}

func cancelRestore(c *call) (any, error) {
	_, j, err := c.restore()
	if err != nil {
		return nil, err
	}
	if j.finished.IsZero() {
		j.canceled, j.finished = true, c.world.Now()
		c.apply("")
	}
	return nil, nil
}

func createRestore(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	var body struct {
		DeliveryType, SnapshotID, TargetClusterName, TargetGroupID string
		PointInTimeUTCSeconds                                      int64
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	s, err := c.restorable(k, body.DeliveryType, body.SnapshotID, body.PointInTimeUTCSeconds)
	if err != nil {
		return nil, err
	}
	target := k
	switch body.DeliveryType {
	case "download":
		if s.provider != providerNone {
			return nil, badRequest("CANNOT_DOWNLOAD_SNAPSHOT_WITH_ENCRYPTION", "Cannot download snapshots with Encryption at Rest enabled.")
		}
	case "automated", "pointInTime":
		group := c.project
		if body.TargetGroupID != "" {
			group = c.Atlas.project(body.TargetGroupID)
		}
		if group == nil {
			return nil, groupNotFound(body.TargetGroupID)
		}
		if target = group.cluster(body.TargetClusterName); target == nil {
			return nil, clusterNotFound(body.TargetClusterName, group.id)
		}
		if target.provider != s.provider {
			return nil, badRequest("INVALID_SNAPSHOT_RESTORE_ENCRYPTION",
				"Encryption settings of target cluster and source snapshot are different.")
		}
	default:
		return nil, invalidAttribute("deliveryType")
	}
	j := &restoreJob{id: c.world.ID("restore"), snapshot: s, target: target, delivery: body.DeliveryType, started: c.world.Now()}
	k.restores = append(k.restores, j)
	c.begin(target)
	c.world.After(c.world.Duration(c.config.Durations.Restore, "restore"), func() {
		if j.finished.IsZero() {
			j.finished, j.failed = c.world.Now(), !c.readable(s, k.project)
		}
		c.finish(target)
	})
	c.apply(objectOf(c.request) + "/" + j.id)
	return c.restoreView(k, j), nil
}

// restorable is what a job means: a snapshot, or a moment of the past.
func (a *Atlas) restorable(c *cluster, delivery, id string, seconds int64) (*snapshot, error) {
	if delivery != "pointInTime" {
		return c.snapshot(id)
	}
	if s := a.moment(c, time.Unix(seconds, 0)); s != nil {
		return s, nil
	}
	return nil, invalidAttribute("pointInTimeUTCSeconds")
}

// readable is whether a snapshot can be decrypted: with the credentials or role of its time, or with today's.
func (a *Atlas) readable(s *snapshot, p *project) bool {
	if s.kms == nil {
		return true
	}
	user := s.kms
	if !a.assume.SnapshotsKeepCredentials {
		if user = p.kms; user == nil {
			return false
		}
	}
	region := awsRegion(s.kms.region)
	id := user.identity(p, a.config.AccountARN)
	return a.test(id, a.keyIn(s.kms.key, region), region, awssim.Path{SourceIP: a.controlPlaneIP()}) == nil
}
