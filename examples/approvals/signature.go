package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Headers of a signed request. The signature is "v1=" and the hexadecimal HMAC-SHA-256, under the shared secret, of
// "v1:" TIMESTAMP ":" BODY. The timestamp is in Unix seconds.
const (
	headerTimestamp = "X-Approvals-Timestamp"
	headerSignature = "X-Approvals-Signature"
)

// window is how far a timestamp may be from now, so that what was recorded cannot be sent again later.
const window = 5 * time.Minute

var (
	errUnsigned = errors.New("the signature is missing or wrong")
	errStale    = errors.New("the timestamp is more than five minutes from now")
	errReplayed = errors.New("this very request has been received before: sign each attempt anew")
)

// signatures tells signed requests from others. It remembers each for as long as its timestamp is good, so that within
// that time none is taken twice. Several instances of the service would need to share this memory.
type signatures struct {
	secret []byte
	now    func() time.Time

	mu   sync.Mutex
	seen map[string]time.Time
}

func newSignatures(secret []byte, now func() time.Time) *signatures {
	return &signatures{secret: secret, now: now, seen: map[string]time.Time{}}
}

// sign is the signature of a body at a time.
func (s *signatures) sign(timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("v1:" + timestamp + ":")) // a hash never fails
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// check says what is wrong with a request's signature, if anything.
func (s *signatures) check(timestamp, signature string, body []byte) error {
	// The comparison takes the same time wherever the two differ, and comes first: who cannot sign learns nothing else.
	want := s.sign(timestamp, body)
	if !hmac.Equal([]byte(strings.ToLower(signature)), []byte(want)) {
		return errUnsigned
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errUnsigned
	}
	now := s.now()
	if at := time.Unix(seconds, 0); at.Before(now.Add(-window)) || at.After(now.Add(window)) {
		return errStale
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, until := range s.seen {
		if until.Before(now) {
			delete(s.seen, old)
		}
	}
	if _, again := s.seen[want]; again {
		return errReplayed
	}
	s.seen[want] = time.Unix(seconds, 0).Add(window)
	return nil
}
