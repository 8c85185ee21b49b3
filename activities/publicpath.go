package activities

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/micahhausler/aws-iam-policy/policy"
)

// publicCall is a role's use of a key over the public internet: no VPC endpoint is in its context, and it comes from an
// address that is known.
type publicCall struct {
	roleARN string
	from    netip.Prefix
}

// answer is what a condition comes to.
type answer int

const (
	no answer = iota
	unclear
	yes
)

// verdict is what a key policy says of a public call.
type verdict struct {
	// admitted: the policy itself allows the role all that Atlas does. delegated: it leaves that to IAM policies.
	admitted, delegated bool
	// closed says what denies the call, or may.
	closed []string
}

// judge reads a key policy. A statement that denies counts unless it surely does not apply, one that allows only if it
// surely does.
func (c publicCall) judge(text string) (verdict, error) {
	var p policy.Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return verdict{}, fmt.Errorf("the key policy cannot be parsed: %w", err)
	}
	v := verdict{admitted: true, delegated: true}
	if p.Statements == nil {
		return verdict{closed: []string{"the key policy has no statements"}}, nil
	}
	for _, action := range keyActions() {
		admitted, delegated := no, no
		for i, s := range p.Statements.Values() {
			role, account := c.isMeant(s)
			if !covers(s, action) || !role && !account {
				continue
			}
			holds := c.hold(s.Condition)
			switch {
			case s.Effect == policy.EffectDeny:
				if holds != no {
					v.closed = append(v.closed, fmt.Sprintf("%s denies it from %s, or may", statementName(s, i), c.from))
				}
			case role:
				admitted = max(admitted, holds)
			default:
				delegated = max(delegated, holds)
			}
		}
		v.admitted = v.admitted && admitted == yes
		v.delegated = v.delegated && delegated == yes
	}
	if !v.admitted && !v.delegated {
		v.closed = append(v.closed, fmt.Sprintf("no statement surely allows the role a call from %s", c.from))
	}
	slices.Sort(v.closed)
	v.closed = slices.Compact(v.closed)
	return v, nil
}

func statementName(s policy.Statement, index int) string {
	if s.Sid != "" {
		return s.Sid
	}
	return fmt.Sprintf("statement %d", index+1)
}

// isMeant says whether a statement is about the role itself, or its whole account.
func (c publicCall) isMeant(s policy.Statement) (role, account bool) {
	if s.NotPrincipal != nil {
		return false, true
	}
	accounts, roles := meant(s.Principal, c.roleARN[strings.LastIndex(c.roleARN, "/")+1:])
	return slices.Contains(roles, c.roleARN), slices.Contains(accounts, accountOf(c.roleARN)) || slices.Contains(accounts, everyone)
}

// covers says whether a statement is about an action.
func covers(s policy.Statement, action string) bool {
	among := func(patterns *policy.StringOrSlice) bool {
		return slices.ContainsFunc(patterns.Values(), func(pattern string) bool { return like(pattern, action) })
	}
	switch {
	case s.Action != nil:
		return among(s.Action)
	case s.NotAction != nil:
		return !among(s.NotAction)
	}
	return false
}

// like matches a pattern of policies, in which * and ? stand for anything, without regard to case.
func like(pattern, text string) bool {
	slashless := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(slashless.Replace(strings.ToLower(pattern)), slashless.Replace(strings.ToLower(text)))
	return err == nil && ok
}

// hold says whether all conditions of a statement hold.
func (c publicCall) hold(conditions map[string]map[string]*policy.ConditionValue) answer {
	all := yes
	for operator, keys := range conditions {
		for key, value := range keys {
			if value == nil { // null: no policy that AWS takes, but what was answered
				all = min(all, unclear)
				continue
			}
			texts, flags, _ := value.Values()
			for _, flag := range flags {
				texts = append(texts, fmt.Sprint(flag))
			}
			all = min(all, c.holds(operator, key, texts))
		}
	}
	return all
}

// holds evaluates one condition. Conditions on what nobody here knows of a call are unclear.
func (c publicCall) holds(operator, key string, values []string) answer {
	operator, ifExists := strings.CutSuffix(strings.ToLower(operator), "ifexists")
	negated := strings.Contains(operator, "not")
	switch strings.ToLower(key) {
	case "aws:sourceip":
		switch operator {
		case "ipaddress":
			return c.within(values)
		case "notipaddress":
			return yes - c.within(values)
		case "null":
			return when(slices.Contains(values, "false"))
		}
	case "aws:sourcevpce", "aws:sourcevpc", "aws:vpcsourceip", "kms:viaservice":
		// These are not in the context of a call from outside.
		if operator == "null" {
			return when(slices.Contains(values, "true"))
		}
		return when(ifExists || negated)
	case "aws:principalarn":
		return c.matches(operator, negated, c.roleARN, values)
	case "aws:principalaccount", "kms:calleraccount":
		return c.matches(operator, negated, accountOf(c.roleARN), values)
	case "aws:securetransport":
		return when(operator == "bool" && slices.Contains(values, "true"))
	}
	return unclear
}

func when(holds bool) answer {
	if holds {
		return yes
	}
	return no
}

// within says whether the call comes from one of some networks. One that overlaps only in part leaves it unclear.
func (c publicCall) within(networks []string) answer {
	best := no
	for _, text := range networks {
		network, err := parseNetwork(text)
		switch {
		case err != nil:
			best = max(best, unclear)
		case network.Bits() <= c.from.Bits() && network.Contains(c.from.Addr()):
			return yes
		case network.Overlaps(c.from):
			best = max(best, unclear)
		}
	}
	return best
}

func (c publicCall) matches(operator string, negated bool, text string, values []string) answer {
	var found bool
	switch strings.Replace(operator, "not", "", 1) {
	case "stringequals", "stringequalsignorecase":
		found = slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, text) })
	case "stringlike", "arnlike", "arnequals":
		found = slices.ContainsFunc(values, func(v string) bool { return like(v, text) })
	default:
		return unclear
	}
	return when(found != negated)
}

// parseNetwork reads an address, or a network in CIDR form.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
