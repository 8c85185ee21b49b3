package awssim

import (
	"slices"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// What others do behind the back of whoever is being tested: an administrator of the account that acts without being
// asked. The calls obey key states and validate policies as AWS does, and take as long to be seen, but need no
// permission and leave no trace in the journal. All are made from within World.Do; errors are *Error. A key is named by
// its region and its id, ARN, alias or alias ARN; roles, users and managed policies by ARN.

func (s *store) actOn(region, keyRef, operation string) (*key, error) {
	k, err := s.findKey(atSource, "", region, keyRef)
	if err != nil {
		return nil, err
	}
	return k, k.admits(operation)
}

// DisableKey disables a key in one region.
func (a *AWS) DisableKey(region, keyRef string) error {
	return a.setState(region, keyRef, "DisableKey", stateDisabled)
}

// EnableKey enables a key in one region.
func (a *AWS) EnableKey(region, keyRef string) error {
	return a.setState(region, keyRef, "EnableKey", stateEnabled)
}

// DisconnectKey makes a key Unavailable, as if its custom key store had been disconnected; EnableKey undoes it.
func (a *AWS) DisconnectKey(region, keyRef string) error {
	return a.setState(region, keyRef, "DisableKey", stateUnavailable)
}

func (a *AWS) setState(region, keyRef, operation, state string) error {
	k, err := a.store.actOn(region, keyRef, operation)
	if err != nil {
		return err
	}
	a.store.changeKey(k, func(k *key) { k.state = state })
	return nil
}

// ScheduleKeyDeletion schedules the end of a key in one region in 7 to 30 simulated days.
func (a *AWS) ScheduleKeyDeletion(region, keyRef string, days int) error {
	if days < 7 || days > 30 {
		return refuse(codeValidation, "a key is deleted after 7 to 30 days, not %d", days)
	}
	k, err := a.store.actOn(region, keyRef, "ScheduleKeyDeletion")
	if err != nil {
		return err
	}
	a.store.scheduleDeletion(k, days)
	return nil
}

// CancelKeyDeletion leaves a key that was pending deletion Disabled.
func (a *AWS) CancelKeyDeletion(region, keyRef string) error {
	return a.setState(region, keyRef, "CancelKeyDeletion", stateDisabled)
}

// DeleteImportedKeyMaterial leaves a key of origin EXTERNAL pending import, as the expiry of its material does.
func (a *AWS) DeleteImportedKeyMaterial(region, keyRef string) error {
	k, err := a.store.actOn(region, keyRef, "DeleteImportedKeyMaterial")
	if err != nil {
		return err
	}
	if k.family.origin != originExternal {
		return refuse(codeUnsupported, "%s origin is %s which is not valid for this operation.", k.arn(), k.family.origin)
	}
	a.store.dropMaterial(k)
	return nil
}

// PutKeyPolicy replaces the policy of a key in one region, even by one that locks everybody out.
func (a *AWS) PutKeyPolicy(region, keyRef, text string) error {
	k, err := a.store.actOn(region, keyRef, "PutKeyPolicy")
	if err != nil {
		return err
	}
	d, err := a.store.newDocument(text, policy.Key)
	if err != nil {
		return malformedKeyPolicy(err)
	}
	a.store.changeKey(k, func(k *key) { k.policy = d })
	return nil
}

// ReplicateKey starts a replica of a multi-Region key, under the default policy.
func (a *AWS) ReplicateKey(region, keyRef, replicaRegion string) error {
	s := a.store
	k, err := s.actOn(region, keyRef, "ReplicateKey")
	if err != nil {
		return err
	}
	if !k.primary() {
		return refuse(codeUnsupported, "%s is not a multi-Region primary key.", k.arn())
	}
	r := &key{
		account: k.account, region: replicaRegion, id: k.id, family: k.family, state: stateCreating,
		created: s.world.Now(), imported: k.family.origin != originExternal,
	}
	if s.keys[r.at()].in(atSource) != nil {
		return refuse("AlreadyExistsException", "Multi-Region key %s already exists in region %s.", k.id, r.region)
	}
	if r.policy, err = s.newDocument(defaultKeyPolicy(r.account), policy.Key); err != nil {
		return err
	}
	s.create(r)
	return nil
}

// UpdateAlias has an alias ("alias/name") of a key's account and region stand for that key from now on.
func (a *AWS) UpdateAlias(region, name, keyRef string) error {
	s := a.store
	k, err := s.actOn(region, keyRef, "UpdateAlias")
	if err != nil {
		return err
	}
	changed := &alias{account: k.account, region: region, name: name, target: k.id, created: s.world.Now(), updated: s.world.Now()}
	put(s, s.aliases, aliasAt{k.account, region, name}, changed, s.kmsLag())
	return nil
}

func (s *store) someone(arn string) (*entity, error) {
	if e := s.entityByARN(atSource, arn); e != nil {
		return e, nil
	}
	return nil, refuse(codeNoSuchEntity, "%s cannot be found.", arn)
}

// CreateRole makes a role (arn:aws:iam::ACCOUNT:role/PATH/NAME) with a trust policy.
func (a *AWS) CreateRole(arn, trust string) error {
	s := a.store
	kind, name, ok := entityName(arn)
	if !ok || kind != roleKind || !s.accountExists(policy.AccountOf(arn)) {
		return refuse(codeValidationIAM, "%s is not the ARN of a role in an account that exists.", arn)
	}
	e := &entity{
		kind: roleKind, account: policy.AccountOf(arn), name: name, id: s.uniqueID("AROA"), created: s.world.Now(), maxSession: 3600,
	}
	prefix := "arn:aws:iam::" + e.account + ":role"
	e.path = arn[len(prefix) : len(arn)-len(name)]
	if s.entities[e.at()].in(atSource) != nil {
		return refuse(codeExists, "Role with name %s already exists.", name)
	}
	var err error
	if e.trust, err = s.trustPolicy(trust); err != nil {
		return err
	}
	put(s, s.entities, e.at(), e.copy(), s.iamLag())
	return nil
}

// DeleteRole deletes a role or user with all that hangs on it.
func (a *AWS) DeleteRole(arn string) error {
	s := a.store
	e, err := s.someone(arn)
	if err != nil {
		return err
	}
	for _, k := range s.accessKeysOf(atSource, e) {
		put(s, s.accessKeys, k.id, nil, s.iamLag())
	}
	put(s, s.entities, e.at(), nil, s.iamLag())
	return nil
}

// SetTrust replaces a role's trust policy.
func (a *AWS) SetTrust(arn, text string) error {
	e, err := a.store.someone(arn)
	if err != nil {
		return err
	}
	trust, err := a.store.trustPolicy(text)
	if err != nil {
		return err
	}
	a.store.changeEntity(e, func(e *entity) { e.trust = trust })
	return nil
}

// PutRolePolicy sets an inline policy of a role or user.
func (a *AWS) PutRolePolicy(arn, name, text string) error {
	e, err := a.store.someone(arn)
	if err != nil {
		return err
	}
	return a.store.setInline(e, name, text)
}

// DeleteRolePolicy removes an inline policy of a role or user.
func (a *AWS) DeleteRolePolicy(arn, name string) error {
	e, err := a.store.someone(arn)
	if err != nil {
		return err
	}
	if e.inline[name] == nil {
		return refuse(codeNoSuchEntity, "The %s policy with name %s cannot be found.", e.kind, name)
	}
	a.store.changeEntity(e, func(e *entity) { delete(e.inline, name) })
	return nil
}

// AttachRolePolicy attaches a managed policy to a role or user.
func (a *AWS) AttachRolePolicy(arn, policyARN string) error {
	e, err := a.store.someone(arn)
	if err != nil {
		return err
	}
	if a.store.policies[policyARN].in(atSource) == nil {
		return noSuchPolicy(policyARN)
	}
	a.store.changeEntity(e, func(e *entity) {
		if !slices.Contains(e.attached, policyARN) {
			e.attached = append(e.attached, policyARN)
		}
	})
	return nil
}

// SetBoundary sets the permissions boundary of a role or user to a managed policy, or removes it if that is empty.
func (a *AWS) SetBoundary(arn, policyARN string) error {
	e, err := a.store.someone(arn)
	if err != nil {
		return err
	}
	if policyARN != "" && a.store.policies[policyARN].in(atSource) == nil {
		return noSuchPolicy(policyARN)
	}
	a.store.changeEntity(e, func(e *entity) { e.boundary = policyARN })
	return nil
}

// PutManagedPolicy makes a customer-managed policy (arn:aws:iam::ACCOUNT:policy/NAME), or edits it if it exists.
func (a *AWS) PutManagedPolicy(arn, text string) error {
	s := a.store
	d, err := s.identityPolicy(text)
	if err != nil {
		return err
	}
	account := policy.AccountOf(arn)
	prefix := "arn:aws:iam::" + account + ":policy/"
	if !s.accountExists(account) || len(arn) <= len(prefix) || arn[:len(prefix)] != prefix {
		return refuse(codeValidationIAM, "%s is not the ARN of a policy in an account that exists.", arn)
	}
	p := &managedPolicy{arn: arn, id: s.uniqueID("ANPA"), account: account, path: "/", name: arn[len(prefix):], created: s.world.Now()}
	if old := s.policies[arn].in(atSource); old != nil {
		edited := *old
		edited.version, edited.changed = old.version+1, s.world.Now()
		p = &edited
	}
	p.document = d
	put(s, s.policies, arn, p, s.iamLag())
	return nil
}

// SetAccessKeyActive sets the status of an access key.
func (a *AWS) SetAccessKeyActive(id string, active bool) error {
	k := a.store.accessKeys[id].in(atSource)
	if k == nil {
		return refuse(codeNoSuchEntity, "The Access Key with id %s cannot be found.", id)
	}
	a.store.activate(k, active)
	return nil
}

// DeleteAccessKey deletes an access key.
func (a *AWS) DeleteAccessKey(id string) error {
	if a.store.accessKeys[id].in(atSource) == nil {
		return refuse(codeNoSuchEntity, "The Access Key with id %s cannot be found.", id)
	}
	put(a.store, a.store.accessKeys, id, nil, a.store.iamLag())
	return nil
}
