package activities

import (
	"context"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// SwitchInput asks for a project to use its key through a role instead of an IAM user's access key.
type SwitchInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	// Before is the setting as preflight saw it: all of it but the credentials stays.
	Before Encryption `json:"before"`
	RoleID string     `json:"roleId"`
	// Until is for how long a refusal may be IAM's propagation. It is kept here, not by a timeout, so that no attempt is
	// in flight any more when the workflow learns that the switch has failed.
	Until time.Time `json:"until"`
}

// SwitchToRole sends the project's whole setting with the role in place of the credentials. From the moment Atlas takes
// it there is no way back: Atlas accepts no credentials any more. So the answer is an error only if the project is seen
// not to be on the role; on it, even though Atlas does not find it valid yet, the setting is returned.
func (a *Atlas) SwitchToRole(ctx context.Context, in SwitchInput) (*Encryption, error) {
	after := in.Before
	after.RoleID, after.AccessKeyID = in.RoleID, ""
	return a.replace(ctx, replacement{lease: in.Lease, projectID: in.ProjectID, before: in.Before, after: after, until: in.Until})
}

// RoleUseInput names a project and one of its cloud provider access roles.
type RoleUseInput struct {
	ProjectID string `json:"projectId"`
	RoleID    string `json:"roleId"`
}

// ConfirmRoleUnused refuses, with ErrForeign, when the project uses its key through the role: then nothing of it may be
// taken back.
func (a *Atlas) ConfirmRoleUnused(ctx context.Context, in RoleUseInput) error {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	if now.Enabled && now.RoleID == in.RoleID {
		return final(cmk.ErrForeign, "project %s uses its key through role %s: nothing of the role is taken back", in.ProjectID, in.RoleID)
	}
	return nil
}
