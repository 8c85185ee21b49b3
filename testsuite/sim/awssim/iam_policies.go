package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// The sizes of policies, in characters without white space; of inline policies, all of one role or user together.
const (
	maxInlineOfRole = 10240
	maxInlineOfUser = 2048
	maxManaged      = 6144
	maxAttached     = 10
)

func noSuchPolicy(arn string) error {
	return refuse(codeNoSuchEntity, "Policy %s does not exist or is not attachable.", arn)
}

func (s *store) identityPolicy(text string) (*document, error) {
	d, err := s.newDocument(text, policy.Identity)
	if err != nil {
		return nil, malformed(err)
	}
	return d, nil
}

// inlineFits checks the size of all inline policies of an entity when one of them becomes text.
func (e *entity) inlineFits(name, text string) error {
	total, most := size(text), maxInlineOfRole
	if e.kind == userKind {
		most = maxInlineOfUser
	}
	for other, d := range e.inline {
		if other != name {
			total += size(d.text)
		}
	}
	if total > most {
		return refuse(codeLimit, "Maximum policy size of %d bytes exceeded for %s %s", most, e.kind, e.name)
	}
	return nil
}

func (c *call) putInline(kind entityKind) (any, error) {
	e, err := c.entity(kind, atSource)
	if err != nil {
		return nil, err
	}
	name, text := c.form.Get("PolicyName"), c.form.Get("PolicyDocument")
	if err := checkName("PolicyName", name); err != nil {
		return nil, err
	}
	return nil, c.setInline(e, name, text)
}

func (s *store) setInline(e *entity, name, text string) error {
	if err := e.inlineFits(name, text); err != nil {
		return err
	}
	d, err := s.identityPolicy(text)
	if err != nil {
		return err
	}
	s.changeEntity(e, func(e *entity) { e.inline[name] = d })
	return nil
}

// inline finds the inline policy that the call names.
func (c *call) inline(kind entityKind, v view) (*entity, string, *document, error) {
	e, err := c.entity(kind, v)
	if err != nil {
		return nil, "", nil, err
	}
	name := c.form.Get("PolicyName")
	d := e.inline[name]
	if d == nil {
		return nil, "", nil, refuse(codeNoSuchEntity, "The %s policy with name %s cannot be found.", kind, name)
	}
	return e, name, d, nil
}

func (c *call) getInline(kind entityKind) (any, error) {
	e, name, d, err := c.inline(kind, asRead)
	if err != nil {
		return nil, err
	}
	out := struct {
		RoleName                   string `xml:",omitempty"`
		UserName                   string `xml:",omitempty"`
		PolicyName, PolicyDocument string
	}{PolicyName: name, PolicyDocument: encoded(d.text)}
	if kind == roleKind {
		out.RoleName = e.name
	} else {
		out.UserName = e.name
	}
	return out, nil
}

func (c *call) deleteInline(kind entityKind) (any, error) {
	e, name, _, err := c.inline(kind, atSource)
	if err != nil {
		return nil, err
	}
	c.changeEntity(e, func(e *entity) { delete(e.inline, name) })
	return nil, nil
}

func (c *call) listInline(kind entityKind) (any, error) {
	e, err := c.entity(kind, asRead)
	if err != nil {
		return nil, err
	}
	some, p, err := iamPage(c, slices.Sorted(maps.Keys(e.inline)), itself)
	if err != nil {
		return nil, err
	}
	return struct {
		xmlPage
		PolicyNames []string `xml:"PolicyNames>member"`
	}{p, some}, nil
}

func (c *call) attach(kind entityKind) (any, error) {
	e, err := c.entity(kind, atSource)
	if err != nil {
		return nil, err
	}
	arn := c.form.Get("PolicyArn")
	p := c.policies[arn].in(atSource)
	if p == nil || p.account != "aws" && p.account != e.account {
		return nil, noSuchPolicy(arn)
	}
	if slices.Contains(e.attached, arn) {
		return nil, nil
	}
	if len(e.attached) >= maxAttached {
		return nil, refuse(codeLimit, "Cannot exceed quota for PoliciesPer%s: %d", strings.TrimSuffix(kind.parameter(), "Name"), maxAttached)
	}
	c.changeEntity(e, func(e *entity) { e.attached = append(e.attached, arn) })
	return nil, nil
}

func (c *call) detach(kind entityKind) (any, error) {
	e, err := c.entity(kind, atSource)
	if err != nil {
		return nil, err
	}
	arn := c.form.Get("PolicyArn")
	if !slices.Contains(e.attached, arn) {
		return nil, refuse(codeNoSuchEntity, "Policy %s was not found.", arn)
	}
	c.changeEntity(e, func(e *entity) {
		e.attached = slices.DeleteFunc(e.attached, func(a string) bool { return a == arn })
	})
	return nil, nil
}

type xmlAttached struct{ PolicyName, PolicyArn string }

func (c *call) listAttached(kind entityKind) (any, error) {
	e, err := c.entity(kind, asRead)
	if err != nil {
		return nil, err
	}
	var all []xmlAttached
	for _, arn := range slices.Sorted(slices.Values(e.attached)) {
		all = append(all, xmlAttached{arn[strings.LastIndex(arn, "/")+1:], arn})
	}
	some, p, err := iamPage(c, all, func(a xmlAttached) string { return a.PolicyArn })
	if err != nil {
		return nil, err
	}
	return struct {
		xmlPage
		AttachedPolicies []xmlAttached `xml:"AttachedPolicies>member"`
	}{p, some}, nil
}

func (c *call) putBoundary(kind entityKind) (any, error) {
	e, err := c.entity(kind, atSource)
	if err != nil {
		return nil, err
	}
	arn := c.form.Get("PermissionsBoundary")
	if c.policies[arn].in(atSource) == nil {
		return nil, noSuchPolicy(arn)
	}
	c.changeEntity(e, func(e *entity) { e.boundary = arn })
	return nil, nil
}

func (c *call) deleteBoundary(kind entityKind) (any, error) {
	e, err := c.entity(kind, atSource)
	if err != nil {
		return nil, err
	}
	if e.boundary == "" {
		return nil, refuse(codeNoSuchEntity, "%s has no permissions boundary.", e.arn())
	}
	c.changeEntity(e, func(e *entity) { e.boundary = "" })
	return nil, nil
}

type xmlPolicy struct {
	PolicyName                    string
	PolicyID                      string `xml:"PolicyId"`
	Arn, Path                     string
	DefaultVersionID              string `xml:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string `xml:",omitempty"`
	CreateDate, UpdateDate        string
}

func (s *store) xmlOfPolicy(p *managedPolicy) xmlPolicy {
	x := xmlPolicy{
		PolicyName: p.name, PolicyID: p.id, Arn: p.arn, Path: p.path, DefaultVersionID: p.versionID(), IsAttachable: true,
		Description: p.description, CreateDate: stamp(p.created), UpdateDate: stamp(p.updated()),
	}
	for _, cell := range s.entities {
		e := cell.in(asRead)
		if e == nil {
			continue
		}
		if slices.Contains(e.attached, p.arn) {
			x.AttachmentCount++
		}
		if e.boundary == p.arn {
			x.PermissionsBoundaryUsageCount++
		}
	}
	return x
}

func (p *managedPolicy) versionID() string { return fmt.Sprintf("v%d", p.version+1) }

func (p *managedPolicy) updated() time.Time {
	if p.changed.IsZero() {
		return p.created
	}
	return p.changed
}

func (c *call) createPolicy() (any, error) {
	p := &managedPolicy{
		account: c.account(), path: orSlash(c.form.Get("Path")), name: c.form.Get("PolicyName"),
		description: c.form.Get("Description"), created: c.world.Now(),
	}
	if err := checkName("PolicyName", p.name); err != nil {
		return nil, err
	}
	p.arn = "arn:aws:iam::" + p.account + ":policy" + p.path + p.name
	if err := c.mayIAM(p.arn); err != nil {
		return nil, err
	}
	if c.policies[p.arn].in(atSource) != nil {
		return nil, refuse(codeExists, "A policy called %s already exists. Duplicate names are not allowed.", p.name)
	}
	text := c.form.Get("PolicyDocument")
	if size(text) > maxManaged {
		return nil, refuse(codeLimit, "Cannot exceed quota for PolicySize: %d", maxManaged)
	}
	var err error
	if p.document, err = c.identityPolicy(text); err != nil {
		return nil, err
	}
	p.id = c.uniqueID("ANPA")
	put(c.store, c.policies, p.arn, p, c.iamLag())
	return struct{ Policy xmlPolicy }{c.xmlOfPolicy(p)}, nil
}

// managed finds the managed policy that the call names.
func (c *call) managed(v view) (*managedPolicy, error) {
	arn := c.form.Get("PolicyArn")
	if err := c.mayIAM(arn); err != nil {
		return nil, err
	}
	p := c.policies[arn].in(v)
	if p == nil || p.account != "aws" && p.account != c.account() {
		return nil, refuse(codeNoSuchEntity, "Policy %s was not found.", arn)
	}
	return p, nil
}

func (c *call) getPolicy() (any, error) {
	p, err := c.managed(asRead)
	if err != nil {
		return nil, err
	}
	return struct{ Policy xmlPolicy }{c.xmlOfPolicy(p)}, nil
}

func (c *call) deletePolicy() (any, error) {
	p, err := c.managed(atSource)
	if err != nil {
		return nil, err
	}
	for _, cell := range c.entities {
		if e := cell.in(atSource); e != nil && (slices.Contains(e.attached, p.arn) || e.boundary == p.arn) {
			return nil, refuse("DeleteConflict", "Cannot delete a policy attached to entities.")
		}
	}
	put(c.store, c.policies, p.arn, nil, c.iamLag())
	return nil, nil
}

type xmlVersion struct {
	Document         string `xml:",omitempty"`
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       string
}

func (c *call) getPolicyVersion() (any, error) {
	p, err := c.managed(asRead)
	if err != nil {
		return nil, err
	}
	if v := c.form.Get("VersionId"); v != p.versionID() {
		return nil, refuse(codeNoSuchEntity, "Policy %s version %s does not exist or is not attachable.", p.arn, v)
	}
	return struct{ PolicyVersion xmlVersion }{xmlVersion{encoded(p.document.text), p.versionID(), true, stamp(p.updated())}}, nil
}

// listPolicyVersions knows the default version alone: older ones are not kept.
func (c *call) listPolicyVersions() (any, error) {
	p, err := c.managed(asRead)
	if err != nil {
		return nil, err
	}
	return struct {
		xmlPage
		Versions []xmlVersion `xml:"Versions>member"`
	}{Versions: []xmlVersion{{"", p.versionID(), true, stamp(p.updated())}}}, nil
}

func (c *call) listPolicies() (any, error) {
	if err := c.mayIAM("*"); err != nil {
		return nil, err
	}
	scope := c.form.Get("Scope")
	all := slices.DeleteFunc(known(c.policies, asRead, func(p *managedPolicy) string { return p.arn }), func(p *managedPolicy) bool {
		ours := p.account == c.account()
		return !ours && p.account != "aws" || scope == "Local" && !ours || scope == "AWS" && ours
	})
	some, p, err := iamPage(c, all, func(p *managedPolicy) string { return p.arn })
	if err != nil {
		return nil, err
	}
	out := struct {
		xmlPage
		Policies []xmlPolicy `xml:"Policies>member"`
	}{xmlPage: p}
	for _, m := range some {
		out.Policies = append(out.Policies, c.xmlOfPolicy(m))
	}
	return out, nil
}
