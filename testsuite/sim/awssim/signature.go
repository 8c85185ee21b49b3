package awssim

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const codeMissingToken = "MissingAuthenticationToken"

// authorization is what a request says of itself: AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request,
// SignedHeaders=…, Signature=….
type authorization struct {
	accessKeyID, region, service string
	signedHeaders                []string
	signature                    string
}

func parseAuthorization(r *http.Request) authorization {
	var a authorization
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return a
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			if scope := strings.Split(value, "/"); len(scope) == 5 {
				a.accessKeyID, a.region, a.service = scope[0], scope[2], scope[3]
			}
		case "SignedHeaders":
			a.signedHeaders = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	return a
}

// identifySigner says who made a request. Only when the configuration asks for it are signature, session token, expiry
// and the key's status checked; a caller's clock never is, since the world's need not be the wall clock.
func (s *store) identifySigner(q *request) (caller, error) {
	if q.accessKeyID == "" {
		return caller{}, refuse(codeMissingToken, "Request is missing Authentication Token")
	}
	h := s.holder(q.accessKeyID)
	switch {
	case h.unknown && !s.config.CheckSignatures:
		return rootOf(s.defaultAccount()), nil
	case h.unknown, h.gone:
		return caller{}, invalidToken()
	case !s.config.CheckSignatures:
		return h.caller, nil
	}
	if h.token != q.Header.Get("X-Amz-Security-Token") || h.inactive {
		return caller{}, invalidToken()
	}
	if !h.expires.IsZero() && !s.world.Now().Before(h.expires) {
		return caller{}, refuse(codeExpiredToken, "The security token included in the request is expired")
	}
	expected, err := q.sign(aws.Credentials{AccessKeyID: q.accessKeyID, SecretAccessKey: h.secret, SessionToken: h.token})
	if err != nil || !hmac.Equal([]byte(expected), []byte(q.signature)) {
		return caller{}, badSignature()
	}
	return h.caller, nil
}

// holder is who holds an access key of either kind.
type holder struct {
	caller        caller
	secret, token string
	expires       time.Time // of a session, zero for a user's access key
	inactive      bool
	// unknown is an access key that never was; gone, one that is deleted, or whose user or role is.
	unknown, gone bool
}

func (s *store) holder(id string) holder {
	if x := s.sessions[id]; x != nil {
		gone := s.entityByID(asEnforced, x.caller.principal.ID) == nil
		return holder{caller: x.caller, secret: x.secret, token: x.token, expires: x.expires, gone: gone}
	}
	cell := s.accessKeys[id]
	if cell == nil {
		return holder{unknown: true}
	}
	k := cell.in(asEnforced)
	if k == nil {
		return holder{gone: true}
	}
	user := s.entities[entityAt{userKind, k.account, k.user}].in(asEnforced)
	if user == nil {
		return holder{gone: true}
	}
	return holder{caller: user.caller(), secret: k.secret, inactive: !k.active}
}

func invalidToken() error {
	return refuse(codeInvalidToken, "The security token included in the request is invalid.")
}

func badSignature() error {
	return refuse(codeBadSignature, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

// sign makes the signature that the request should have, over the headers that it says are signed.
func (q *request) sign(credentials aws.Credentials) (string, error) {
	at, err := time.Parse("20060102T150405Z", q.Header.Get("X-Amz-Date"))
	if err != nil {
		return "", err
	}
	again, err := http.NewRequestWithContext(q.Context(), q.Method, "http://"+q.Host+q.URL.RequestURI(), io.NopCloser(bytes.NewReader(q.body)))
	if err != nil {
		return "", err
	}
	again.Host = q.Host
	for _, name := range q.signedHeaders {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = q.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = q.Header.Values(name)
		}
	}
	sum := sha256.Sum256(q.body)
	if err := v4.NewSigner().SignHTTP(q.Context(), credentials, again, hex.EncodeToString(sum[:]), q.service, q.region, at); err != nil {
		return "", err
	}
	return parseAuthorization(again).signature, nil
}
