package awssim

import (
	"slices"
	"time"
)

// State is everything that AWS remembers as it was last written, without secrets.
type State struct {
	Keys       []KeyState       `json:"keys"`
	Aliases    []AliasState     `json:"aliases"`
	Roles      []EntityState    `json:"roles"`
	Users      []EntityState    `json:"users"`
	Policies   []PolicyState    `json:"policies"`
	AccessKeys []AccessKeyState `json:"accessKeys"`
}

// KeyState is a key in one region.
type KeyState struct {
	ARN         string `json:"arn"`
	Region      string `json:"region"`
	State       string `json:"state"`
	Spec        string `json:"spec"`
	Usage       string `json:"usage"`
	Origin      string `json:"origin"`
	Manager     string `json:"manager"`
	Description string `json:"description,omitempty"`
	MultiRegion bool   `json:"multiRegion"`
	// Type is PRIMARY or REPLICA, of a multi-Region key.
	Type         string            `json:"type,omitempty"`
	Rotation     bool              `json:"rotation"`
	Policy       string            `json:"policy"`
	DeletionDate *time.Time        `json:"deletionDate,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	// Grants are the ids of the key's grants.
	Grants []string `json:"grants,omitempty"`
}

// AliasState is an alias in one region.
type AliasState struct {
	ARN    string `json:"arn"`
	Target string `json:"target"`
}

// EntityState is a role or user.
type EntityState struct {
	ARN      string            `json:"arn"`
	ID       string            `json:"id"`
	Trust    string            `json:"trust,omitempty"`
	Inline   map[string]string `json:"inline,omitempty"`
	Attached []string          `json:"attached,omitempty"`
	Boundary string            `json:"boundary,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// PolicyState is a managed policy.
type PolicyState struct {
	ARN      string `json:"arn"`
	Version  string `json:"version"`
	Document string `json:"document"`
}

// AccessKeyState is an access key. Used is what GetAccessKeyLastUsed tells by now.
type AccessKeyState struct {
	ID     string     `json:"id"`
	User   string     `json:"user"`
	Active bool       `json:"active"`
	Used   *time.Time `json:"used,omitempty"`
}

// State is a snapshot. It is taken from within World.Do.
func (a *AWS) State() State {
	s, out := a.store, State{}
	for _, k := range known(s.keys, atSource, (*key).arn) {
		out.Keys = append(out.Keys, s.keyState(k))
	}
	for _, x := range known(s.aliases, atSource, (*alias).arn) {
		out.Aliases = append(out.Aliases, AliasState{x.arn(), x.target})
	}
	for _, e := range known(s.entities, atSource, (*entity).arn) {
		if e.kind == roleKind {
			out.Roles = append(out.Roles, s.entityState(e))
		} else {
			out.Users = append(out.Users, s.entityState(e))
		}
	}
	for _, p := range known(s.policies, atSource, func(p *managedPolicy) string { return p.arn }) {
		out.Policies = append(out.Policies, PolicyState{p.arn, p.versionID(), p.document.text})
	}
	for _, k := range known(s.accessKeys, atSource, func(k *accessKey) string { return k.id }) {
		x := AccessKeyState{ID: k.id, User: "arn:aws:iam::" + k.account + ":user/" + k.user, Active: k.active}
		if l := s.lastUsed[k.id]; l != nil && l.shown != nil {
			x.Used = &l.shown.at
		}
		out.AccessKeys = append(out.AccessKeys, x)
	}
	return out
}

func (s *store) keyState(k *key) KeyState {
	x := KeyState{
		ARN: k.arn(), Region: k.region, State: k.state, Spec: k.family.spec, Usage: k.family.usage, Origin: k.family.origin,
		Manager: k.family.manager, Description: k.description, MultiRegion: k.family.multiRegion, Rotation: k.family.rotation,
		Policy: s.shown(k.policy), Tags: k.copy().tags,
	}
	if k.family.multiRegion {
		x.Type = k.kind()
	}
	if !k.deletion.IsZero() {
		x.DeletionDate = &k.deletion
	}
	for _, g := range k.grants {
		x.Grants = append(x.Grants, g.id)
	}
	return x
}

func (s *store) entityState(e *entity) EntityState {
	x := EntityState{
		ARN: e.arn(), ID: e.id, Inline: map[string]string{}, Attached: slices.Clone(e.attached), Boundary: e.boundary, Tags: e.copy().tags,
	}
	if e.trust != nil {
		x.Trust = s.shown(e.trust)
	}
	for name, d := range e.inline {
		x.Inline[name] = d.text
	}
	return x
}
