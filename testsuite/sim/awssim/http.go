package awssim

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

const maxBody = 1 << 20

// The AWS SDK for Go closes a request's body as soon as its answer begins. If net/http has not yet seen the body's end by
// then, it takes that for a failure of the request and drops the connection, which nobody notices but who is still
// reading: an answer that is not read at once is lost. A server so near that this happens takes its time over the others.
const (
	readAtOnce   = 2 << 10
	networkDelay = 2 * time.Millisecond
)

// answer is what goes back over the wire, and what the journal is to know of it.
type answer struct {
	status      int
	contentType string
	requestID   string
	body        []byte
	code        string
	object      string
	applied     bool
}

// request is a request taken apart.
type request struct {
	authorization
	*http.Request
	body []byte
	form url.Values
	name string // of the operation
	path Path
}

// ServeHTTP serves KMS, IAM and STS of every account and region; a request's credential scope says which is meant.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	q := parseRequest(r, body)
	op, known := a.operation(q.service, q.name)
	entry := a.begin(q, op)
	rule := a.faults.Next("aws", q.service+":"+q.name, r.UserAgent())
	if rule != nil {
		a.journal.Update(entry, func(e *journal.Entry) { e.Fault = string(rule.Kind) })
		defer a.noteDrop(entry, rule.Kind)
	}
	rule.Serve(w, r.WithContext(journal.With(r.Context(), entry)),
		func(w http.ResponseWriter, status int) { a.finish(r.Context(), w, entry, a.injected(q, status)) },
		func(w http.ResponseWriter, _ *http.Request) { a.finish(r.Context(), w, entry, a.serve(q, op, known)) })
}

func parseRequest(r *http.Request, body []byte) *request {
	q := &request{authorization: parseAuthorization(r), Request: r, body: body}
	q.path.SourceIP, _, _ = net.SplitHostPort(r.RemoteAddr)
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		q.name = target[strings.LastIndex(target, ".")+1:]
		q.service = orElse(q.service, "kms")
		return q
	}
	// A body that is no form has no action, and is refused for that.
	q.form, _ = url.ParseQuery(string(body))
	for name, values := range r.URL.Query() {
		if q.form.Get(name) == "" {
			q.form[name] = values
		}
	}
	q.name = q.form.Get("Action")
	if q.service == "" {
		q.service = "iam"
		if q.form.Get("Version") == "2011-06-15" {
			q.service = "sts"
		}
	}
	return q
}

func (a *AWS) operation(service, name string) (operation, bool) {
	var op operation
	var ok bool
	switch service {
	case "kms":
		op, ok = a.kms[name]
	case "iam":
		op, ok = a.iam[name]
	case "sts":
		op, ok = a.sts[name]
	}
	return op, ok
}

func (a *AWS) begin(q *request, op operation) *journal.Entry {
	var entry *journal.Entry
	a.world.Do(func() {
		e := journal.Entry{
			Time: a.world.Now(), System: "aws", Operation: q.service + ":" + q.name, Who: q.UserAgent(),
			Method: q.Method, Path: q.URL.Path, Object: q.object(), Write: op.write,
		}
		if q.service == "kms" {
			e.Region, e.Request = q.region, redactJSON(q.body)
		} else {
			e.Request = redactForm(q.form)
		}
		entry = a.journal.Begin(e)
	})
	return entry
}

// noteDrop sets the status of a request whose connection was dropped.
func (a *AWS) noteDrop(entry *journal.Entry, kind fault.Kind) {
	if kind == fault.DropBefore || kind == fault.DropAfter {
		a.journal.Update(entry, func(e *journal.Entry) { e.Status = 0 })
	}
}

func (a *AWS) finish(ctx context.Context, w http.ResponseWriter, entry *journal.Entry, r answer) {
	a.journal.Update(entry, func(e *journal.Entry) {
		e.Status, e.ErrorCode, e.Applied = r.status, r.code, r.applied
		if r.object != "" {
			e.Object = r.object
		}
		if r.contentType == contentJSON {
			e.Response = redactJSON(r.body)
		} else {
			e.Response = redactXML(r.body)
		}
	})
	w.Header().Set("Content-Type", r.contentType)
	w.Header().Set("X-Amzn-Requestid", r.requestID)
	w.Header().Set("Content-Length", strconv.Itoa(len(r.body)))
	if len(r.body) > readAtOnce {
		select {
		case <-time.After(networkDelay):
		case <-ctx.Done():
		}
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

// serve does what a request asks.
func (a *AWS) serve(q *request, op operation, known bool) answer {
	var r answer
	a.world.Do(func() {
		c := &call{
			store: a.store, service: q.service, name: q.name, region: q.region,
			requestID: a.store.uuid("request"), body: q.body, form: q.form,
		}
		result, err := a.run(c, q, op, known)
		r = c.answer(result, err)
		r.object, r.applied = c.object, op.write && err == nil
	})
	return r
}

func (a *AWS) run(c *call, q *request, op operation, known bool) (any, error) {
	var err error
	if c.caller, err = c.identifySigner(q); err != nil {
		return nil, err
	}
	if !known {
		if q.service == "kms" {
			return nil, refuse("UnknownOperationException", "")
		}
		return nil, refuse("InvalidAction", "Could not find operation %s for version %s", q.name, q.form.Get("Version"))
	}
	if err := c.throttle(); err != nil {
		return nil, err
	}
	c.used(q.accessKeyID, q.service, q.region)
	c.context = c.store.context(c.caller, c.region, q.path)
	c.context.Set("aws:UserAgent", q.UserAgent())
	return op.run(c)
}

// injected is a refusal that a fault asks for, in the service's own terms.
func (a *AWS) injected(q *request, status int) answer {
	var err *Error
	switch status {
	case http.StatusUnauthorized:
		err = &Error{Code: codeExpiredToken, Message: "The security token included in the request is expired"}
	case http.StatusForbidden:
		err = &Error{Code: codeAccessDenied, Message: "The caller is not authorized to perform this action."}
	case http.StatusTooManyRequests:
		err = rateExceeded(q.service)
	case http.StatusServiceUnavailable:
		err = &Error{Code: "ServiceUnavailable", Message: "Service is unable to handle request."}
	default:
		err = &Error{Code: "InternalFailure", Message: fmt.Sprintf("Injected failure of status %d.", status)}
	}
	var r answer
	a.world.Do(func() {
		c := &call{store: a.store, service: q.service, name: q.name, requestID: a.store.uuid("request")}
		r = c.answer(nil, err)
		if status >= 500 {
			r.status = status
		}
	})
	return r
}

// object names what a request is about, as far as it says so itself.
func (q *request) object() string {
	for _, name := range []string{"RoleName", "UserName", "PolicyArn", "RoleArn", "PolicySourceArn", "AccessKeyId", "PolicyName"} {
		if v := q.form.Get(name); v != "" {
			return v
		}
	}
	return jsonMember(q.body, "KeyId", "TargetKeyId", "AliasName")
}
