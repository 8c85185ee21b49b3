package awssim

import (
	"errors"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// defaultPolicyName is the only name that a key policy can have.
const defaultPolicyName = "default"

// malformedKeyPolicy is what is wrong with a policy in the words of KMS.
func malformedKeyPolicy(err error) error {
	var principal invalidPrincipalError
	switch {
	case errors.As(err, &principal):
		return refuse(codeMalformedKMS, "Policy contains a statement with one or more invalid principals.")
	case errors.Is(err, policy.ErrNoResources):
		return refuse(codeMalformedKMS, "Policy contains a statement with no resource.")
	case errors.Is(err, policy.ErrNoActions), errors.Is(err, policy.ErrVendor):
		return refuse(codeMalformedKMS, "Policy contains a statement with one or more invalid actions.")
	case errors.Is(err, policy.ErrNoPrincipal):
		return refuse(codeMalformedKMS, "Policy contains a statement with no principal.")
	case errors.Is(err, policy.ErrSyntax):
		return refuse(codeMalformedKMS, "Invalid policy document. Please check the policy syntax and ensure that Principals are valid.")
	default:
		return refuse(codeMalformedKMS, "%s", err)
	}
}

type namedPolicy struct {
	byKey
	PolicyName string
}

func (in namedPolicy) check() error {
	if in.PolicyName != "" && in.PolicyName != defaultPolicyName {
		return refuse(codeNotFound, "No such policy exists")
	}
	return nil
}

func (c *call) getKeyPolicy(in namedPolicy) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	return struct{ Policy, PolicyName string }{c.shown(k.policy), defaultPolicyName}, nil
}

func (c *call) putKeyPolicy(in struct {
	namedPolicy
	Policy                         string
	BypassPolicyLockoutSafetyCheck bool
},
) (any, error) {
	more := map[string]string{}
	if in.BypassPolicyLockoutSafetyCheck {
		more["kms:BypassPolicyLockoutSafetyCheck"] = "true"
	}
	k, err := c.openAs(in.KeyID, byIDOrARN, c.action(), more)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	d, err := c.keyPolicy(in.Policy, k, in.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	c.changeKey(k, func(k *key) { k.policy = d })
	return nil, nil
}

func (c *call) listKeyPolicies(in listing) (any, error) {
	if _, err := c.open(in.KeyID, byIDOrARN); err != nil {
		return nil, err
	}
	return struct {
		PolicyNames []string
		listed
	}{PolicyNames: []string{defaultPolicyName}}, nil
}
