package activities

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"
)

// atOnce is how many calls a step makes at the same time.
const atOnce = 8

// silence is after how long without anything new a service that does not answer is given up, by who has written nothing yet.
// Others bear it for as long as their step has.
const (
	silence = 45 * time.Second
	bear    = time.Duration(math.MaxInt64)
)

// readSoFar is what a step has read of many things, in its heartbeat.
type readSoFar[T any] struct {
	Of map[string]T `json:"of,omitempty"`
	// At is when the last was read.
	At time.Time `json:"at,omitzero"`
}

// each reads something of each of many things, several at once.
func each[T any](ctx context.Context, names []string, read func(ctx context.Context, name string) (T, error)) (map[string]T, error) {
	all := map[string]T{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, name := range names {
		group.Go(func() error {
			got, err := read(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			all[name] = got
			return err
		})
	}
	return all, group.Wait()
}

// ofEach does so in an activity, and what has been read outlasts a failed attempt: a project of hundreds of clusters takes
// more requests than Atlas allows at once. An activity can do so once. Its error is final when nothing has come for longer
// than patience.
func ofEach[T any](ctx context.Context, clock Clock, patience time.Duration, names []string, read func(ctx context.Context, name string) (T, error)) (map[string]T, error) {
	so := readSoFar[T]{}
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &so); err != nil {
			activity.GetLogger(ctx).Warn("unreadable heartbeat, reading all anew", "error", err)
			so = readSoFar[T]{}
		}
	}
	if so.Of == nil {
		so.Of = map[string]T{}
	}
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := so.Of[name]; return ok })
	var mu sync.Mutex
	_, err := each(ctx, missing, func(ctx context.Context, name string) (T, error) {
		got, err := read(ctx, name)
		if err != nil {
			return got, err
		}
		mu.Lock()
		defer mu.Unlock()
		so.Of[name], so.At = got, clock.Now().UTC()
		if len(so.Of)%atOnce == 0 {
			activity.RecordHeartbeat(ctx, so)
		}
		return got, nil
	})
	if err != nil {
		activity.RecordHeartbeat(ctx, so)
		return nil, unlessSilent(ctx, clock, patience, so.At, err)
	}
	return so.Of, nil
}

// unlessSilentFor makes an error of the calls before ofEach final, when nothing has come for longer than patience.
func unlessSilentFor(ctx context.Context, clock Clock, patience time.Duration, err error) error {
	var so readSoFar[any]
	if err != nil && activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &so) // what cannot be read tells of nothing
	}
	return unlessSilent(ctx, clock, patience, so.At, err)
}

// unlessSilent is the error as it is, or a final one if nothing has come since long before.
func unlessSilent(ctx context.Context, clock Clock, patience time.Duration, last time.Time, err error) error {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.NonRetryable() {
		return err
	}
	if began := activity.GetInfo(ctx).ScheduledTime; began.After(last) {
		last = began
	}
	if clock.Now().Sub(last) < patience {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(app.Message(), app.Type(), temporal.ApplicationErrorOptions{NonRetryable: true, Cause: app.Unwrap()})
}
