package awssim

import (
	"slices"
)

const accessKeysPerUser = 2

func (s *store) accessKeysOf(v view, e *entity) []*accessKey {
	return slices.DeleteFunc(known(s.accessKeys, v, func(k *accessKey) string { return k.id }), func(k *accessKey) bool {
		return e.kind != userKind || k.account != e.account || k.user != e.name
	})
}

func (k *accessKey) status() string {
	if k.active {
		return "Active"
	}
	return "Inactive"
}

func (c *call) createAccessKey() (any, error) {
	e, err := c.entity(userKind, atSource)
	if err != nil {
		return nil, err
	}
	if len(c.accessKeysOf(atSource, e)) >= accessKeysPerUser {
		return nil, refuse(codeLimit, "Cannot exceed quota for AccessKeysPerUser: %d", accessKeysPerUser)
	}
	k := &accessKey{id: c.uniqueID("AKIA"), secret: c.secret(), account: e.account, user: e.name, active: true, created: c.world.Now()}
	put(c.store, c.accessKeys, k.id, k, c.iamLag())
	type created struct {
		UserName        string
		AccessKeyID     string `xml:"AccessKeyId"`
		Status          string
		SecretAccessKey string
		CreateDate      string
	}
	return struct{ AccessKey created }{created{k.user, k.id, k.status(), k.secret, stamp(k.created)}}, nil
}

func (c *call) listAccessKeys() (any, error) {
	e, err := c.entity(userKind, asRead)
	if err != nil {
		return nil, err
	}
	some, p, err := iamPage(c, c.accessKeysOf(asRead, e), func(k *accessKey) string { return k.id })
	if err != nil {
		return nil, err
	}
	type entry struct {
		UserName    string
		AccessKeyID string `xml:"AccessKeyId"`
		Status      string
		CreateDate  string
	}
	out := struct {
		xmlPage
		AccessKeyMetadata []entry `xml:"AccessKeyMetadata>member"`
	}{xmlPage: p}
	for _, k := range some {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, entry{k.user, k.id, k.status(), stamp(k.created)})
	}
	return out, nil
}

// accessKey finds the access key that the call names, of the user that it names.
func (c *call) accessKey() (*accessKey, error) {
	e, err := c.entity(userKind, atSource)
	if err != nil {
		return nil, err
	}
	id := c.form.Get("AccessKeyId")
	k := c.accessKeys[id].in(atSource)
	if k == nil || k.account != e.account || k.user != e.name {
		return nil, refuse(codeNoSuchEntity, "The Access Key with id %s cannot be found.", id)
	}
	return k, nil
}

func (c *call) updateAccessKey() (any, error) {
	k, err := c.accessKey()
	if err != nil {
		return nil, err
	}
	status := c.form.Get("Status")
	if status != "Active" && status != "Inactive" {
		return nil, refuse(codeValidationIAM, "1 validation error detected: Value '%s' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]", status)
	}
	c.activate(k, status == "Active")
	return nil, nil
}

func (s *store) activate(k *accessKey, active bool) {
	changed := *k
	changed.active = active
	put(s, s.accessKeys, k.id, &changed, s.iamLag())
}

func (c *call) deleteAccessKey() (any, error) {
	k, err := c.accessKey()
	if err != nil {
		return nil, err
	}
	put(c.store, c.accessKeys, k.id, nil, c.iamLag())
	return nil, nil
}

func (c *call) getAccessKeyLastUsed() (any, error) {
	id := c.form.Get("AccessKeyId")
	if err := c.mayIAM("*"); err != nil {
		return nil, err
	}
	c.object = id
	k := c.accessKeys[id].in(asRead)
	if k == nil || k.account != c.account() {
		return nil, refuse(codeNoSuchEntity, "The Access Key with id %s cannot be found.", id)
	}
	type lastUsed struct {
		LastUsedDate        string `xml:",omitempty"`
		ServiceName, Region string
	}
	out := struct {
		UserName          string
		AccessKeyLastUsed lastUsed
	}{k.user, lastUsed{ServiceName: "N/A", Region: "N/A"}}
	if l := c.lastUsed[id]; l != nil && l.shown != nil {
		out.AccessKeyLastUsed = lastUsed{stamp(l.shown.at), l.shown.service, l.shown.region}
	}
	return out, nil
}
