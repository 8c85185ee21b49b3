package activities

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

// still is a clock that stands.
type still struct{ now time.Time }

func (s still) Now() time.Time                       { return s.now }
func (still) After(d time.Duration) <-chan time.Time { return time.After(d) }

// What has been read of many things outlasts the attempt: the next reads the rest. A service that stays silent is given up
// once nothing has come of it for long, and not before.
func TestWhatWasReadOutlastsAnAttempt(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("c%02d", i))
	}
	var mu sync.Mutex
	var reads, limit int
	now := time.Now()
	// survey reads all, of which limit get through in an attempt.
	survey := func(ctx context.Context, patience time.Duration) (map[string]string, error) {
		return ofEach(ctx, still{now}, patience, names, func(_ context.Context, name string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if reads++; reads > limit {
				return "", temporal.NewApplicationError("too many", "RATE_LIMITED")
			}
			return "of " + name, nil
		})
	}
	attempt := func(so readSoFar[string], patience time.Duration) (map[string]string, readSoFar[string], error) {
		reads = 0
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		env.RegisterActivity(survey)
		env.SetHeartbeatDetails(so)
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			so = readSoFar[string]{}
			_ = details.Get(&so)
		})
		got, err := env.ExecuteActivity(survey, patience)
		if err != nil {
			return nil, so, err
		}
		var all map[string]string
		require.NoError(t, got.Get(&all))
		return all, so, nil
	}
	final := func(err error) bool {
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.Equal(t, "RATE_LIMITED", app.Type())
		return app.NonRetryable()
	}

	limit = 40
	var so readSoFar[string]
	for range 2 {
		var err error
		_, so, err = attempt(so, time.Minute)
		require.False(t, final(err))
	}
	require.Len(t, so.Of, 80)
	all, _, err := attempt(so, time.Minute)
	require.NoError(t, err)
	require.Len(t, all, 100)
	require.Equal(t, "of c42", all["c42"])
	require.Equal(t, 20, reads, "what was read is not read again")

	limit = 0
	now = now.Add(30 * time.Second)
	_, _, err = attempt(so, time.Minute)
	require.False(t, final(err))
	now = now.Add(time.Hour)
	_, _, err = attempt(so, time.Minute)
	require.True(t, final(err))
	_, _, err = attempt(so, bear)
	require.False(t, final(err))
}
