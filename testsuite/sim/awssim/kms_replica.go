package awssim

import "regexp"

// commercialRegion is a region of the partition aws, out of which a key is not replicated.
var commercialRegion = regexp.MustCompile(`^(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[1-9]$`)

type replicateKeyInput struct {
	byKey
	ReplicaRegion, Policy, Description string
	BypassPolicyLockoutSafetyCheck     bool
	Tags                               []tag
}

func (c *call) replicateKey(in replicateKeyInput) (any, error) {
	k, err := c.openAs(in.KeyID, byIDOrARN, c.action(), map[string]string{"kms:ReplicaRegion": in.ReplicaRegion})
	if err != nil {
		return nil, err
	}
	if !k.primary() {
		return nil, refuse(codeUnsupported, "%s is not a multi-Region primary key.", k.arn())
	}
	if in.ReplicaRegion == "" || in.ReplicaRegion == k.region || !commercialRegion.MatchString(in.ReplicaRegion) {
		return nil, refuse(codeValidation, "The replica Region %q is not valid: it must be another AWS Region in the same partition.", in.ReplicaRegion)
	}
	r := &key{
		account: k.account, region: in.ReplicaRegion, id: k.id, family: k.family, state: stateCreating,
		description: in.Description, created: c.world.Now(), imported: k.family.origin != originExternal,
	}
	if c.keys[r.at()].in(atSource) != nil {
		return nil, refuse("AlreadyExistsException", "Multi-Region key %s already exists in region %s.", k.id, r.region)
	}
	x := c.with("aws:RequestedRegion", r.region).With(c.keyContext(c.caller, r))
	if err := c.mayCall(c.caller, codeAccessDeniedKMS, "kms:CreateKey", "*", x); err != nil {
		return nil, err
	}
	if r.tags, err = tags(in.Tags); err != nil {
		return nil, err
	}
	if r.policy, err = c.keyPolicy(orElse(in.Policy, defaultKeyPolicy(r.account)), r, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	c.create(r)
	out := struct {
		ReplicaKeyMetadata keyMetadata
		ReplicaPolicy      string
		ReplicaTags        []tag
	}{c.metadata(atSource, r), r.policy.text, tagList(r.tags)}
	return out, nil
}

// create makes a replica, which takes its time to work.
func (s *store) create(r *key) {
	put(s, s.keys, r.at(), r, s.kmsLag())
	ready := stateEnabled
	if !r.imported {
		ready = statePendingImport
	}
	soon(s.world, s.world.Duration(s.config.Delays.ReplicaCreation, "aws", "kms", "replica"), func() {
		if now := s.keys[r.at()].in(atSource); now != nil && now.state == stateCreating {
			s.changeKey(now, func(k *key) { k.state = ready })
		}
	})
}

func (c *call) updatePrimaryRegion(in struct {
	byKey
	PrimaryRegion string
},
) (any, error) {
	k, err := c.openAs(in.KeyID, byIDOrARN, c.action(), map[string]string{"kms:PrimaryRegion": in.PrimaryRegion})
	if err != nil {
		return nil, err
	}
	if !k.primary() {
		return nil, refuse(codeUnsupported, "%s is not a multi-Region primary key.", k.arn())
	}
	next := c.keys[keyAt{k.account, in.PrimaryRegion, k.id}].in(atSource)
	if next == nil || next.region == k.region {
		return nil, refuse(codeNotFound, "There is no replica of %s in region %q.", k.arn(), in.PrimaryRegion)
	}
	if err := next.admits(c.name); err != nil {
		return nil, err
	}
	if err := c.mayUse(c.caller, c.action(), next, c.with("aws:RequestedRegion", next.region)); err != nil {
		return nil, err
	}
	c.movePrimary(k, next)
	return nil, nil
}

// movePrimary has two related keys change roles. Both work meanwhile.
func (s *store) movePrimary(from, to *key) {
	both := []*key{from, to}
	for _, k := range both {
		s.changeKey(k, func(k *key) { k.state = stateUpdating })
	}
	soon(s.world, s.world.Duration(s.config.Delays.PrimaryUpdate, "aws", "kms", "primary"), func() {
		from.family.primary = to.region
		for _, k := range both {
			s.changeKey(k, func(k *key) {
				if k.state == stateUpdating {
					k.state = stateEnabled
				}
			})
		}
	})
}
