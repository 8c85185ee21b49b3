package activities

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// AccessKey is an access key of an IAM user, without its secret.
type AccessKey struct {
	ID     string `json:"id"`
	Exists bool   `json:"exists"`
	User   string `json:"user,omitempty"`
	Active bool   `json:"active,omitempty"`
	// UsedAt, Service and Region tell of the latest use that AWS knows of, never by whom; zero when it was never used.
	UsedAt  time.Time `json:"usedAt,omitzero"`
	Service string    `json:"service,omitempty"`
	Region  string    `json:"region,omitempty"`
	// Unread says why the worker may not know, if so.
	Unread string `json:"unread,omitempty"`
	// ReadAt is when that was asked.
	ReadAt time.Time `json:"readAt"`
}

// AccessKeyInput names an access key.
type AccessKeyInput struct {
	AccessKeyID string `json:"accessKeyId"`
}

// ReadAccessKey reads whose an access key is, its status, and its latest use. One that the worker's account does not have
// does not exist for it.
func (a *IAM) ReadAccessKey(ctx context.Context, in AccessKeyInput) (*AccessKey, error) {
	key := &AccessKey{ID: in.AccessKeyID, ReadAt: a.pace.clock().Now().UTC()}
	used, err := a.api.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &in.AccessKeyID})
	if isCode(err, "NoSuchEntity") {
		return key, nil
	}
	if isCode(err, "AccessDenied") {
		key.Unread = "the worker may not call iam:GetAccessKeyLastUsed and iam:ListAccessKeys on it"
		return key, nil
	}
	if err != nil {
		return nil, awsError(err, "ask for the last use of access key %s", in.AccessKeyID)
	}
	if used.UserName == nil {
		return key, nil
	}
	key.User = aws.ToString(used.UserName)
	if last := used.AccessKeyLastUsed; last != nil && last.LastUsedDate != nil {
		key.UsedAt, key.Service, key.Region = last.LastUsedDate.UTC(), aws.ToString(last.ServiceName), aws.ToString(last.Region)
	}
	request := &iam.ListAccessKeysInput{UserName: used.UserName}
	for {
		page, err := a.api.ListAccessKeys(ctx, request)
		if err != nil {
			return nil, awsError(err, "list the access keys of IAM user %s", key.User)
		}
		for _, k := range page.AccessKeyMetadata {
			if aws.ToString(k.AccessKeyId) == in.AccessKeyID {
				key.Exists, key.Active = true, k.Status == types.StatusTypeActive
			}
		}
		if !page.IsTruncated {
			return key, nil
		}
		request.Marker = page.Marker
	}
}

// WithdrawAccessKeyInput asks for an access key to be taken out of use.
type WithdrawAccessKeyInput struct {
	Justification
	AccessKeyID string `json:"accessKeyId"`
	// UnusedSince is from when on it must not have been used.
	UnusedSince time.Time `json:"unusedSince"`
}

// deactivateAccessKey makes an access key Inactive, unless AWS tells of a use since it was given up: that is ErrForeign.
func (a *IAM) deactivateAccessKey(ctx context.Context, in WithdrawAccessKeyInput) error {
	key, err := a.unused(ctx, in)
	if err != nil || !key.Exists || !key.Active {
		return err
	}
	return a.setAccessKey(ctx, key, types.StatusTypeInactive)
}

// deleteAccessKey deletes an access key that is Inactive and has not been used.
func (a *IAM) deleteAccessKey(ctx context.Context, in WithdrawAccessKeyInput) error {
	key, err := a.unused(ctx, in)
	if err != nil || !key.Exists {
		return err
	}
	if key.Active {
		return final(cmk.ErrForeign, "access key %s of IAM user %s is Active again: it is not deleted", key.ID, key.User)
	}
	_, err = a.api.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &key.User, AccessKeyId: &key.ID})
	if isCode(err, "NoSuchEntity") {
		return nil
	}
	return awsError(err, "delete access key %s of IAM user %s", key.ID, key.User)
}

// ReactivateAccessKey makes an access key Active again.
func (a *IAM) ReactivateAccessKey(ctx context.Context, in AccessKeyInput) error {
	key, err := a.ReadAccessKey(ctx, in)
	if err != nil || key.Exists && key.Active {
		return err
	}
	if !key.Exists {
		return final("NoSuchEntity", "access key %s is gone: it cannot be reactivated", in.AccessKeyID)
	}
	return a.setAccessKey(ctx, key, types.StatusTypeActive)
}

// unused reads the access key, and refuses one that was used.
func (a *IAM) unused(ctx context.Context, in WithdrawAccessKeyInput) (*AccessKey, error) {
	key, err := a.ReadAccessKey(ctx, AccessKeyInput{AccessKeyID: in.AccessKeyID})
	if err != nil {
		return nil, err
	}
	if key.Unread != "" {
		return nil, final("AccessDenied", "access key %s is not touched: %s", key.ID, key.Unread)
	}
	if key.UsedAt.After(in.UnusedSince) {
		return nil, final(cmk.ErrForeign, "access key %s of IAM user %s was used at %s (%s in %s): it is not touched",
			key.ID, key.User, key.UsedAt.Format(time.RFC3339), key.Service, key.Region)
	}
	return key, nil
}

func (a *IAM) setAccessKey(ctx context.Context, key *AccessKey, status types.StatusType) error {
	_, err := a.api.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &key.User, AccessKeyId: &key.ID, Status: status})
	if err != nil {
		return awsError(err, "make access key %s of IAM user %s %s", key.ID, key.User, status)
	}
	return a.shown(ctx, "access key "+key.ID, func() (bool, error) {
		now, err := a.ReadAccessKey(ctx, AccessKeyInput{AccessKeyID: key.ID})
		return err == nil && now.Active == (status == types.StatusTypeActive), err
	})
}
