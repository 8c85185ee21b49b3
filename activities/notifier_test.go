package activities_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// A notification arrives as it was, signed; what the receiver answers decides whether it is sent again. Neither the address,
// which may hold a token, nor the answer is repeated.
func TestNotificationsAreSignedAndSentAgain(t *testing.T) {
	const secret = "a secret of at least 16 characters"
	sent := cmk.Notification{ID: "cmk-watch-a/1", ProjectID: project, Opened: []cmk.Finding{{Code: cmk.FindingKeyAlarm, Severity: cmk.SeverityError}}}
	for status, want := range map[int]struct {
		code      string
		retryable bool
	}{
		200: {}, 204: {},
		302: {cmk.ErrNotDelivered, false}, 400: {cmk.ErrNotDelivered, false}, 404: {cmk.ErrNotDelivered, false},
		429: {cmk.ErrUnreachable, true}, 500: {cmk.ErrUnreachable, true}, 503: {cmk.ErrUnreachable, true},
	} {
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			body, err := io.ReadAll(r.Body)
			var got cmk.Notification
			assert.NoError(t, errors.Join(err, json.Unmarshal(body, &got)))
			assert.Equal(t, sent, got)
			assert.Equal(t, sent.ID, r.Header.Get(cmk.WebhookDelivery))
			at := r.Header.Get(cmk.WebhookTimestamp)
			assert.Equal(t, activities.Sign([]byte(secret), at, body), r.Header.Get(cmk.WebhookSignature))
			assert.NotEqual(t, activities.Sign([]byte(secret), at+"0", body), r.Header.Get(cmk.WebhookSignature))
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("what the receiver says"))
		}))
		defer server.Close()
		err := activities.NewNotifier(server.URL+"/hook?token=t0ken", secret, http.DefaultTransport).Notify(t.Context(), sent)
		require.Equal(t, 1, requests)
		if want.code == "" {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, want.code, typeOf(err), "%d: %v", status, err)
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.Equal(t, want.retryable, !app.NonRetryable(), status)
		if want.retryable {
			require.Equal(t, 7*time.Second, app.NextRetryDelay())
		}
		require.NotContains(t, err.Error(), "t0ken")
		require.NotContains(t, err.Error(), "what the receiver says")
	}
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	err := activities.NewNotifier(server.URL, secret, http.DefaultTransport).Notify(t.Context(), sent)
	require.Equal(t, cmk.ErrUnreachable, typeOf(err))
	require.NoError(t, activities.NewNotifier("", "", nil).Notify(t.Context(), sent), "nobody is to be told")
}
