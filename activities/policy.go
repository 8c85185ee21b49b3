package activities

import (
	"encoding/json"
	"errors"
	"fmt"

	awspolicy "github.com/hashicorp/awspolicyequivalence"
)

// document is an IAM or KMS policy document that we edit: our statements by their Sid, everything else as it came,
// members that this program does not know included.
type document struct {
	members    map[string]json.RawMessage
	statements []json.RawMessage
}

const (
	policyVersion   = "2012-10-17"
	memberVersion   = "Version"
	memberStatement = "Statement"
)

// statement is one of ours.
type statement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal map[string]string            `json:"Principal,omitempty"`
	Action    values                       `json:"Action"`
	Resource  values                       `json:"Resource,omitempty"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

// values is one or more of something. One is written without the list around it: a trust policy has 2,048 characters for
// all its projects.
type values []string

func (v values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

func (v *values) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(v))
}

// newDocument is a document with no statements.
func newDocument() *document {
	return &document{members: map[string]json.RawMessage{memberVersion: json.RawMessage(`"` + policyVersion + `"`)}}
}

func parseDocument(text string) (*document, error) {
	d := &document{}
	if err := json.Unmarshal([]byte(text), &d.members); err != nil {
		return nil, fmt.Errorf("policy document: %w", err)
	}
	if d.members == nil {
		return nil, errors.New("policy document: null is no document")
	}
	raw := d.members[memberStatement]
	if len(raw) == 0 {
		return d, nil
	}
	// A document may hold one statement without the list around it.
	if err := json.Unmarshal(raw, &d.statements); err != nil {
		d.statements = []json.RawMessage{raw}
	}
	return d, nil
}

// put replaces the statement that has s's Sid, or adds s.
func (d *document) put(s statement) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("statement %s: %w", s.Sid, err)
	}
	if at := d.find(s.Sid); at >= 0 {
		d.statements[at] = raw
		return nil
	}
	d.statements = append(d.statements, raw)
	return nil
}

// drop removes the statement of that Sid, and says whether there was one.
func (d *document) drop(sid string) bool {
	at := d.find(sid)
	if at < 0 {
		return false
	}
	d.statements = append(d.statements[:at:at], d.statements[at+1:]...)
	return true
}

func (d *document) find(sid string) int {
	for i, raw := range d.statements {
		var s struct{ Sid string }
		if json.Unmarshal(raw, &s) == nil && s.Sid == sid {
			return i
		}
	}
	return -1
}

func (d *document) String() string {
	statements, err := json.Marshal(d.statements)
	if err == nil {
		d.members[memberStatement] = statements
		statements, err = json.Marshal(d.members)
	}
	if err != nil {
		panic(err) // raw JSON that was parsed before always marshals
	}
	return string(statements)
}

// same says whether two policy documents mean the same.
func same(a, b string) bool {
	if a == b {
		return true
	}
	equal, err := awspolicy.PoliciesAreEquivalent(a, b)
	return err == nil && equal
}

// Sid is the name of our statement for a project, in any policy document.
func Sid(projectID string) string { return sidPrefix + projectID }

const sidPrefix = "AtlasCmk"

// trustStatement lets Atlas assume the role, when it names the project's external id.
func trustStatement(projectID, atlasARN, externalID string) statement {
	return statement{
		Sid: Sid(projectID), Effect: "Allow",
		Principal: map[string]string{"AWS": atlasARN},
		Action:    values{"sts:AssumeRole"},
		Condition: map[string]map[string]string{"StringEquals": {"sts:ExternalId": externalID}},
	}
}

// Documents are the statements that an IAM role needs for a project, for somebody else to put in place.
func Documents(projectID string, role AccessRole, keyARNs []string) (trust, permissions string, err error) {
	t, p := newDocument(), newDocument()
	if err := t.put(trustStatement(projectID, role.AtlasARN, role.ExternalID)); err != nil {
		return "", "", err
	}
	if err := p.put(keyStatement(projectID, keyARNs)); err != nil {
		return "", "", err
	}
	return t.String(), p.String(), nil
}

// keyStatement lets the role use the keys, with no more than Atlas needs.
func keyStatement(projectID string, keyARNs []string) statement {
	return statement{Sid: Sid(projectID), Effect: "Allow", Action: keyActions(), Resource: keyARNs}
}

// keyActions are what Atlas does with a key.
func keyActions() []string { return []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"} }
