package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// decide completes a question with the caller's own policies, as the rest of AWS knows them now, and answers it.
func (s *store) decide(c caller, q policy.Question) policy.Decision {
	q.Principal, q.Trusted, q.Session = c.principal, c.trusted, c.narrowed
	if e := s.entityByID(asEnforced, c.principal.ID); e != nil {
		q.Identity, q.Boundary = s.identityPolicies(asEnforced, e)
	}
	return policy.Decide(q)
}

// denial is a decision in AWS's words. The code is the service's.
func denial(code string, c caller, action, resource string, d policy.Decision) error {
	message := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", c.arn(), action, resource)
	if d.Explicit {
		message += " with an explicit deny in a " + d.By
		if d.By == "identity-based policy" {
			message = strings.Replace(message, " a identity", " an identity", 1)
		}
	} else {
		message += fmt.Sprintf(" because no %s allows the %s action", d.By, action)
	}
	return &Error{Code: code, Message: message, Statement: d.Sid}
}

// mayCall is the authorization of everything that is not about a key or a role's trust.
func (s *store) mayCall(c caller, code, action, resource string, x policy.Context) error {
	d := s.decide(c, policy.Question{Request: policy.Request{Action: action, Resource: resource, Context: x}})
	if !d.Allowed {
		return denial(code, c, action, resource, d)
	}
	return nil
}

// mayAssume is sts:AssumeRole: role's trust policy and, unless it names the caller itself, the caller's own policies.
func (s *store) mayAssume(c caller, roleARN, region, externalID, session string) (*entity, error) {
	const action = "sts:AssumeRole"
	role := s.entityByARN(asEnforced, roleARN)
	if role == nil || role.kind != roleKind || role.trust == nil {
		return nil, refuse(codeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s", c.arn(), action, roleARN)
	}
	x := s.context(c, region, Path{})
	x.Set("sts:RoleSessionName", session)
	if externalID != "" {
		x.Set("sts:ExternalId", externalID)
	}
	d := s.decide(c, policy.Question{
		Request:  policy.Request{Action: action, Resource: roleARN, Context: x},
		Resource: role.trust.parsed, ResourceAccount: role.account, ResourceRules: true,
	})
	if !d.Allowed {
		return nil, &Error{
			Code: codeAccessDenied, Statement: d.Sid,
			Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", c.arn(), action, roleARN),
		}
	}
	return role, nil
}

// mayUse is the authorization of a call on a key: its policy and grants as that region enforces them now, and the
// caller's own policies.
func (s *store) mayUse(c caller, action string, k *key, x policy.Context) error {
	if enforced := s.keys[k.at()].in(asEnforced); enforced != nil {
		k = enforced
	}
	x = x.With(s.keyContext(c, k))
	q := policy.Question{
		Request:  policy.Request{Principal: c.principal, Action: action, Resource: k.arn(), Context: x},
		Resource: k.policy.parsed, ResourceAccount: k.account, ResourceRules: true,
		Granted: slices.ContainsFunc(k.grants, func(g grant) bool { return g.allows(c.principal, action, x) }),
	}
	if d := s.decide(c, q); !d.Allowed {
		err := denial(codeAccessDeniedKMS, c, action, k.arn(), d)
		return err
	}
	return nil
}

// keyContext are the condition keys that KMS adds for a key.
func (s *store) keyContext(c caller, k *key) policy.Context {
	x := policy.Context{}
	x.Set("kms:CallerAccount", c.principal.Account)
	x.Set("kms:KeySpec", k.family.spec)
	x.Set("kms:KeyUsage", k.family.usage)
	x.Set("kms:KeyOrigin", k.family.origin)
	x.Set("kms:MultiRegion", strconv.FormatBool(k.family.multiRegion))
	if k.family.multiRegion {
		x.Set("kms:MultiRegionKeyType", k.kind())
		x.Set("kms:PrimaryRegion", k.family.primary)
	}
	var names []string
	for _, a := range s.aliasesOf(asEnforced, k) {
		names = append(names, a.name)
	}
	if len(names) > 0 {
		x.Set("kms:ResourceAliases", names...)
	}
	x.Set("aws:ResourceAccount", k.account)
	for name, value := range k.tags {
		x.Set("aws:ResourceTag/"+name, value)
	}
	return x
}

// encryptionContext are the condition keys of a cryptographic call's encryption context.
func encryptionContext(x policy.Context, algorithm string, given map[string]string) {
	x.Set("kms:EncryptionAlgorithm", algorithm)
	for k, v := range given {
		x.Set("kms:EncryptionContext:"+k, v)
	}
	if len(given) > 0 {
		x.Set("kms:EncryptionContextKeys", slices.Sorted(maps.Keys(given))...)
	}
}

func (g grant) allows(p policy.Principal, action string, x policy.Context) bool {
	name := strings.TrimPrefix(action, "kms:")
	if !slices.Contains(g.operations, name) {
		return false
	}
	if g.grantee != p.ARN && g.grantee != p.SessionARN && g.grantee != policy.Root(p.Account) {
		return false
	}
	has := func(wanted map[string]string) bool {
		for k, v := range wanted {
			if given := x["kms:encryptioncontext:"+strings.ToLower(k)]; len(given) != 1 || given[0] != v {
				return false
			}
		}
		return true
	}
	return has(g.subset) && has(g.equals) && (g.equals == nil || len(x["kms:encryptioncontextkeys"]) == len(g.equals))
}
