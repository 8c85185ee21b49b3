package activities

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// replacement is a project's setting that takes the place of another, by one request.
type replacement struct {
	lease         Lease
	projectID     string
	before, after Encryption
	// until is for how long a refusal may be IAM's propagation. It is kept here, not by a timeout, so that no attempt is in
	// flight any more when the workflow learns that it has failed.
	until time.Time
	// justify, if set, looks at what else the write depends on, just before it.
	justify func(context.Context) error
}

// replace sends the whole setting. Its answer is an error only if the project is seen not to have it; having it, even
// though Atlas does not find it valid yet, the setting is returned.
func (a *Atlas) replace(ctx context.Context, r replacement) (*Encryption, error) {
	if err := a.leases.Check(ctx, r.lease); err != nil {
		return nil, err
	}
	now, err := a.encryption(ctx, r.projectID)
	if err != nil {
		return nil, err
	}
	late := !a.pace.clock().Now().Before(r.until)
	switch {
	case r.done(now) && (now.Valid || late):
		return &now, nil
	case r.done(now):
		// An earlier attempt was taken although Atlas could not use the key yet: it is sent again below.
	case !r.stands(now):
		return nil, final(cmk.ErrForeign, "the encryption at rest of project %s is not as preflight saw it: enabled %t with key %s in %s through role %q and access key %q; someone else has set it since",
			r.projectID, now.Enabled, now.KeyID, now.Region, now.RoleID, now.AccessKeyID)
	case !now.Valid:
		return nil, final(cmk.ErrForeign, "the encryption at rest of project %s stays: Atlas has come to find its present setting not valid", r.projectID)
	default:
		if err := r.justified(ctx, a); err != nil {
			return nil, err
		}
	}
	enabled := true
	patched, err := a.patchEncryption(ctx, r.projectID, &admin.AWSKMSConfiguration{
		Enabled: &enabled, CustomerMasterKeyID: &r.after.KeyID, Region: &r.after.Region, RoleId: &r.after.RoleID,
		RequirePrivateNetworking: &r.after.RequirePrivateNetworking,
	})
	if err == nil {
		return patched, nil
	}
	var refused *temporal.ApplicationError
	if !errors.As(err, &refused) || !refused.NonRetryable() && !late {
		return nil, err
	}
	// Before this is called a failure: whether Atlas keeps a setting that it has just refused is not documented.
	if now, again := a.encryption(ctx, r.projectID); again != nil || r.done(now) {
		return &now, again
	}
	return nil, final(refused.Type(), "%s", refused.Message())
}

// justified looks once more at what the write depends on, and at what others have done meanwhile.
func (r replacement) justified(ctx context.Context, a *Atlas) error {
	if r.justify != nil {
		if err := r.justify(ctx); err != nil {
			return err
		}
	}
	return a.undisturbed(ctx, r.projectID, r.lease)
}

// done says whether a setting is the one that is asked for.
func (r replacement) done(e Encryption) bool {
	return e.Enabled && e.RoleID == r.after.RoleID && e.KeyID == r.after.KeyID && e.Region == r.after.Region &&
		e.RequirePrivateNetworking == r.after.RequirePrivateNetworking
}

// stands says whether a setting is still the one that preflight saw.
func (r replacement) stands(e Encryption) bool {
	e.Valid = r.before.Valid
	return e == r.before
}
