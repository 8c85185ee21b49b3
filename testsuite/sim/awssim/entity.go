package awssim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

type entityKind string

const (
	roleKind entityKind = "role"
	userKind entityKind = "user"
)

// entity is an IAM role or user. It is never changed: writes replace it.
type entity struct {
	kind                entityKind
	account, path, name string
	// id is the unique id (AROA…, AIDA…), which no other entity ever gets, whatever its name.
	id          string
	created     time.Time
	description string
	maxSession  int
	trust       *document // of roles
	inline      map[string]*document
	attached    []string // ARNs of managed policies
	boundary    string   // ARN of a managed policy, or empty
	tags        map[string]string
}

func (e *entity) arn() string {
	return "arn:aws:iam::" + e.account + ":" + string(e.kind) + e.path + e.name
}

func (e *entity) at() entityAt { return entityAt{e.kind, e.account, e.name} }

// copy is one whose collections may be changed.
func (e *entity) copy() *entity {
	c := *e
	c.inline, c.tags, c.attached = maps.Clone(e.inline), maps.Clone(e.tags), slices.Clone(e.attached)
	if c.inline == nil {
		c.inline = map[string]*document{}
	}
	if c.tags == nil {
		c.tags = map[string]string{}
	}
	return &c
}

type managedPolicy struct {
	arn, id, account, path, name, description string
	created, changed                          time.Time
	// version counts the edits of the default version.
	version  int
	document *document
}

type accessKey struct {
	id, secret, account, user string
	active                    bool
	created                   time.Time
}

// lastUse is the latest use of an access key, and what GetAccessKeyLastUsed tells of it by now.
type lastUse struct {
	latest, shown *use
	// underway is true while news of a use is on its way to be shown.
	underway bool
}

type use struct {
	at              time.Time
	service, region string
}

// entityByID finds the user or role that has a unique id, nil if it is no more.
func (s *store) entityByID(v view, id string) *entity {
	for _, cell := range s.entities {
		if e := cell.in(v); e != nil && e.id == id {
			return e
		}
	}
	return nil
}

// entityByARN finds a user or role by its ARN, path included.
func (s *store) entityByARN(v view, arn string) *entity {
	kind, name, ok := entityName(arn)
	if !ok {
		return nil
	}
	e := s.entities[entityAt{kind, policy.AccountOf(arn), name}].in(v)
	if e == nil || e.arn() != arn {
		return nil
	}
	return e
}

func entityName(arn string) (entityKind, string, bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "iam" {
		return "", "", false
	}
	kind, rest, ok := strings.Cut(parts[5], "/")
	if !ok || kind != string(roleKind) && kind != string(userKind) {
		return "", "", false
	}
	return entityKind(kind), rest[strings.LastIndex(rest, "/")+1:], true
}

// identityPolicies are the documents attached to an entity and its boundary, as a view knows them.
func (s *store) identityPolicies(v view, e *entity) (documents []*policy.Document, boundary *policy.Document) {
	for _, name := range slices.Sorted(maps.Keys(e.inline)) {
		documents = append(documents, e.inline[name].parsed)
	}
	for _, arn := range e.attached {
		if p := s.policies[arn].in(v); p != nil {
			documents = append(documents, p.document.parsed)
		}
	}
	if e.boundary != "" {
		// A boundary that is not known yet, or no more, allows nothing.
		boundary = &policy.Document{}
		if p := s.policies[e.boundary].in(v); p != nil {
			boundary = p.document.parsed
		}
	}
	return documents, boundary
}
