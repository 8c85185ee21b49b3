package cmk

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// Duration is a span of time, written in JSON as a string: "90s", "72h", "1h30m".
type Duration time.Duration

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a duration from a string.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	err := json.Unmarshal(b, &s)
	v, unread := time.ParseDuration(s)
	if err != nil || unread != nil {
		// An error of this type is told the field that it is about.
		return &json.UnmarshalTypeError{Value: strings.Trim(string(b), `"`), Type: reflect.TypeFor[Duration]()}
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }
