package activities

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What reads is repeated twice when the service fails for a moment. A write is sent once, and so is what was refused, or
// comes with a time to wait for.
func TestReadsAreRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		method, retryAfter string
		status             int
		requests           int32
	}{
		"a read that fails":             {http.MethodGet, "", 503, 3},
		"a read that is cut off":        {http.MethodGet, "", 0, 3},
		"a read that succeeds":          {http.MethodGet, "", 200, 1},
		"a read that is refused":        {http.MethodGet, "", 404, 1},
		"a read beyond the limit":       {http.MethodGet, "", 429, 1},
		"a read to be made later":       {http.MethodGet, "7", 503, 1},
		"a write that fails":            {http.MethodPatch, "", 503, 1},
		"a write that is cut off":       {http.MethodPost, "", 0, 1},
		"a deletion that is cut off":    {http.MethodDelete, "", 0, 1},
		"a read that is sent elsewhere": {http.MethodGet, "", 302, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				if c.status == 0 {
					panic(http.ErrAbortHandler)
				}
				if c.retryAfter != "" {
					w.Header().Set("Retry-After", c.retryAfter)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
			}))
			defer server.Close()
			request, err := http.NewRequestWithContext(t.Context(), c.method, server.URL, strings.NewReader("{}"))
			require.NoError(t, err)
			// A transport of its own, as the standard one repeats what went out on a connection that had been idle.
			response, err := rereading(&http.Transport{DisableKeepAlives: true}, time.Millisecond).RoundTrip(request)
			if c.status == 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				require.Equal(t, c.status, response.StatusCode)
			}
			require.Equal(t, c.requests, requests.Load())
		})
	}
}

// Whoever has gone does not have a read repeated.
func TestReadsEndWithWhoeverWantedThem(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	response, err := rereading(http.DefaultTransport, time.Hour).RoundTrip(request)
	if err == nil {
		_ = response.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
}

// What is answered just as whoever wanted it goes is closed, and not handed on beside the error.
func TestAnswerThatNobodyWantsIsClosed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	answer := &lateAnswer{cancel: cancel}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://atlas.example", nil)
	require.NoError(t, err)
	response, err := rereading(answer, time.Hour).RoundTrip(request)
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, response)
	require.True(t, answer.closed)
}

// lateAnswer answers a request that is called off at that moment, and is the answer's body.
type lateAnswer struct {
	cancel func()
	closed bool
}

func (a *lateAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	a.cancel()
	return &http.Response{StatusCode: http.StatusOK, Body: a, Request: r, Header: http.Header{}}, nil
}

func (a *lateAnswer) Read([]byte) (int, error) { return 0, io.EOF }

func (a *lateAnswer) Close() error {
	a.closed = true
	return nil
}

// A token is given up when Atlas does not take it any more, and kept when it is what its owner may do that does not suffice.
func TestTokensAreKeptByThoseWhoLackARole(t *testing.T) {
	for code, tokens := range map[string]int32{"UNEXPECTED_ERROR": 2, "USER_UNAUTHORIZED": 1, "NOT_IN_GROUP": 1} {
		var given atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/api/oauth/token" {
				given.Add(1)
				_, _ = w.Write([]byte(`{"access_token":"t","token_type":"Bearer","expires_in":3600}`))
				return
			}
			w.Header().Set("X-Error-Code", code)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":401,"errorCode":"` + code + `"}`))
		}))
		defer server.Close()
		api, err := AtlasAccess{BaseURL: server.URL, ClientID: "c", ClientSecret: "s"}.Client("test")
		require.NoError(t, err)
		_, response, err := api.ProjectsApi.GetGroup(t.Context(), testProject).Execute()
		require.Error(t, err)
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
		require.Equal(t, tokens, given.Load(), code)
	}
}
