package atlassim

import (
	"net/http"
	"time"
)

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

func (k *compliance) view() any {
	view := map[string]any{"encryptionAtRestEnabled": k.encryption, "state": k.state, "updatedDate": stamp(k.updated), "deletable": false}
	for name, v := range k.doc {
		view[name] = v
	}
	return view
}

func getCompliance(c *call) (any, error) {
	switch k := c.project.compliance; {
	case k != nil:
		return k.view(), nil
	case c.assume.NoComplianceNotFound:
		return nil, refusal(http.StatusNotFound, "BACKUP_COMPLIANCE_POLICY_NOT_FOUND",
			"No Backup Compliance Policy exists for group "+c.project.id+".", c.project.id)
	}
	return struct{}{}, nil
}

func updateCompliance(c *call) (any, error) {
	var doc map[string]any
	if err := c.decode(&doc); err != nil {
		return nil, err
	}
	for _, name := range []string{"authorizedEmail", "authorizedUserFirstName", "authorizedUserLastName"} {
		if v, _ := doc[name].(string); v == "" {
			return nil, missingAttribute(name)
		}
	}
	encryption, _ := doc["encryptionAtRestEnabled"].(bool)
	if encryption {
		for _, k := range c.project.clusters {
			if k.provider == providerNone {
				return nil, badRequest("CANNOT_ENABLE_ENCRYPTION_AT_REST_IN_BACKUP_COMPLIANCE_POLICY",
					"Every cluster must use Encryption at Rest; cluster "+k.name+" does not.", k.name)
			}
		}
	}
	for _, name := range []string{"encryptionAtRestEnabled", "state", "updatedDate", "updatedUser", "deletable"} {
		delete(doc, name)
	}
	doc["projectId"] = c.project.id
	next := &compliance{encryption: encryption, state: "ENABLING", updated: c.world.Now(), doc: doc}
	c.project.compliance = next
	c.world.After(c.world.Duration(c.config.Durations.Compliance, "compliance"), func() { next.state = "ACTIVE" })
	c.apply("")
	return next.view(), nil
}
