package atlassim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

// SDKModule is the module that carries the description of the API that the simulation keeps to.
const SDKModule = "go.mongodb.org/atlas-sdk/v20250312020"

// Schema is the service's own description of its API. It is large: load it once and share it.
type Schema struct {
	operations map[string]*openapi3.Operation
	options    []openapi3.SchemaValidationOption
	older      olderVersions
	// sent and answered check bodies.
	sent, answered *texts
}

// LoadSchema reads the description from the Atlas SDK's module on this machine. It is not an error of the simulation
// that there is none; callers go on without it, and say so.
func LoadSchema() (*Schema, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", SDKModule).Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return nil, fmt.Errorf("the module %s is not found with \"go list -m\": %w", SDKModule, errors.Join(err))
	}
	doc, err := loadDescription(dir)
	if err != nil {
		return nil, err
	}
	s := &Schema{operations: map[string]*openapi3.Operation{}, older: olderVersions{beside: filepath.Dir(dir)}}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			s.operations[op.OperationID] = op
		}
	}
	s.options = []openapi3.SchemaValidationOption{
		openapi3.EnableFormatValidation(),
		openapi3.SetSchemaRegexCompiler(patterns()),
	}
	s.sent = newTexts(append(slices.Clone(s.options), openapi3.VisitAsRequest())...)
	s.answered = newTexts(append(slices.Clone(s.options), openapi3.VisitAsResponse())...)
	return s, nil
}

func loadDescription(module string) (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(module, "openapi", "atlas-api.yaml"))
	if err != nil {
		return nil, fmt.Errorf("the API description in %s: %w", module, err)
	}
	deviate(doc)
	return doc, nil
}

// described is the description of a call's operation in the given version of its resource; nil when there is none for
// that version on this machine.
func (s *Schema) described(c *call, date string) (*openapi3.Operation, error) {
	i := slices.IndexFunc(c.op.versions, func(v version) bool { return v.date == date })
	if i < 0 || i == len(c.op.versions)-1 || c.op.versions[i].alike {
		op := s.operations[c.op.id]
		if op == nil {
			return nil, fmt.Errorf("the description has no operation %s", c.op.id)
		}
		return op, nil
	}
	return s.older.find(c.op.method, c.op.path, date), nil
}

// pattern matches as ECMAScript does, which the description is written for.
type pattern struct{ *regexp2.Regexp }

func (p pattern) MatchString(s string) bool {
	ok, err := p.Regexp.MatchString(s)
	return err == nil && ok
}

// patterns compiles patterns, each once.
func patterns() openapi3.RegexCompilerFunc {
	var mu sync.Mutex
	compiled := map[string]openapi3.RegexMatcher{}
	return func(expression string) (openapi3.RegexMatcher, error) {
		mu.Lock()
		defer mu.Unlock()
		if m, ok := compiled[expression]; ok {
			return m, nil
		}
		r, err := regexp2.Compile(expression, regexp2.ECMAScript|regexp2.Unicode)
		if err != nil {
			return nil, err
		}
		m := pattern{r}
		compiled[expression] = m
		return m, nil
	}
}

// Mismatch is a request or an answer that the description does not allow.
type Mismatch struct {
	Seq       int    `json:"seq"` // of the journal entry
	Operation string `json:"operation"`
	// Part is "request" or "response".
	Part    string `json:"part"`
	Message string `json:"message"`
}

func (m Mismatch) String() string {
	return fmt.Sprintf("#%d %s: %s: %s", m.Seq, m.Operation, m.Part, m.Message)
}

type mismatches struct {
	mu  sync.Mutex
	all []Mismatch
}

// Mismatches are all that were found so far.
func (a *Atlas) Mismatches() []Mismatch {
	a.mismatches.mu.Lock()
	defer a.mismatches.mu.Unlock()
	return append([]Mismatch{}, a.mismatches.all...)
}

// ForgetMismatches empties the list.
func (a *Atlas) ForgetMismatches() {
	a.mismatches.mu.Lock()
	defer a.mismatches.mu.Unlock()
	a.mismatches.all = nil
}

func (c *call) mismatch(part string, err error) {
	var seq int
	c.journal.Update(c.entry, func(e *journal.Entry) { seq = e.Seq })
	message, _, _ := strings.Cut(err.Error(), "\nSchema:")
	c.mismatches.mu.Lock()
	defer c.mismatches.mu.Unlock()
	c.mismatches.all = append(c.mismatches.all, Mismatch{Seq: seq, Operation: c.op.id, Part: part, Message: message})
}

// checkRequest checks parameters and body against the description.
func (a *Atlas) checkRequest(c *call) bool {
	if a.schema == nil {
		return true
	}
	if err := a.schema.request(c); err != nil {
		c.mismatch("request", err)
		return false
	}
	return true
}

// checkResponse checks an answer against the description.
func (c *call) checkResponse(status int, body []byte) {
	if c.schema == nil {
		return
	}
	if err := c.schema.response(c, status, body); err != nil {
		c.mismatch("response", err)
	}
}

func (s *Schema) request(c *call) error {
	date := c.sent
	if date == "" {
		date = c.version
	}
	op, err := s.described(c, date)
	if op == nil {
		return err
	}
	known := map[string]bool{}
	for _, ref := range op.Parameters {
		p := ref.Value
		known[p.In+"/"+p.Name] = true
		var values []string
		switch p.In {
		case openapi3.ParameterInPath:
			values = []string{c.param(p.Name)}
		case openapi3.ParameterInQuery:
			values = c.query[p.Name]
		}
		if len(values) == 0 && p.Required {
			return fmt.Errorf("%s parameter %s is missing", p.In, p.Name)
		}
		for _, v := range values {
			schema := p.Schema.Value
			if schema.Type.Is("array") {
				schema = schema.Items.Value
			}
			if err := schema.VisitJSON(typed(v, schema), s.options...); err != nil {
				return fmt.Errorf("%s parameter %s: %w", p.In, p.Name, err)
			}
		}
	}
	for name := range c.query {
		if !known["query/"+name] {
			return fmt.Errorf("query parameter %s is unknown", name)
		}
	}
	if op.RequestBody == nil {
		if len(c.body) > 0 {
			return errors.New("a body where none is described")
		}
		return nil
	}
	if len(c.body) == 0 {
		if op.RequestBody.Value.Required {
			return errors.New("the body is missing")
		}
		return nil
	}
	return s.sent.checkBody(op.RequestBody.Value.Content, c.body)
}

// typed is a parameter's value as the JSON type that its schema has.
func typed(v string, schema *openapi3.Schema) any {
	if schema.Type.Is("string") {
		return v
	}
	var out any
	if json.Unmarshal([]byte(v), &out) != nil {
		return v
	}
	return out
}

func (s *Schema) response(c *call, status int, body []byte) error {
	op, err := s.described(c, c.version)
	if op == nil {
		return err
	}
	ref := op.Responses.Status(status)
	if ref == nil {
		if toleratedStatus(c.op.id, status) {
			return nil
		}
		return fmt.Errorf("status %d is not described", status)
	}
	if len(body) == 0 || string(body) == "{}" && toleratedEmpty(c.op.id) {
		return nil
	}
	return s.answered.checkBody(ref.Value.Content, body)
}

// withoutNulls drops null members: the live service sends and takes nulls that its description forbids.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
			} else {
				v[name] = withoutNulls(member)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}
