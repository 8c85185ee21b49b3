package awssim

import (
	"regexp"
	"slices"
	"strings"
)

var aliasForm = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,250}$`)

func (c *call) listAliases(in listing) (any, error) {
	if err := c.mayCall(c.caller, codeAccessDeniedKMS, c.action(), "*", c.context); err != nil {
		return nil, err
	}
	aliases := slices.DeleteFunc(known(c.aliases, asRead, func(a *alias) string { return a.name }), func(a *alias) bool {
		return a.account != c.account() || a.region != c.region
	})
	if in.KeyID != "" {
		k, err := c.lookUp(in.KeyID, byIDOrARN, c.action())
		if err != nil {
			return nil, err
		}
		aliases = slices.DeleteFunc(aliases, func(a *alias) bool { return k.account != a.account || a.target != k.id })
	}
	some, l, err := pageOf(c, in, 50, 100, aliases, func(a *alias) string { return a.name })
	if err != nil {
		return nil, err
	}
	type entry struct {
		AliasArn, AliasName           string
		CreationDate, LastUpdatedDate *float64
		TargetKeyID                   string `json:"TargetKeyId"`
	}
	out := struct {
		Aliases []entry
		listed
	}{[]entry{}, l}
	for _, a := range some {
		out.Aliases = append(out.Aliases, entry{a.arn(), a.name, epochOf(a.created), epochOf(a.updated), a.target})
	}
	return out, nil
}

type aliasInput struct {
	AliasName   string
	TargetKeyID string `json:"TargetKeyId"`
}

func (c *call) createAlias(in aliasInput) (any, error) {
	a, k, err := c.aliasFor(in)
	if err != nil {
		return nil, err
	}
	at := aliasAt{a.account, a.region, a.name}
	if c.aliases[at].in(atSource) != nil {
		return nil, refuse("AlreadyExistsException", "An alias with the name %s already exists", a.arn())
	}
	a.target = k.id
	put(c.store, c.aliases, at, a, c.kmsLag())
	return nil, nil
}

func (c *call) updateAlias(in aliasInput) (any, error) {
	a, k, err := c.aliasFor(in)
	if err != nil {
		return nil, err
	}
	old := c.aliases[aliasAt{a.account, a.region, a.name}].in(atSource)
	if old == nil {
		return nil, refuse(codeNotFound, "Alias %s is not found.", a.arn())
	}
	if from := c.keys[keyAt{old.account, old.region, old.target}].in(atSource); from != nil {
		if err := c.mayUse(c.caller, c.action(), from, c.context); err != nil {
			return nil, err
		}
		if from.family.spec != k.family.spec || from.family.usage != k.family.usage {
			return nil, refuse(codeInvalidState, "Alias %s can only be associated with a key of the same type and usage.", a.arn())
		}
	}
	a.created, a.target = old.created, k.id
	put(c.store, c.aliases, aliasAt{a.account, a.region, a.name}, a, c.kmsLag())
	return nil, nil
}

// aliasFor checks an alias and the key that it is to stand for: the caller needs the right to both.
func (c *call) aliasFor(in aliasInput) (*alias, *key, error) {
	a, err := c.alias(in.AliasName)
	if err != nil {
		return nil, nil, err
	}
	k, err := c.open(in.TargetKeyID, byIDOrARN)
	if err != nil {
		return nil, nil, err
	}
	c.object = a.arn()
	return a, k, nil
}

func (c *call) alias(name string) (*alias, error) {
	switch {
	case strings.HasPrefix(name, "alias/aws/"):
		return nil, refuse("NotAuthorizedException", "The alias %s is reserved for AWS managed keys.", name)
	case !strings.HasPrefix(name, "alias/"):
		return nil, refuse("InvalidAliasNameException", "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case !aliasForm.MatchString(name):
		return nil, refuse(codeValidation, "1 validation error detected: Value '%s' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$", name)
	}
	a := &alias{account: c.account(), region: c.region, name: name, created: c.world.Now(), updated: c.world.Now()}
	c.object = a.arn()
	return a, c.mayCall(c.caller, codeAccessDeniedKMS, c.action(), a.arn(), c.context)
}

func (c *call) deleteAlias(in aliasInput) (any, error) {
	a, err := c.alias(in.AliasName)
	if err != nil {
		return nil, err
	}
	at := aliasAt{a.account, a.region, a.name}
	old := c.aliases[at].in(atSource)
	if old == nil {
		return nil, refuse(codeNotFound, "Alias %s is not found.", a.arn())
	}
	if k := c.keys[keyAt{old.account, old.region, old.target}].in(atSource); k != nil {
		if err := c.mayUse(c.caller, c.action(), k, c.context); err != nil {
			return nil, err
		}
	}
	put(c.store, c.aliases, at, nil, c.kmsLag())
	return nil, nil
}
