package schema_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	published "github.com/atlas-cmk/atlas-cmk/cmk/schema"
	"github.com/atlas-cmk/atlas-cmk/testsuite/schema"
)

// write is the environment variable by which `make schema` has the files written anew.
const write = "ATLAS_CMK_WRITE_SCHEMA"

func TestTheSchemasAreThoseOfTheGoTypes(t *testing.T) {
	t.Parallel()
	generated, err := schema.Generate()
	require.NoError(t, err)
	if os.Getenv(write) != "" {
		for name, text := range generated {
			require.NoError(t, os.WriteFile(name, text, 0o600))
		}
	}
	files, err := filepath.Glob("*.json")
	require.NoError(t, err)
	require.Equal(t, slices.Sorted(maps.Keys(generated)), files, "run `make schema`, and remove files of types that are gone")
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(generated[name]), string(text), "%s: run `make schema`", name)
		_, err = fs.Stat(published.Files, name)
		require.NoError(t, err)
	}
}

// compiled is a schema, with formats asserted.
func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	generated, err := schema.Generate()
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(generated[name]))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource(name, document))
	s, err := c.Compile(name)
	require.NoError(t, err)
	return s
}

func accepts(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	return s.Validate(v)
}

// leftToTheDecoder is what a schema cannot say, by what a problem's remedy says.
func leftToTheDecoder(p cmk.Problem) bool {
	return p.Remedy == "give at least 1s" || strings.HasPrefix(p.Remedy, "give at most ") ||
		strings.HasPrefix(p.Remedy, "is not the region of the key's ARN") ||
		p.Remedy == "is named twice" && !strings.Contains(p.Field, "roject")
}

// empty says whether a value is as good as left out, to a decoder.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case int:
		return v == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// Every field of every input is given every kind of value, one at a time. Schema and decoder must agree: what the schema
// takes the decoder takes, but for what a schema cannot say; what the decoder takes the schema takes, unless it is empty.
func TestSchemasAgreeWithTheDecoders(t *testing.T) {
	t.Parallel()
	values := []any{
		nil, true, false, "", "x", "all", "none", "ALL", "nonsense value", " us-east-1 ", "US_EAST_1", "us-gov-west-1", "us-east", "64b7f0c2a1b2c3d4e5f60718",
		"64B7F0C2A1B2C3D4E5F60718", "90s", "1.5h", "+1h", "-1h", "1h30m", "1d", "100ms", "90", -1, 0, 1, 5, 6, 50, 51, 1.5, map[string]any{}, map[string]any{"unknown": 1},
		[]any{}, []any{"us-east-1"}, []any{"us-east-1", "us-east-1"}, []any{"us-east-1", "US_EAST_1"}, []any{"payments"}, []any{"-payments"}, []any{1},
		[]any{"64b7f0c2a1b2c3d4e5f60718"}, []any{"64b7f0c2a1b2c3d4e5f60718", "64b7f0c2a1b2c3d4e5f60718"}, []any{"64b7f0c2a1b2c3d4e5f6071"},
		"compensate", "stop", "restore", "use", "create", "provider", "check", "adopt", "readOnly", "page", "keepPrivatePath",
		"alias/atlas", "1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab", "arn:aws:kms:eu-west-1:111122223333:alias/x", "arn:aws:kms:x",
		"arn:aws:iam::111122223333:policy/bound", "atlas-cmk-role", "path/role", strings.Repeat("r", 65), "AKIAIOSFODNN7EXAMPLE", "AKIA****EXAMPLE",
		"1000h", []any{"remake-failed"}, []any{"remake-failed", "remake-failed"}, []any{"create-missing", "everything"},
		"2026-01-31T12:00:00Z", "2026-01-31", "yesterday",
	}
	for _, r := range cmk.RequestTypes() {
		s := compiled(t, r.Workflow+".json")
		example := schema.Examples()[r.Workflow]
		require.NoError(t, accepts(t, s, []byte(example)))
		_, err := r.Decode([]byte(example))
		require.NoError(t, err, r.Workflow)
		for _, path := range append(paths(s, ""), "unknown", "role.unknown") {
			for _, v := range values {
				agree(t, s, r, schema.With(example, path, v), v)
			}
		}
		for _, path := range s.Required {
			var document map[string]any
			require.NoError(t, json.Unmarshal([]byte(example), &document))
			delete(document, path)
			text, err := json.Marshal(document)
			require.NoError(t, err)
			agree(t, s, r, text, "left out: "+path)
		}
	}
}

// agree requires that schema and decoder judge a document in the same way.
func agree(t *testing.T, s *jsonschema.Schema, r cmk.RequestType, text []byte, v any) {
	t.Helper()
	bySchema := accepts(t, s, text)
	_, byDecoder := r.Decode(text)
	var invalid *cmk.InvalidRequestError
	switch {
	case bySchema == nil && errors.As(byDecoder, &invalid):
		for _, p := range invalid.Problems {
			require.True(t, leftToTheDecoder(p), "%s: the schema takes %s, the decoder does not: %s", r.Workflow, text, p)
		}
	case bySchema != nil && byDecoder == nil:
		require.True(t, empty(v), "%s: the decoder takes %s, the schema does not: %s", r.Workflow, text, bySchema)
	}
}

// paths lists every field of a schema, and of the objects in it.
func paths(s *jsonschema.Schema, prefix string) []string {
	var out []string
	for name, field := range s.Properties {
		at := strings.TrimPrefix(prefix+"."+name, ".")
		out = append(out, at)
		out = append(out, paths(field, at)...)
	}
	return out
}

func TestMessagesAndTheirSchemas(t *testing.T) {
	t.Parallel()
	decision, resolution := compiled(t, "Decision.json"), compiled(t, "Resolution.json")
	require.NoError(t, accepts(t, decision, []byte(`{"by": "alex@security", "region": "all", "reason": "CHG-1234"}`)))
	require.Error(t, accepts(t, decision, []byte(`{"region": "all"}`)), "nobody decides")
	require.Error(t, accepts(t, decision, []byte(`"yes"`)))
	require.NoError(t, accepts(t, resolution, []byte(`{"by": "alex@security", "step": "cluster payments"}`)))
	require.Error(t, accepts(t, resolution, []byte(`{"by": 7}`)))
	message := compiled(t, "NexusMessage.json")
	require.NoError(t, accepts(t, message, []byte(`{"workflowId": "cmk-64b7f0c2a1b2c3d4e5f60718"}`)), "the status asks for no more")
	for _, signal := range slices.Concat(cmk.DecisionSignals(), cmk.ResolutionSignals()) {
		require.NoError(t, accepts(t, message, []byte(`{"workflowId": "x", "signal": "`+signal+`", "payload": {"by": "alex@security"}}`)))
	}
	require.Error(t, accepts(t, message, []byte(`{"signal": "approve", "payload": {"by": "alex@security"}}`)), "about no change")
	require.Error(t, accepts(t, message, []byte(`{"workflowId": "x", "signal": "`+cmk.QueryStatus+`"}`)), "none of the signals")
}

// Every result of every recorded run is what the schema of the report says.
func TestReportsAreAsTheirSchemaSays(t *testing.T) {
	t.Parallel()
	report := compiled(t, "Report.json")
	files, err := filepath.Glob("../../workflows/testdata/histories/*.json")
	require.NoError(t, err)
	n := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, payload := range results(t, text) {
			require.NoError(t, accepts(t, report, payload), "%s: %s", name, payload)
			n++
		}
	}
	require.Greater(t, n, len(files)/2)
}

type payloads struct{ Payloads []struct{ Data string } }

// results are the reports with which a recorded run ended.
func results(t *testing.T, history []byte) [][]byte {
	t.Helper()
	var h struct {
		Events []struct {
			Completed *struct{ Result payloads }  `json:"workflowExecutionCompletedEventAttributes"`
			Canceled  *struct{ Details payloads } `json:"workflowExecutionCanceledEventAttributes"`
			Failed    *struct {
				Failure struct {
					Info struct {
						Type    string
						Details payloads
					} `json:"applicationFailureInfo"`
				}
			} `json:"workflowExecutionFailedEventAttributes"`
		}
	}
	require.NoError(t, json.Unmarshal(history, &h))
	var out [][]byte
	for _, e := range h.Events {
		var p payloads
		switch {
		case e.Completed != nil:
			p = e.Completed.Result
		case e.Canceled != nil:
			p = e.Canceled.Details
		case e.Failed != nil && e.Failed.Failure.Info.Type != cmk.ErrProjectBusy && e.Failed.Failure.Info.Type != cmk.ErrInvalidRequest:
			p = e.Failed.Failure.Info.Details
		}
		for _, one := range p.Payloads {
			text, err := base64.StdEncoding.DecodeString(one.Data)
			require.NoError(t, err)
			out = append(out, text)
		}
	}
	return out
}
