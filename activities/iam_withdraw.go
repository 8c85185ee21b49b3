package activities

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// madeBy stands in the description of every role that this software makes.
const madeBy = "Made by atlas-cmk"

// sids are the names of a document's statements, in order; empty for one that has none.
func (d *document) sids() []string {
	var names []string
	for _, raw := range d.statements {
		var s struct{ Sid string }
		_ = json.Unmarshal(raw, &s) // a statement that cannot be read has no name that we know
		names = append(names, s.Sid)
	}
	return names
}

// admits are the keys that our statement for a project admits.
func (d *document) admits(projectID string) []string {
	var s statement
	if at := d.find(Sid(projectID)); at < 0 || json.Unmarshal(d.statements[at], &s) != nil {
		return nil
	}
	return s.Resource
}

// dropKeys takes keys out of our statement for a project, and removes the statement, and the policy, that has none left.
func (a *IAM) dropKeys(ctx context.Context, projectID, role string, keys []string) error {
	permissions, err := a.permissions(ctx, projectID, role)
	if err != nil || permissions == nil || len(keys) == 0 {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(permissions.admits(projectID)), func(arn string) bool { return slices.Contains(keys, arn) })
	if len(left) > 0 {
		return a.putKeys(ctx, projectID, role, permissions, left)
	}
	permissions.drop(Sid(projectID))
	if len(permissions.statements) > 0 {
		return a.putPermissions(ctx, projectID, role, permissions)
	}
	policy := PolicyName(projectID)
	_, err = a.api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &role, PolicyName: &policy})
	if err != nil && !isCode(err, "NoSuchEntity") {
		return awsError(err, "delete inline policy %s of IAM role %s", policy, role)
	}
	return a.shown(ctx, "the end of inline policy "+policy, func() (bool, error) {
		now, err := a.permissions(ctx, projectID, role)
		return err == nil && now == nil, err
	})
}

// addKeys puts keys back into our statement for a project.
func (a *IAM) addKeys(ctx context.Context, projectID, role string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	permissions, err := a.permissions(ctx, projectID, role)
	if err != nil {
		return err
	}
	if permissions == nil {
		permissions = newDocument()
	}
	all := append(slices.Clone(permissions.admits(projectID)), keys...)
	slices.Sort(all)
	return a.putKeys(ctx, projectID, role, permissions, slices.Compact(all))
}

func (a *IAM) putKeys(ctx context.Context, projectID, role string, permissions *document, keys []string) error {
	before := permissions.String()
	if err := permissions.put(keyStatement(projectID, keys)); err != nil {
		return err
	}
	if same(before, permissions.String()) {
		return nil
	}
	return a.putPermissions(ctx, projectID, role, permissions)
}

func (a *IAM) putPermissions(ctx context.Context, projectID, role string, permissions *document) error {
	policy, text := PolicyName(projectID), permissions.String()
	if _, err := a.api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &policy, PolicyDocument: &text}); err != nil {
		return awsError(err, "put inline policy %s into IAM role %s", policy, role)
	}
	return a.shown(ctx, "inline policy "+policy, func() (bool, error) {
		now, err := a.permissions(ctx, projectID, role)
		return err == nil && now != nil && same(now.String(), text), err
	})
}

// leaveRole takes projects out of a role's trust policy. A role that nobody else is in is deleted if this software has made
// it; a trust policy cannot be empty.
func (a *IAM) leaveRole(ctx context.Context, name string, projectIDs []string, made bool) (*RoleRemoval, error) {
	role, trust, err := a.role(ctx, name)
	if err != nil {
		return nil, err
	}
	if role == nil {
		return &RoleRemoval{Deleted: true}, nil
	}
	dropped := false
	for _, id := range projectIDs {
		dropped = trust.drop(Sid(id)) || dropped
	}
	switch {
	case len(trust.statements) > 0 && !dropped:
		return &RoleRemoval{Left: "others use it"}, nil
	case len(trust.statements) > 0:
		return &RoleRemoval{Left: "others use it"}, a.putTrust(ctx, name, trust, projectIDs)
	case !made:
		return &RoleRemoval{Left: "this software has not made it, and a trust policy cannot be empty"}, nil
	}
	_, err = a.api.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name})
	switch {
	case isCode(err, "DeleteConflict"):
		return &RoleRemoval{Left: "others have given it policies"}, nil
	case err != nil && !isCode(err, "NoSuchEntity"):
		return nil, awsError(err, "delete IAM role %s", name)
	}
	return &RoleRemoval{Deleted: true}, nil
}

func (a *IAM) putTrust(ctx context.Context, name string, trust *document, gone []string) error {
	text := trust.String()
	if _, err := a.api.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &text}); err != nil {
		return awsError(err, "take projects out of the trust policy of IAM role %s", name)
	}
	return a.shown(ctx, "trust policy of IAM role "+name, func() (bool, error) {
		_, now, err := a.role(ctx, name)
		return err == nil && (now == nil || !slices.ContainsFunc(gone, func(id string) bool { return now.find(Sid(id)) >= 0 })), err
	})
}
