package awssim

import (
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

type grantConstraints struct {
	EncryptionContextEquals map[string]string `json:",omitempty"`
	EncryptionContextSubset map[string]string `json:",omitempty"`
}

type grantEntry struct {
	Constraints       *grantConstraints `json:",omitempty"`
	CreationDate      *float64
	GrantID           string `json:"GrantId"`
	GranteePrincipal  string
	IssuingAccount    string
	KeyID             string `json:"KeyId"`
	Name              string
	Operations        []string
	RetiringPrincipal string `json:",omitempty"`
}

func (c *call) listGrants(in struct {
	listing
	GrantID          string `json:"GrantId"`
	GranteePrincipal string
},
) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	if in.GrantID != "" && !slices.ContainsFunc(k.grants, func(g grant) bool { return g.id == in.GrantID }) {
		return nil, refuse("InvalidGrantIdException", "Grant ID %s is not valid.", in.GrantID)
	}
	grants := slices.DeleteFunc(slices.Clone(k.grants), func(g grant) bool {
		return in.GrantID != "" && g.id != in.GrantID || in.GranteePrincipal != "" && g.grantee != in.GranteePrincipal
	})
	slices.SortFunc(grants, func(x, y grant) int { return strings.Compare(x.id, y.id) })
	some, l, err := pageOf(c, in.listing, 50, 100, grants, func(g grant) string { return g.id })
	if err != nil {
		return nil, err
	}
	out := struct {
		Grants []grantEntry
		listed
	}{[]grantEntry{}, l}
	for _, g := range some {
		e := grantEntry{
			CreationDate: epochOf(g.created), GrantID: g.id, GranteePrincipal: g.grantee, IssuingAccount: g.issuer,
			KeyID: k.arn(), Name: g.name, Operations: g.operations, RetiringPrincipal: g.retiring,
		}
		if g.equals != nil || g.subset != nil {
			e.Constraints = &grantConstraints{g.equals, g.subset}
		}
		out.Grants = append(out.Grants, e)
	}
	return out, nil
}

type grantResult struct {
	GrantID    string `json:"GrantId"`
	GrantToken string
}

func (c *call) createGrant(in struct {
	byKey
	GranteePrincipal, RetiringPrincipal, Name string
	Operations                                []string
	Constraints                               grantConstraints
},
) (any, error) {
	k, err := c.openAs(in.KeyID, byIDOrARN, c.action(), map[string]string{"kms:GranteePrincipal": in.GranteePrincipal})
	if err != nil {
		return nil, err
	}
	for _, principal := range []string{in.GranteePrincipal, in.RetiringPrincipal} {
		named := policy.Named{Text: principal}
		if principal == "" && in.GranteePrincipal != "" {
			continue
		}
		if !c.bind(&named) || named.Text != principal {
			return nil, refuse("InvalidArnException", "ARN does not refer to a valid principal: %s", principal)
		}
	}
	if len(in.Operations) == 0 {
		return nil, refuse(codeValidation, "1 validation error detected: Value null at 'operations' failed to satisfy constraint: Member must not be null")
	}
	g := grant{
		name: in.Name, grantee: in.GranteePrincipal, retiring: in.RetiringPrincipal, issuer: policy.Root(c.account()),
		operations: in.Operations, created: c.world.Now(),
		equals: in.Constraints.EncryptionContextEquals, subset: in.Constraints.EncryptionContextSubset,
	}
	if i := slices.IndexFunc(k.grants, func(old grant) bool { return g.name != "" && g.same(old) }); i >= 0 {
		return grantResult{k.grants[i].id, k.grants[i].token}, nil
	}
	g.id, g.token = c.hex("grant", 32), c.hex("grantToken", 48)
	c.changeKey(k, func(k *key) { k.grants = append(k.grants, g) })
	return grantResult{g.id, g.token}, nil
}

// same says whether a grant asked for by name is there already.
func (g grant) same(old grant) bool {
	return g.name == old.name && g.grantee == old.grantee && g.retiring == old.retiring && slices.Equal(g.operations, old.operations)
}

type grantInput struct {
	byKey
	GrantID    string `json:"GrantId"`
	GrantToken string
}

func (c *call) revokeGrant(in grantInput) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	return nil, c.withdraw(k, in.GrantID)
}

func (s *store) withdraw(k *key, id string) error {
	if !slices.ContainsFunc(k.grants, func(g grant) bool { return g.id == id }) {
		return refuse(codeNotFound, "Grant ID %s not found", id)
	}
	s.changeKey(k, func(k *key) { k.grants = slices.DeleteFunc(k.grants, func(g grant) bool { return g.id == id }) })
	return nil
}

// retireGrant is for the retiring principal, the grantee if it may retire, and the key's account; not by policy.
func (c *call) retireGrant(in grantInput) (any, error) {
	for _, k := range known(c.keys, atSource, (*key).arn) {
		for _, g := range k.grants {
			if k.region != c.region || g.token != in.GrantToken && g.id != in.GrantID || in.KeyID != "" && in.KeyID != k.arn() {
				continue
			}
			c.object = k.arn()
			p := c.caller.principal
			mayRetire := g.retiring == p.ARN || g.grantee == p.ARN && slices.Contains(g.operations, "RetireGrant") || k.account == p.Account && c.caller.trusted
			if !mayRetire {
				if err := c.mayUse(c.caller, c.action(), k, c.context); err != nil {
					return nil, err
				}
			}
			return nil, c.withdraw(k, g.id)
		}
	}
	return nil, refuse(codeNotFound, "Grant not found")
}
