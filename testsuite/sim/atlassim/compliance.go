package atlassim

import "time"

// compliance is a Backup Compliance Policy.
type compliance struct {
	encryption bool
	state      string
	updated    time.Time
	doc        map[string]any
}

func newCompliance(p *project, cfg Compliance, now time.Time) *compliance {
	return &compliance{
		encryption: cfg.Encryption, state: "ACTIVE", updated: now,
		doc: map[string]any{
			"authorizedEmail": cfg.Email, "authorizedUserFirstName": cfg.FirstName, "authorizedUserLastName": cfg.LastName,
			"copyProtectionEnabled": false, "pitEnabled": false, "projectId": p.id,
		},
	}
}
