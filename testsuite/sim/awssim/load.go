package awssim

import (
	"fmt"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// load makes the configured world, all of it known everywhere.
func (s *store) load() error {
	s.loadAWSManaged()
	for _, a := range s.config.Accounts {
		if len(a.ID) != 12 || policy.AccountOf(a.ID) == "" {
			return fmt.Errorf("account %q: an account id has 12 digits", a.ID)
		}
		if err := s.loadEntities(a); err != nil {
			return fmt.Errorf("account %s: %w", a.ID, err)
		}
	}
	// Trust and key policies name users and roles, and so come when all of these exist.
	for _, a := range s.config.Accounts {
		for _, r := range a.Roles {
			e := s.entities[entityAt{roleKind, a.ID, r.Name}].in(atSource).copy()
			var err error
			if e.trust, err = s.newDocument(r.Trust, policy.Trust); err != nil {
				return fmt.Errorf("account %s: role %s: trust policy: %w", a.ID, r.Name, err)
			}
			put(s, s.entities, e.at(), e, lag{})
		}
		for _, k := range a.Keys {
			if err := s.loadKey(a.ID, k); err != nil {
				return fmt.Errorf("account %s: key %s: %w", a.ID, k.ID, err)
			}
		}
	}
	return nil
}

func (s *store) loadAWSManaged() {
	for name, actions := range map[string]string{
		"AdministratorAccess":              `"*"`,
		"ReadOnlyAccess":                   `["iam:Get*","iam:List*","kms:Describe*","kms:Get*","kms:List*"]`,
		"AWSKeyManagementServicePowerUser": `["kms:CreateAlias","kms:CreateKey","kms:DeleteAlias","kms:Describe*","kms:GenerateRandom","kms:Get*","kms:List*","kms:TagResource","kms:UntagResource","iam:ListGroups","iam:ListRoles","iam:ListUsers"]`,
		"IAMReadOnlyAccess":                `["iam:Get*","iam:List*","iam:Simulate*"]`,
	} {
		text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%s,"Resource":"*"}]}`, actions)
		parsed, err := policy.Parse(text)
		if err != nil {
			panic(err) // the text is ours
		}
		p := &managedPolicy{
			arn: "arn:aws:iam::aws:policy/" + name, id: "ANPA" + strings.ToUpper(name)[:12], account: "aws", path: "/", name: name,
			created: s.world.Now(), document: &document{text: text, parsed: parsed},
		}
		put(s, s.policies, p.arn, p, lag{})
	}
}

func (s *store) loadEntities(a Account) error {
	for _, p := range a.Policies {
		d, err := s.newDocument(p.Document, policy.Identity)
		if err != nil {
			return fmt.Errorf("policy %s: %w", p.Name, err)
		}
		m := &managedPolicy{id: s.uniqueID("ANPA"), account: a.ID, path: orSlash(p.Path), name: p.Name, created: s.world.Now(), document: d}
		m.arn = "arn:aws:iam::" + a.ID + ":policy" + m.path + m.name
		put(s, s.policies, m.arn, m, lag{})
	}
	for _, u := range a.Users {
		e := &entity{kind: userKind, account: a.ID, path: orSlash(u.Path), name: u.Name, id: s.uniqueID("AIDA"), tags: u.Tags}
		if err := s.loadEntity(e, u.Inline, u.Attached, u.Boundary); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
		for _, k := range u.AccessKeys {
			put(s, s.accessKeys, k.ID, &accessKey{
				id: k.ID, secret: k.Secret, account: a.ID, user: u.Name, active: !k.Inactive, created: s.world.Now(),
			}, lag{})
		}
	}
	for _, r := range a.Roles {
		e := &entity{kind: roleKind, account: a.ID, path: orSlash(r.Path), name: r.Name, id: s.uniqueID("AROA"), tags: r.Tags, description: r.Description, maxSession: 3600}
		if err := s.loadEntity(e, r.Inline, r.Attached, r.Boundary); err != nil {
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
	}
	return nil
}

func (s *store) loadEntity(e *entity, inline map[string]string, attached []string, boundary string) error {
	if s.entities[e.at()].in(atSource) != nil {
		return fmt.Errorf("there are two of this name")
	}
	e.created, e.attached, e.boundary = s.world.Now(), attached, boundary
	e = e.copy()
	for name, text := range inline {
		d, err := s.newDocument(text, policy.Identity)
		if err != nil {
			return fmt.Errorf("inline policy %s: %w", name, err)
		}
		e.inline[name] = d
	}
	for _, arn := range append([]string{boundary}, attached...) {
		if arn != "" && s.policies[arn].in(atSource) == nil {
			return fmt.Errorf("policy %s: not found", arn)
		}
	}
	put(s, s.entities, e.at(), e, lag{})
	return nil
}

func (s *store) loadKey(account string, c Key) error {
	f := &family{
		spec: orElse(c.Spec, symmetricDefault), usage: orElse(c.Usage, encryptDecrypt),
		origin: orElse(c.Origin, originKMS), manager: orElse(c.Manager, managerCustomer),
		multiRegion: strings.HasPrefix(c.ID, "mrk-"), primary: c.Region,
	}
	f.rotate(c.ID)
	if c.Rotation {
		s.keepRotating(&key{id: c.ID, family: f}, rotationPeriod)
	}
	if len(c.Replicas) > 0 && !f.multiRegion {
		return fmt.Errorf("replicas of a key whose id does not begin with mrk-")
	}
	all := append([]Replica{{Region: c.Region, Policy: c.Policy, Disabled: c.Disabled, Aliases: c.Aliases}}, c.Replicas...)
	for _, r := range all {
		k := &key{
			account: account, region: r.Region, id: c.ID, family: f, state: stateEnabled, description: c.Description,
			created: s.world.Now(), tags: c.Tags, imported: f.origin == originExternal,
		}
		if r.Disabled {
			k.state = stateDisabled
		}
		if s.keys[k.at()].in(atSource) != nil {
			return fmt.Errorf("region %s: there are two of this id", r.Region)
		}
		text := r.Policy
		switch {
		case text != "":
		case f.manager == managerAWS:
			text = awsManagedKeyPolicy(account)
		default:
			text = defaultKeyPolicy(account)
		}
		var err error
		if k.policy, err = s.newDocument(text, policy.Key); err != nil {
			return fmt.Errorf("region %s: key policy: %w", r.Region, err)
		}
		put(s, s.keys, k.at(), k, lag{})
		for _, name := range r.Aliases {
			if !strings.HasPrefix(name, "alias/") {
				return fmt.Errorf("alias %q: an alias begins with alias/", name)
			}
			put(s, s.aliases, aliasAt{account, r.Region, name}, &alias{
				account: account, region: r.Region, name: name, target: c.ID, created: s.world.Now(), updated: s.world.Now(),
			}, lag{})
		}
	}
	return nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orSlash(path string) string { return orElse(path, "/") }
