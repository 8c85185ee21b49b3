package activities

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
)

const providerAWS = "AWS"

// accessRoles lists the project's cloud provider access roles for AWS.
func (a *Atlas) accessRoles(ctx context.Context, projectID string) ([]AccessRole, error) {
	got, response, err := a.api.CloudProviderAccessApi.ListCloudProviderAccess(ctx, projectID).Execute()
	if err != nil {
		return nil, atlasError(err, response, "list the cloud provider access roles of project %s", projectID)
	}
	var roles []AccessRole
	for _, r := range got.GetAwsIamRoles() {
		role := AccessRole{
			ID: r.GetRoleId(), ARN: r.GetIamAssumedRoleArn(), AtlasARN: r.GetAtlasAWSAccountArn(), ExternalID: r.GetAtlasAssumedRoleExternalId(),
			Authorized: !r.GetAuthorizedDate().IsZero(),
		}
		for _, usage := range r.GetFeatureUsages() {
			role.UsedBy = append(role.UsedBy, usage.GetFeatureType())
		}
		roles = append(roles, role)
	}
	return roles, nil
}

// AccessRoleInput asks for a cloud provider access role for an IAM role.
type AccessRoleInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	// RoleARN is the IAM role's, which need not exist yet.
	RoleARN string `json:"roleArn"`
	// Known are the ids of the roles that stood before the change began. A pending role has no name: one that is not
	// among these was made by an earlier attempt of ours.
	Known []string `json:"known,omitempty"`
	// ExternalID is the one that our statement in the IAM role's trust policy already names, if any: the pending role
	// that has it is ours too.
	ExternalID string `json:"externalId,omitempty"`
}

// EnsureAccessRole finds the role for RoleARN, or a pending one of ours, or makes one.
func (a *Atlas) EnsureAccessRole(ctx context.Context, in AccessRoleInput) (*AccessRole, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	roles, err := a.accessRoles(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if role := pickAccessRole(roles, in); role != nil {
		return role, nil
	}
	made, response, err := a.api.CloudProviderAccessApi.CreateCloudProviderAccess(ctx, in.ProjectID,
		&admin.CloudProviderAccessRoleRequest{ProviderName: providerAWS}).Execute()
	if err != nil {
		return nil, atlasError(err, response, "create a cloud provider access role in project %s", in.ProjectID)
	}
	return &AccessRole{ID: made.GetRoleId(), AtlasARN: made.GetAtlasAWSAccountArn(), ExternalID: made.GetAtlasAssumedRoleExternalId()}, nil
}

// pickAccessRole prefers the role that is in use, then one authorized with the ARN, then a pending one that is ours.
func pickAccessRole(roles []AccessRole, in AccessRoleInput) *AccessRole {
	var found *AccessRole
	rank := 0
	for i, r := range roles {
		score := 0
		switch {
		case r.ARN == in.RoleARN && slices.Contains(r.UsedBy, "ENCRYPTION_AT_REST"):
			score = 4
		case r.ARN == in.RoleARN && r.Authorized:
			score = 3
		case r.ARN == "" && in.ExternalID != "" && r.ExternalID == in.ExternalID:
			score = 2
		case r.ARN == "" && !slices.Contains(in.Known, r.ID):
			score = 1
		}
		if score > rank {
			found, rank = &roles[i], score
		}
	}
	return found
}

// AuthorizeInput asks for a cloud provider access role to be authorized with an IAM role.
type AuthorizeInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	RoleID    string `json:"roleId"`
	RoleARN   string `json:"roleArn"`
	// Pending is when the role was seen pending, if it was.
	Pending time.Time `json:"pending,omitzero"`
}

// AuthorizeAccessRole authorizes the role, which makes Atlas assume it once. It fails with CANNOT_ASSUME_ROLE, to be
// tried again, until IAM shows Atlas the trust policy.
func (a *Atlas) AuthorizeAccessRole(ctx context.Context, in AuthorizeInput) error {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return err
	}
	if !a.firstAfter(ctx, in.Pending) {
		roles, err := a.accessRoles(ctx, in.ProjectID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(roles, func(r AccessRole) bool { return r.ID == in.RoleID && r.ARN == in.RoleARN && r.Authorized }) {
			return nil
		}
	}
	_, response, err := a.api.CloudProviderAccessApi.AuthorizeProviderAccessRole(ctx, in.ProjectID, in.RoleID,
		&admin.CloudProviderAccessRoleRequestUpdate{ProviderName: providerAWS, IamAssumedRoleArn: &in.RoleARN}).Execute()
	return atlasError(err, response, "authorize cloud provider access role %s with %s", in.RoleID, in.RoleARN)
}

// RemoveAccessRoleInput asks for the access role that a change made to be taken back.
type RemoveAccessRoleInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	// RoleID is the role that was made. When the answer to its making was lost it is empty, and the pending roles that
	// are not among Known are meant.
	RoleID string   `json:"roleId,omitempty"`
	Known  []string `json:"known,omitempty"`
	// Authorized asks for it only if it has been authorized.
	Authorized bool `json:"authorized,omitempty"`
}

// RemoveAccessRole deauthorizes the role that the change made, unless something uses it.
func (a *Atlas) RemoveAccessRole(ctx context.Context, in RemoveAccessRoleInput) error {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return err
	}
	roles, err := a.accessRoles(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	for _, r := range roles {
		ours := r.ID == in.RoleID
		if in.RoleID == "" {
			ours = r.ARN == "" && !slices.Contains(in.Known, r.ID)
		}
		if !ours || len(r.UsedBy) > 0 || in.Authorized && !r.Authorized {
			continue
		}
		if err := a.deauthorize(ctx, in.ProjectID, r.ID); err != nil {
			return err
		}
	}
	return nil
}

func (a *Atlas) deauthorize(ctx context.Context, projectID, roleID string) error {
	response, err := a.api.CloudProviderAccessApi.DeauthorizeProviderAccessRole(ctx, projectID, providerAWS, roleID).Execute()
	return atlasError(err, response, "deauthorize cloud provider access role %s", roleID)
}
