package workflows

import (
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

const (
	// resyncPace is how many gigabytes an hour an initial sync is taken to copy, for want of anything that could be read.
	resyncPace = 100
	// maintenanceNear is how soon maintenance must begin to be worth a word.
	maintenanceNear = 24 * time.Hour
)

// assessCircumstances judges what else is the case in the project.
func assessCircumstances(f *findings, r cmk.EnableRequest, s seen, t target) {
	unevaluated := []string{
		"service and resource control policies of the AWS organization", "the values that conditions of policies are compared with",
		"the rights of the worker's own AWS credentials",
	}
	c := s.Project.Circumstances
	if c == nil {
		c = &activities.Circumstances{}
	}
	if !c.RightsRead {
		unevaluated = append(unevaluated, "the rights of the worker's own Atlas credentials")
	}
	unevaluated = append(unevaluated, c.Unread...)
	f.info(cmk.FindingNotEvaluated, "", "not evaluated, since it cannot be read: %s", strings.Join(unevaluated, "; "))
	if c.RightsRead && !slices.Contains(c.Rights, "GROUP_OWNER") && !slices.Contains(c.Rights, "ORG_OWNER") {
		f.err(cmk.FindingCallerRights, s.Project.ID, "give the worker's API key the role Project Owner in this project", "the worker's API key has the roles [%s], which do not suffice", strings.Join(c.Rights, ", "))
	}
	if c.EncryptedBackups {
		f.warn(cmk.FindingBackupCompliance, s.Project.ID, "", "the Backup Compliance Policy demands encryption with a customer-managed key: once enabled it cannot be disabled, so that this change may not be able to take itself back")
	}
	if c.NoAlert {
		f.warn(cmk.FindingAlertMissing, activities.AlertOnKMS, "add this alert to the project: Atlas raises it when a node cannot reach KMS", "no alert %s is configured and enabled: nobody would be told of a node without a path to its key", activities.AlertOnKMS)
	}
	switch {
	case c.Maintenance:
		f.warn(cmk.FindingMaintenance, s.Project.ID, "", "maintenance is running: it restarts nodes, and clusters wait for it")
	case !c.MaintenanceAt.IsZero() && c.MaintenanceAt.Sub(s.Project.At) < maintenanceNear:
		f.warn(cmk.FindingMaintenance, s.Project.ID, "defer it, or start the change after it", "maintenance is due at %s: it restarts nodes, and competes with the re-sync", c.MaintenanceAt.UTC().Format(time.RFC3339))
	}
	for _, cluster := range t.clusters {
		if cluster.Provider == cmk.ProviderNone {
			assessClusterCircumstances(f, *c, cluster, r.SnapshotDays)
		}
	}
}

// assessClusterCircumstances judges one cluster; days is for how long a snapshot taken afterwards is to be kept.
func assessClusterCircumstances(f *findings, c activities.Circumstances, cluster activities.Cluster, days int) {
	name := cluster.Name
	if slices.Contains(c.Restored, name) {
		f.warn(cmk.FindingRestoreRunning, name, "", "a restore into cluster %s is running: Atlas changes nothing of the cluster before it has ended, and its turn waits", name)
	}
	if slices.Contains(c.Outages, name) {
		f.err(cmk.FindingOutageSimulation, name, "end the simulation first", "an outage of cluster %s is being simulated: its nodes could not re-sync", name)
	}
	if cluster.Scales {
		f.info(cmk.FindingClusterScales, name, "cluster %s scales by itself: that waits for its re-sync, or its turn for that", name)
	}
	if hours, read := c.OplogHours[name]; read && cluster.DiskGB/resyncPace > hours {
		f.warn(cmk.FindingResyncPastOplog, name, "raise the oplog's minimum retention (oplogMinRetentionHours) for the time of the change",
			"a node of cluster %s re-syncs a disk of up to %.0f GB, which at %d GB an hour takes %.0f hours, and the oplog is kept for %.0f hours only: a node that falls behind it starts anew",
			name, cluster.DiskGB, resyncPace, cluster.DiskGB/resyncPace, hours)
	}
	switch {
	case cluster.Backup && days > 0:
		f.info(cmk.FindingSnapshotsBeforeKey, name, "snapshots of cluster %s from before the change cannot be restored into it afterwards: one is taken when it is done", name)
	case cluster.Backup:
		f.warn(cmk.FindingSnapshotsBeforeKey, name, "set snapshotDays to have one taken when the cluster is on the key, or take one yourself", "snapshots of cluster %s from before the change cannot be restored into it afterwards", name)
	}
}
