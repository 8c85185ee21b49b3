package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// CalmInput asks whether a project is at rest.
type CalmInput struct {
	ProjectID string    `json:"projectId"`
	Until     time.Time `json:"until,omitzero"`
}

// maintenanceAhead is how near the weekly maintenance may be for a project to count as at rest: a restart of a node that
// falls between two steps finds it without a path to its key.
const maintenanceAhead = 2 * time.Hour

// ObserveCalm returns once every cluster of the project is IDLE or paused, and no maintenance is running or due soon;
// until then it fails with NotReady, which says what is going on.
func (a *Atlas) ObserveCalm(ctx context.Context, in CalmInput) error {
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	if err := a.atRest(ctx, clusters, in.Until); err != nil {
		return err
	}
	running, due, err := a.maintenance(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	if running {
		return notReady(a.wait(ctx, in.Until), "maintenance of project %s is running", in.ProjectID)
	}
	if !due.IsZero() && due.Sub(a.pace.clock().Now()) < maintenanceAhead {
		return notReady(a.wait(ctx, in.Until), "maintenance of project %s is due at %s", in.ProjectID, due.Format(time.RFC3339))
	}
	return nil
}

// atRest fails with NotReady while a cluster is neither IDLE nor paused.
func (a *Atlas) atRest(ctx context.Context, clusters []Cluster, until time.Time) error {
	for _, c := range clusters {
		if c.State != cmk.ClusterIdle && !c.Paused {
			return notReady(a.wait(ctx, until), "cluster %s is %s", c.Name, c.State)
		}
	}
	return nil
}

// nextMaintenance is when the weekly maintenance begins next, or began less than an hour ago; zero when there is none. A
// day is 1, Sunday, to 7; 0 means that no window is set.
func nextMaintenance(day, hour int, zone string, now time.Time) (time.Time, error) {
	if day == 0 {
		return time.Time{}, nil
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("time zone %q: %w", zone, err)
	}
	now = now.In(location).Add(-time.Hour)
	const week = 7
	ahead := (day - 1 - int(now.Weekday()) + week) % week
	next := time.Date(now.Year(), now.Month(), now.Day()+ahead, hour, 0, 0, 0, location)
	if next.Before(now) {
		next = next.AddDate(0, 0, week)
	}
	return next, nil
}
