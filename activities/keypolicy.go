package activities

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/micahhausler/aws-iam-policy/policy"
)

// KeyPolicy is what a key policy says about a role, as far as it can be told without AWS: it does not know of service
// and resource control policies, nor of the values that conditions will be compared with.
type KeyPolicy struct {
	// Delegates are the accounts whose IAM policies the policy leaves access to; "*" means all.
	Delegates []string `json:"delegates,omitempty"`
	// Admits are the ARNs by which the policy itself admits a role of that name.
	Admits []string `json:"admits,omitempty"`
	// Denies names the statements that deny the role, or may.
	Denies []string `json:"denies,omitempty"`
	// Conditional names the statements that would admit the role under a condition that a private endpoint may break.
	Conditional []string `json:"conditional,omitempty"`
	// Unread says why the policy could not be read, if so.
	Unread string `json:"unread,omitempty"`
}

// readKeyPolicy reads a policy for what it says of a role of that name.
func readKeyPolicy(text, roleName string) KeyPolicy {
	var p policy.Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil || p.Statements == nil {
		return KeyPolicy{Unread: "the document cannot be parsed"}
	}
	var out KeyPolicy
	for i, s := range p.Statements.Values() {
		name := s.Sid
		if name == "" {
			name = fmt.Sprintf("statement %d", i+1)
		}
		uses := coversUse(s.Action)
		if s.NotAction != nil {
			uses = !coversUse(s.NotAction)
		}
		if !uses {
			continue
		}
		accounts, roles := meant(s.Principal, roleName)
		if s.NotPrincipal != nil {
			accounts = append(accounts, everyone)
		}
		switch {
		case len(accounts)+len(roles) == 0:
		case s.Effect == policy.EffectDeny:
			out.Denies = append(out.Denies, name)
		case len(s.Condition) > 0:
			out.Conditional = append(out.Conditional, name)
		default:
			out.Delegates = append(out.Delegates, accounts...)
			out.Admits = append(out.Admits, roles...)
		}
	}
	return out
}

// coversUse says whether actions take in what Atlas does with a key.
func coversUse(actions *policy.StringOrSlice) bool {
	if actions == nil {
		return false
	}
	return slices.ContainsFunc(actions.Values(), func(pattern string) bool {
		ok, err := path.Match(strings.ToLower(pattern), "kms:decrypt")
		return err == nil && ok
	})
}

// everyone is the principal that takes in all accounts.
const everyone = "*"

// meant lists the accounts that a principal element takes in whole, and the roles of that name.
func meant(p *policy.Principal, roleName string) (accounts, roles []string) {
	if p == nil {
		return nil, nil
	}
	if text, err := p.MarshalJSON(); err == nil && string(text) == `"*"` {
		return []string{everyone}, nil
	}
	if p.AWS() == nil {
		return nil, nil
	}
	for _, v := range p.AWS().Values() {
		switch {
		case v == everyone || !strings.HasPrefix(v, "arn:"):
			accounts = append(accounts, v)
		case strings.HasSuffix(v, ":root"):
			accounts = append(accounts, accountOf(v))
		case strings.Contains(v, ":role/") && v[strings.LastIndex(v, "/")+1:] == roleName:
			roles = append(roles, v)
		}
	}
	return accounts, roles
}

// Admitted says whether the policy lets a role of that ARN use the key, by itself or by leaving it to IAM policies.
func (p KeyPolicy) Admitted(roleARN string) bool {
	account := accountOf(roleARN)
	return slices.Contains(p.Admits, roleARN) || slices.Contains(p.Delegates, account) || slices.Contains(p.Delegates, everyone)
}

// accountOf is the account in an ARN; empty when there is none.
func accountOf(arn string) string {
	const account, parts = 4, 6
	fields := strings.SplitN(arn, ":", parts)
	if len(fields) <= account {
		return ""
	}
	return fields[account]
}
