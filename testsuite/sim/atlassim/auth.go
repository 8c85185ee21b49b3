package atlassim

import (
	"crypto/md5" //nolint:gosec // digest authentication is defined with it
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// How long a nonce serves before the client is asked for a fresh one.
const nonceLifetime = 5 * time.Minute

// account is whoever calls: an API key or a service account.
type account struct {
	id         string // 24 hexadecimal digits for a key, the client id for a service account
	name       string // public key or client id
	secret     string
	key        bool
	roles      []Grant
	accessList []string
}

// token is a bearer token of a service account.
type token struct {
	client  string
	expires time.Time
}

func (a *Atlas) apiKey(public string) *account {
	for i, k := range a.config.APIKeys {
		if k.Public == public {
			id := fmt.Sprintf("%024x", 0xa11+i)
			return &account{id: id, name: k.Public, secret: k.Private, key: true, roles: k.Roles, accessList: k.AccessList}
		}
	}
	return nil
}

func (a *Atlas) serviceAccount(clientID string) *account {
	for _, s := range a.config.ServiceAccounts {
		if s.ClientID == clientID {
			return &account{id: s.ClientID, name: s.ClientID, secret: s.Secret, roles: s.Roles, accessList: s.AccessList}
		}
	}
	return nil
}

// challenge invites digest authentication with a fresh nonce.
func (a *Atlas) challenge(stale bool) string {
	now := a.wire.Now()
	if len(a.nonces) > 10000 {
		for nonce, made := range a.nonces {
			if now.Sub(made) > nonceLifetime {
				delete(a.nonces, nonce)
			}
		}
	}
	nonce := a.world.ID("nonce") + a.world.ID("nonce")[:8]
	a.nonces[nonce] = now
	return fmt.Sprintf(`Digest realm="MMS Public API", domain="", nonce="%s", algorithm=MD5, qop="auth", stale=%t`, nonce, stale)
}

// authenticate finds out who calls, or sets the challenge and refuses.
func (c *call) authenticate(h http.Header) error {
	scheme, rest, _ := strings.Cut(c.request.Header.Get("Authorization"), " ")
	stale := false
	switch strings.ToLower(scheme) {
	case "digest":
		c.caller, stale = c.digest(parseDigest(rest))
	case "bearer":
		if t, ok := c.tokens[strings.TrimSpace(rest)]; ok && c.wire.Now().Before(t.expires) {
			c.caller = c.serviceAccount(t.client)
		}
	}
	if c.caller == nil {
		h.Set("Www-Authenticate", c.challenge(stale))
		return unauthorized()
	}
	if c.config.Organization.RequireAccessList && len(c.caller.accessList) == 0 {
		return accessListRequired()
	}
	if !admits(c.caller.accessList, c.address) {
		return addressNotAllowed(c.address)
	}
	return nil
}

// digest verifies a digest. stale is true if all is well but the age of its nonce.
func (c *call) digest(d map[string]string) (who *account, stale bool) {
	key := c.apiKey(d["username"])
	made, known := c.nonces[d["nonce"]]
	if key == nil || !known || d["uri"] != c.request.URL.RequestURI() {
		return nil, key != nil && !known
	}
	hash := func(s string) string {
		sum := md5.Sum([]byte(s)) //nolint:gosec // see the import
		return hex.EncodeToString(sum[:])
	}
	ha1 := hash(key.name + ":" + d["realm"] + ":" + key.secret)
	ha2 := hash(c.request.Method + ":" + d["uri"])
	want := hash(strings.Join([]string{ha1, d["nonce"], d["nc"], d["cnonce"], d["qop"], ha2}, ":"))
	if subtle.ConstantTimeCompare([]byte(want), []byte(d["response"])) != 1 {
		return nil, false
	}
	if c.wire.Now().Sub(made) > nonceLifetime {
		delete(c.nonces, d["nonce"])
		return nil, true
	}
	return key, false
}

// parseDigest reads name=value pairs, quoted or not.
func parseDigest(s string) map[string]string {
	out := map[string]string{}
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeft(s, ", ") {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, s, _ = strings.Cut(rest[1:], `"`)
		} else {
			value, s, _ = strings.Cut(rest, ",")
		}
		out[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return out
}

// expire makes the bearer token of a request invalid.
func (a *Atlas) expire(r *http.Request) {
	if _, bearer, ok := strings.Cut(r.Header.Get("Authorization"), "Bearer "); ok {
		delete(a.tokens, bearer)
	}
}

// The roles, each including those before it.
var roleRank = map[string]int{"GROUP_READ_ONLY": 1, "GROUP_CLUSTER_MANAGER": 2, "GROUP_OWNER": 3, "ORG_OWNER": 4}

// rank is the caller's standing in a project.
func (a *account) rank(projectID string) int {
	rank := 0
	for _, g := range a.roles {
		if g.Project == projectID || g.Project == "" && g.Role == "ORG_OWNER" {
			rank = max(rank, roleRank[g.Role])
		}
	}
	return rank
}

// authorize refuses a caller whose role in the project is too small.
func (c *call) authorize() error {
	if c.op.public || c.project == nil {
		return nil
	}
	switch rank := c.caller.rank(c.project.id); {
	case len(c.caller.roles) == 0:
		return cannotAccessGroup()
	case rank == 0:
		return notInGroup()
	case rank < roleRank[c.op.role]:
		return notPermitted()
	}
	switch c.project.state {
	case StateInvalid:
		return invalidGroup(c.project.id)
	case StateSuspended:
		return accountSuspended()
	}
	return nil
}

func admits(accessList []string, address string) bool {
	if len(accessList) == 0 {
		return true
	}
	ip := net.ParseIP(address)
	for _, entry := range accessList {
		if _, network, err := net.ParseCIDR(entry); err == nil && network.Contains(ip) || entry == address {
			return true
		}
	}
	return false
}
