package atlassim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

// The longest body of a request that is read, in bytes.
const maxBody = 1 << 20

// ServeHTTP serves the Administration API and the OAuth endpoints.
func (a *Atlas) ServeHTTP(rw http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(rw, r) }

// routes sends requests to operations. Two patterns of which neither is the narrower one cannot be in one mux, so
// groupByName has a mux of its own, that is asked first.
func (a *Atlas) routes() http.Handler {
	mux, byName := http.NewServeMux(), http.NewServeMux()
	for _, op := range operations() {
		to := mux
		if op.path == groupByName {
			to = byName
		}
		to.HandleFunc(op.method+" "+op.path, func(rw http.ResponseWriter, r *http.Request) { a.serve(op, rw, r) })
	}
	unknown := operation{id: "unknown"}
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) { a.serve(unknown, rw, r) })
	byName.Handle("/", mux)
	return byName
}

// serve journals a request, sends it through the faults in force and answers it.
func (a *Atlas) serve(op operation, rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return // the client is gone
	}
	var now time.Time
	a.world.Do(func() { now = a.world.Now() })
	entry := a.journal.Begin(journal.Entry{
		Time: now, System: "atlas", Operation: op.id, Who: r.UserAgent(), Method: r.Method, Path: r.URL.RequestURI(),
		Object: objectOf(r), Write: op.write, Request: redact(body),
	})
	c := &call{
		Atlas: a, op: &op, request: r, query: r.URL.Query(), body: body, entry: entry, address: remoteIP(r), base: baseURL(r),
	}
	rule := a.faults.Next("atlas", op.id, r.UserAgent())
	if rule != nil {
		a.journal.Update(entry, func(e *journal.Entry) { e.Fault = string(rule.Kind) })
		if rule.Kind == fault.ExpiredToken {
			a.world.Do(func() { a.expire(r) })
		}
	}
	kept := &keeper{ResponseWriter: rw}
	kept.note = func() {
		a.journal.Update(entry, func(e *journal.Entry) {
			e.Status, e.ErrorCode, e.Response = kept.status, rw.Header().Get("X-Error-Code"), kept.kept()
			if rule != nil && rule.Kind == fault.DropAfter {
				e.Status = 0
			}
		})
	}
	defer kept.note() // of an answer without a body
	refuse := func(rw http.ResponseWriter, status int) {
		if status == http.StatusUnauthorized {
			a.world.Do(func() { rw.Header().Set("Www-Authenticate", a.challenge(false)) })
		}
		if rule.ErrorCode != "" {
			c.fail(rw, refusal(status, rule.ErrorCode, "Refused by a fault."))
			return
		}
		c.fail(rw, injected(status))
	}
	rule.Serve(kept, r, refuse, func(rw http.ResponseWriter, _ *http.Request) { a.answer(c, rw) })
}

// injected is what Atlas answers when it is in trouble itself.
func injected(status int) *APIError {
	switch status {
	case http.StatusUnauthorized:
		return unauthorized()
	case http.StatusTooManyRequests:
		return refusal(status, "RATE_LIMITED", "Too many requests.")
	case http.StatusServiceUnavailable:
		return refusal(status, "SERVICE_UNAVAILABLE", "The service is temporarily unavailable.")
	}
	return refusal(status, "UNEXPECTED_ERROR", "Unexpected error.")
}

// answer does what a call asks and writes the answer.
func (a *Atlas) answer(c *call, rw http.ResponseWriter) {
	if c.op.raw != nil {
		c.op.raw(c, rw)
		return
	}
	var (
		result any
		err    error
		text   []byte
	)
	rejected := false
	a.world.Do(func() {
		if err = c.admit(rw.Header()); err != nil {
			return
		}
		if rejected = !a.checkRequest(c); rejected && !json.Valid(orNull(c.body)) {
			err = malformedJSON()
			return
		}
		if result, err = c.op.handle(c); err == nil && result != nil {
			text, err = encode(result)
		}
	})
	if err != nil {
		c.fail(rw, err)
		return
	}
	c.succeed(rw, text)
}

// encode is JSON with URLs as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func orNull(body []byte) []byte {
	if len(body) == 0 {
		return []byte("null")
	}
	return body
}

// admit authenticates, authorizes, negotiates and limits a call, in Atlas's order.
func (c *call) admit(h http.Header) error {
	if c.op.handle == nil {
		return resourceNotFound(c.request.URL.Path)
	}
	if !c.op.public {
		if err := c.authenticate(h); err != nil {
			return err
		}
	}
	if err := c.limit(h); err != nil {
		return err
	}
	if err := c.negotiate(h); err != nil {
		return err
	}
	if id := c.param("groupId"); id != "" {
		if c.project = c.Atlas.project(id); c.project == nil {
			return groupNotFound(id)
		}
	}
	return c.authorize()
}

var versioned = regexp.MustCompile(`application/vnd\.atlas\.([^+;,\s]*)\+json`)

// negotiate chooses, for the answer and for the body, the newest version of the resource that is not newer than the
// date asked for.
func (c *call) negotiate(h http.Header) error {
	served, err := c.op.serves(strings.Join(c.request.Header.Values("Accept"), ","))
	if err != nil {
		return err
	}
	c.version, c.status = served.date, c.op.status
	if served.status != 0 {
		c.status = served.status
	}
	if served.deprecated != "" {
		h.Set("Deprecation", served.deprecated)
		h.Set("Sunset", served.sunset)
	}
	if len(c.body) > 0 {
		sent, err := c.op.serves(c.request.Header.Get("Content-Type"))
		if err != nil {
			return err
		}
		c.sent = sent.date
	}
	return nil
}

// serves is the version of the resource that a media type means.
func (op *operation) serves(mediaType string) (version, error) {
	date, err := versionDate(mediaType)
	if err != nil {
		return version{}, err
	}
	for _, v := range slices.Backward(op.versions) {
		if v.date <= date {
			return v, nil
		}
	}
	return version{}, versionGone(date)
}

func versionDate(mediaType string) (string, error) {
	m := versioned.FindStringSubmatch(mediaType)
	if m == nil {
		return "", invalidVersionDate(mediaType)
	}
	if _, err := time.Parse(time.DateOnly, m[1]); err != nil {
		return "", invalidVersionDate(m[1])
	}
	return m[1], nil
}

func (c *call) succeed(rw http.ResponseWriter, text []byte) {
	c.checkResponse(c.status, text)
	if text == nil {
		rw.WriteHeader(c.status)
		return
	}
	rw.Header().Set("Content-Type", "application/vnd.atlas."+c.version+"+json;charset=utf-8")
	rw.WriteHeader(c.status)
	_, _ = rw.Write(c.dress(c.status, text))
	// Flushed before its end, the body has no length: Atlas answers in chunks.
	if f, ok := rw.(http.Flusher); ok {
		f.Flush()
	}
}

func (c *call) fail(rw http.ResponseWriter, err error) {
	var refused *APIError
	if !errors.As(err, &refused) {
		refused = refusal(http.StatusInternalServerError, "UNEXPECTED_ERROR", err.Error())
	}
	text, err := encode(refused)
	if err != nil {
		panic(err) // an error body is made of strings and numbers
	}
	if c.op.raw == nil && c.op.handle != nil {
		c.checkResponse(refused.Status, text)
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("X-Error-Code", refused.Code)
	if refused.retryAfter > 0 {
		rw.Header().Set("Retry-After", strconv.Itoa(refused.retryAfter))
	}
	rw.WriteHeader(refused.Status)
	_, _ = rw.Write(c.dress(refused.Status, text)) //nolint:gosec // what a fault says is JSON, for a client of the simulator
}

// dress puts a body into an envelope and indents it, as the query asks.
func (c *call) dress(status int, text []byte) []byte {
	if c.flag("envelope", false) {
		text, _ = encode(map[string]any{"status": status, "content": json.RawMessage(text)})
	}
	if c.flag("pretty", false) {
		var b bytes.Buffer
		if json.Indent(&b, text, "", "  ") == nil {
			text = b.Bytes()
		}
	}
	return text
}

func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
