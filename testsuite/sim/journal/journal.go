// Package journal records every request that reached the simulated services: who asked for what, when, what the
// answer was, and whether the world was changed by it. Secrets are redacted before anything is kept.
package journal

import (
	"context"
	"sync"
	"time"
)

// Entry is one request and its answer.
type Entry struct {
	// Seq counts the requests from 1, in the order in which they arrived.
	Seq  int       `json:"seq"`
	Time time.Time `json:"time"`
	// System is "atlas" or "aws".
	System string `json:"system"`
	// Operation is the operation in its service's own words: Atlas's operation id (createGroupEncryptionAtRestPrivateEndpoint),
	// or service and action for AWS (kms:DescribeKey).
	Operation string `json:"operation"`
	// Who is the User-Agent.
	Who    string `json:"who"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// Region is the AWS region asked, empty for Atlas and global services.
	Region string `json:"region,omitempty"`
	// Object names what the request was about, as far as the service tells: a project, cluster, endpoint, role, key.
	Object string `json:"object,omitempty"`
	// Write is true of an operation that can change the world; Applied, of a request that did.
	Write   bool `json:"write"`
	Applied bool `json:"applied"`
	// Status is the HTTP status answered, 0 if the connection was dropped; ErrorCode the service's own code.
	Status    int    `json:"status"`
	ErrorCode string `json:"errorCode,omitempty"`
	// Fault names the fault injected into this request, if any.
	Fault    string `json:"fault,omitempty"`
	Request  string `json:"request,omitempty"`
	Response string `json:"response,omitempty"`
}

// Journal keeps entries, oldest first. It is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	entries []*Entry
}

// Begin appends an entry for a request that has arrived; the caller fills in the answer through Update.
func (j *Journal) Begin(e Entry) *Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq = len(j.entries) + 1
	j.entries = append(j.entries, &e)
	return &e
}

// Update changes an entry under the journal's lock.
func (j *Journal) Update(e *Entry, f func(*Entry)) {
	if e == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	f(e)
}

// Entries is a copy of all that was recorded, oldest first.
func (j *Journal) Entries() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Entry, len(j.entries))
	for i, e := range j.entries {
		out[i] = *e
	}
	return out
}

// Since is a copy of what was recorded after the entry of that number, oldest first.
func (j *Journal) Since(seq int) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Entry
	for _, e := range j.entries[min(max(seq, 0), len(j.entries)):] {
		out = append(out, *e)
	}
	return out
}

// Len is how many requests have been recorded.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.entries)
}

// Reset forgets everything.
func (j *Journal) Reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = nil
}

type entryKey struct{}

// With is a context that carries the entry of the request being served.
func With(ctx context.Context, e *Entry) context.Context {
	return context.WithValue(ctx, entryKey{}, e)
}

// From is the entry of the request being served, or nil.
func From(ctx context.Context) *Entry {
	e, _ := ctx.Value(entryKey{}).(*Entry)
	return e
}
