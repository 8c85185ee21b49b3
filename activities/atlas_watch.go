package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// WatchKeyInput asks for a project's key to be watched.
type WatchKeyInput struct {
	ProjectID string `json:"projectId"`
	// RoleID and KeyID are what the project must use; empty means any role and key, or none.
	RoleID string `json:"roleId,omitempty"`
	KeyID  string `json:"keyId,omitempty"`
	// For is how long all must have been well, in every look.
	For   cmk.Duration `json:"for"`
	Until time.Time    `json:"until,omitzero"`
	// Alarm makes it an error at once when the key is not well, for a person to judge.
	Alarm bool `json:"alarm,omitempty"`
}

// WatchKey returns the setting once the key has been valid in every look for a time, the first and the last included, and
// Atlas has told of no node that could not use it. Each look is a validation by Atlas. What is not well starts the time
// anew; until it is over, WatchKey fails with NotReady.
func (a *Atlas) WatchKey(ctx context.Context, in WatchKeyInput) (*Encryption, error) {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if in.KeyID != "" && (!now.Enabled || now.RoleID != in.RoleID || now.KeyID != in.KeyID) {
		return nil, final(cmk.ErrForeign, "project %s does not use key %s through role %s any more: someone else has changed that", in.ProjectID, in.KeyID, in.RoleID)
	}
	if now.Enabled && now.RoleID == "" {
		return nil, final(cmk.ErrForeign, "project %s uses its key through an IAM user's access key", in.ProjectID)
	}
	var since time.Time
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &since); err != nil {
			activity.GetLogger(ctx).Warn("unreadable heartbeat, starting anew", "error", err)
		}
	}
	look := a.pace.clock().Now().UTC()
	trouble, err := a.trouble(ctx, in.ProjectID, now, since)
	if err != nil {
		return nil, err
	}
	if trouble != "" && in.Alarm {
		return nil, final(cmk.ErrNotVerified, "project %s: %s", in.ProjectID, trouble)
	}
	if trouble != "" {
		if !since.IsZero() {
			activity.RecordHeartbeat(ctx, time.Time{})
		}
		return nil, notReady(a.wait(ctx, in.Until), "%s", trouble)
	}
	begun := since.IsZero()
	if begun {
		since = look
	}
	rest := time.Duration(in.For) - look.Sub(since)
	if rest <= 0 {
		return &now, nil
	}
	if begun {
		activity.RecordHeartbeat(ctx, since)
	}
	return nil, notReady(min(rest, a.wait(ctx, in.Until)), "the key is valid, and watched until %s", since.Add(time.Duration(in.For)).Format(time.RFC3339))
}

// trouble says what is not well with a project's key, in words, or is empty.
func (a *Atlas) trouble(ctx context.Context, projectID string, now Encryption, since time.Time) (string, error) {
	if now.Enabled && !now.Valid {
		return "Atlas finds the key not valid", nil
	}
	if since.IsZero() {
		return "", nil
	}
	events, response, err := a.api.EventsApi.ListGroupEvents(ctx, projectID).EventType(alarms()).MinDate(since).Execute()
	if err != nil {
		return "", atlasError(err, response, "list the events of project %s", projectID)
	}
	for _, e := range events.GetResults() {
		if e.GetCreated().After(since) {
			return "a node could not use the key: " + e.GetEventTypeName() + " at " + e.GetCreated().Format(time.RFC3339), nil
		}
	}
	return "", nil
}
