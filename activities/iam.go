package activities

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"go.temporal.io/sdk/activity"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// IAM is AWS Identity and Access Management: the role through which Atlas uses the key.
type IAM struct {
	api    iamAPI
	caller callerAPI
	leases LeaseChecker
	pace   Pace
}

// iamAPI is what we do in IAM, and all that we can do.
type iamAPI interface {
	GetRole(context.Context, *iam.GetRoleInput, ...func(*iam.Options)) (*iam.GetRoleOutput, error)
	CreateRole(context.Context, *iam.CreateRoleInput, ...func(*iam.Options)) (*iam.CreateRoleOutput, error)
	UpdateAssumeRolePolicy(context.Context, *iam.UpdateAssumeRolePolicyInput, ...func(*iam.Options)) (*iam.UpdateAssumeRolePolicyOutput, error)
	DeleteRole(context.Context, *iam.DeleteRoleInput, ...func(*iam.Options)) (*iam.DeleteRoleOutput, error)
	GetRolePolicy(context.Context, *iam.GetRolePolicyInput, ...func(*iam.Options)) (*iam.GetRolePolicyOutput, error)
	ListRolePolicies(context.Context, *iam.ListRolePoliciesInput, ...func(*iam.Options)) (*iam.ListRolePoliciesOutput, error)
	PutRolePolicy(context.Context, *iam.PutRolePolicyInput, ...func(*iam.Options)) (*iam.PutRolePolicyOutput, error)
	DeleteRolePolicy(context.Context, *iam.DeleteRolePolicyInput, ...func(*iam.Options)) (*iam.DeleteRolePolicyOutput, error)
	SimulatePrincipalPolicy(context.Context, *iam.SimulatePrincipalPolicyInput, ...func(*iam.Options)) (*iam.SimulatePrincipalPolicyOutput, error)
	GetAccessKeyLastUsed(context.Context, *iam.GetAccessKeyLastUsedInput, ...func(*iam.Options)) (*iam.GetAccessKeyLastUsedOutput, error)
	ListAccessKeys(context.Context, *iam.ListAccessKeysInput, ...func(*iam.Options)) (*iam.ListAccessKeysOutput, error)
	UpdateAccessKey(context.Context, *iam.UpdateAccessKeyInput, ...func(*iam.Options)) (*iam.UpdateAccessKeyOutput, error)
	ListUserPolicies(context.Context, *iam.ListUserPoliciesInput, ...func(*iam.Options)) (*iam.ListUserPoliciesOutput, error)
	GetUserPolicy(context.Context, *iam.GetUserPolicyInput, ...func(*iam.Options)) (*iam.GetUserPolicyOutput, error)
	PutUserPolicy(context.Context, *iam.PutUserPolicyInput, ...func(*iam.Options)) (*iam.PutUserPolicyOutput, error)
	DeleteUserPolicy(context.Context, *iam.DeleteUserPolicyInput, ...func(*iam.Options)) (*iam.DeleteUserPolicyOutput, error)
	DeleteAccessKey(context.Context, *iam.DeleteAccessKeyInput, ...func(*iam.Options)) (*iam.DeleteAccessKeyOutput, error)
}

// callerAPI tells whose account we work in.
type callerAPI interface {
	GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

// NewIAM makes the activities on IAM. Every write asks leases first.
func NewIAM(api iamAPI, caller callerAPI, leases LeaseChecker, pace Pace) *IAM {
	return &IAM{api: api, caller: caller, leases: leases, pace: pace}
}

// PolicyName is the name of the inline policy that holds a project's permissions in a role.
func PolicyName(projectID string) string { return "atlas-cmk-" + projectID }

// IAMRole is what preflight sees of the IAM role.
type IAMRole struct {
	// ARN is the role's, or what it will be when it does not exist.
	ARN      string `json:"arn"`
	Exists   bool   `json:"exists"`
	Boundary string `json:"boundary,omitempty"`
	// ExternalID and AtlasARN are what our statement in the trust policy admits, if there is one.
	ExternalID string `json:"externalId,omitempty"`
	AtlasARN   string `json:"atlasArn,omitempty"`
	// TrustSize is the length of the trust policy in characters.
	TrustSize int `json:"trustSize,omitempty"`
	// Keys are those that our inline policy admits, if there is one.
	Keys []string `json:"keys,omitempty"`
	// InlineSize is the length of all its inline policies together, as IAM counts it, where ours is not among them yet;
	// InlineUnread says why that could not be read, if so.
	InlineSize   int    `json:"inlineSize,omitempty"`
	InlineUnread string `json:"inlineUnread,omitempty"`
}

// IAMRoleInput names a role, and the project whose statements are looked for.
type IAMRoleInput struct {
	ProjectID string `json:"projectId"`
	Name      string `json:"name"`
}

// ReadIAMRole reads the role, or says what its ARN will be when it does not exist yet.
func (a *IAM) ReadIAMRole(ctx context.Context, in IAMRoleInput) (*IAMRole, error) {
	role, trust, err := a.role(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if role == nil {
		who, err := a.caller.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return nil, awsError(err, "ask AWS whose account the worker's credentials are of")
		}
		if who.Arn == nil || who.Account == nil {
			return nil, incomplete("ask AWS whose account the worker's credentials are of")
		}
		return &IAMRole{ARN: roleARN(*who.Arn, *who.Account, in.Name)}, nil
	}
	out := &IAMRole{ARN: *role.Arn, Exists: true, TrustSize: len(trust.String())}
	if role.PermissionsBoundary != nil {
		out.Boundary = aws.ToString(role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	out.ExternalID, out.AtlasARN = admitted(trust, in.ProjectID)
	permissions, err := a.permissions(ctx, in.ProjectID, in.Name)
	if err != nil {
		return nil, err
	}
	if permissions != nil {
		out.Keys = grantedBy(permissions, in.ProjectID)
		return out, nil
	}
	out.InlineSize, err = a.inlineSize(ctx, in.Name)
	if isCode(err, "AccessDenied") {
		out.InlineUnread, err = "the worker may not call iam:ListRolePolicies and iam:GetRolePolicy on the role", nil
	}
	return out, err
}

// inlineSize is the length of all inline policies of a role together: IAM bounds it, and does not count white space.
func (a *IAM) inlineSize(ctx context.Context, role string) (int, error) {
	size := 0
	request := &iam.ListRolePoliciesInput{RoleName: &role}
	for {
		page, err := a.api.ListRolePolicies(ctx, request)
		if err != nil {
			return 0, awsError(err, "list the inline policies of IAM role %s", role)
		}
		for _, name := range page.PolicyNames {
			got, err := a.api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name})
			if err != nil && !isCode(err, "NoSuchEntity") {
				return 0, awsError(err, "read inline policy %s of IAM role %s", name, role)
			}
			if err == nil {
				text, _ := url.PathUnescape(aws.ToString(got.PolicyDocument)) // what cannot be decoded counts as nothing
				size += len(strings.Join(strings.Fields(text), ""))
			}
		}
		if !page.IsTruncated {
			return size, nil
		}
		request.Marker = page.Marker
	}
}

// admitted is what our statement in a trust policy admits: the external id and Atlas's principal.
func admitted(trust *document, projectID string) (externalID, atlasARN string) {
	at := trust.find(Sid(projectID))
	if at < 0 {
		return "", ""
	}
	var s statement
	if json.Unmarshal(trust.statements[at], &s) != nil {
		return "", ""
	}
	return s.Condition["StringEquals"]["sts:ExternalId"], s.Principal["AWS"]
}

// roleARN is the ARN of a role in the caller's account and partition.
func roleARN(callerARN, account, name string) string {
	partition := "aws"
	if parts := strings.SplitN(callerARN, ":", 3); len(parts) == 3 {
		partition = parts[1]
	}
	return "arn:" + partition + ":iam::" + account + ":role/" + name
}

// role reads the role and its trust policy; nil when there is none.
func (a *IAM) role(ctx context.Context, name string) (*types.Role, *document, error) {
	got, err := a.api.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if isCode(err, "NoSuchEntity") {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, awsError(err, "read IAM role %s", name)
	}
	if got.Role == nil || got.Role.Arn == nil {
		return nil, nil, incomplete("read IAM role %s", name)
	}
	trust, err := received(got.Role.AssumeRolePolicyDocument)
	if err != nil {
		return nil, nil, final(cmk.ErrForeign, "the trust policy of IAM role %s cannot be read: %v", name, err)
	}
	return got.Role, trust, nil
}

// permissions reads our inline policy; nil when there is none.
func (a *IAM) permissions(ctx context.Context, projectID, name string) (*document, error) {
	policy := PolicyName(projectID)
	got, err := a.api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})
	if isCode(err, "NoSuchEntity") {
		return nil, nil
	}
	if err != nil {
		return nil, awsError(err, "read inline policy %s of IAM role %s", policy, name)
	}
	d, err := received(got.PolicyDocument)
	if err != nil {
		return nil, final(cmk.ErrForeign, "inline policy %s of IAM role %s cannot be read: %v", policy, name, err)
	}
	return d, nil
}

// received reads a document as IAM sends it, URL-encoded.
func received(text *string) (*document, error) {
	if text == nil {
		return newDocument(), nil
	}
	decoded, err := url.PathUnescape(*text)
	if err != nil {
		return nil, err
	}
	return parseDocument(decoded)
}

// EnsureIAMRoleInput asks for an IAM role that Atlas may assume for a project and that may use the keys.
type EnsureIAMRoleInput struct {
	Lease Lease `json:"lease"`
	// RoleLease is the lease on the role's documents: IAM replaces them whole, so that of two changes at once one would
	// be lost. Without it the role may only be made.
	RoleLease Lease  `json:"roleLease,omitzero"`
	ProjectID string `json:"projectId"`
	Name      string `json:"name"`
	// Create says that the role may be created.
	Create     bool     `json:"create"`
	Boundary   string   `json:"boundary,omitempty"`
	AtlasARN   string   `json:"atlasArn"`
	ExternalID string   `json:"externalId"`
	KeyARNs    []string `json:"keyArns"`
}

// alone says that the documents of a role that others may share are not to be touched.
func (in EnsureIAMRoleInput) alone() bool { return in.RoleLease.WorkflowID == "" }

// EnsureIAMRole makes the role trust Atlas for the project and gives it the use of the keys, by our own statement and
// inline policy, leaving all else as it is. It returns the role's ARN once IAM shows what was written.
func (a *IAM) EnsureIAMRole(ctx context.Context, in EnsureIAMRoleInput) (string, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return "", err
	}
	if !in.alone() {
		if err := a.leases.Check(ctx, in.RoleLease); err != nil {
			return "", err
		}
	}
	arn, err := a.ensureTrust(ctx, in)
	if err != nil {
		return "", err
	}
	return arn, a.ensurePermissions(ctx, in)
}

func (a *IAM) ensureTrust(ctx context.Context, in EnsureIAMRoleInput) (string, error) {
	ours := trustStatement(in.ProjectID, in.AtlasARN, in.ExternalID)
	role, trust, err := a.role(ctx, in.Name)
	if err != nil {
		return "", err
	}
	if role == nil {
		return a.createRole(ctx, in, ours)
	}
	before := trust.String()
	if err := trust.put(ours); err != nil {
		return "", err
	}
	if same(before, trust.String()) {
		return *role.Arn, nil
	}
	if in.alone() {
		return "", final(cmk.ErrForeign, "IAM role %s was not there when preflight looked, and is now: somebody else has made it; run the change again", in.Name)
	}
	text := trust.String()
	if _, err := a.api.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &in.Name, PolicyDocument: &text}); err != nil {
		return "", awsError(err, "add project %s to the trust policy of IAM role %s", in.ProjectID, in.Name)
	}
	return *role.Arn, a.shown(ctx, "trust policy of IAM role "+in.Name, func() (bool, error) {
		_, now, err := a.role(ctx, in.Name)
		return err == nil && now != nil && now.find(ours.Sid) >= 0, err
	})
}

func (a *IAM) createRole(ctx context.Context, in EnsureIAMRoleInput, ours statement) (string, error) {
	if !in.Create {
		return "", final("NoSuchEntity", "IAM role %s does not exist: create it, or let the request create it (role.mode \"create\")", in.Name)
	}
	trust := newDocument()
	if err := trust.put(ours); err != nil {
		return "", err
	}
	text, description := trust.String(), "Lets MongoDB Atlas use a customer-managed key. "+madeBy+" for project "+in.ProjectID+"."
	request := &iam.CreateRoleInput{RoleName: &in.Name, AssumeRolePolicyDocument: &text, Description: &description}
	if in.Boundary != "" {
		request.PermissionsBoundary = &in.Boundary
	}
	made, err := a.api.CreateRole(ctx, request)
	if isCode(err, "EntityAlreadyExists") {
		// Reads lag behind writes: the role is there, an earlier attempt made it, and the next read will show it.
		return "", notReady(a.pace.Shortest, "IAM role %s exists but is not shown yet", in.Name)
	}
	if err != nil {
		return "", awsError(err, "create IAM role %s", in.Name)
	}
	if made.Role == nil || made.Role.Arn == nil {
		return "", incomplete("create IAM role %s", in.Name)
	}
	return *made.Role.Arn, a.shown(ctx, "IAM role "+in.Name, func() (bool, error) {
		now, _, err := a.role(ctx, in.Name)
		return now != nil, err
	})
}

func (a *IAM) ensurePermissions(ctx context.Context, in EnsureIAMRoleInput) error {
	want := newDocument()
	keys := slices.Clone(in.KeyARNs)
	slices.Sort(keys)
	if err := want.put(keyStatement(in.ProjectID, keys)); err != nil {
		return err
	}
	now, err := a.permissions(ctx, in.ProjectID, in.Name)
	if err != nil {
		return err
	}
	if now != nil && same(now.String(), want.String()) {
		return nil
	}
	policy, text := PolicyName(in.ProjectID), want.String()
	if _, err := a.api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &in.Name, PolicyName: &policy, PolicyDocument: &text}); err != nil {
		return awsError(err, "put inline policy %s into IAM role %s", policy, in.Name)
	}
	return a.shown(ctx, "inline policy "+policy, func() (bool, error) {
		now, err := a.permissions(ctx, in.ProjectID, in.Name)
		return err == nil && now != nil && same(now.String(), text), err
	})
}

// shown waits a little until IAM shows what was just written, so that whoever edits the document next starts from it.
// If that takes longer, the attempt fails with NotReady; the next one finds the write done.
func (a *IAM) shown(ctx context.Context, what string, look func() (bool, error)) error {
	const looks = 8
	wait := 50 * time.Millisecond
	for range looks {
		ok, err := look()
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.pace.clock().After(wait):
			wait *= 2
		}
	}
	return notReady(a.pace.Shortest, "%s is written, and not shown by IAM yet", what)
}

// RemoveIAMRoleInput asks for a project's statements to be taken out of a role again, and for the role to be deleted
// if the change made it.
type RemoveIAMRoleInput struct {
	Lease     Lease  `json:"lease"`
	RoleLease Lease  `json:"roleLease"`
	ProjectID string `json:"projectId"`
	Name      string `json:"name"`
	// Delete says that the role did not exist before the change.
	Delete bool `json:"delete"`
	// KeepTrust and KeepPermissions say that our statement stood in the one or the other before the change.
	KeepTrust       bool `json:"keepTrust,omitempty"`
	KeepPermissions bool `json:"keepPermissions,omitempty"`
}

// RemoveIAMRole takes back what EnsureIAMRole did. A role that others have come to use in the meantime is not deleted. What is
// not there is looked for more than once: IAM may not show yet what was written just before the change was cancelled.
func (a *IAM) RemoveIAMRole(ctx context.Context, in RemoveIAMRoleInput) error {
	for _, lease := range []Lease{in.Lease, in.RoleLease} {
		if err := a.leases.Check(ctx, lease); err != nil {
			return err
		}
	}
	role, trust, err := a.role(ctx, in.Name)
	if err != nil {
		return err
	}
	if role == nil {
		return a.absent(ctx, "IAM role "+in.Name)
	}
	policy := PolicyName(in.ProjectID)
	if !in.KeepPermissions {
		_, err = a.api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &in.Name, PolicyName: &policy})
		if err != nil && !isCode(err, "NoSuchEntity") {
			return awsError(err, "delete inline policy %s of IAM role %s", policy, in.Name)
		}
	}
	if in.KeepTrust {
		return nil
	}
	if !trust.drop(Sid(in.ProjectID)) {
		return a.absent(ctx, "our statement in the trust policy of IAM role "+in.Name)
	}
	if in.Delete && len(trust.statements) == 0 {
		_, err = a.api.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &in.Name})
		if err == nil || isCode(err, "NoSuchEntity") {
			return nil
		}
		return awsError(err, "delete IAM role %s", in.Name)
	}
	if len(trust.statements) == 0 {
		return final(cmk.ErrForeign, "project %s is the last one in the trust policy of IAM role %s, which cannot be empty: delete the role, or replace the policy, by hand", in.ProjectID, in.Name)
	}
	text := trust.String()
	if _, err = a.api.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &in.Name, PolicyDocument: &text}); err != nil {
		return awsError(err, "take project %s out of the trust policy of IAM role %s", in.ProjectID, in.Name)
	}
	// Whoever edits the document next must not start from the old one, and so put our statement back.
	return a.shown(ctx, "trust policy of IAM role "+in.Name, func() (bool, error) {
		_, now, err := a.role(ctx, in.Name)
		return err == nil && (now == nil || now.find(Sid(in.ProjectID)) < 0), err
	})
}

// absences is how often what is to be taken back must not be found until that is believed.
const absences = 4

// absent is nil once that has been so often enough.
func (a *IAM) absent(ctx context.Context, what string) error {
	if activity.IsActivity(ctx) && activity.GetInfo(ctx).Attempt < absences {
		return notReady(2*a.pace.Shortest, "%s is not there, which IAM may only not show yet", what)
	}
	return nil
}

func isCode(err error, code string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == code || api.ErrorCode() == code+"Exception")
}
