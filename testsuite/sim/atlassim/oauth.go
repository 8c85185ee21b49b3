package atlassim

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// The OAuth endpoints and their limit: requests in minutes, for each address and client.
const (
	tokenPath     = "/api/oauth/token"
	revokePath    = "/api/oauth/revoke"
	tokenRequests = 50
	tokenMinutes  = 1
	tokenLifetime = time.Hour
)

// oauthError is a refusal in the format of RFC 6749.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// issueToken serves the client-credentials grant.
func issueToken(c *call, rw http.ResponseWriter) {
	c.oauth(rw, func(client *account, form url.Values) (any, *oauthError) {
		if form.Get("grant_type") != "client_credentials" {
			return nil, &oauthError{"unsupported_grant_type", "The grant type must be client_credentials."}
		}
		bearer := "eyJ" + c.world.ID("token") + c.world.ID("token") + "." + c.world.ID("token")
		c.tokens[bearer] = token{client: client.name, expires: c.wire.Now().Add(tokenLifetime)}
		return map[string]any{"access_token": bearer, "expires_in": int(tokenLifetime.Seconds()), "token_type": "Bearer"}, nil
	})
}

// revokeToken ends a token before its time. As RFC 7009 asks, an unknown one is fine too.
func revokeToken(c *call, rw http.ResponseWriter) {
	c.oauth(rw, func(client *account, form url.Values) (any, *oauthError) {
		if t, ok := c.tokens[form.Get("token")]; ok && t.client == client.name {
			delete(c.tokens, form.Get("token"))
		}
		return map[string]any{}, nil
	})
}

func (c *call) oauth(rw http.ResponseWriter, grant func(*account, url.Values) (any, *oauthError)) {
	status := http.StatusOK
	var answer any
	var limited *APIError
	c.world.Do(func() {
		id, secret, given := c.basicAuth()
		if limited = c.limitToken(id); limited != nil {
			return
		}
		client := c.serviceAccount(id)
		if !given || client == nil || subtle.ConstantTimeCompare([]byte(client.secret), []byte(secret)) != 1 {
			status, answer = http.StatusUnauthorized, &oauthError{"invalid_client", "Client authentication failed."}
			return
		}
		form, err := url.ParseQuery(string(c.body))
		if err != nil {
			status, answer = http.StatusBadRequest, &oauthError{"invalid_request", "The form is malformed."}
			return
		}
		result, refused := grant(client, form)
		if refused != nil {
			status, answer = http.StatusBadRequest, refused
			return
		}
		c.apply(client.name)
		answer = result
	})
	if limited != nil {
		c.fail(rw, limited)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		rw.Header().Set("Www-Authenticate", `Basic realm="MongoDB Cloud"`)
	}
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(answer)
}

// basicAuth reads the client's id and secret, form-encoded as RFC 6749 has them.
func (c *call) basicAuth() (id, secret string, ok bool) {
	id, secret, ok = c.request.BasicAuth()
	if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	if plain, err := url.QueryUnescape(secret); err == nil {
		secret = plain
	}
	return id, secret, ok
}
