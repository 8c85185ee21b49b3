package awssim

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

type cryptoInput struct {
	byKey
	EncryptionAlgorithm string
	EncryptionContext   map[string]string
	DryRun              bool
}

// openToUse opens a symmetric key for a cryptographic action.
func (c *call) openToUse(ref, action string, in cryptoInput) (*key, error) {
	algorithm := orElse(in.EncryptionAlgorithm, symmetricDefault)
	before := c.context
	c.context = c.context.With(nil)
	encryptionContext(c.context, algorithm, in.EncryptionContext)
	k, err := c.openAs(ref, byAliasToo, action, nil)
	c.context = before
	if err != nil {
		return nil, err
	}
	if err := k.suits(c.name, algorithm); err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, refuse("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	}
	return k, nil
}

// suits says whether a key is for encryption, by an algorithm that it has. Only symmetric keys really encrypt here.
func (k *key) suits(operation, algorithm string) error {
	const invalidUsage = "InvalidKeyUsageException"
	if k.family.usage != encryptDecrypt {
		return refuse(invalidUsage, "%s key usage is %s which is not valid for %s.", k.arn(), k.family.usage, operation)
	}
	if k.family.spec != symmetricDefault || algorithm != symmetricDefault {
		return refuse(invalidUsage, "Algorithm %s and key spec %s are incompatible.", algorithm, k.family.spec)
	}
	return nil
}

const maxPlaintext = 4096

func (c *call) encrypt(in struct {
	cryptoInput
	Plaintext []byte
},
) (any, error) {
	if len(in.Plaintext) == 0 || len(in.Plaintext) > maxPlaintext {
		return nil, refuse(codeValidation, "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length between 1 and %d", maxPlaintext)
	}
	k, err := c.openToUse(in.KeyID, c.action(), in.cryptoInput)
	if err != nil {
		return nil, err
	}
	return struct {
		CiphertextBlob      []byte
		EncryptionAlgorithm string
		KeyID               string `json:"KeyId"`
	}{c.seal(k, in.Plaintext, in.EncryptionContext), symmetricDefault, k.arn()}, nil
}

type decryptInput struct {
	cryptoInput
	CiphertextBlob []byte
}

func (c *call) decrypt(in decryptInput) (any, error) {
	k, plaintext, err := c.recover(in, c.action())
	if err != nil {
		return nil, err
	}
	return struct {
		EncryptionAlgorithm string
		KeyID               string `json:"KeyId"`
		Plaintext           []byte
	}{symmetricDefault, k.arn(), plaintext}, nil
}

// recover decrypts with the key that the ciphertext says, as it is in this region.
func (c *call) recover(in decryptInput, action string) (*key, []byte, error) {
	b, err := parseBlob(in.CiphertextBlob)
	if err != nil {
		return nil, nil, refuse("InvalidCiphertextException", "")
	}
	made := c.keys[keyAt{b.account, c.region, b.id}].in(asEnforced)
	if in.KeyID != "" {
		named, err := c.lookUp(in.KeyID, byAliasToo, action)
		if err != nil {
			return nil, nil, err
		}
		if named.account != b.account || named.id != b.id {
			return nil, nil, refuse("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	if made == nil {
		return nil, nil, refuse(codeAccessDeniedKMS, "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
	}
	k, err := c.openToUse(orElse(in.KeyID, made.arn()), action, in.cryptoInput)
	if err != nil {
		return nil, nil, err
	}
	plaintext, err := b.open(k.family, in.EncryptionContext)
	if err != nil {
		return nil, nil, refuse("InvalidCiphertextException", "")
	}
	return k, plaintext, nil
}

func (c *call) reEncrypt(in struct {
	CiphertextBlob                                            []byte
	SourceEncryptionContext, DestinationEncryptionContext     map[string]string
	SourceKeyID                                               string `json:"SourceKeyId"`
	DestinationKeyID                                          string `json:"DestinationKeyId"`
	SourceEncryptionAlgorithm, DestinationEncryptionAlgorithm string
	DryRun                                                    bool
},
) (any, error) {
	source := cryptoInput{byKey{in.SourceKeyID}, in.SourceEncryptionAlgorithm, in.SourceEncryptionContext, false}
	from, plaintext, err := c.recover(decryptInput{source, in.CiphertextBlob}, "kms:ReEncryptFrom")
	if err != nil {
		return nil, err
	}
	destination := cryptoInput{byKey{in.DestinationKeyID}, in.DestinationEncryptionAlgorithm, in.DestinationEncryptionContext, in.DryRun}
	to, err := c.openToUse(in.DestinationKeyID, "kms:ReEncryptTo", destination)
	if err != nil {
		return nil, err
	}
	return struct {
		CiphertextBlob                                            []byte
		DestinationEncryptionAlgorithm, SourceEncryptionAlgorithm string
		KeyID                                                     string `json:"KeyId"`
		SourceKeyID                                               string `json:"SourceKeyId"`
	}{c.seal(to, plaintext, in.DestinationEncryptionContext), symmetricDefault, symmetricDefault, to.arn(), from.arn()}, nil
}

type dataKeyInput struct {
	cryptoInput
	KeySpec       string
	NumberOfBytes *int
}

type dataKeyResult struct {
	CiphertextBlob []byte
	KeyID          string `json:"KeyId"`
	Plaintext      []byte `json:",omitempty"`
}

func (c *call) generateDataKey(in dataKeyInput) (any, error) {
	out, err := c.dataKey(in)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *call) generateDataKeyWithoutPlaintext(in dataKeyInput) (any, error) {
	out, err := c.dataKey(in)
	if err != nil {
		return nil, err
	}
	out.Plaintext = nil
	return out, nil
}

func (c *call) dataKey(in dataKeyInput) (dataKeyResult, error) {
	n := 0
	switch {
	case (in.KeySpec == "") == (in.NumberOfBytes == nil):
		return dataKeyResult{}, refuse(codeValidation, "Please specify either number of bytes or key spec.")
	case in.NumberOfBytes != nil:
		n = *in.NumberOfBytes
	case in.KeySpec == "AES_256":
		n = 32
	case in.KeySpec == "AES_128":
		n = 16
	}
	if n < 1 || n > 1024 {
		return dataKeyResult{}, refuse(codeValidation, "1 validation error detected: Value at 'numberOfBytes' or 'keySpec' failed to satisfy constraint: Member must be between 1 and 1024 bytes")
	}
	k, err := c.openToUse(in.KeyID, c.action(), in.cryptoInput)
	if err != nil {
		return dataKeyResult{}, err
	}
	plaintext := c.random("dataKey", n)
	return dataKeyResult{c.seal(k, plaintext, in.EncryptionContext), k.arn(), plaintext}, nil
}

// rotate adds a generation of key material. It depends on the key's id alone: a stand-in keeps no real secrets.
func (f *family) rotate(id string) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", id, len(f.material)))
	f.material = append(f.material, sum[:])
}

// blob is a ciphertext taken apart: which key and which generation of its material made it, and the sealed text.
//
//	"cmk1 ACCOUNT/ID GENERATION " | 12 bytes nonce | AES-256-GCM
type blob struct {
	account, id string
	generation  int
	header      []byte
	nonce       []byte
	sealed      []byte
}

const (
	blobFormat = "cmk1"
	nonceSize  = 12
)

func (s *store) seal(k *key, plaintext []byte, context map[string]string) []byte {
	generation := len(k.family.material) - 1
	header := fmt.Appendf(nil, "%s %s/%s %d ", blobFormat, k.account, k.id, generation)
	nonce := s.random("nonce", nonceSize)
	return gcm(k.family.material[generation]).Seal(append(header, nonce...), nonce, plaintext, additionalData(header, context))
}

func parseBlob(b []byte) (blob, error) {
	parts := bytes.SplitN(b, []byte(" "), 4)
	if len(parts) != 4 || string(parts[0]) != blobFormat || len(parts[3]) < nonceSize {
		return blob{}, errors.New("not a ciphertext of ours")
	}
	generation, err := strconv.Atoi(string(parts[2]))
	if err != nil || generation < 0 {
		return blob{}, fmt.Errorf("generation %q", parts[2])
	}
	account, id, _ := strings.Cut(string(parts[1]), "/")
	return blob{
		account: account, id: id, generation: generation,
		header: b[:len(b)-len(parts[3])], nonce: parts[3][:nonceSize], sealed: parts[3][nonceSize:],
	}, nil
}

func (b blob) open(f *family, context map[string]string) ([]byte, error) {
	if b.generation >= len(f.material) {
		return nil, fmt.Errorf("generation %d", b.generation)
	}
	return gcm(f.material[b.generation]).Open(nil, b.nonce, b.sealed, additionalData(b.header, context))
}
