package atlassim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

// call is a request to an operation, on its way to be answered.
type call struct {
	*Atlas
	op      *operation
	request *http.Request
	query   url.Values
	body    []byte
	version string // of the resource, as negotiated for the answer
	sent    string // the same of the body; empty without one
	status  int    // of success
	caller  *account
	address string
	entry   *journal.Entry
	project *project // of the path's groupId
	base    string   // URL that links start with
}

func (c *call) param(name string) string { return c.request.PathValue(name) }

// apply marks that the call has changed the world, about object.
func (c *call) apply(object string) {
	c.oracle.dirty = true
	c.journal.Update(c.entry, func(e *journal.Entry) {
		e.Applied = true
		if object != "" {
			e.Object = object
		}
	})
}

// decode reads the body into v.
func (c *call) decode(v any) error {
	if len(c.body) == 0 {
		return malformedJSON()
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		return malformedJSON()
	}
	return nil
}

func (c *call) flag(name string, byDefault bool) bool {
	b, err := strconv.ParseBool(c.query.Get(name))
	if err != nil {
		return byDefault
	}
	return b
}

type link struct {
	Href string `json:"href"`
	Rel  string `json:"rel"`
}

func (c *call) self() []link { return []link{{Href: c.base + c.request.URL.Path, Rel: "self"}} }

// list is a page of results.
type list struct {
	Links      []link `json:"links"`
	Results    []any  `json:"results"`
	TotalCount *int   `json:"totalCount,omitempty"`
}

// page cuts the page asked for out of all results.
func page[T any](c *call, all []T, render func(T) any) (any, error) {
	size, err := c.number("itemsPerPage", 100, 1, 500)
	if err != nil {
		return nil, err
	}
	number, err := c.number("pageNum", 1, 1, 1<<30)
	if err != nil {
		return nil, err
	}
	out := list{Results: []any{}}
	total := len(all)
	if c.flag("includeCount", true) {
		out.TotalCount = &total
	}
	start := min((number-1)*size, total)
	end := min(start+size, total)
	for _, item := range all[start:end] {
		out.Results = append(out.Results, render(item))
	}
	at := func(n int) string {
		return fmt.Sprintf("%s%s?includeCount=%t&itemsPerPage=%d&pageNum=%d", c.base, c.request.URL.Path, out.TotalCount != nil, size, n)
	}
	out.Links = append(out.Links, link{at(number), "self"})
	if number > 1 {
		out.Links = append(out.Links, link{at(number - 1), "previous"})
	}
	if end < total {
		out.Links = append(out.Links, link{at(number + 1), "next"})
	}
	return out, nil
}

func (c *call) number(name string, byDefault, least, most int) (int, error) {
	given := c.query.Get(name)
	if given == "" {
		return byDefault, nil
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < least || n > most {
		return 0, invalidQuery(name)
	}
	return n, nil
}

// stamp is a time as Atlas writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// stampOrNil is null of no time.
func stampOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

// objectOf is what a request is about, as far as its path tells.
func objectOf(r *http.Request) string {
	var parts []string
	for _, name := range []string{"groupId", "roleId", "endpointId", "clusterName", "snapshotId", "restoreJobId"} {
		if v := r.PathValue(name); v != "" {
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, "/")
}
