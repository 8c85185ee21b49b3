package awssim

import (
	"fmt"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// What the simulated Atlas does in AWS, it does through these calls rather than over HTTP, so that both are judged by
// the same policies at the same instant. All are made from within World.Do.

// Identity is who calls AWS: the session of an assumed role, or the holder of an access key. Exactly one is set.
type Identity struct {
	// Role: Principal assumes RoleARN with ExternalID.
	Principal, RoleARN, ExternalID string
	// Credentials of an IAM user.
	AccessKeyID, SecretAccessKey string
}

// Path is the network path of a call to KMS.
type Path struct {
	// SourceIP is the public address that the call comes from, when it crosses the internet.
	SourceIP string
	// VPCEndpoint and VPC identify the interface endpoint that the call comes through, when it does not.
	VPCEndpoint, VPC string
}

// Error is a refusal by AWS, with AWS's own code: AccessDenied (sts), AccessDeniedException, NotFoundException,
// DisabledException, KMSInvalidStateException, InvalidClientTokenId, SignatureDoesNotMatch ...
type Error struct {
	Code    string
	Message string
	// KeyState is the state of the key that the call was about, if it reached one ("PendingDeletion").
	KeyState string
	// Statement is the Sid of the policy statement that denied the call, if one with a Sid did.
	Statement string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// KeyView is a key in one region, as DescribeKey would show it.
type KeyView struct {
	ID, ARN, Account, Region string
	// State is one of AWS's key states; Enabled is true of a key that works.
	State   string
	Enabled bool
	// Spec, Usage, Origin and Manager are as in DescribeKey.
	Spec, Usage, Origin, Manager string
	MultiRegion                  bool
	// PrimaryRegion and ReplicaRegions, sorted, are of a multi-Region key.
	PrimaryRegion  string
	ReplicaRegions []string
	// DeletionDate is zero unless the key is pending deletion.
	DeletionDate time.Time
}

// atlasSession is the session name under which Atlas assumes roles.
const atlasSession = "atlas"

// Assume judges sts:AssumeRole as AWS would right now, by the trust policy that is enforced, which for a while after a
// write is not the one that was written. For an access key it judges whether the key works at all. Errors are *Error.
func (a *AWS) Assume(id Identity) error {
	_, err := a.store.identify(id)
	return err
}

func (s *store) identify(id Identity) (caller, error) {
	if id.RoleARN == "" {
		return s.authenticate(id.AccessKeyID, id.SecretAccessKey)
	}
	role, err := s.mayAssume(s.outsider(id.Principal), id.RoleARN, "us-east-1", id.ExternalID, atlasSession)
	if err != nil {
		return caller{}, err
	}
	return role.inSession(atlasSession), nil
}

// authenticate is of a caller that shows its access key. Whatever the configuration says of signatures, Atlas's use of
// an access key that is inactive or wrong fails.
func (s *store) authenticate(id, secret string) (caller, error) {
	h := s.holder(id)
	switch {
	case h.unknown, h.gone, h.inactive, h.token != "":
		return caller{}, invalidToken()
	case h.secret != secret:
		return caller{}, badSignature()
	}
	return h.caller, nil
}

// UseKey has an identity call KMS: trust, identity policies, boundary, the key policy of that region's replica and
// the key's state, all as enforced right now. actions are the calls ("kms:Encrypt"), of which the first that is refused is the
// last; keyRef is a key's id, ARN, alias or alias ARN. The use of an access key is remembered as its last. Errors are *Error.
func (a *AWS) UseKey(id Identity, actions []string, keyRef, region string, path Path) error {
	if id.AccessKeyID != "" {
		a.store.used(id.AccessKeyID, "kms", region)
	}
	return a.CheckKey(id, actions, keyRef, region, path)
}

// CheckKey says what UseKey would, and leaves no trace.
func (a *AWS) CheckKey(id Identity, actions []string, keyRef, region string, path Path) error {
	s := a.store
	c, err := s.identify(id)
	if err != nil {
		return err
	}
	k, err := s.findKey(asEnforced, c.principal.Account, region, keyRef)
	if err != nil {
		return err
	}
	for _, action := range actions {
		x := s.context(c, region, path)
		if isAlias(keyRef) {
			x.Set("kms:RequestAlias", aliasName(keyRef))
		}
		if err := s.call(c, action, k, x); err != nil {
			return err
		}
	}
	return nil
}

// call is one call on a key.
func (s *store) call(c caller, action string, k *key, x policy.Context) error {
	if cryptographic(action) {
		encryptionContext(x, symmetricDefault, nil)
	}
	if err := s.mayUse(c, action, k, x); err != nil {
		return withState(err, k)
	}
	if err := k.admits(operationOf(action)); err != nil || !cryptographic(action) {
		return err
	}
	return withState(k.suits(operationOf(action), symmetricDefault), k)
}

// ResolveKey is what DescribeKey would show of a key to somebody who may see it, as it is enforced. A reference without
// an account is looked up in all of them, in the order of the configuration.
func (a *AWS) ResolveKey(keyRef, region string) (KeyView, error) {
	s := a.store
	k, err := s.findKey(asEnforced, "", region, keyRef)
	if err != nil {
		return KeyView{}, err
	}
	view := KeyView{
		ID: k.id, ARN: k.arn(), Account: k.account, Region: k.region, State: k.state, Enabled: k.enabled(),
		Spec: k.family.spec, Usage: k.family.usage, Origin: k.family.origin, Manager: k.family.manager,
		MultiRegion: k.family.multiRegion, DeletionDate: k.deletion,
	}
	if k.family.multiRegion {
		view.PrimaryRegion = k.family.primary
		for _, r := range s.relatives(asEnforced, k) {
			if !r.primary() {
				view.ReplicaRegions = append(view.ReplicaRegions, r.region)
			}
		}
	}
	return view, nil
}

// used remembers the use of an access key, of which GetAccessKeyLastUsed learns late.
func (s *store) used(accessKeyID, service, region string) {
	if s.accessKeys[accessKeyID].in(atSource) == nil {
		return
	}
	l := s.lastUsed[accessKeyID]
	if l == nil {
		l = &lastUse{}
		s.lastUsed[accessKeyID] = l
	}
	l.latest = &use{at: s.world.Now(), service: service, region: region}
	if !l.underway {
		s.report(l)
	}
}

// report has the latest use of an access key shown after a while, and what came meanwhile after another.
func (s *store) report(l *lastUse) {
	u := l.latest
	l.underway = true
	soon(s.world, s.world.Duration(s.config.Delays.LastUsed, "aws", "lastUsed"), func() {
		l.shown, l.underway = u, false
		if l.latest != u {
			s.report(l)
		}
	})
}
