package cmk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
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
		err = errors.New("more than one JSON value")
	}
	if err == nil {
		return nil
	}
	var invalid *InvalidRequestError
	if errors.As(err, &invalid) {
		return invalid
	}
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		field := wrongType.Field
		if field == "" {
			field = "request"
		}
		return &InvalidRequestError{Problems: []Problem{{Field: field, Value: wrongType.Value, Remedy: "give " + article(wrongType.Type)}}}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &InvalidRequestError{Problems: []Problem{{Field: "request", Remedy: "is cut short: give a whole JSON object"}}}
	}
	return &InvalidRequestError{Problems: []Problem{{Field: "request", Remedy: fmt.Sprintf("cannot be read: %v", err)}}}
}

func article(t reflect.Type) string {
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
