package atlassim

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// texts checks what is said in one direction, and remembers what was found to be as a schema describes it, since the same
// is said again and again: a list is checked item by item, of which hardly one is new.
type texts struct {
	options []openapi3.SchemaValidationOption

	mu    sync.Mutex
	valid map[*openapi3.Schema]map[[sha256.Size]byte]bool
	count int
}

// rememberedTexts is how many are remembered before it begins anew.
const rememberedTexts = 10000

func newTexts(options ...openapi3.SchemaValidationOption) *texts {
	return &texts{options: options, valid: map[*openapi3.Schema]map[[sha256.Size]byte]bool{}}
}

// checkBody checks a body against the newest of the media types described.
func (t *texts) checkBody(content openapi3.Content, body []byte) error {
	newest := ""
	for mediaType := range content {
		newest = max(newest, mediaType)
	}
	if newest == "" || content[newest].Schema == nil {
		return nil
	}
	return t.check(content[newest].Schema.Value, body)
}

// check checks a text against a schema.
func (t *texts) check(schema *openapi3.Schema, text []byte) error {
	sum := sha256.Sum256(text)
	if t.knows(schema, sum) {
		return nil
	}
	if err := t.checkAll(schema, text); err != nil {
		return err
	}
	t.learn(schema, sum)
	return nil
}

// checkAll checks a text that is not known as a whole: the items of a page apart, and the page without them.
func (t *texts) checkAll(schema *openapi3.Schema, text []byte) error {
	const member = "results"
	list := schema.Properties[member]
	if list == nil || list.Value.Items == nil || list.Value.UniqueItems || list.Value.MinItems > 0 || list.Value.MaxItems != nil {
		return t.visit(schema, text)
	}
	var page map[string]json.RawMessage
	var items []json.RawMessage
	if json.Unmarshal(text, &page) != nil || json.Unmarshal(page[member], &items) != nil || items == nil {
		return t.visit(schema, text)
	}
	for i, item := range items {
		if err := t.check(list.Value.Items.Value, item); err != nil {
			return fmt.Errorf("%s[%d]: %w", member, i, err)
		}
	}
	page[member] = json.RawMessage("[]")
	without, err := json.Marshal(page)
	if err != nil {
		return err
	}
	return t.visit(schema, without)
}

// visit checks a text as a whole. The live service sends and takes nulls that its description forbids.
func (t *texts) visit(schema *openapi3.Schema, text []byte) error {
	var v any
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&v); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if schema.VisitJSON(v, t.options...) == nil {
		return nil
	}
	return schema.VisitJSON(withoutNulls(v), t.options...)
}

func (t *texts) knows(schema *openapi3.Schema, sum [sha256.Size]byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.valid[schema][sum]
}

func (t *texts) learn(schema *openapi3.Schema, sum [sha256.Size]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == rememberedTexts {
		clear(t.valid)
		t.count = 0
	}
	if t.valid[schema] == nil {
		t.valid[schema] = map[[sha256.Size]byte]bool{}
	}
	t.valid[schema][sum] = true
	t.count++
}
