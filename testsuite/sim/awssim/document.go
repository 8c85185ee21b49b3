package awssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// document is a stored policy: its text as it was put, and what AWS made of it.
type document struct {
	text   string
	parsed *policy.Document
	// bound are its principals that are users or roles.
	bound []binding
}

// binding ties a principal as written to the unique id that it stood for.
type binding struct{ written, arn, id string }

// invalidPrincipalError is a principal in a policy that AWS does not know.
type invalidPrincipalError string

func (p invalidPrincipalError) Error() string {
	return fmt.Sprintf("Invalid principal in policy: \"AWS\":%q", string(p))
}

// newDocument reads, validates and binds a policy. A user or role made a moment ago is as good as unknown: its
// existence is judged by what the rest of AWS knows of IAM.
func (s *store) newDocument(text string, kind policy.Kind) (*document, error) {
	parsed, err := policy.Parse(text)
	if err != nil {
		return nil, err
	}
	if err := parsed.Validate(kind); err != nil {
		return nil, err
	}
	d := &document{text: text, parsed: parsed}
	for _, p := range parsed.Principals() {
		written := p.Text
		if !s.bind(p) {
			return nil, invalidPrincipalError(written)
		}
		if p.ID != "" {
			d.bound = append(d.bound, binding{written, p.Text, p.ID})
		}
	}
	return d, nil
}

// bind completes a principal and says whether it exists.
func (s *store) bind(p *policy.Named) bool {
	if e := s.entityByID(asEnforced, p.Text); e != nil {
		p.Text, p.ID = e.arn(), e.id
		return true
	}
	account := policy.AccountOf(p.Text)
	if !s.accountExists(account) {
		return false
	}
	if p.Text == account || p.Text == policy.Root(account) {
		return true
	}
	if e := s.entityByARN(asEnforced, p.Text); e != nil {
		p.ID = e.id
		return true
	}
	if rest, ok := strings.CutPrefix(p.Text, "arn:aws:sts::"+account+":assumed-role/"); ok {
		name, session, _ := strings.Cut(rest, "/")
		e := s.entities[entityAt{roleKind, account, name}].in(asEnforced)
		if e == nil || session == "" {
			return false
		}
		p.ID = e.id
		return true
	}
	return strings.HasPrefix(p.Text, "arn:aws:sts::"+account+":federated-user/")
}

// shown is the text as AWS gives it back: as it was put, but a principal that is no more shows as its unique id, and
// one that was put as a unique id shows as its ARN.
func (s *store) shown(d *document) string {
	renamed := map[string]string{}
	for _, b := range d.bound {
		now := b.arn
		if s.entityByID(atSource, b.id) == nil {
			now = b.id
		}
		if now != b.written {
			renamed[b.written] = now
		}
	}
	if len(renamed) == 0 {
		return d.text
	}
	text, err := renamePrincipals(d.text, renamed)
	if err != nil {
		return d.text
	}
	return text
}

func renamePrincipals(text string, renamed map[string]string) (string, error) {
	var whole map[string]any
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return "", err
	}
	statements, ok := whole["Statement"].([]any)
	if !ok {
		statements = []any{whole["Statement"]}
	}
	for _, item := range statements {
		statement, ok := item.(map[string]any)
		if !ok {
			return "", errors.New("a statement that is no object")
		}
		for _, element := range []string{"Principal", "NotPrincipal"} {
			byType, ok := statement[element].(map[string]any)
			if !ok {
				continue
			}
			switch named := byType["AWS"].(type) {
			case string:
				if now, ok := renamed[named]; ok {
					byType["AWS"] = now
				}
			case []any:
				for i := range named {
					if text, ok := named[i].(string); ok && renamed[text] != "" {
						named[i] = renamed[text]
					}
				}
			}
		}
	}
	out, err := json.Marshal(whole)
	return string(out), err
}
