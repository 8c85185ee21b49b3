package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// encryption reads the project's setting. Atlas validates the key on every such read.
func (a *Atlas) encryption(ctx context.Context, projectID string) (Encryption, error) {
	got, response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.GetEncryptionAtRest(ctx, projectID).Execute()
	if err != nil {
		return Encryption{}, atlasError(err, response, "read the encryption at rest of project %s", projectID)
	}
	return encryptionOf(got), nil
}

func encryptionOf(got *admin.EncryptionAtRest) Encryption {
	aws := got.GetAwsKms()
	e := Encryption{
		Enabled: aws.GetEnabled(), Valid: aws.GetValid(), KeyID: aws.GetCustomerMasterKeyID(), Region: aws.GetRegion(),
		RoleID: aws.GetRoleId(), RequirePrivateNetworking: aws.GetRequirePrivateNetworking(), AccessKeyID: aws.GetAccessKeyID(),
		SearchNodes: got.GetEnabledForSearchNodes(),
	}
	if azure := got.GetAzureKeyVault(); azure.GetEnabled() {
		e.Other = "AZURE"
	}
	if gcp := got.GetGoogleCloudKms(); gcp.GetEnabled() {
		e.Other = "GCP"
	}
	return e
}

// EncryptionInput asks for a project's key, role and networking.
type EncryptionInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	KeyID     string `json:"keyId"`
	Region    string `json:"region"`
	RoleID    string `json:"roleId"`
	// RequirePrivateNetworking is the networking to leave the project with; nil leaves it as it is.
	RequirePrivateNetworking *bool `json:"requirePrivateNetworking,omitempty"`
	// Seen is what the project's setting was when it was looked at last, Looked.
	Seen   *Encryption `json:"seen,omitempty"`
	Looked time.Time   `json:"looked,omitzero"`
	// RoleARN, when given, is the IAM role that must be able to use the key wherever clusters on it have nodes: private
	// networking takes them from the public path to the key of their own region.
	RoleARN string `json:"roleArn,omitempty"`
}

// EnsureEncryption turns encryption at rest on with the key, role and networking asked for, or changes the networking
// of a project that has that key and role already. Another key or role is never replaced: that is ErrForeign.
func (a *Atlas) EnsureEncryption(ctx context.Context, in EncryptionInput) (*Encryption, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	now, err := a.encryptionNow(ctx, in)
	if err != nil {
		return nil, err
	}
	if now.Enabled && (now.KeyID != in.KeyID || now.RoleID != in.RoleID || now.Region != in.Region) {
		return nil, final(cmk.ErrForeign, "project %s is encrypted with key %s in %s through role %s, not with what this change was asked for: someone else has set it since preflight", in.ProjectID, now.KeyID, now.Region, now.RoleID)
	}
	private := now.RequirePrivateNetworking
	if in.RequirePrivateNetworking != nil {
		private = *in.RequirePrivateNetworking
	}
	if now.Enabled && now.RequirePrivateNetworking == private {
		return &now, nil
	}
	if private && in.RoleARN != "" {
		if err := a.usableEverywhere(ctx, in, now); err != nil {
			return nil, err
		}
	}
	if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {
		return nil, err
	}
	// The whole block is sent each time: what Atlas does with members that are left out is not documented.
	enabled := true
	return a.patchEncryption(ctx, in.ProjectID, &admin.AWSKMSConfiguration{
		Enabled: &enabled, CustomerMasterKeyID: &in.KeyID, Region: &in.Region, RoleId: &in.RoleID,
		RequirePrivateNetworking: &private,
	})
}

// usableEverywhere makes sure that the key can be used wherever clusters on it have nodes.
func (a *Atlas) usableEverywhere(ctx context.Context, in EncryptionInput, now Encryption) error {
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	onKey := slices.DeleteFunc(clusters, func(c Cluster) bool { return c.Provider != cmk.ProviderAWS })
	return a.usable(ctx, now, in.RoleARN, onKey)
}

// encryptionNow is the setting as it is: what was seen just now, or what a look finds.
func (a *Atlas) encryptionNow(ctx context.Context, in EncryptionInput) (Encryption, error) {
	if in.Seen != nil && a.firstAfter(ctx, in.Looked) {
		return *in.Seen, nil
	}
	return a.encryption(ctx, in.ProjectID)
}

func (a *Atlas) patchEncryption(ctx context.Context, projectID string, block *admin.AWSKMSConfiguration) (*Encryption, error) {
	got, response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.UpdateEncryptionAtRest(ctx, projectID,
		&admin.EncryptionAtRest{AwsKms: block}).Execute()
	if err != nil {
		return nil, atlasError(err, response, "change the encryption at rest of project %s", projectID)
	}
	e := encryptionOf(got)
	return &e, nil
}

// DisableInput asks for encryption at rest to be turned off again.
type DisableInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
}

// DisableEncryption turns encryption at rest off, if and only if nothing in the project uses the key: it looks at every
// cluster and search deployment just before, and refuses with ErrForeign otherwise.
func (a *Atlas) DisableEncryption(ctx context.Context, in DisableInput) error {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return err
	}
	got, response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.GetEncryptionAtRest(ctx, in.ProjectID).Execute()
	if err != nil {
		return atlasError(err, response, "read the encryption at rest of project %s", in.ProjectID)
	}
	if !encryptionOf(got).Enabled {
		return nil
	}
	if got.GetEnabledForSearchNodes() {
		return final(cmk.ErrForeign, "encryption at rest of project %s is not turned off: its search nodes use the key", in.ProjectID)
	}
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	for _, c := range clusters {
		if err := a.freeOfKey(ctx, in.ProjectID, c); err != nil {
			return err
		}
	}
	if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {
		return err
	}
	off := false
	_, err = a.patchEncryption(ctx, in.ProjectID, &admin.AWSKMSConfiguration{Enabled: &off})
	return a.unlessEndpointsStand(ctx, in.ProjectID, err)
}

// stillEndpoints is Atlas's refusal while private endpoints exist, and for a while after the last has gone.
const stillEndpoints = "CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS"

// unlessEndpointsStand is the error as it is; or ErrForeign, if Atlas refuses because of a private endpoint that nobody
// is deleting, so that to try again would not help.
func (a *Atlas) unlessEndpointsStand(ctx context.Context, projectID string, err error) error {
	var refused *temporal.ApplicationError
	if !errors.As(err, &refused) || refused.Type() != stillEndpoints {
		return err
	}
	all, listErr := a.endpoints(ctx, projectID)
	if listErr != nil {
		return listErr
	}
	for _, e := range all {
		if e.Status != cmk.EndpointDeleting {
			return final(cmk.ErrForeign, "encryption at rest of project %s is not turned off: private endpoint %s in %s is %s", projectID, e.ID, e.Region, e.Status)
		}
	}
	return err
}

// freeOfKey refuses a cluster that uses the key, or may be about to.
func (a *Atlas) freeOfKey(ctx context.Context, projectID string, c Cluster) error {
	if c.Provider != cmk.ProviderNone || c.State != cmk.ClusterIdle {
		return final(cmk.ErrForeign, "encryption at rest of project %s is not turned off: cluster %s has provider %s and is %s%s", projectID, c.Name, c.Provider, c.State, ifPaused(c))
	}
	search, err := a.searchOf(ctx, projectID, c.Name)
	if err != nil || search == nil {
		return err
	}
	if search.Provider != cmk.ProviderNone {
		return final(cmk.ErrForeign, "encryption at rest of project %s is not turned off: the search nodes of cluster %s use provider %s", projectID, c.Name, search.Provider)
	}
	if search.State == cmk.ClusterUpdating {
		return notReady(a.wait(ctx, time.Time{}), "the search nodes of cluster %s are %s", c.Name, search.State)
	}
	return nil
}

func ifPaused(c Cluster) string {
	if c.Paused {
		return ", paused"
	}
	return ""
}
