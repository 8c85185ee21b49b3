package cmk

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with what someone sent: the field, the value it has, and what to write instead.
type Problem struct {
	Field  string `json:"field"`
	Value  string `json:"value,omitempty"`
	Remedy string `json:"remedy"`
}

func (p Problem) String() string {
	if p.Value == "" {
		return fmt.Sprintf("%s: %s", p.Field, p.Remedy)
	}
	return fmt.Sprintf("%s %q: %s", p.Field, p.Value, p.Remedy)
}

// InvalidRequestError says everything that is wrong with a request at once.
type InvalidRequestError struct {
	Problems []Problem
}

func (e *InvalidRequestError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

// problems collects what is wrong while a request is validated.
type problems []Problem

func (p *problems) add(field, value, remedy string, args ...any) {
	*p = append(*p, Problem{Field: field, Value: brief(value), Remedy: fmt.Sprintf(remedy, args...)})
}

// brief keeps what somebody sent from filling the answer.
func brief(s string) string {
	const longest = 200
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &InvalidRequestError{Problems: p}
}
