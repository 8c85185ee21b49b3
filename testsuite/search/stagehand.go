package search

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
)

// stagehand makes the test environment keep to what a server does where it takes a short cut. A step that is cancelled
// is not tried again, and where the workflow waits for its end, its attempt in flight goes on and tells; a step knows
// since when it is scheduled in the world's time; a run can be terminated; and no step outlives its run. A run that goes
// round in circles, in no time or in little, is terminated too.
type stagehand struct {
	interceptor.WorkerInterceptorBase
	leases *leases

	mu         sync.Mutex
	steps      map[string]*step
	attempts   int
	terminated bool
}

// mostAttempts is how often a run may attempt its steps, which is many times what any takes that ends.
const mostAttempts = 10_000

// step is one activity of the run.
type step struct {
	scheduled time.Time
	calledOff bool
	ended     workflow.Future
}

var errTerminated = errors.New("terminated")

func newStagehand(l *leases) *stagehand { return &stagehand{leases: l, steps: map[string]*step{}} }

// terminate ends the run without a word: nothing of the workflow runs any more.
func (s *stagehand) terminate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terminated = true
}

func (s *stagehand) isTerminated() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.terminated
}

// attempt counts the attempts.
func (s *stagehand) attempt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	s.terminated = s.terminated || s.attempts > mostAttempts
}

// circles says whether the run has made more attempts than any that gets anywhere.
func (s *stagehand) circles() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts > mostAttempts
}

func (s *stagehand) begin(now time.Time) (string, *step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strconv.Itoa(len(s.steps) + 1)
	s.steps[id] = &step{scheduled: now}
	return id, s.steps[id]
}

func (s *stagehand) callOff(st *step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.calledOff = true
}

func (s *stagehand) isCalledOff(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps[id].calledOff
}

func (s *stagehand) scheduled(id string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps[id].scheduled
}

// InterceptActivity is called for every activity.
func (s *stagehand) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &activityIn{interceptor.ActivityInboundInterceptorBase{Next: next}, s}
}

type activityIn struct {
	interceptor.ActivityInboundInterceptorBase
	stagehand *stagehand
}

func (i *activityIn) Init(out interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(&activityOut{interceptor.ActivityOutboundInterceptorBase{Next: out}, i.stagehand})
}

func (i *activityIn) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	id := activity.GetInfo(ctx).ActivityID
	if i.stagehand.isCalledOff(id) {
		return nil, temporal.NewCanceledError()
	}
	i.stagehand.attempt()
	result, err := i.Next.ExecuteActivity(ctx, in)
	if err != nil && i.stagehand.isCalledOff(id) {
		return nil, last(err)
	}
	return result, err
}

// last is an error after which a step is not tried again.
func last(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return temporal.NewNonRetryableApplicationError(app.Message(), app.Type(), nil)
	}
	return temporal.NewNonRetryableApplicationError(err.Error(), "", nil)
}

type activityOut struct {
	interceptor.ActivityOutboundInterceptorBase
	stagehand *stagehand
}

func (o *activityOut) GetInfo(ctx context.Context) activity.Info {
	info := o.Next.GetInfo(ctx)
	info.ScheduledTime = o.stagehand.scheduled(info.ActivityID)
	return info
}

// InterceptWorkflow is called for the run and for its leases.
func (s *stagehand) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &workflowIn{interceptor.WorkflowInboundInterceptorBase{Next: next}, s}
}

type workflowIn struct {
	interceptor.WorkflowInboundInterceptorBase
	stagehand *stagehand
}

func (i *workflowIn) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&workflowOut{interceptor.WorkflowOutboundInterceptorBase{Next: out}, i.stagehand})
}

func (i *workflowIn) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	s := i.stagehand
	info := workflow.GetInfo(ctx)
	if info.ParentWorkflowExecution != nil {
		lease := activities.Lease{WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID}
		s.leases.begin(lease)
		defer s.leases.end(lease)
		return i.Next.ExecuteWorkflow(ctx, in)
	}
	var result any
	err, done := errTerminated, false
	workflow.Go(ctx, func(ctx workflow.Context) {
		result, err = i.Next.ExecuteWorkflow(ctx, in)
		done = true
	})
	apart, _ := workflow.NewDisconnectedContext(ctx)
	if err := workflow.Await(apart, func() bool { return done || s.isTerminated() }); err != nil {
		return nil, err
	}
	s.settle(apart)
	return result, err
}

// lingers is for how long a run goes on after its end.
const lingers = time.Second

// settle calls off all steps that go on, and waits for them. A lease that was about to begin begins: the environment
// cannot end what has not.
func (s *stagehand) settle(ctx workflow.Context) {
	_ = workflow.Sleep(ctx, lingers) // never cancelled
	s.mu.Lock()
	var ended []workflow.Future
	for _, id := range workflow.DeterministicKeys(s.steps) {
		s.steps[id].calledOff = true
		ended = append(ended, s.steps[id].ended)
	}
	s.mu.Unlock()
	for _, f := range ended {
		_ = f.Get(ctx, nil) // whatever came of it
	}
}

type workflowOut struct {
	interceptor.WorkflowOutboundInterceptorBase
	stagehand *stagehand
}

func (o *workflowOut) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	future, settable := workflow.NewFuture(ctx)
	s := o.stagehand
	if s.isTerminated() {
		return future
	}
	if err := ctx.Err(); err != nil {
		settable.SetError(err)
		return future
	}
	options := workflow.GetActivityOptions(ctx)
	waits := options.WaitForCancellation
	id, st := s.begin(workflow.Now(ctx))
	// These two are counted on the wall clock, by which steps take no time.
	options.ActivityID, options.HeartbeatTimeout, options.StartToCloseTimeout = id, 0, time.Hour
	options.RetryPolicy = forEver(options.RetryPolicy)
	apart, _ := workflow.NewDisconnectedContext(workflow.WithActivityOptions(ctx, options))
	st.ended = o.Next.ExecuteActivity(apart, name, args...)
	workflow.Go(apart, func(apart workflow.Context) {
		cancelled := false
		workflow.NewSelector(apart).
			AddFuture(st.ended, func(workflow.Future) {}).
			AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { cancelled = true }).
			Select(apart)
		if cancelled && !s.isTerminated() {
			s.callOff(st)
			if !waits {
				settable.SetError(temporal.NewCanceledError())
				return
			}
			_ = st.ended.Get(apart, nil) // the future tells
		}
		if !s.isTerminated() {
			settable.Chain(st.ended)
		}
	})
	return future
}

// forEver is a policy that the test environment does not end after ten attempts.
func forEver(p *temporal.RetryPolicy) *temporal.RetryPolicy {
	policy := *p
	if policy.MaximumAttempts == 0 {
		policy.MaximumAttempts = math.MaxInt32
	}
	return &policy
}
