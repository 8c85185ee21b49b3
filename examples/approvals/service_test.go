package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// change answers every decision with err, and notes what it got.
type change struct {
	err      error
	got      []cmk.Decision
	signals  int
	workflow string
}

func (c *change) Send(_ context.Context, workflowID, _ string, payload any) (*cmk.Status, error) {
	c.workflow = workflowID
	c.got = append(c.got, payload.(cmk.Decision))
	return &cmk.Status{Phase: cmk.PhaseEndpoints}, c.err
}

func (c *change) Signal(context.Context, string, string, any) error {
	c.signals++
	return nil
}

const body = `{"workflowId": "cmk-64b7f0c2a1b2c3d4e5f60718", "signal": "approve-endpoint", "by": "alex@security", "region": "all"}`

// post sends a body, signed at a time unless sign says otherwise.
func post(t *testing.T, h http.Handler, s *signatures, at time.Time, text string, sign func(string) string) (int, answer) {
	t.Helper()
	timestamp := strconv.FormatInt(at.Unix(), 10)
	r := httptest.NewRequest(http.MethodPost, "/decisions", strings.NewReader(text))
	r.Header.Set(headerTimestamp, timestamp)
	signature := s.sign(timestamp, []byte(text))
	if sign != nil {
		signature = sign(signature)
	}
	r.Header.Set(headerSignature, signature)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var a answer
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
	return w.Code, a
}

func newTest(err error) (http.Handler, *signatures, *change, time.Time) {
	now := time.Unix(1_800_000_000, 0)
	s := newSignatures([]byte(strings.Repeat("s", shortestSecret)), func() time.Time { return now })
	c := &change{err: err}
	return newService(s, c, slog.New(slog.DiscardHandler)), s, c, now
}

func TestOnlySignedAndFreshRequestsAreTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at   time.Duration
		sign func(string) string
	}{
		"other signature": {0, func(string) string { return "v1=" + strings.Repeat("0", 64) }},
		"no signature":    {0, func(string) string { return "" }},
		"cut short":       {0, func(s string) string { return s[:len(s)-2] }},
		"too old":         {-window - time.Second, nil},
		"from the future": {window + time.Second, nil},
	} {
		h, s, to, now := newTest(nil)
		code, a := post(t, h, s, now.Add(c.at), body, c.sign)
		require.Equal(t, http.StatusUnauthorized, code, name)
		require.Equal(t, "UNSIGNED", a.Code, name)
		require.Empty(t, to.got, name)
	}
	h, s, to, now := newTest(nil)
	other := s.sign(strconv.FormatInt(now.Unix(), 10), []byte(body))
	code, _ := post(t, h, s, now, strings.Replace(body, "alex", "eve", 1), func(string) string { return other })
	require.Equal(t, http.StatusUnauthorized, code, "a signature of another body")
	require.Empty(t, to.got)
}

func TestOneRequestIsTakenOnce(t *testing.T) {
	t.Parallel()
	h, s, to, now := newTest(nil)
	code, a := post(t, h, s, now, body, nil)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, answer{Outcome: "taken", Phase: cmk.PhaseEndpoints}, a)
	require.Equal(t, []cmk.Decision{{By: "alex@security", Region: "all"}}, to.got)
	require.Equal(t, "cmk-64b7f0c2a1b2c3d4e5f60718", to.workflow)

	code, a = post(t, h, s, now, body, nil)
	require.Equal(t, http.StatusConflict, code)
	require.Equal(t, "REPLAYED", a.Code)
	code, _ = post(t, h, s, now, body, strings.ToUpper)
	require.Equal(t, http.StatusConflict, code, "the same signature in another spelling")
	require.Len(t, to.got, 1)

	code, _ = post(t, h, s, now.Add(time.Second), body, nil)
	require.Equal(t, http.StatusOK, code, "signed anew")
}

func TestEachAnswerHasItsStatus(t *testing.T) {
	t.Parallel()
	for code, err := range map[int]error{
		http.StatusConflict:   &client.RefusedError{Code: cmk.RefusedRequester, Why: "who asked cannot approve"},
		http.StatusNotFound:   &client.NotFoundError{WorkflowID: "x"},
		http.StatusGone:       &client.ClosedError{WorkflowID: "x", How: "Completed"},
		http.StatusAccepted:   &client.NoAnswerError{},
		http.StatusBadGateway: errors.New("connection refused"),
	} {
		h, s, to, now := newTest(err)
		got, a := post(t, h, s, now, body, nil)
		require.Equal(t, code, got)
		require.NotEqual(t, "taken", a.Outcome)
		require.Equal(t, code == http.StatusAccepted, to.signals == 1)
		require.NotContains(t, a.Why, "connection refused")
	}
}

func TestWhatIsNoDecisionIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `{}`, `[]`, `{"workflowId": "x", "signal": "approve"}`, `{"workflowId": "x", "signal": "terminate", "by": "alex"}`,
		`{"signal": "approve", "by": "alex"}`, `{"workflowId": "x", "signal": "approve", "by": "alex", "regoin": "all"}`,
	} {
		h, s, to, now := newTest(nil)
		code, _ := post(t, h, s, now, text, nil)
		require.Equal(t, http.StatusBadRequest, code, text)
		require.Empty(t, to.got, text)
	}
	h, s, _, now := newTest(nil)
	code, _ := post(t, h, s, now, strings.Repeat(" ", longestBody+1), nil)
	require.Equal(t, http.StatusRequestEntityTooLarge, code)
}
