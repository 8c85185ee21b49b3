package awssim

import (
	"strings"
)

// kmsOperations are the calls of KMS that are simulated.
func kmsOperations() map[string]operation {
	return map[string]operation{
		"CreateKey":                       writes((*call).createKey),
		"DescribeKey":                     reads((*call).describeKey),
		"ListKeys":                        reads((*call).listKeys),
		"UpdateKeyDescription":            writes((*call).updateKeyDescription),
		"EnableKey":                       writes((*call).enableKey),
		"DisableKey":                      writes((*call).disableKey),
		"ScheduleKeyDeletion":             writes((*call).scheduleKeyDeletion),
		"CancelKeyDeletion":               writes((*call).cancelKeyDeletion),
		"ReplicateKey":                    writes((*call).replicateKey),
		"UpdatePrimaryRegion":             writes((*call).updatePrimaryRegion),
		"GetKeyPolicy":                    reads((*call).getKeyPolicy),
		"PutKeyPolicy":                    writes((*call).putKeyPolicy),
		"ListKeyPolicies":                 reads((*call).listKeyPolicies),
		"GetKeyRotationStatus":            reads((*call).getKeyRotationStatus),
		"EnableKeyRotation":               writes((*call).enableKeyRotation),
		"DisableKeyRotation":              writes((*call).disableKeyRotation),
		"RotateKeyOnDemand":               writes((*call).rotateKeyOnDemand),
		"ListAliases":                     reads((*call).listAliases),
		"CreateAlias":                     writes((*call).createAlias),
		"UpdateAlias":                     writes((*call).updateAlias),
		"DeleteAlias":                     writes((*call).deleteAlias),
		"ListGrants":                      reads((*call).listGrants),
		"CreateGrant":                     writes((*call).createGrant),
		"RevokeGrant":                     writes((*call).revokeGrant),
		"RetireGrant":                     writes((*call).retireGrant),
		"ListResourceTags":                reads((*call).listResourceTags),
		"TagResource":                     writes((*call).tagResource),
		"UntagResource":                   writes((*call).untagResource),
		"Encrypt":                         reads((*call).encrypt),
		"Decrypt":                         reads((*call).decrypt),
		"ReEncrypt":                       reads((*call).reEncrypt),
		"GenerateDataKey":                 reads((*call).generateDataKey),
		"GenerateDataKeyWithoutPlaintext": reads((*call).generateDataKeyWithoutPlaintext),
		"GetParametersForImport":          reads((*call).getParametersForImport),
		"ImportKeyMaterial":               writes((*call).importKeyMaterial),
		"DeleteImportedKeyMaterial":       writes((*call).deleteImportedKeyMaterial),
	}
}

// accepts is how an operation lets a key be named.
type accepts int

const (
	byIDOrARN accepts = iota
	byAliasToo
)

// open finds the key that an operation is about, and checks that the caller may do this to it and that its state
// admits it. A read sees what KMS's readers know, a cryptographic call what is enforced, a write what was last written.
func (c *call) open(ref string, how accepts) (*key, error) {
	return c.openAs(ref, how, c.action(), nil)
}

// openAs is open for another action than the call's own name, or with more in the context.
func (c *call) openAs(ref string, how accepts, action string, more map[string]string) (*key, error) {
	k, err := c.reach(ref, how, action, more)
	if err != nil {
		return nil, err
	}
	return k, k.admits(operationOf(action))
}

// reach is openAs in whatever state the key is.
func (c *call) reach(ref string, how accepts, action string, more map[string]string) (*key, error) {
	k, err := c.lookUp(ref, how, action)
	if err != nil {
		return nil, err
	}
	c.object = k.arn()
	x := c.context
	if isAlias(ref) {
		x = c.with("kms:RequestAlias", aliasName(ref))
	}
	for name, value := range more {
		x = x.With(map[string][]string{strings.ToLower(name): {value}})
	}
	if k.account != c.account() && !crossAccount(operationOf(action)) {
		return nil, refuse(codeAccessDeniedKMS, "User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %[2]s action", c.caller.arn(), action, k.arn())
	}
	if err := c.mayUse(c.caller, action, k, x); err != nil {
		return nil, withState(err, k)
	}
	return k, nil
}

func (c *call) lookUp(ref string, how accepts, action string) (*key, error) {
	if ref == "" {
		return nil, refuse(codeValidation, "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	if how == byIDOrARN && isAlias(ref) {
		return nil, refuse(codeNotFound, "Invalid keyId '%s'", ref)
	}
	v := asRead
	switch {
	case cryptographic(action):
		v = asEnforced
	case c.kmsWrites():
		v = atSource
	}
	return c.findKey(v, c.account(), c.region, ref)
}

func (c *call) kmsWrites() bool {
	for _, prefix := range []string{"Get", "List", "Describe"} {
		if strings.HasPrefix(c.name, prefix) {
			return false
		}
	}
	return true
}

// crossAccount says whether an operation may be called on the key of another account at all.
func crossAccount(operation string) bool {
	switch operation {
	case "DescribeKey", "GetKeyRotationStatus", "CreateGrant", "ListGrants", "RevokeGrant", "RetireGrant":
		return true
	default:
		return cryptographic(operation)
	}
}

// limit is the size of a page, as asked or by default.
func (c *call) limit(asked *int, standard, most int) (int, error) {
	if asked == nil {
		return standard, nil
	}
	if *asked < 1 || *asked > most {
		return 0, refuse(codeValidation, "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must be between 1 and %d", *asked, most)
	}
	return *asked, nil
}

type listed struct {
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

type listing struct {
	KeyID  string `json:"KeyId"`
	Limit  *int
	Marker string
}

// pageOf cuts one page for a List operation.
func pageOf[T any](c *call, in listing, standard, most int, items []T, name func(T) string) ([]T, listed, error) {
	n, err := c.limit(in.Limit, standard, most)
	if err != nil {
		return nil, listed{}, err
	}
	out, next, ok := page(items, name, in.Marker, n)
	if !ok {
		return nil, listed{}, refuse("InvalidMarkerException", "Could not deserialize marker")
	}
	return out, listed{next, next != ""}, nil
}

type byKey struct {
	KeyID string `json:"KeyId"`
}

// epoch is a time as KMS writes it.
func epoch(seconds float64) *float64 { return &seconds }
