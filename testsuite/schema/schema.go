// Package schema generates the JSON Schema of the contract from the Go types of package cmk.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

const contractPackage = "github.com/atlas-cmk/atlas-cmk/cmk"

// Generate writes every schema, by file name. It reads the comments of package cmk, in the directory "..", and so is for
// tests of a package that stands right below it.
func Generate() (map[string][]byte, error) {
	source, err := readSource("..")
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, t := range cmk.RequestTypes() {
		example, ok := Examples()[t.Workflow]
		if !ok {
			return nil, fmt.Errorf("no example of a request for %s: add one to Examples", t.Workflow)
		}
		s := source.request(t, example)
		if out[t.Workflow+".json"], err = text(s); err != nil {
			return nil, err
		}
	}
	for name, v := range map[string]struct {
		zero any
		what string
	}{
		"Decision":     {cmk.Decision{}, "Payload of the signals, and updates, " + strings.Join(cmk.DecisionSignals(), ", ")},
		"Resolution":   {cmk.Resolution{}, "Payload of the signals, and updates, " + strings.Join(cmk.ResolutionSignals(), ", ")},
		"Status":       {cmk.Status{}, "Answer to the query " + cmk.QueryStatus + ", and of an update"},
		"Report":       {cmk.Report{}, "Result of a change, and details of the error of one that did not complete"},
		"Holder":       {cmk.Holder{}, "Details of the error " + cmk.ErrProjectBusy},
		"NexusMessage": {cmk.NexusMessage{}, "Input of the Nexus operations " + cmk.NexusDecide + " and " + cmk.NexusStatus},
	} {
		s := source.answer(v.zero)
		s.Title = v.what
		if signal, ok := s.Properties.Get("signal"); ok {
			for _, name := range slices.Concat(cmk.DecisionSignals(), cmk.ResolutionSignals()) {
				signal.Enum = append(signal.Enum, name)
			}
		}
		if out[name+".json"], err = text(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// text is a schema as it is published.
func text(s *jsonschema.Schema) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	// Types that write themselves escape for HTML all the same.
	return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(b.String())), nil
}

// answer is the schema of what the worker gives, or takes without insisting on its form: later versions add fields.
func (s *source) answer(zero any) *jsonschema.Schema {
	r := s.reflector()
	r.AllowAdditionalProperties = true
	out := r.Reflect(zero)
	for _, name := range slices.Sorted(maps.Keys(out.Definitions)) {
		s.constrain(out.Definitions[name])
	}
	s.constrain(out)
	return out
}

// request is the schema of an input.
func (s *source) request(t cmk.RequestType, example string) *jsonschema.Schema {
	r := s.reflector()
	r.DoNotReference = true // so that what holds of a field of one request need not hold of another's
	out := r.Reflect(t.Zero)
	out.Title = "Input of " + t.Workflow
	// Where an earlier run left off is between two runs of a workflow.
	out.Properties.Delete("progress")
	s.constrain(out)
	s.narrow(out, "", t, example)
	keyNeedsRegion(out)
	oneSubject(out)
	out.Examples = []any{json.RawMessage(example)}
	return out
}

func (s *source) reflector() *jsonschema.Reflector {
	return &jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true, Mapper: s.mapped, LookupComment: s.comment,
	}
}

// mapped is the schema of types that write themselves, and of those with a closed set of values.
func (s *source) mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[cmk.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: durationPattern, Examples: []any{"90s", "72h"}}
	case reflect.TypeFor[cmk.ClusterSelection]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Enum: []any{"all", "none"}},
			{Type: "array", MinItems: number(1), UniqueItems: true, Items: &jsonschema.Schema{Type: "string", Pattern: `^[a-zA-Z0-9][a-zA-Z0-9-]*$`}},
		}}
	case reflect.TypeFor[cmk.EndpointSelection]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Const: "all"},
			{Type: "array", MinItems: number(1), Items: &jsonschema.Schema{Type: "string", Pattern: `^(\s*` + hexID + `\s*|` + region + `)$`}},
		}}
	}
	if values := s.values[t.Name()]; t.PkgPath() == contractPackage && t.Kind() == reflect.String && len(values) > 0 {
		e := &jsonschema.Schema{Type: "string"}
		for _, v := range values {
			e.Enum = append(e.Enum, v)
		}
		return e
	}
	return nil
}

const (
	durationPattern = `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`
	hexID           = `[0-9a-f]{24}`
	region          = `\s*[A-Za-z]{2}([-_][Gg][Oo][Vv])?[-_][A-Za-z]+[-_][0-9]+\s*`
	accessKey       = `^[A-Z0-9]{16,128}$`
	roleARN         = `^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^\s]+$`
	oneKeyARN       = `arn:(aws|aws-us-gov|aws-cn):kms:[a-z0-9-]+:[0-9]{12}:key/([0-9a-f-]{36}|mrk-[0-9a-f]{32})`
	keyARN          = `arn:(aws|aws-us-gov|aws-cn):kms:[a-z0-9-]+:[0-9]{12}:(key/([0-9a-f-]{36}|mrk-[0-9a-f]{32})|alias/[a-zA-Z0-9/_-]+)`
	keyPattern      = `^(` + keyARN + `|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32}|alias/[a-zA-Z0-9/_-]+)$`
)

// constrain adds, to every field that is known by its name, what the decoders require of it.
func (s *source) constrain(in *jsonschema.Schema) {
	if in.Properties == nil {
		return
	}
	for p := in.Properties.Oldest(); p != nil; p = p.Next() {
		field := p.Value
		switch p.Key {
		case "projectId", "organizationId":
			field.Pattern = "^" + hexID + "$"
		case "projectIds", "alsoProjects", "exclude":
			field.UniqueItems = true
			field.Items.Pattern = "^" + hexID + "$"
			if p.Key != "exclude" {
				field.MaxItems = number(100)
			}
			if p.Key == "projectIds" {
				field.MinItems = number(1)
			}
		case "key":
			field.Pattern = keyPattern
		case "keyRegion":
			field.Pattern = "^" + region + "$"
		case "regions", "plannedRegions":
			if field.Items != nil {
				field.UniqueItems, field.MaxItems = true, number(40)
				field.Items.Pattern = "^" + region + "$"
			}
			if slices.Contains(in.Required, p.Key) {
				field.MinItems = number(1)
			}
		case "role":
			constrainRole(field)
		case "accessKeyId":
			field.Pattern = accessKey
		case "roleArn":
			field.Pattern = roleARN
		case "keyArns":
			field.UniqueItems = true
			field.Items.Pattern = "^" + oneKeyARN + "$"
		case "approvers":
			field.Minimum, field.Maximum = "1", "5"
		case "repair":
			field.UniqueItems = true
		case "parallel":
			field.Minimum, field.Maximum = "1", "50"
		case "snapshotDays":
			field.Minimum, field.Maximum = "0", "3650"
		}
		s.constrain(field)
	}
}

func constrainRole(role *jsonschema.Schema) {
	if role.Properties == nil {
		return
	}
	field := func(name string) *jsonschema.Schema { v, _ := role.Properties.Get(name); return v }
	field("name").Pattern = `^[A-Za-z0-9+=,.@_-]{1,64}$`
	field("permissionsBoundary").Pattern = `^arn:(aws|aws-us-gov|aws-cn):iam::([0-9]{12}|aws):policy/.+$`
	existing := properties("mode", &jsonschema.Schema{Enum: []any{cmk.RoleAdopt, cmk.RoleReadOnly}})
	existing.Required = []string{"mode"}
	role.If = existing
	role.Then = properties("permissionsBoundary", jsonschema.FalseSchema)
	role.Then.Required = []string{"name"}
}

// keyNeedsRegion says that a key that is not given by ARN needs its region.
func keyNeedsRegion(request *jsonschema.Schema) {
	if _, ok := request.Properties.Get("keyRegion"); !ok || request.If != nil {
		return
	}
	request.If = properties("key", &jsonschema.Schema{Not: &jsonschema.Schema{Pattern: "^arn:"}})
	request.Then = &jsonschema.Schema{Required: []string{"keyRegion"}}
}

// oneSubject says that a retirement is of an access key or of a role, and that keys are taken from a role.
func oneSubject(request *jsonschema.Schema) {
	if _, ok := request.Properties.Get("roleArn"); !ok {
		return
	}
	request.OneOf = []*jsonschema.Schema{{Required: []string{"accessKeyId"}}, {Required: []string{"roleArn"}}}
	request.DependentRequired = map[string][]string{"keyArns": {"roleArn"}}
}

func properties(name string, of *jsonschema.Schema) *jsonschema.Schema {
	p := jsonschema.NewProperties()
	p.Set(name, of)
	return &jsonschema.Schema{Properties: p}
}

// narrow leaves of each set of values those that the decoder takes in this request: one type of value can stand in
// requests that differ in what they take.
func (s *source) narrow(in *jsonschema.Schema, path string, t cmk.RequestType, example string) {
	if in.Properties == nil {
		return
	}
	for p := in.Properties.Oldest(); p != nil; p = p.Next() {
		at := strings.TrimPrefix(path+"."+p.Key, ".")
		p.Value.Enum = slices.DeleteFunc(p.Value.Enum, func(v any) bool {
			_, err := t.Decode(With(example, at, v))
			var invalid *cmk.InvalidRequestError
			return errors.As(err, &invalid) && slices.ContainsFunc(invalid.Problems, func(p cmk.Problem) bool { return p.Field == at })
		})
		s.narrow(p.Value, at, t, example)
	}
}

// With is a JSON document with a value laid at a path, with dots.
func With(document, path string, value any) []byte {
	var root map[string]any
	if err := json.Unmarshal([]byte(document), &root); err != nil {
		panic(err) // the documents are our own
	}
	at, names := root, strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		inner, ok := at[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			at[name] = inner
		}
		at = inner
	}
	at[names[len(names)-1]] = value
	out, err := json.Marshal(root)
	if err != nil {
		panic(err)
	}
	return out
}

func number(n uint64) *uint64 { return &n }

// comment is what a field's comment says, with the names of fields as JSON has them.
func (s *source) comment(t reflect.Type, field string) string {
	if field == "" {
		return ""
	}
	said := s.comments[t.PkgPath()+"."+t.Name()+"."+field]
	for f := range fieldsOf(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" {
			said = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(said, name)
		}
	}
	return said
}

func fieldsOf(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
