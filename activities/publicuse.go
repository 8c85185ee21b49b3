package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// PublicUseInput asks whether a role can use a key over the public internet.
type PublicUseInput struct {
	// KeyID is as Atlas has it, an ARN or an id, and Region where Atlas asks for it, in Atlas's spelling.
	KeyID   string `json:"keyId"`
	Region  string `json:"region"`
	RoleARN string `json:"roleArn"`
	// Addresses are those from which Atlas's nodes and its control plane call.
	Addresses []string `json:"addresses"`
}

// KeyUse is what the key says of it.
type KeyUse struct {
	ARN   string `json:"arn,omitempty"`
	State string `json:"state,omitempty"`
	// Admitted: the key's policy itself allows it. Delegated: it leaves it to IAM policies.
	Admitted  bool `json:"admitted,omitempty"`
	Delegated bool `json:"delegated,omitempty"`
	// Closed says what denies it, or may; a few of many.
	Closed []string `json:"closed,omitempty"`
	// Unread says why the key or its policy could not be read, if so.
	Unread string `json:"unread,omitempty"`
}

// mostReasons is how many reasons for a closed path are told.
const mostReasons = 5

// ReadKeyUse reads the key and judges its policy for calls from each of the addresses. That it cannot be read is part of
// the answer: the key may be gone.
func (a *KMS) ReadKeyUse(ctx context.Context, in PublicUseInput) (*KeyUse, error) {
	region := cmk.Region(in.Region)
	meta, err := a.describe(ctx, keyInRegion(in.KeyID, region), region)
	if temporary(err) {
		return nil, err
	}
	if err != nil {
		return &KeyUse{Unread: brief(err.Error())}, nil
	}
	out := &KeyUse{ARN: aws.ToString(meta.Arn), State: string(meta.KeyState), Admitted: true, Delegated: true}
	got, err := a.api.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: meta.Arn}, atRegion(region))
	if err != nil {
		if err := awsError(err, "read the policy of KMS key %s", out.ARN); temporary(err) {
			return nil, err
		}
		return &KeyUse{ARN: out.ARN, State: out.State, Unread: brief(cause(err))}, nil
	}
	for _, text := range in.Addresses {
		from, err := parseNetwork(text)
		if err != nil {
			return nil, final(cmk.ErrForeign, "Atlas gave an address that is none: %s", brief(text))
		}
		v, err := publicCall{roleARN: in.RoleARN, from: from}.judge(aws.ToString(got.Policy))
		if err != nil {
			return &KeyUse{ARN: out.ARN, State: out.State, Unread: brief(err.Error())}, nil
		}
		out.Admitted, out.Delegated = out.Admitted && v.admitted, out.Delegated && v.delegated
		out.Closed = append(out.Closed, v.closed...)
	}
	slices.Sort(out.Closed)
	out.Closed = slices.Compact(out.Closed)
	out.Closed = out.Closed[:min(len(out.Closed), mostReasons)]
	return out, nil
}

// atRegion sends a request to a region.
func atRegion(region cmk.Region) func(*kms.Options) { return in(region) }

// keyInRegion is how a key is called in a region: a multi-Region key given by the ARN of one region has another there.
func keyInRegion(key string, region cmk.Region) string {
	const regionField, fields = 3, 6
	parts := strings.SplitN(key, ":", fields)
	if len(parts) == fields && strings.HasPrefix(parts[fields-1], "key/mrk-") {
		parts[regionField] = region.AWS()
	}
	return strings.Join(parts, ":")
}

// RoleUse is what the role's own policies say of it.
type RoleUse struct {
	Allowed bool `json:"allowed"`
	// Denied: a policy or a permissions boundary denies it.
	Denied bool `json:"denied,omitempty"`
	// Unread says why they could not be evaluated, if so.
	Unread string `json:"unread,omitempty"`
}

// ReadRoleUse has IAM evaluate the role's policies, all of them and its boundary, for the use of the key from outside.
// Where they depend on the address, it asks for each of them.
func (a *IAM) ReadRoleUse(ctx context.Context, in PublicUseInput) (*RoleUse, error) {
	use, byAddress, err := a.simulate(ctx, in, "")
	if err == nil && (byAddress || !use.Allowed) {
		use = &RoleUse{Allowed: true}
		for _, address := range in.Addresses {
			var one *RoleUse
			if one, _, err = a.simulate(ctx, in, address); err != nil {
				break
			}
			use.Allowed, use.Denied = use.Allowed && one.Allowed, use.Denied || one.Denied
		}
	}
	if temporary(err) {
		return nil, err
	}
	if err != nil {
		return &RoleUse{Unread: brief(err.Error())}, nil
	}
	return use, nil
}

const keySourceIP = "aws:SourceIp"

// simulate asks IAM once; byAddress is true when the answer would depend on the address that was not given.
func (a *IAM) simulate(ctx context.Context, in PublicUseInput, address string) (use *RoleUse, byAddress bool, err error) {
	ask := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &in.RoleARN, ActionNames: keyActions(), ResourceArns: []string{in.KeyID}}
	if address != "" {
		ask.ContextEntries = []types.ContextEntry{{
			ContextKeyName: aws.String(keySourceIP), ContextKeyType: types.ContextKeyTypeEnumIp, ContextKeyValues: []string{strings.TrimSuffix(address, "/32")},
		}}
	}
	got, err := a.api.SimulatePrincipalPolicy(ctx, ask)
	if err != nil {
		return nil, false, awsError(err, "evaluate the policies of IAM role %s", in.RoleARN)
	}
	use = &RoleUse{Allowed: len(got.EvaluationResults) == len(keyActions())}
	for _, r := range got.EvaluationResults {
		use.Allowed = use.Allowed && r.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed
		use.Denied = use.Denied || r.EvalDecision == types.PolicyEvaluationDecisionTypeExplicitDeny
		byAddress = byAddress || slices.ContainsFunc(r.MissingContextValues, func(k string) bool { return strings.EqualFold(k, keySourceIP) })
	}
	return use, byAddress, nil
}

// Closed says why the public path is closed to the role, as far as its key and its own policies tell; nil when it is open.
func Closed(key KeyUse, role RoleUse) []string {
	switch {
	case key.Unread != "":
		return []string{"the key could not be evaluated: " + key.Unread}
	case len(key.Closed) > 0:
		return key.Closed
	case role.Unread != "":
		return []string{"the role could not be evaluated: " + role.Unread}
	case role.Denied:
		return []string{"the role's own policies, or its permissions boundary, deny it"}
	case !role.Allowed && !key.Admitted:
		return []string{fmt.Sprintf("the role's own policies do not allow it on %s", key.ARN)}
	}
	return nil
}

// temporary says whether an error is worth trying again.
func temporary(err error) bool {
	var app *temporal.ApplicationError
	return err != nil && (!errors.As(err, &app) || !app.NonRetryable())
}
