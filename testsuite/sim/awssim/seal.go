package awssim

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
)

func gcm(material []byte) cipher.AEAD {
	block, err := aes.NewCipher(material)
	if err != nil {
		panic(err) // material always has 32 bytes
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM needs
	}
	return sealer
}

// additionalData binds a ciphertext to its key and its encryption context, whose order does not matter.
func additionalData(header []byte, context map[string]string) []byte {
	text, err := json.Marshal(context) // sorted by key
	if err != nil {
		panic(err) // strings can always be encoded
	}
	if len(context) == 0 {
		text = nil
	}
	return append(append([]byte(nil), header...), text...)
}
