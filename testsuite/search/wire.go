package search

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// wire carries requests to a simulated service without a network, in the caller's own goroutine: fast, and the same
// every time.
type wire struct {
	service http.Handler
	// watch is told of every request that would change something, before it is served and after.
	watch func(served bool)
}

// RoundTrip serves a request. A connection that the service drops is an error, before the answer or half-way through it.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	served, err := arrived(r)
	if err != nil {
		return nil, err
	}
	writes := changes(served)
	if writes {
		w.watch(false)
	}
	answer := httptest.NewRecorder()
	dropped := serve(w.service, answer, served)
	if writes {
		w.watch(true)
	}
	if dropped && !answer.Flushed {
		return nil, io.ErrUnexpectedEOF
	}
	response := answer.Result()
	response.Request = r
	if dropped {
		response.Body = io.NopCloser(io.MultiReader(response.Body, broken{}))
	}
	return response, nil
}

// arrived is a request as a server sees it, its body in memory.
func arrived(r *http.Request) (*http.Request, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		if err = r.Body.Close(); err != nil {
			return nil, err
		}
	}
	at := r.Clone(r.Context())
	at.Body = io.NopCloser(bytes.NewReader(body))
	at.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	at.ContentLength = int64(len(body))
	at.RequestURI = r.URL.RequestURI()
	at.RemoteAddr = "127.0.0.1:1"
	if at.Host == "" {
		at.Host = r.URL.Host
	}
	return at, nil
}

// serve says whether the service dropped the connection.
func serve(service http.Handler, answer *httptest.ResponseRecorder, r *http.Request) (dropped bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			dropped = true
		}
	}()
	service.ServeHTTP(answer, r)
	return false
}

// changes says whether a request asks for something to be changed.
func changes(r *http.Request) bool {
	switch {
	case r.Method == http.MethodGet, strings.HasPrefix(r.URL.Path, "/api/oauth/"):
		return false
	case strings.HasPrefix(r.URL.Path, "/api/"):
		return true
	case r.Header.Get("X-Amz-Target") != "":
		return false // KMS is only read
	}
	body, err := r.GetBody()
	if err != nil {
		return false
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return false
	}
	for pair := range strings.SplitSeq(string(text), "&") {
		if action, ok := strings.CutPrefix(pair, "Action="); ok {
			return !strings.HasPrefix(action, "Get") && !strings.HasPrefix(action, "List") && !strings.HasPrefix(action, "Simulate")
		}
	}
	return false
}

// broken is the rest of an answer whose connection was dropped.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
