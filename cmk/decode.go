package cmk

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// request fills in what is left out of it, and says what is wrong with it.
type request[R any] interface {
	*R
	complete()
	validate(*problems)
}

// read reads, completes and validates a request. The error, an *InvalidRequestError, names every problem at once: what
// cannot be read, and what is wrong with the rest.
func read[R any, P request[R]](data []byte) (R, error) {
	var r, none R
	unread, err := decode(data, &r)
	if err != nil {
		return none, err
	}
	P(&r).complete()
	var wrong problems
	P(&r).validate(&wrong)
	// What could not be read looks as if it had been left out.
	wrong = slices.DeleteFunc(wrong, func(w Problem) bool {
		return slices.ContainsFunc(unread, func(u Problem) bool { return u.Field == w.Field })
	})
	if err := append(unread, wrong...).err(); err != nil {
		return none, err
	}
	return r, nil
}

// decode reads a JSON object into v, field by field: one that cannot be read keeps no other from being read. A field that v
// does not have is a problem, since a misspelt one that is ignored would change what a request means. The error is of data
// that is no such object.
func decode(data []byte, v any) (problems, error) {
	var document json.RawMessage
	d := json.NewDecoder(bytes.NewReader(data))
	err := d.Decode(&document)
	refuse := func(remedy string, args ...any) (problems, error) {
		var p problems
		p.add("request", "", remedy, args...)
		return nil, p.err()
	}
	switch {
	case len(bytes.TrimSpace(data)) == 0, string(document) == "null":
		return refuse("is missing: give a JSON object")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return refuse("is cut short: give a whole JSON object")
	case err != nil:
		return refuse("cannot be read: %v", err)
	case d.More():
		return refuse("cannot be read: more than one JSON value")
	case document[0] != '{':
		return refuse("give an object")
	}
	var p problems
	p.decode("", document, reflect.ValueOf(v).Elem())
	return p, nil
}

// decode reads the value of a field.
func (p *problems) decode(path string, value json.RawMessage, into reflect.Value) {
	if _, readsItself := into.Addr().Interface().(json.Unmarshaler); into.Kind() != reflect.Struct || readsItself {
		p.decodeWhole(path, value, into)
		return
	}
	d := json.NewDecoder(bytes.NewReader(value))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		if string(value) != "null" { // which is as good as left out
			p.add(path, "", "give %s", article(into.Type()))
		}
		return
	}
	for d.More() {
		name, value, err := nextMember(d)
		if err != nil {
			p.add(path, "", "cannot be read: %v", err)
			return
		}
		member, known := memberNamed(into.Type(), name)
		if !known {
			p.add(within(path, name), "", "is not a field of this request: check its name")
			continue
		}
		p.decode(within(path, memberName(member)), value, into.FieldByIndex(member.Index))
	}
}

// nextMember takes the next name from an object, and its value.
func nextMember(d *json.Decoder) (name string, value json.RawMessage, err error) {
	token, err := d.Token()
	if err != nil {
		return "", nil, err
	}
	name, _ = token.(string)
	return name, value, d.Decode(&value)
}

// decodeWhole reads a value that is no object of ours, and leaves nothing of one that cannot be read.
func (p *problems) decodeWhole(path string, value json.RawMessage, into reflect.Value) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(into.Addr().Interface()); err != nil {
		into.SetZero()
		p.addUnread(path, value, into.Type(), err)
	}
}

// addUnread says why a value could not be read.
func (p *problems) addUnread(path string, value json.RawMessage, t reflect.Type, err error) {
	var own *InvalidRequestError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &own):
		for _, o := range own.Problems {
			p.add(path, o.Value, "%s", o.Remedy)
		}
	case errors.As(err, &wrongType):
		p.add(within(path, fieldOf(wrongType)), wrongType.Value, "give %s", article(wrongType.Type))
	case t == reflect.TypeFor[time.Time]():
		p.add(path, strings.Trim(string(value), `"`), "give %s", article(t))
	default:
		p.add(path, "", "cannot be read: %v", err)
	}
}

// memberNamed finds the field of a struct, or of one that is embedded in it, that has a name in JSON.
func memberNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	members := slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Anonymous || !f.IsExported() })
	at := slices.IndexFunc(members, func(f reflect.StructField) bool { return memberName(f) == name })
	if at < 0 { // as encoding/json does
		at = slices.IndexFunc(members, func(f reflect.StructField) bool { return strings.EqualFold(memberName(f), name) })
	}
	if at < 0 {
		return reflect.StructField{}, false
	}
	return members[at], true
}

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// fieldOf is the path of the field that an error is about. Embedded structs, which have no name in JSON, are left out.
func fieldOf(err *json.UnmarshalTypeError) string {
	return strings.Join(slices.DeleteFunc(strings.Split(err.Field, "."), func(name string) bool { return name == "" || unicode.IsUpper(rune(name[0])) }), ".")
}

// within is the path of a field of what is at a path.
func within(path, name string) string {
	return cmp.Or(strings.Trim(path+"."+brief(name), "."), "request")
}

func article(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return `a duration as a string, such as "90s" or "72h"`
	case reflect.TypeFor[time.Time]():
		return "a time as a string, such as 2026-01-31T12:00:00Z"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}
