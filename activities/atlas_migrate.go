package activities

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/temporal"

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
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	late := !a.pace.clock().Now().Before(in.Until)
	switch {
	case in.done(now) && (now.Valid || late):
		return &now, nil
	case in.done(now):
		// An earlier attempt was taken although Atlas could not use the role yet: it is sent again below.
	case !in.stands(now):
		return nil, final(cmk.ErrForeign, "the encryption at rest of project %s is not as preflight saw it: enabled %t with key %s in %s through role %q and access key %q; someone else has set it since",
			in.ProjectID, now.Enabled, now.KeyID, now.Region, now.RoleID, now.AccessKeyID)
	case !now.Valid:
		return nil, final(cmk.ErrForeign, "project %s is not switched: Atlas has come to find its present credentials not valid", in.ProjectID)
	}
	if !in.done(now) {
		if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {
			return nil, err
		}
	}
	enabled := true
	patched, err := a.patchEncryption(ctx, in.ProjectID, &admin.AWSKMSConfiguration{
		Enabled: &enabled, CustomerMasterKeyID: &in.Before.KeyID, Region: &in.Before.Region, RoleId: &in.RoleID,
		RequirePrivateNetworking: &in.Before.RequirePrivateNetworking,
	})
	if err == nil {
		return patched, nil
	}
	var refused *temporal.ApplicationError
	if !errors.As(err, &refused) || !refused.NonRetryable() && !late {
		return nil, err
	}
	// Before this is called a failure: whether Atlas keeps a setting that it has just refused is not documented.
	if now, again := a.encryption(ctx, in.ProjectID); again != nil || in.done(now) {
		return &now, again
	}
	return nil, final(refused.Type(), "%s", refused.Message())
}

// done says whether a setting is the one that is asked for.
func (in SwitchInput) done(e Encryption) bool {
	return e.Enabled && e.RoleID == in.RoleID && e.KeyID == in.Before.KeyID && e.Region == in.Before.Region &&
		e.RequirePrivateNetworking == in.Before.RequirePrivateNetworking
}

// stands says whether a setting is still the one that preflight saw.
func (in SwitchInput) stands(e Encryption) bool {
	e.Valid = in.Before.Valid
	return e == in.Before
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
