package awssim

import (
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

type keyMetadata struct {
	AWSAccountID                string `json:"AWSAccountId"`
	Arn                         string
	CreationDate                *float64
	CustomerMasterKeySpec       string
	DeletionDate                *float64 `json:",omitempty"`
	Description                 string
	Enabled                     bool
	EncryptionAlgorithms        []string `json:",omitempty"`
	ExpirationModel             string   `json:",omitempty"`
	KeyID                       string   `json:"KeyId"`
	KeyManager                  string
	KeySpec                     string
	KeyState                    string
	KeyUsage                    string
	MultiRegion                 bool
	MultiRegionConfiguration    *multiRegionConfiguration `json:",omitempty"`
	Origin                      string
	PendingDeletionWindowInDays *int     `json:",omitempty"`
	ValidTo                     *float64 `json:",omitempty"`
}

type multiRegionConfiguration struct {
	MultiRegionKeyType string
	PrimaryKey         multiRegionKey
	ReplicaKeys        []multiRegionKey
}

type multiRegionKey struct{ Arn, Region string }

func (s *store) metadata(v view, k *key) keyMetadata {
	m := keyMetadata{
		AWSAccountID: k.account, Arn: k.arn(), CreationDate: epochOf(k.created), CustomerMasterKeySpec: k.family.spec,
		Description: k.description, Enabled: k.enabled(), KeyID: k.id, KeyManager: k.family.manager, KeySpec: k.family.spec,
		KeyState: k.state, KeyUsage: k.family.usage, MultiRegion: k.family.multiRegion, Origin: k.family.origin,
	}
	if k.family.usage == encryptDecrypt {
		m.EncryptionAlgorithms = algorithms(k.family.spec)
	}
	switch k.state {
	case statePendingDeletion:
		m.DeletionDate = epochOf(k.deletion)
	case statePendingReplicaDeletion:
		m.PendingDeletionWindowInDays = &k.window
	}
	if k.family.origin == originExternal && k.imported {
		m.ExpirationModel = "KEY_MATERIAL_DOES_NOT_EXPIRE"
		if !k.validTo.IsZero() {
			m.ExpirationModel, m.ValidTo = "KEY_MATERIAL_EXPIRES", epochOf(k.validTo)
		}
	}
	if k.family.multiRegion {
		m.MultiRegionConfiguration = s.multiRegion(v, k)
	}
	return m
}

func (s *store) multiRegion(v view, k *key) *multiRegionConfiguration {
	m := &multiRegionConfiguration{MultiRegionKeyType: k.kind(), ReplicaKeys: []multiRegionKey{}}
	for _, r := range s.relatives(v, k) {
		one := multiRegionKey{r.arn(), r.region}
		if r.primary() {
			m.PrimaryKey = one
		} else {
			m.ReplicaKeys = append(m.ReplicaKeys, one)
		}
	}
	return m
}

func algorithms(spec string) []string {
	switch {
	case spec == symmetricDefault:
		return []string{symmetricDefault}
	case strings.HasPrefix(spec, "RSA_"):
		return []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}
	default:
		return nil
	}
}

func epochOf(t time.Time) *float64 { return epoch(float64(t.UnixMilli()) / 1000) }

type described struct{ KeyMetadata keyMetadata }

func (c *call) describeKey(in byKey) (any, error) {
	k, err := c.open(in.KeyID, byAliasToo)
	if err != nil {
		return nil, err
	}
	return described{c.metadata(asRead, k)}, nil
}

func (c *call) listKeys(in listing) (any, error) {
	if err := c.mayCall(c.caller, codeAccessDeniedKMS, c.action(), "*", c.context); err != nil {
		return nil, err
	}
	keys := slices.DeleteFunc(known(c.keys, asRead, func(k *key) string { return k.id }), func(k *key) bool {
		return k.account != c.account() || k.region != c.region
	})
	some, l, err := pageOf(c, in, 100, 1000, keys, func(k *key) string { return k.id })
	if err != nil {
		return nil, err
	}
	type entry struct {
		KeyArn string
		KeyID  string `json:"KeyId"`
	}
	out := struct {
		Keys []entry
		listed
	}{[]entry{}, l}
	for _, k := range some {
		out.Keys = append(out.Keys, entry{k.arn(), k.id})
	}
	return out, nil
}

type createKeyInput struct {
	Policy, Description, KeyUsage, CustomerMasterKeySpec, KeySpec, Origin string
	CustomKeyStoreID                                                      string `json:"CustomKeyStoreId"`
	BypassPolicyLockoutSafetyCheck, MultiRegion                           bool
	Tags                                                                  []tag
}

func (c *call) createKey(in createKeyInput) (any, error) {
	f := &family{
		spec: orElse(in.KeySpec, orElse(in.CustomerMasterKeySpec, symmetricDefault)), usage: orElse(in.KeyUsage, encryptDecrypt),
		origin: orElse(in.Origin, originKMS), manager: managerCustomer,
		multiRegion: in.MultiRegion, primary: c.region,
	}
	if err := f.validate(in); err != nil {
		return nil, err
	}
	k := &key{
		account: c.account(), region: c.region, id: c.keyID(in.MultiRegion), family: f, state: stateEnabled,
		description: in.Description, created: c.world.Now(), imported: f.origin != originExternal,
	}
	if !k.imported {
		k.state = statePendingImport
	}
	c.object = k.arn()
	x := c.context.With(c.keyContext(c.caller, k))
	if in.BypassPolicyLockoutSafetyCheck {
		x.Set("kms:BypassPolicyLockoutSafetyCheck", "true")
	}
	if err := c.mayCall(c.caller, codeAccessDeniedKMS, c.action(), "*", x); err != nil {
		return nil, err
	}
	if c.count(k.region) >= c.quotas.KeysPerRegion {
		return nil, refuse(codeLimitKMS, "You have exceeded the number of KMS keys for this account and region.")
	}
	var err error
	if k.tags, err = tags(in.Tags); err != nil {
		return nil, err
	}
	if k.policy, err = c.keyPolicy(orElse(in.Policy, defaultKeyPolicy(k.account)), k, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	f.rotate(k.id)
	put(c.store, c.keys, k.at(), k, c.kmsLag())
	return described{c.metadata(atSource, k)}, nil
}

// count is how many keys the caller's account has in a region.
func (c *call) count(region string) int {
	n := 0
	for at, cell := range c.keys {
		if at.account == c.account() && at.region == region && cell.in(atSource) != nil {
			n++
		}
	}
	return n
}

func (f *family) validate(in createKeyInput) error {
	if in.KeySpec != "" && in.CustomerMasterKeySpec != "" && in.KeySpec != in.CustomerMasterKeySpec {
		return refuse(codeValidation, "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	}
	usages := usagesOf(f.spec)
	if usages == nil {
		return refuse(codeValidation, "1 validation error detected: Value '%s' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set", f.spec)
	}
	if f.spec != symmetricDefault && in.KeyUsage == "" {
		return refuse(codeValidation, "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	}
	if !slices.Contains(usages, f.usage) {
		return refuse(codeValidation, "KeyUsage %s is not compatible with KeySpec %s", f.usage, f.spec)
	}
	switch f.origin {
	case originKMS, originExternal:
		return nil
	case "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE":
		if in.MultiRegion {
			return refuse(codeUnsupported, "Multi-Region keys are not supported in custom key stores.")
		}
		return refuse("CustomKeyStoreNotFoundException", "Custom key store %s does not exist.", in.CustomKeyStoreID)
	default:
		return refuse(codeValidation, "1 validation error detected: Value '%s' at 'origin' failed to satisfy constraint: Member must satisfy enum value set: [EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE, AWS_KMS]", f.origin)
	}
}

// usagesOf are the usages that a key of a spec can have, nil for a spec that is none.
func usagesOf(spec string) []string {
	switch spec {
	case symmetricDefault:
		return []string{encryptDecrypt}
	case "RSA_2048", "RSA_3072", "RSA_4096":
		return []string{encryptDecrypt, "SIGN_VERIFY"}
	case "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521":
		return []string{"SIGN_VERIFY", "KEY_AGREEMENT"}
	case "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87":
		return []string{"SIGN_VERIFY"}
	case "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512":
		return []string{"GENERATE_VERIFY_MAC"}
	case "SM2":
		return []string{encryptDecrypt, "SIGN_VERIFY", "KEY_AGREEMENT"}
	default:
		return nil
	}
}

func (c *call) updateKeyDescription(in struct {
	byKey
	Description string
},
) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	c.changeKey(k, func(k *key) { k.description = in.Description })
	return nil, nil
}

// maxKeyPolicy is the longest key policy in bytes; maxPolicyText, the longest that the API takes at all.
const (
	maxKeyPolicy  = 32 << 10
	maxPolicyText = 128 << 10
)

// keyPolicy checks what is to be the policy of a key.
func (c *call) keyPolicy(text string, k *key, bypass bool) (*document, error) {
	switch {
	case len(text) > maxPolicyText:
		return nil, refuse(codeValidation, "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicyText)
	case len(text) > maxKeyPolicy:
		return nil, refuse(codeLimitKMS, "The key policy document exceeds the maximum size of %d bytes.", maxKeyPolicy)
	}
	d, err := c.newDocument(text, policy.Key)
	if err != nil {
		return nil, malformedKeyPolicy(err)
	}
	if bypass {
		return d, nil
	}
	x := c.context.With(c.keyContext(c.caller, k))
	verdict := c.decide(c.caller, policy.Question{
		Request:  policy.Request{Action: "kms:PutKeyPolicy", Resource: k.arn(), Context: x},
		Resource: d.parsed, ResourceAccount: k.account, ResourceRules: true,
	})
	if !verdict.Allowed {
		return nil, refuse(codeMalformedKMS, "The new key policy will not allow you to update the key policy in the future.")
	}
	return d, nil
}
