package atlassim

import (
	"slices"
	"time"
)

// span is a stretch of a cluster's past to any moment of which it can be restored, with the configuration of that time.
type span struct {
	until time.Time
	kms   *kms
}

// defaultRestoreWindow is Atlas's own, in days.
const defaultRestoreWindow = 7

// restoreWindow is how far back a cluster can be restored to any moment.
func (a *Atlas) restoreWindow(c *cluster) time.Duration {
	return a.world.Scaled(time.Duration(c.windowDays) * 24 * time.Hour)
}

// closeSpans ends the present stretch of every encrypted cluster of a project, as its configuration changes.
func (a *Atlas) closeSpans(p *project) {
	for _, c := range p.clusters {
		if c.encryptedAny() {
			a.closeSpan(c)
		}
	}
}

// closeSpan ends the present stretch of a cluster. Until it has left the window, it needs what it was written with.
func (a *Atlas) closeSpan(c *cluster) {
	if c.doc["pitEnabled"] != true || c.project.kms == nil {
		return
	}
	then := *c.project.kms
	s := &span{until: a.world.Now(), kms: &then}
	c.spans = append(c.spans, s)
	a.world.At(s.until.Add(a.restoreWindow(c)), func() {
		c.spans = slices.DeleteFunc(c.spans, func(other *span) bool { return other == s })
	})
}

// moment is what a restore to a point in time reads, as a snapshot of then; nil where the window does not reach.
func (a *Atlas) moment(c *cluster, at time.Time) *snapshot {
	now := a.world.Now()
	if c.doc["pitEnabled"] != true || at.After(now) || at.Before(now.Add(-a.restoreWindow(c))) {
		return nil
	}
	s := &snapshot{id: a.world.ID("moment"), created: at, provider: providerNone}
	for _, past := range c.spans {
		if at.Before(past.until) {
			s.provider, s.kms = providerAWS, past.kms
			return s
		}
	}
	if c.encryptedAny() {
		then := *c.project.kms
		s.provider, s.kms = providerAWS, &then
	}
	return s
}

func getSchedule(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"clusterId": k.id, "clusterName": k.name, "restoreWindowDays": k.windowDays, "referenceHourOfDay": 3, "referenceMinuteOfHour": 0,
		"policies": []any{}, "copySettings": []any{}, "extraRetentionSettings": []any{}, "autoExportEnabled": false,
		"useOrgAndGroupNamesInExportPrefix": false, "links": c.self(),
	}, nil
}
