package sim_test

import (
	"encoding/json"
	"os"
	"path"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// The format of a world is published as JSON Schema, with what the Go types say of each member. `make schema` writes it.
func TestTheSchemaOfAWorldIsThatOfTheGoTypes(t *testing.T) {
	const file = "world.schema.json"
	r := &jsonschema.Reflector{Anonymous: true, FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Mapper: func(t reflect.Type) *jsonschema.Schema {
		if t == reflect.TypeFor[time.Duration]() {
			return &jsonschema.Schema{Type: "string", Pattern: `^([0-9.]+(ns|us|ms|s|m|h))+$`, Examples: []any{"90s", "72h"}}
		}
		return nil
	}, Namer: func(t reflect.Type) string {
		if t.Name() == "" {
			return ""
		}
		return strings.TrimSuffix(path.Base(t.PkgPath()), "sim") + t.Name()
	}}
	require.NoError(t, r.AddGoComments("github.com/atlas-cmk/atlas-cmk/testsuite/sim", "./"))
	want, err := json.MarshalIndent(r.Reflect(sim.Config{}), "", "  ")
	require.NoError(t, err)
	if os.Getenv("ATLAS_CMK_WRITE_SCHEMA") != "" {
		require.NoError(t, os.WriteFile(file, append(want, '\n'), 0o600))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want)+"\n", string(got), "run `make schema`")

	text, err := os.ReadFile("world.yaml")
	require.NoError(t, err)
	var world any
	require.NoError(t, yaml.Unmarshal(text, &world))
	schema, err := validator.NewCompiler().Compile(file)
	require.NoError(t, err)
	require.NoError(t, schema.Validate(asJSON(t, world)))
	world.(map[string]any)["atlas"].(map[string]any)["projects"] = "none"
	require.Error(t, schema.Validate(asJSON(t, world)))
}

func asJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	var out any
	require.NoError(t, json.Unmarshal(text, &out))
	return out
}
