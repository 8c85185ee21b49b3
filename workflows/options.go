package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Activity options, by kind of step. One HTTP request has 20 seconds (the worker's client sees to that), a step that
// makes several has 30.
const attempt = 30 * time.Second

// looking is for what preflight reads: nothing has been written yet, so a service that stays silent ends the run
// rather than keeping somebody waiting.
func looking(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    attempt,
		ScheduleToCloseTimeout: 45 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 15 * time.Second},
		Summary:                summary,
	})
}

// surveying is for what preflight reads of each cluster: up to three requests, of which Atlas allows so many a minute. What
// was read outlasts an attempt, and the step itself gives up a service that stays silent.
func surveying(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: many, HeartbeatTimeout: silent, ScheduleToCloseTimeout: 4 * many,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 15 * time.Second},
		Summary:     summary,
	})
}

// writing is for what changes something. It is tried until it succeeds or is refused: by then nobody gains from giving
// up half-way. A heartbeat lets the loss of a worker cost seconds instead of a whole attempt, and a cancelled workflow
// waits for the attempt in flight, since a write that is broken off may or may not have been applied.
func writing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attempt,
		HeartbeatTimeout:    5 * time.Second,
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
		Summary:             summary,
	})
}

// propagating is for the writes that Atlas refuses until IAM shows it the role and its permissions: seconds as a rule,
// minutes at times. Past the deadline, the refusal is believed.
func propagating(ctx workflow.Context, summary string, deadline time.Duration) workflow.Context {
	o := workflow.GetActivityOptions(writing(ctx, summary))
	o.ScheduleToCloseTimeout = deadline
	o.RetryPolicy = &temporal.RetryPolicy{InitialInterval: 2 * time.Second, BackoffCoefficient: 1.5, MaximumInterval: 10 * time.Second}
	return workflow.WithActivityOptions(ctx, o)
}

// within bounds all attempts of a step together.
func within(ctx workflow.Context, deadline time.Duration) workflow.Context {
	return workflow.WithScheduleToCloseTimeout(ctx, deadline)
}

// observing is for waits: each attempt is a look, and what it sees says when to look again. The retry policy is for
// looks that failed.
func observing(ctx workflow.Context, summary string, until time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    attempt,
		ScheduleToCloseTimeout: max(until.Sub(workflow.Now(ctx)), time.Second),
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 5 * time.Second, BackoffCoefficient: 1},
		Summary:                summary,
	})
}

// asking is for questions to the Temporal server itself.
func asking(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
		Summary:             summary,
	})
}

// delivering is for notifications: a receiver may be down for a day.
func delivering(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attempt, ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 2 * time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Minute},
		Summary:     "tell the outside",
	})
}

// many is how long a step may take that goes through an organization's projects or a project's clusters; a heartbeat tells of
// a lost worker sooner: that of a step that may make three requests before it has something to tell, after a minute.
const (
	many      = 15 * time.Minute
	silent    = time.Minute
	manyAlive = 20 * time.Second
)

// listing is for looks at an organization, which go on until something is new, or it is to be read anew.
func listing(ctx workflow.Context, interval time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: many, HeartbeatTimeout: manyAlive, ScheduleToCloseTimeout: anew + many,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: min(interval, 5*time.Second), BackoffCoefficient: 2, MaximumInterval: interval},
		Summary:     "list the organization's projects",
	})
}

// keeping is for the watches of an organization's projects: what was begun is finished.
func keeping(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: many, HeartbeatTimeout: manyAlive, WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:     summary,
	})
}
