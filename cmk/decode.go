package cmk

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// decode reads JSON into v strictly: a field that v does not know is an error, since a misspelt field that is ignored
// would change what a request means.
func decode(data []byte, v any) error {
	if len(bytes.TrimSpace(data)) == 0 || string(bytes.TrimSpace(data)) == "null" {
		return &InvalidRequestError{Problems: []Problem{{Field: "request", Remedy: "is missing: give a JSON object"}}}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errSeveral
	}
	if err == nil {
		return nil
	}
	var invalid *InvalidRequestError
	if errors.As(err, &invalid) {
		return invalid
	}
	var wrongType *json.UnmarshalTypeError
	var malformed *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		field := fieldOf(wrongType)
		return &InvalidRequestError{Problems: []Problem{{Field: field, Value: wrongType.Value, Remedy: "give " + article(wrongType.Type)}}, restRead: wrongType.Field != "" && wrongType.Type != reflect.TypeFor[Duration]()}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &InvalidRequestError{Problems: []Problem{{Field: "request", Remedy: "is cut short: give a whole JSON object"}}}
	}
	return &InvalidRequestError{
		Problems: []Problem{{Field: "request", Remedy: fmt.Sprintf("cannot be read: %v", err)}}, restRead: !errors.As(err, &malformed) && !errors.Is(err, errSeveral),
	}
}

// fieldOf is the path of the field that an error is about. Embedded structs, which have no name in JSON, are left out.
func fieldOf(err *json.UnmarshalTypeError) string {
	path := slices.DeleteFunc(strings.Split(err.Field, "."), func(name string) bool { return name == "" || unicode.IsUpper(rune(name[0])) })
	return cmp.Or(strings.Join(path, "."), "request")
}

var errSeveral = errors.New("more than one JSON value")

// withRest is what could not be read of a request, and what is wrong with the rest of it, as far as there is one.
func withRest(unread error, validate func() error) error {
	var all, rest *InvalidRequestError
	if unread == nil {
		return validate()
	}
	if !errors.As(unread, &all) || !all.restRead || !errors.As(validate(), &rest) {
		return unread
	}
	for _, p := range rest.Problems {
		// What could not be read looks as if it had been left out.
		if !slices.ContainsFunc(all.Problems, func(known Problem) bool { return known.Field == p.Field }) {
			all.Problems = append(all.Problems, p)
		}
	}
	return all
}

func article(t reflect.Type) string {
	if t == reflect.TypeFor[Duration]() {
		return `a duration as a string, such as "90s" or "72h"`
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
