package policy

import "strings"

// Principal is who makes a request.
type Principal struct {
	// Account is the 12-digit account of the caller.
	Account string
	// ARN is the IAM user, the IAM role behind a session, or the account root (arn:aws:iam::ACCOUNT:root).
	ARN string
	// SessionARN is the assumed-role session, empty for users and root.
	SessionARN string
	// ID is the unique id of the user or role.
	ID string
	// Bounded is true of a user or role with a permissions boundary. Decide sets it.
	Bounded bool
}

// Root is the principal that an account is in a policy.
func Root(account string) string { return "arn:aws:iam::" + account + ":root" }

// Grade says how a resource policy's statement reaches its caller. The greater, the more it alone grants.
type Grade int

// The grades.
const (
	// NotNamed: the statement is not about the caller.
	NotNamed Grade = iota
	// ByAccount: the caller's account is named, which leaves the decision to that account's identity policies.
	ByAccount
	// ByEveryone: any principal is.
	ByEveryone
	// ByARN: the user or the role is named.
	ByARN
	// BySession: this very session is named.
	BySession
)

func (s *Statement) names(p Principal) Grade {
	switch {
	case s.Principal != nil:
		return s.Principal.grade(p)
	case s.NotPrincipal != nil && s.Effect == Deny && p.Bounded:
		return ByEveryone // as AWS has it, whoever is listed
	case s.NotPrincipal != nil:
		return s.NotPrincipal.gradeNot(p)
	default:
		return ByARN
	}
}

func (ps *Principals) grade(p Principal) Grade {
	best := NotNamed
	if ps.Everyone {
		best = ByEveryone
	}
	for _, n := range ps.AWS {
		best = max(best, n.grade(p))
	}
	return best
}

func (n Named) grade(p Principal) Grade {
	switch {
	case n.Text == p.Account || n.Text == Root(p.Account):
		return ByAccount
	case n.ID != "" && n.ID != p.ID:
		return NotNamed
	case p.SessionARN != "" && n.Text == p.SessionARN:
		return BySession
	case n.Text == p.ARN:
		return ByARN
	default:
		return NotNamed
	}
}

// gradeNot is of a NotPrincipal. A caller escapes it only if every principal that it acts as is listed: the role does
// not exempt its sessions. (The account of an exempted principal need not be listed for the principal's own calls.)
func (ps *Principals) gradeNot(p Principal) Grade {
	if ps.Everyone {
		return NotNamed
	}
	listed := ps.grade(p)
	if listed == ByAccount || listed == BySession || listed == ByARN && p.SessionARN == "" {
		return NotNamed
	}
	return ByEveryone
}

// AccountOf is the account in an ARN, or the text itself when it is an account id; empty when it is neither.
func AccountOf(text string) string {
	if len(text) == 12 && strings.Trim(text, "0123456789") == "" {
		return text
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" {
		return parts[4]
	}
	return ""
}
