package atlassim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

const (
	redacted = "REDACTED"
	// keptBody is how much of a body the journal keeps, in bytes.
	keptBody = 4096
)

// secretMembers are the names of what must not be kept, in JSON and in forms, in lower case.
func secretMember(name string) bool {
	switch strings.ToLower(name) {
	case "secretaccesskey", "secret", "serviceaccountkey", "access_token", "token", "client_secret", "password":
		return true
	}
	return false
}

// redact is a body without its secrets, cut to what the journal keeps. What cannot be read cannot be redacted, and
// is not kept.
func redact(body []byte) string {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return ""
	}
	if body[0] != '{' && body[0] != '[' {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return redacted
		}
		for name := range form {
			if secretMember(name) {
				form.Set(name, redacted)
			} else if name != "grant_type" && name != "token_type_hint" {
				return redacted
			}
		}
		return form.Encode()
	}
	if mayHoldSecret(body) {
		var v any
		if json.Unmarshal(body, &v) != nil {
			return redacted
		}
		body, _ = json.Marshal(redactValue(v))
	}
	if len(body) > keptBody {
		return string(body[:keptBody]) + "…"
	}
	return string(body)
}

// mayHoldSecret spares the common body from being parsed.
func mayHoldSecret(body []byte) bool {
	lower := bytes.ToLower(body)
	for _, word := range []string{"secret", "token", "serviceaccountkey", "password"} {
		if bytes.Contains(lower, []byte(word)) {
			return true
		}
	}
	return false
}

func redactValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if secretMember(name) {
				v[name] = redacted
			} else {
				v[name] = redactValue(member)
			}
		}
	case []any:
		for i := range v {
			v[i] = redactValue(v[i])
		}
	}
	return v
}

// keeper keeps what is answered, for the journal. It is noted before any of it is sent, so that whoever has an answer
// finds it in the journal.
type keeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	note   func()
}

func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeper) Write(b []byte) (int, error) {
	if k.status == 0 {
		k.status = http.StatusOK
	}
	if k.body.Len() <= 16*keptBody {
		k.body.Write(b)
	}
	k.note()
	return k.ResponseWriter.Write(b)
}

func (k *keeper) Flush() {
	if f, ok := k.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

func (k *keeper) kept() string { return redact(k.body.Bytes()) }
