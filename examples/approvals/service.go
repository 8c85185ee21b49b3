package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// changes is what the service needs of package client.
type changes interface {
	Send(ctx context.Context, workflowID, name string, payload any) (*cmk.Status, error)
	Signal(ctx context.Context, workflowID, name string, payload any) error
}

// decision is what a sender posts: which change, what is decided, and by whom, as the sender knows it.
type decision struct {
	WorkflowID string `json:"workflowId"`
	// Signal is approve, reject, approve-endpoint or reject-endpoint.
	Signal string `json:"signal"`
	cmk.Decision
}

// answer is what the sender gets.
type answer struct {
	// Outcome is taken, kept (for a worker to take), or refused.
	Outcome string    `json:"outcome"`
	Code    string    `json:"code,omitempty"`
	Why     string    `json:"why,omitempty"`
	Phase   cmk.Phase `json:"phase,omitempty"`
}

const (
	longestBody   = 64 << 10
	answerTimeout = 8 * time.Second
)

func newService(signed *signatures, to changes, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /decisions", func(w http.ResponseWriter, r *http.Request) {
		status, a := receive(w, r, signed, to)
		logger.Info("decision", "status", status, "outcome", a.Outcome, "code", a.Code)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(a)
	})
	return mux
}

// receive checks a request, reads it and hands it on.
func receive(w http.ResponseWriter, r *http.Request, signed *signatures, to changes) (int, answer) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestBody))
	if err != nil {
		return http.StatusRequestEntityTooLarge, answer{Outcome: "refused", Why: "the body is too long or cut short"}
	}
	switch err := signed.check(r.Header.Get(headerTimestamp), r.Header.Get(headerSignature), body); {
	case errors.Is(err, errReplayed):
		return http.StatusConflict, answer{Outcome: "refused", Code: "REPLAYED", Why: err.Error()}
	case err != nil:
		return http.StatusUnauthorized, answer{Outcome: "refused", Code: "UNSIGNED", Why: err.Error()}
	}
	d, err := read(body)
	if err != nil {
		return http.StatusBadRequest, answer{Outcome: "refused", Code: cmk.RefusedUnreadable, Why: err.Error()}
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
	defer cancel()
	return hand(ctx, to, d)
}

// read is strict: a misspelt field that is ignored would change what a decision means.
func read(body []byte) (decision, error) {
	var d decision
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return d, err
	}
	switch {
	case d.WorkflowID == "":
		return d, errors.New("workflowId is missing")
	case !slices.Contains(cmk.DecisionSignals(), d.Signal):
		return d, errors.New("signal: give one of " + strings.Join(cmk.DecisionSignals(), ", "))
	case strings.TrimSpace(d.By) == "":
		return d, errors.New("by is missing: say who decides")
	}
	return d, nil
}

// hand gives a decision to its change, which answers. Where no worker answers it is left as a signal, so that it is not lost.
func hand(ctx context.Context, to changes, d decision) (int, answer) {
	status, err := to.Send(ctx, d.WorkflowID, d.Signal, d.Decision)
	var silent *client.NoAnswerError
	if errors.As(err, &silent) {
		keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
		defer cancel()
		if err = to.Signal(keep, d.WorkflowID, d.Signal, d.Decision); err == nil {
			return http.StatusAccepted, answer{Outcome: "kept", Why: "no worker answers: the change takes it when one runs"}
		}
	}
	var refused *client.RefusedError
	var unknown *client.NotFoundError
	var closed *client.ClosedError
	switch {
	case err == nil:
		return http.StatusOK, answer{Outcome: "taken", Phase: status.Phase}
	case errors.As(err, &refused):
		return http.StatusConflict, answer{Outcome: "refused", Code: refused.Code, Why: refused.Why}
	case errors.As(err, &unknown):
		return http.StatusNotFound, answer{Outcome: "refused", Why: unknown.Error()}
	case errors.As(err, &closed):
		return http.StatusGone, answer{Outcome: "refused", Why: closed.Error()}
	}
	return http.StatusBadGateway, answer{Outcome: "refused", Why: "Temporal cannot be reached: send it again, signed anew"}
}
