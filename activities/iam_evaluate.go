package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// EvaluateRoleInput asks whether a role may use keys.
type EvaluateRoleInput struct {
	ProjectID string   `json:"projectId"`
	RoleARN   string   `json:"roleArn"`
	KeyARNs   []string `json:"keyArns"`
	// AsGranted evaluates the role as if our inline policy stood in it already.
	AsGranted bool `json:"asGranted,omitempty"`
}

// RoleEvaluation is what IAM's policy simulator says: of the role's own policies and its permissions boundary, not of key
// policies, nor of service and resource control policies.
type RoleEvaluation struct {
	// Denied are the actions that the role may not do, each with its key and why.
	Denied []string `json:"denied,omitempty"`
	// Unevaluated says why nothing could be evaluated, if so.
	Unevaluated string `json:"unevaluated,omitempty"`
}

// EvaluateRole has IAM evaluate whether the role may do with the keys what Atlas does. A worker that may not ask, or a role
// that does not exist yet, is no error.
func (a *IAM) EvaluateRole(ctx context.Context, in EvaluateRoleInput) (*RoleEvaluation, error) {
	request := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &in.RoleARN, ActionNames: keyActions(), ResourceArns: in.KeyARNs}
	if in.AsGranted {
		ours := newDocument()
		if err := ours.put(keyStatement(in.ProjectID, in.KeyARNs)); err != nil {
			return nil, err
		}
		request.PolicyInputList = []string{ours.String()}
	}
	out := &RoleEvaluation{}
	for {
		page, err := a.api.SimulatePrincipalPolicy(ctx, request)
		switch {
		case isCode(err, "NoSuchEntity"):
			return &RoleEvaluation{Unevaluated: "the role does not exist yet"}, nil
		case isCode(err, "AccessDenied"):
			return &RoleEvaluation{Unevaluated: "the worker may not call iam:SimulatePrincipalPolicy on the role"}, nil
		case err != nil:
			return nil, awsError(err, "evaluate the policies of IAM role %s", in.RoleARN)
		}
		for _, r := range page.EvaluationResults {
			if r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed {
				out.Denied = append(out.Denied, denial(r))
			}
		}
		if !page.IsTruncated {
			slices.Sort(out.Denied)
			return out, nil
		}
		request.Marker = page.Marker
	}
}

func denial(r types.EvaluationResult) string {
	why := "no policy allows it"
	if r.EvalDecision == types.PolicyEvaluationDecisionTypeExplicitDeny {
		why = "a policy denies it"
	}
	if b := r.PermissionsBoundaryDecisionDetail; b != nil && !b.AllowedByPermissionsBoundary {
		why = "the permissions boundary does not allow it"
	}
	return fmt.Sprintf("%s on %s: %s", aws.ToString(r.EvalActionName), aws.ToString(r.EvalResourceName), why)
}

// ConfirmRole succeeds once IAM says that the role, as it is now, may use the keys, or cannot be asked; until then it fails,
// to be tried again, since IAM shows new documents late.
func (a *IAM) ConfirmRole(ctx context.Context, in EvaluateRoleInput) error {
	e, err := a.EvaluateRole(ctx, in)
	if err != nil {
		return err
	}
	if len(e.Denied) > 0 {
		return retried(cmk.ErrRoleDenied, "IAM role %s may not use the key: %s", in.RoleARN, brief(e.Denied[0]))
	}
	return nil
}
