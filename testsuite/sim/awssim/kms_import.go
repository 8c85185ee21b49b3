package awssim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"time"
)

// Imported key material is not unwrapped: it only takes the key from PendingImport to Enabled, and back when it
// expires or is deleted. All that is imported into keys of one id counts as the same material.

func (c *call) openExternal(ref string) (*key, error) {
	k, err := c.open(ref, byIDOrARN)
	if err != nil {
		return nil, err
	}
	if k.family.origin != originExternal {
		return nil, refuse(codeUnsupported, "%s origin is %s which is not valid for this operation.", k.arn(), k.family.origin)
	}
	return k, nil
}

func (c *call) getParametersForImport(in byKey) (any, error) {
	k, err := c.openExternal(in.KeyID)
	if err != nil {
		return nil, err
	}
	if c.wrapping == nil {
		if c.wrapping, err = wrappingKey(); err != nil {
			return nil, err
		}
	}
	return struct {
		ImportToken       []byte
		KeyID             string `json:"KeyId"`
		ParametersValidTo *float64
		PublicKey         []byte
	}{c.random("importToken", 64), k.arn(), epochOf(c.world.Now().Add(day)), c.wrapping}, nil
}

// wrappingKey is a public key to wrap material with, whose private part nobody keeps.
func wrappingKey() ([]byte, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(private.Public())
}

func (c *call) importKeyMaterial(in struct {
	byKey
	EncryptedKeyMaterial, ImportToken []byte
	ExpirationModel                   string
	ValidTo                           float64
},
) (any, error) {
	k, err := c.openExternal(in.KeyID)
	if err != nil {
		return nil, err
	}
	if len(in.EncryptedKeyMaterial) == 0 || len(in.ImportToken) == 0 {
		return nil, refuse(codeValidation, "1 validation error detected: Value null at 'importToken' failed to satisfy constraint: Member must not be null")
	}
	var until time.Time
	if in.ExpirationModel != "KEY_MATERIAL_DOES_NOT_EXPIRE" {
		until = time.UnixMilli(int64(in.ValidTo * 1000))
		if !until.After(c.world.Now()) {
			return nil, refuse(codeValidation, "A validTo date in the future must be specified when expiration model is KEY_MATERIAL_EXPIRES.")
		}
		c.world.At(until, func() {
			if now := c.keys[k.at()].in(atSource); now != nil && now.imported && now.validTo.Equal(until) {
				c.dropMaterial(now)
			}
		})
	}
	c.changeKey(k, func(k *key) {
		k.imported, k.validTo = true, until
		if k.state == statePendingImport {
			k.state = stateEnabled
		}
	})
	return struct{}{}, nil
}

func (c *call) deleteImportedKeyMaterial(in byKey) (any, error) {
	k, err := c.openExternal(in.KeyID)
	if err != nil {
		return nil, err
	}
	c.dropMaterial(k)
	return struct{}{}, nil
}

// dropMaterial leaves a key without its imported material.
func (s *store) dropMaterial(k *key) {
	s.changeKey(k, func(k *key) {
		k.imported, k.validTo = false, time.Time{}
		if k.state == stateEnabled || k.state == stateDisabled {
			k.state = statePendingImport
		}
	})
}
