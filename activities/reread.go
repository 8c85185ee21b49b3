package activities

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// A step that reads a large project makes hundreds of requests: it would hardly ever come through if each that met a hiccup
// had the whole step begin again.
const (
	rereads     = 2
	rereadAfter = 250 * time.Millisecond
)

// rereading repeats what only reads, when the service was not there or failed for a moment. Writes are never repeated here,
// and a limit that has been reached is waited for by the step, since it takes longer.
func rereading(base http.RoundTripper, after time.Duration) http.RoundTripper {
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{Transport: base, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.Logger = nil
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = rereads, after, 4*after
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.CheckRetry = func(ctx context.Context, response *http.Response, err error) (bool, error) {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			return true, nil //nolint:nilerr // an error here would be that of the decision
		}
		return response.StatusCode >= http.StatusInternalServerError && response.Header.Get("Retry-After") == "", nil
	}
	return readsBy{reads: &retryablehttp.RoundTripper{Client: c}, base: base}
}

// readsBy sends reads one way, and all else another.
type readsBy struct{ reads, base http.RoundTripper }

func (t readsBy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return t.base.RoundTrip(r)
	}
	response, err := t.reads.RoundTrip(r)
	if err != nil && response != nil { // of a request that was called off as it was answered
		_ = response.Body.Close()
		response = nil
	}
	return response, err
}
