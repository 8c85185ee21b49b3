package policy

// Request is what is asked of AWS.
type Request struct {
	Principal Principal
	// Action is service:Name; Resource an ARN or "*".
	Action, Resource string
	Context          Context
}

// Finding is what one document says of a request.
type Finding struct {
	// Denied and Allowed are the statements that do so, nil if none does.
	Denied, Allowed *Statement
	// Grade is how Allowed reaches the caller, in a resource policy.
	Grade Grade
}

// Evaluate says what the document says of a request.
func (d *Document) Evaluate(r Request) Finding {
	var f Finding
	if d == nil {
		return f
	}
	for i := range d.Statements {
		s := &d.Statements[i]
		grade := s.names(r.Principal)
		if grade == NotNamed || !s.matchesAction(r.Action) || !s.matchesResource(r.Resource, r.Context) || !s.holds(r.Context) {
			continue
		}
		if s.Effect == Deny {
			if f.Denied == nil {
				f.Denied = s
			}
			continue
		}
		if grade > f.Grade {
			f.Allowed, f.Grade = s, grade
		}
	}
	return f
}

// Question is a request with all policies that bear on it.
type Question struct {
	Request
	// Identity are the caller's own policies.
	Identity []*Document
	// Trusted callers need no identity policy: an account's root, or a caller whose own account is not simulated.
	Trusted bool
	// Boundary limits what Identity allows; nil for none. Session policies, if any, limit it further.
	Boundary *Document
	Session  []*Document
	// Resource is the resource's policy, or nil.
	Resource *Document
	// ResourceAccount owns the resource; empty means the caller's own account.
	ResourceAccount string
	// ResourceRules is true where nothing is allowed that the resource's policy does not allow or delegate: KMS keys
	// and role trust.
	ResourceRules bool
	// Granted is true when a KMS grant allows the request.
	Granted bool
}

// Decision is AWS's answer and why.
type Decision struct {
	Allowed bool
	// Explicit is true of a denial by a Deny statement.
	Explicit bool
	// By names the kind of policy that decided, in AWS's words: "identity-based policy", "resource-based policy",
	// "permissions boundary", "session policy", "grant".
	By string
	// Sid is of the statement that decided, if it has one.
	Sid string
}

// The kinds of policy, as AWS's messages call them.
const (
	identityBased = "identity-based policy"
	resourceBased = "resource-based policy"
	boundary      = "permissions boundary"
	session       = "session policy"
	grant         = "grant"
)

// Decide answers a question: an explicit denial anywhere wins; then the resource's side and the caller's side must
// both consent, or within one account either of them, as the kind of resource has it.
func Decide(q Question) Decision {
	q.Principal.Bounded = q.Boundary != nil
	resource := q.Resource.Evaluate(q.Request)
	identity := evaluateAll(q.Identity, q.Request)
	limit := q.Boundary.Evaluate(q.Request)
	narrowed := evaluateAll(q.Session, q.Request)
	for _, side := range []struct {
		by string
		Finding
	}{{resourceBased, resource}, {identityBased, identity}, {boundary, limit}, {session, narrowed}} {
		if side.Denied != nil {
			return Decision{Explicit: true, By: side.by, Sid: side.Denied.Sid}
		}
	}
	withinBoundary := q.Boundary == nil || limit.Allowed != nil
	withinSession := len(q.Session) == 0 || narrowed.Allowed != nil

	identityDecides := func() Decision {
		switch {
		case !q.Trusted && identity.Allowed == nil:
			return Decision{By: identityBased}
		case !withinBoundary:
			return Decision{By: boundary}
		case !withinSession:
			return Decision{By: session}
		}
		return allowed(identityBased, identity.Allowed)
	}

	sameAccount := q.ResourceAccount == "" || q.ResourceAccount == q.Principal.Account
	if !sameAccount {
		if resource.Allowed == nil && !q.Granted {
			return Decision{By: resourceBased}
		}
		return identityDecides()
	}
	switch {
	case resource.Grade > ByAccount:
		// A role that is named is still limited by its boundary, and unless its very session is named by session
		// policies; users are by neither.
		if q.Principal.SessionARN != "" {
			if resource.Grade == ByARN && !withinBoundary {
				return Decision{By: boundary}
			}
			if resource.Grade != BySession && !withinSession {
				return Decision{By: session}
			}
		}
		return allowed(resourceBased, resource.Allowed)
	case q.Granted:
		return Decision{Allowed: true, By: grant}
	case q.ResourceRules && resource.Allowed == nil:
		return Decision{By: resourceBased}
	}
	return identityDecides()
}

func allowed(by string, s *Statement) Decision {
	d := Decision{Allowed: true, By: by}
	if s != nil {
		d.Sid = s.Sid
	}
	return d
}

func evaluateAll(documents []*Document, r Request) Finding {
	var all Finding
	for _, d := range documents {
		f := d.Evaluate(r)
		if all.Denied == nil {
			all.Denied = f.Denied
		}
		if all.Allowed == nil {
			all.Allowed, all.Grade = f.Allowed, f.Grade
		}
	}
	return all
}
