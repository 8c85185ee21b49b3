// Package policy reads, validates and evaluates AWS policy documents as IAM, STS and KMS do: identity policies,
// permissions boundaries, session policies, trust policies and key policies.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Effect is what a statement does to a request that it matches.
type Effect string

// The effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Document is a parsed policy. It is not changed after Parse and may be shared.
type Document struct {
	Version    string
	ID         string
	Statements []Statement
}

// Statement is one statement of a policy. Of each pair Principal/NotPrincipal, Actions/NotActions and
// Resources/NotResources at most one is set.
type Statement struct {
	Sid                     string
	Effect                  Effect
	Principal, NotPrincipal *Principals
	Actions, NotActions     Values
	Resources, NotResources Values
	Conditions              []Condition
}

// Principals are the principals that a statement names, by type.
type Principals struct {
	// Everyone is true of "*" in place of a list and of {"AWS":"*"}.
	Everyone bool
	AWS      []Named
	Service  []string
	// Federated principals (SAML, OIDC, canonical users) are kept but match no caller of ours.
	Federated []string
}

// Named is an AWS principal as it stands in a policy. IAM and KMS keep the unique id of the user or role behind an
// ARN: a principal that is deleted and made again under its old name is another one.
type Named struct {
	// Text is what was written: an ARN, an account id, or a unique id.
	Text string
	// ID is the unique id that an ARN stood for when the policy was stored; empty for accounts.
	ID string
}

// Condition is one test of one context key.
type Condition struct {
	Operator string
	Key      string
	Values   []string
}

// Values is a JSON string, boolean or number, or a list of them.
type Values []string

// UnmarshalJSON reads one value or a list.
func (v *Values) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		list = []json.RawMessage{b}
	}
	*v = Values{}
	for _, item := range list {
		var s string
		if err := json.Unmarshal(item, &s); err == nil {
			*v = append(*v, s)
			continue
		}
		text := string(bytes.TrimSpace(item))
		if text == "null" || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			return fmt.Errorf("%.40s is neither a string, a boolean nor a number", text)
		}
		*v = append(*v, text)
	}
	return nil
}

type rawDocument struct {
	Version   string
	ID        string `json:"Id"`
	Statement json.RawMessage
}

type rawStatement struct {
	Sid                     string
	Effect                  Effect
	Principal, NotPrincipal json.RawMessage
	Action, NotAction       Values
	Resource, NotResource   Values
	Condition               map[string]map[string]Values
}

// ErrSyntax is wrapped by every error of Parse.
var ErrSyntax = errors.New("syntax errors in policy")

// Parse reads a policy. Unknown elements are refused, as AWS does.
func Parse(text string) (*Document, error) {
	var raw rawDocument
	if err := strict(text, &raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw.Statement, &list); err != nil {
		list = []json.RawMessage{raw.Statement}
	}
	d := &Document{Version: raw.Version, ID: raw.ID}
	for i, item := range list {
		var rs rawStatement
		if err := strict(string(item), &rs); err != nil {
			return nil, fmt.Errorf("%w: statement %d: %w", ErrSyntax, i+1, err)
		}
		s, err := rs.statement()
		if err != nil {
			return nil, fmt.Errorf("%w: statement %d: %w", ErrSyntax, i+1, err)
		}
		d.Statements = append(d.Statements, s)
	}
	if len(d.Statements) == 0 {
		return nil, fmt.Errorf("%w: no statement", ErrSyntax)
	}
	return d, nil
}

func strict(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the document")
	}
	return nil
}

func (rs rawStatement) statement() (Statement, error) {
	s := Statement{
		Sid: rs.Sid, Effect: rs.Effect,
		Actions: rs.Action, NotActions: rs.NotAction,
		Resources: rs.Resource, NotResources: rs.NotResource,
	}
	if s.Effect != Allow && s.Effect != Deny {
		return s, fmt.Errorf("effect %q", s.Effect)
	}
	var err error
	if s.Principal, err = principals(rs.Principal); err != nil {
		return s, err
	}
	if s.NotPrincipal, err = principals(rs.NotPrincipal); err != nil {
		return s, err
	}
	if s.Principal != nil && s.NotPrincipal != nil || s.Actions != nil && s.NotActions != nil || s.Resources != nil && s.NotResources != nil {
		return s, errors.New("an element and its negation")
	}
	for operator, tests := range rs.Condition {
		if !knownOperator(operator) {
			return s, fmt.Errorf("condition operator %q", operator)
		}
		for key, values := range tests {
			s.Conditions = append(s.Conditions, Condition{Operator: operator, Key: key, Values: values})
		}
	}
	return s, nil
}

func principals(raw json.RawMessage) (*Principals, error) {
	if raw == nil {
		return nil, nil
	}
	var everyone string
	if err := json.Unmarshal(raw, &everyone); err == nil {
		if everyone != "*" {
			return nil, fmt.Errorf("principal %q", everyone)
		}
		return &Principals{Everyone: true}, nil
	}
	var byType map[string]Values
	if err := json.Unmarshal(raw, &byType); err != nil {
		return nil, err
	}
	p := &Principals{}
	for kind, values := range byType {
		switch kind {
		case "AWS":
			for _, v := range values {
				if v == "*" {
					p.Everyone = true
					continue
				}
				p.AWS = append(p.AWS, Named{Text: v})
			}
		case "Service":
			p.Service = append(p.Service, values...)
		case "Federated", "CanonicalUser":
			p.Federated = append(p.Federated, values...)
		default:
			return nil, fmt.Errorf("principal type %q", kind)
		}
	}
	return p, nil
}

// Principals are all AWS principals that the document names, in Principal and NotPrincipal, for the owner of the
// document to check and to bind: an ID set here is compared when the document is evaluated.
func (d *Document) Principals() []*Named {
	var out []*Named
	for i := range d.Statements {
		for _, p := range []*Principals{d.Statements[i].Principal, d.Statements[i].NotPrincipal} {
			if p == nil {
				continue
			}
			for j := range p.AWS {
				out = append(out, &p.AWS[j])
			}
		}
	}
	return out
}
