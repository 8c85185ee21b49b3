package awssim

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// All ids and secrets are drawn from the world, so that the same seed gives the same run.

// uniqueID is an IAM unique id or access key id of the kind that its prefix says: AROA (role), AIDA (user), ANPA
// (managed policy), AKIA (access key), ASIA (session).
func (s *store) uniqueID(prefix string) string {
	return prefix + base32.StdEncoding.EncodeToString(s.random(prefix, 20))[:16]
}

func (s *store) secret() string {
	return base64.StdEncoding.EncodeToString(s.random("secret", 30))
}

// random are n bytes that depend on the seed alone.
func (s *store) random(kind string, n int) []byte {
	var out []byte
	for len(out) < n {
		block := sha256.Sum256([]byte(s.world.ID("aws/" + kind)))
		out = append(out, block[:]...)
	}
	return out[:n]
}

func (s *store) uuid(kind string) string { return s.world.UUID("aws/" + kind) }

func (s *store) keyID(multiRegion bool) string {
	id := s.uuid("key")
	if multiRegion {
		return "mrk-" + strings.ReplaceAll(id, "-", "")
	}
	return id
}

func (s *store) hex(kind string, n int) string { return hex.EncodeToString(s.random(kind, n)) }
