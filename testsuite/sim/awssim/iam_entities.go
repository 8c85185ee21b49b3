package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

type xmlBoundary struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

type xmlEntity struct {
	Path                     string
	RoleName                 string `xml:",omitempty"`
	RoleID                   string `xml:"RoleId,omitempty"`
	UserName                 string `xml:",omitempty"`
	UserID                   string `xml:"UserId,omitempty"`
	Arn, CreateDate          string
	AssumeRolePolicyDocument string       `xml:",omitempty"`
	Description              string       `xml:",omitempty"`
	MaxSessionDuration       int          `xml:",omitempty"`
	PermissionsBoundary      *xmlBoundary `xml:",omitempty"`
	Tags                     []xmlTag     `xml:"Tags>member,omitempty"`
}

func (s *store) xmlOf(e *entity) xmlEntity {
	x := xmlEntity{Path: e.path, Arn: e.arn(), CreateDate: stamp(e.created), Description: e.description, Tags: xmlTags(e.tags)}
	if e.kind == roleKind {
		x.RoleName, x.RoleID, x.MaxSessionDuration = e.name, e.id, e.maxSession
		x.AssumeRolePolicyDocument = encoded(s.shown(e.trust))
	} else {
		x.UserName, x.UserID = e.name, e.id
	}
	if e.boundary != "" {
		x.PermissionsBoundary = &xmlBoundary{"Policy", e.boundary}
	}
	return x
}

func xmlTags(tags map[string]string) []xmlTag {
	var out []xmlTag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, xmlTag{k, tags[k]})
	}
	return out
}

type xmlRole struct {
	Role *xmlEntity `xml:",omitempty"`
	User *xmlEntity `xml:",omitempty"`
}

func (s *store) wrapped(e *entity) xmlRole {
	x := s.xmlOf(e)
	if e.kind == roleKind {
		return xmlRole{Role: &x}
	}
	return xmlRole{User: &x}
}

func (c *call) createRole() (any, error) {
	e, err := c.newEntity(roleKind, "AROA")
	if err != nil {
		return nil, err
	}
	if e.maxSession, err = c.maxSession(); err != nil {
		return nil, err
	}
	e.description = c.form.Get("Description")
	if e.trust, err = c.trustPolicy(c.form.Get("AssumeRolePolicyDocument")); err != nil {
		return nil, err
	}
	n := 0
	for at, cell := range c.entities {
		if at.kind == roleKind && at.account == c.account() && cell.in(atSource) != nil {
			n++
		}
	}
	if n >= c.quotas.RolesPerAccount {
		return nil, refuse(codeLimit, "Cannot exceed quota for RolesPerAccount: %d", c.quotas.RolesPerAccount)
	}
	put(c.store, c.entities, e.at(), e, c.iamLag())
	return c.wrapped(e), nil
}

func (c *call) createUser() (any, error) {
	e, err := c.newEntity(userKind, "AIDA")
	if err != nil {
		return nil, err
	}
	put(c.store, c.entities, e.at(), e, c.iamLag())
	return c.wrapped(e), nil
}

// newEntity is what CreateRole and CreateUser have in common.
func (c *call) newEntity(kind entityKind, prefix string) (*entity, error) {
	name := c.form.Get(kind.parameter())
	if err := checkName(kind.parameter(), name); err != nil {
		return nil, err
	}
	e := &entity{
		kind: kind, account: c.account(), path: orSlash(c.form.Get("Path")), name: name,
		created: c.world.Now(), tags: formTags(c.form), boundary: c.form.Get("PermissionsBoundary"),
	}
	if !strings.HasPrefix(e.path, "/") || !strings.HasSuffix(e.path, "/") {
		return nil, refuse(codeValidationIAM, "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	if err := c.mayIAM(e.arn()); err != nil {
		return nil, err
	}
	if c.entities[e.at()].in(atSource) != nil {
		return nil, refuse(codeExists, "%s with name %s already exists.", strings.TrimSuffix(kind.parameter(), "Name"), name)
	}
	if e.boundary != "" && c.policies[e.boundary].in(atSource) == nil {
		return nil, noSuchPolicy(e.boundary)
	}
	e.id = c.uniqueID(prefix)
	return e.copy(), nil
}

func (c *call) maxSession() (int, error) {
	text := orElse(c.form.Get("MaxSessionDuration"), "3600")
	n, err := strconv.Atoi(text)
	if err != nil || n < 3600 || n > 43200 {
		return 0, refuse(codeValidationIAM, "1 validation error detected: Value '%s' at 'maxSessionDuration' failed to satisfy constraint: Member must be between 3600 and 43200", text)
	}
	return n, nil
}

func (s *store) trustPolicy(text string) (*document, error) {
	if n := size(text); n > s.quotas.TrustPolicyLength {
		return nil, refuse(codeLimit, "Cannot exceed quota for ACLSizePerRole: %d", s.quotas.TrustPolicyLength)
	}
	d, err := s.newDocument(text, policy.Trust)
	if err != nil {
		return nil, malformed(err)
	}
	return d, nil
}

func (c *call) updateRole() (any, error) {
	e, err := c.entity(roleKind, atSource)
	if err != nil {
		return nil, err
	}
	seconds := e.maxSession
	if c.form.Has("MaxSessionDuration") {
		if seconds, err = c.maxSession(); err != nil {
			return nil, err
		}
	}
	c.changeEntity(e, func(e *entity) {
		e.maxSession = seconds
		if c.form.Has("Description") {
			e.description = c.form.Get("Description")
		}
	})
	return struct{}{}, nil
}

func (c *call) updateAssumeRolePolicy() (any, error) {
	e, err := c.entity(roleKind, atSource)
	if err != nil {
		return nil, err
	}
	trust, err := c.trustPolicy(c.form.Get("PolicyDocument"))
	if err != nil {
		return nil, err
	}
	c.changeEntity(e, func(e *entity) { e.trust = trust })
	return nil, nil
}

func (c *call) getEntity(kind entityKind) (any, error) {
	e, err := c.entity(kind, asRead)
	if err != nil {
		return nil, err
	}
	return c.wrapped(e), nil
}

func (c *call) listEntities(kind entityKind) (any, error) {
	if err := c.mayIAM(fmt.Sprintf("arn:aws:iam::%s:%s/", c.account(), kind)); err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(known(c.entities, asRead, func(e *entity) string { return e.name }), func(e *entity) bool {
		return e.account != c.account() || e.kind != kind || !strings.HasPrefix(e.path, orSlash(c.form.Get("PathPrefix")))
	})
	some, p, err := iamPage(c, all, func(e *entity) string { return e.name })
	if err != nil {
		return nil, err
	}
	out := struct {
		xmlPage
		Roles []xmlEntity `xml:"Roles>member,omitempty"`
		Users []xmlEntity `xml:"Users>member,omitempty"`
	}{xmlPage: p}
	for _, e := range some {
		x := c.xmlOf(e)
		x.Tags, x.PermissionsBoundary = nil, nil // as IAM leaves them out of lists
		if kind == roleKind {
			out.Roles = append(out.Roles, x)
		} else {
			out.Users = append(out.Users, x)
		}
	}
	return out, nil
}

func (c *call) deleteEntity(kind entityKind) (any, error) {
	e, err := c.entity(kind, atSource)
	if err != nil {
		return nil, err
	}
	switch {
	case len(e.attached) > 0:
		return nil, refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	case len(e.inline) > 0:
		return nil, refuse("DeleteConflict", "Cannot delete entity, must delete policies first.")
	case len(c.accessKeysOf(atSource, e)) > 0:
		return nil, refuse("DeleteConflict", "Cannot delete entity, must delete access keys first.")
	}
	put(c.store, c.entities, e.at(), nil, c.iamLag())
	return nil, nil
}

func (c *call) tagEntity(kind entityKind) (any, error) {
	e, err := c.entity(kind, atSource)
	if err != nil {
		return nil, err
	}
	c.changeEntity(e, func(e *entity) { maps.Copy(e.tags, formTags(c.form)) })
	return nil, nil
}

func (c *call) untagEntity(kind entityKind) (any, error) {
	e, err := c.entity(kind, atSource)
	if err != nil {
		return nil, err
	}
	c.changeEntity(e, func(e *entity) {
		for _, name := range members(c.form, "TagKeys") {
			delete(e.tags, name)
		}
	})
	return nil, nil
}

func (c *call) listEntityTags(kind entityKind) (any, error) {
	e, err := c.entity(kind, asRead)
	if err != nil {
		return nil, err
	}
	some, p, err := iamPage(c, xmlTags(e.tags), func(t xmlTag) string { return t.Key })
	if err != nil {
		return nil, err
	}
	return struct {
		xmlPage
		Tags []xmlTag `xml:"Tags>member"`
	}{p, some}, nil
}
