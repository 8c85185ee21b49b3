package activities

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// UserStatementsInput names an IAM user, the access key that is given up, and the ids of the keys that it was for.
type UserStatementsInput struct {
	User        string   `json:"user"`
	AccessKeyID string   `json:"accessKeyId"`
	KeyIDs      []string `json:"keyIds"`
}

// UserStatements are the inline policies of an IAM user with statements that allow it nothing but the use of given keys.
type UserStatements struct {
	Policies []string `json:"policies,omitempty"`
	// Left says why the user's policies are left alone, if they are.
	Left string `json:"left,omitempty"`
}

// ReadUserStatements finds what is of no use once the access key is gone. A user with another access key is left alone:
// whoever has that may need them.
func (a *IAM) ReadUserStatements(ctx context.Context, in UserStatementsInput) (*UserStatements, error) {
	out := &UserStatements{}
	err := a.eachUserStatements(ctx, in, func(policy string, _ *document) error {
		out.Policies = append(out.Policies, policy)
		return nil
	}, &out.Left)
	return out, err
}

// WithdrawUserStatementsInput asks for those statements to be removed.
type WithdrawUserStatementsInput struct {
	Justification
	UserStatementsInput
}

func (a *IAM) removeUserStatements(ctx context.Context, in UserStatementsInput) error {
	var left string
	return a.eachUserStatements(ctx, in, func(policy string, rest *document) error {
		if len(rest.statements) == 0 {
			_, err := a.api.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &in.User, PolicyName: &policy})
			if err != nil && !isCode(err, "NoSuchEntity") {
				return awsError(err, "delete inline policy %s of IAM user %s", policy, in.User)
			}
			return nil
		}
		text := rest.String()
		_, err := a.api.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &in.User, PolicyName: &policy, PolicyDocument: &text})
		return awsError(err, "take the keys out of inline policy %s of IAM user %s", policy, in.User)
	}, &left)
}

// eachUserStatements calls do for every inline policy with such statements, with what is left of it without them; or says
// why the user is left alone.
func (a *IAM) eachUserStatements(ctx context.Context, in UserStatementsInput, do func(policy string, rest *document) error, left *string) error {
	policies, why, err := a.userPolicies(ctx, in)
	if *left = why; err != nil || why != "" {
		return err
	}
	for _, policy := range policies {
		got, err := a.api.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &in.User, PolicyName: &policy})
		switch {
		case isCode(err, "NoSuchEntity"):
			continue
		case isCode(err, "AccessDenied"):
			*left = "the worker may not call iam:GetUserPolicy on it"
			return nil
		case err != nil:
			return awsError(err, "read inline policy %s of IAM user %s", policy, in.User)
		}
		d, err := received(got.PolicyDocument)
		if err != nil {
			continue // what cannot be read is nobody's business here
		}
		before := len(d.statements)
		d.statements = slices.DeleteFunc(d.statements, func(raw json.RawMessage) bool { return allowsOnly(raw, in.KeyIDs) })
		if len(d.statements) == before {
			continue
		}
		if err := do(policy, d); err != nil {
			return err
		}
	}
	return nil
}

// userPolicies lists the inline policies of a user that has no access key but the one that is given up.
func (a *IAM) userPolicies(ctx context.Context, in UserStatementsInput) (names []string, left string, err error) {
	keys, err := a.api.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &in.User})
	if isCode(err, "NoSuchEntity") {
		return nil, "it is gone", nil
	}
	if err != nil {
		return nil, "", awsError(err, "list the access keys of IAM user %s", in.User)
	}
	for _, k := range keys.AccessKeyMetadata {
		if id := aws.ToString(k.AccessKeyId); id != in.AccessKeyID {
			return nil, "it has another access key, " + id + ", which may need them", nil
		}
	}
	request := &iam.ListUserPoliciesInput{UserName: &in.User}
	for {
		page, err := a.api.ListUserPolicies(ctx, request)
		if isCode(err, "AccessDenied") {
			return nil, "the worker may not call iam:ListUserPolicies on it", nil
		}
		if err != nil {
			return nil, "", awsError(err, "list the inline policies of IAM user %s", in.User)
		}
		names = append(names, page.PolicyNames...)
		if !page.IsTruncated {
			return names, "", nil
		}
		request.Marker = page.Marker
	}
}

// allowsOnly says whether a statement allows actions of KMS on some of the keys, in whatever region, and nothing else.
func allowsOnly(raw json.RawMessage, keyIDs []string) bool {
	var s struct {
		Effect                 string
		Action, Resource       values
		NotAction, NotResource values
	}
	if json.Unmarshal(raw, &s) != nil || s.Effect != "Allow" || len(s.NotAction)+len(s.NotResource) > 0 || len(s.Action) == 0 || len(s.Resource) == 0 {
		return false
	}
	return !slices.ContainsFunc(s.Action, func(action string) bool { return !strings.HasPrefix(strings.ToLower(action), "kms:") }) &&
		!slices.ContainsFunc(s.Resource, func(arn string) bool {
			_, id, found := strings.Cut(arn, ":key/")
			return !found || !slices.Contains(keyIDs, id)
		})
}
