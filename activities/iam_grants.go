package activities

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// GrantsInput names keys that a role is given the use of for a project, or no longer.
type GrantsInput struct {
	Lease Lease `json:"lease"`
	// RoleLease is the lease on the role's documents.
	RoleLease Lease    `json:"roleLease"`
	ProjectID string   `json:"projectId"`
	Name      string   `json:"name"`
	KeyARNs   []string `json:"keyArns"`
}

// GrantKeys adds keys to those that the role may use for the project, by our own statement in our inline policy. What it
// may use it goes on using: a snapshot is restored with the key of its time.
func (a *IAM) GrantKeys(ctx context.Context, in GrantsInput) error {
	return a.editGrants(ctx, in, func(keys []string) []string { return set(slices.Concat(keys, in.KeyARNs)) })
}

// WithdrawKeys takes back what GrantKeys has added. Whether anything has come to use the keys meanwhile is for the caller
// to know: IAM cannot tell. What is not there is looked for more than once, as RemoveIAMRole does.
func (a *IAM) WithdrawKeys(ctx context.Context, in GrantsInput) error {
	found := false
	err := a.editGrants(ctx, in, func(keys []string) []string {
		rest := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(in.KeyARNs, key) })
		found = len(rest) < len(keys)
		return rest
	})
	if err == nil && !found {
		return a.absent(ctx, "the use of the key in IAM role "+in.Name)
	}
	return err
}

// editGrants changes the keys that our statement admits, and nothing else; a policy that is left with no statement is
// deleted. It returns once IAM shows what was written.
func (a *IAM) editGrants(ctx context.Context, in GrantsInput, edit func(keys []string) []string) error {
	for _, lease := range []Lease{in.Lease, in.RoleLease} {
		if err := a.leases.Check(ctx, lease); err != nil {
			return err
		}
	}
	d, err := a.permissions(ctx, in.ProjectID, in.Name)
	if err != nil {
		return err
	}
	if d == nil {
		d = newDocument()
	}
	now := grantedBy(d, in.ProjectID)
	want := edit(slices.Clone(now))
	if slices.Equal(now, want) {
		return nil
	}
	policy, what := PolicyName(in.ProjectID), "inline policy "+PolicyName(in.ProjectID)
	if len(want) > 0 {
		if err := d.put(keyStatement(in.ProjectID, want)); err != nil {
			return err
		}
	} else {
		d.drop(Sid(in.ProjectID))
	}
	if len(d.statements) == 0 {
		_, err = a.api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &in.Name, PolicyName: &policy})
		if err != nil && !isCode(err, "NoSuchEntity") {
			return awsError(err, "delete inline policy %s of IAM role %s", policy, in.Name)
		}
		return a.shown(ctx, what, func() (bool, error) {
			there, err := a.permissions(ctx, in.ProjectID, in.Name)
			return err == nil && there == nil, err
		})
	}
	text := d.String()
	if _, err := a.api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &in.Name, PolicyName: &policy, PolicyDocument: &text}); err != nil {
		return awsError(err, "put inline policy %s into IAM role %s", policy, in.Name)
	}
	return a.shown(ctx, what, func() (bool, error) {
		there, err := a.permissions(ctx, in.ProjectID, in.Name)
		return err == nil && there != nil && same(there.String(), text), err
	})
}

// grantedBy are the keys that our statement in an inline policy admits, in order; nil when it is not there.
func grantedBy(permissions *document, projectID string) []string {
	var s statement
	at := permissions.find(Sid(projectID))
	if at < 0 || json.Unmarshal(permissions.statements[at], &s) != nil {
		return nil
	}
	return s.Resource
}
