package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// control serves what steers and shows the simulation, beside what it simulates.
func (s *Sim) control() *http.ServeMux {
	mux := http.NewServeMux()
	get := func(path string, what func() any) {
		mux.HandleFunc("GET /_sim/"+path, func(rw http.ResponseWriter, _ *http.Request) { answer(rw, http.StatusOK, what()) })
	}
	post := func(path string, do func(body []byte) error) {
		mux.HandleFunc("POST /_sim/"+path, func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = do(body)
			}
			if err != nil {
				answer(rw, http.StatusBadRequest, map[string]string{"error": err.Error()})
				return
			}
			rw.WriteHeader(http.StatusNoContent)
		})
	}
	get("journal", func() any { return s.Journal.Entries() })
	get("state", func() any { return s.State() })
	get("violations", func() any { return s.Violations() })
	get("mismatches", func() any { return s.Mismatches() })
	post("faults", func(body []byte) error {
		rules, err := oneOrMany[fault.Rule](body)
		if err != nil {
			return err
		}
		if len(rules) == 0 {
			s.Faults.Clear()
		}
		return s.Faults.Add(rules...)
	})
	post("act", func(body []byte) error {
		acts, err := oneOrMany[Act](body)
		if err != nil {
			return err
		}
		for _, a := range acts {
			if err := s.Act(a); err != nil {
				return err
			}
		}
		return nil
	})
	post("reset", func([]byte) error { return s.Reset() })
	mux.HandleFunc("/_sim/", func(rw http.ResponseWriter, r *http.Request) {
		answer(rw, http.StatusNotFound, map[string]string{
			"error": fmt.Sprintf("no %s %s: GET journal, state, violations, mismatches; POST faults, act, reset", r.Method, r.URL.Path),
		})
	})
	return mux
}

// oneOrMany reads an object or an array of them.
func oneOrMany[T any](body []byte) ([]T, error) {
	text := strings.TrimSpace(string(body))
	if !strings.HasPrefix(text, "[") {
		text = "[" + text + "]"
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var all []T
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return all, nil
}

func answer(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}

// awsRegion is a region in AWS's spelling, given in either.
func awsRegion(region string) string {
	return strings.ReplaceAll(strings.ToLower(region), "_", "-")
}
