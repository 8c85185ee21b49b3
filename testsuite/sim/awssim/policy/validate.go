package policy

import (
	"regexp"
	"strings"
)

// Kind is what a policy is attached to.
type Kind int

// The kinds of policy.
const (
	// Identity policies: inline, managed, boundary, session.
	Identity Kind = iota
	// Trust policies of roles.
	Trust
	// Key policies of KMS keys.
	Key
)

// InvalidError is what Validate finds, in IAM's words.
type InvalidError string

func (i InvalidError) Error() string { return string(i) }

// What Validate finds.
const (
	ErrVersion      InvalidError = "The policy must contain a valid version string"
	ErrNoActions    InvalidError = "Policy statement must contain actions."
	ErrNoResources  InvalidError = "Policy statement must contain resources."
	ErrDuplicateSid InvalidError = "Statement IDs (SID) in a single policy must be unique."
	ErrSid          InvalidError = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	ErrHasPrincipal InvalidError = "Policy document should not specify a principal."
	ErrNoPrincipal  InvalidError = "Missing required field Principal"
	ErrHasResource  InvalidError = "Has prohibited field Resource"
	ErrTrustAction  InvalidError = "AssumeRole policy may only specify STS AssumeRole actions."
	ErrVendor       InvalidError = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	ErrNotPrincipal InvalidError = "Allow with NotPrincipal is not allowed."
)

var (
	sidOfIdentity = regexp.MustCompile(`^[A-Za-z0-9]*$`)
	sidOfKey      = regexp.MustCompile(`^[A-Za-z0-9 ]*$`)
	actionForm    = regexp.MustCompile(`^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$`)
)

// Validate checks what Parse does not: what AWS refuses in a policy of this kind. Principals are for the owner of the
// document to check, who knows which exist.
func (d *Document) Validate(kind Kind) error {
	// An old-style policy may leave the version out.
	if d.Version != "" && d.Version != "2012-10-17" && d.Version != "2008-10-17" {
		return ErrVersion
	}
	seen := map[string]bool{}
	for i := range d.Statements {
		s := &d.Statements[i]
		if s.Sid != "" && seen[s.Sid] {
			return ErrDuplicateSid
		}
		seen[s.Sid] = true
		if kind == Identity && !sidOfIdentity.MatchString(s.Sid) || !sidOfKey.MatchString(s.Sid) {
			return ErrSid
		}
		if err := s.validate(kind); err != nil {
			return err
		}
	}
	return nil
}

func (s *Statement) validate(kind Kind) error {
	actions := append(append([]string(nil), s.Actions...), s.NotActions...)
	if len(actions) == 0 {
		return ErrNoActions
	}
	for _, a := range actions {
		if !actionForm.MatchString(a) {
			return ErrVendor
		}
	}
	named := s.Principal != nil || s.NotPrincipal != nil
	about := len(s.Resources)+len(s.NotResources) > 0
	switch kind {
	case Identity:
		if named {
			return ErrHasPrincipal
		}
		if !about {
			return ErrNoResources
		}
	case Trust:
		if !named {
			return ErrNoPrincipal
		}
		if about {
			return ErrHasResource
		}
		for _, a := range actions {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "sts:") {
				return ErrTrustAction
			}
		}
	case Key:
		if !named {
			return ErrNoPrincipal
		}
		if !about {
			return ErrNoResources
		}
	}
	if s.NotPrincipal != nil && s.Effect == Allow {
		return ErrNotPrincipal
	}
	return nil
}
