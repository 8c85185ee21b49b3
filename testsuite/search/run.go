package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/workflows"
)

// run is one run of a procedure, in a test environment of its own.
type run struct {
	*stage
	env       *testsuite.TestWorkflowEnvironment
	stagehand *stagehand
	began     time.Time
}

// outcome is how a run has ended.
type outcome struct {
	report cmk.Report
	// failed is the error's type, empty for a run that was completed; Terminated and Canceled are the server's words.
	failed string
	// next is what a run that continues as a new one hands on.
	next json.RawMessage
}

const (
	terminated = "Terminated"
	cancelled  = "Canceled"
	continued  = "ContinuedAsNew"
)

// patience is for how long a run may go on in the wall clock without anything happening.
const patience = time.Minute

func (s *stage) newRun() *run {
	s.leases = newLeases()
	r := &run{stage: s, stagehand: newStagehand(s.leases)}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	r.began = s.clock.Now()
	r.env = suite.NewTestWorkflowEnvironment()
	r.env.SetStartTime(r.began)
	r.env.SetTestTimeout(patience)
	r.env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: patience, Interceptors: []interceptor.WorkerInterceptor{r.stagehand}})
	r.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: cmk.WorkflowID(sim.ProjectA), TaskQueue: cmk.TaskQueue})
	r.env.SetWorkflowRunTimeout(10 * 365 * 24 * time.Hour)
	r.env.SetDataConverter(s.censor.payloads())
	r.env.SetFailureConverter(s.censor.failures())
	workflows.Register(r.env)
	activities.Register(r.env, s.atlas, s.iam, s.kms, activities.NewTemporal(nil), s.notifier)
	// A lease that was released may not have closed when it is asked for again; a server would say so.
	r.env.OnActivity("FindLeaseHolder", mock.Anything, mock.Anything).Return(&activities.LeaseHolder{}, nil).Maybe()
	s.clock.follow(r.env.Now)
	return r
}

// execute carries a procedure out, to its end.
func (r *run) execute(workflowType string, request any) (outcome, error) {
	r.env.ExecuteWorkflow(workflowType, request)
	ended := r.env.Now()
	r.clock.follow(func() time.Time { return ended })
	return r.outcome()
}

func (r *run) outcome() (outcome, error) {
	var o outcome
	err := r.env.GetWorkflowError()
	var app *temporal.ApplicationError
	var stopped *temporal.CanceledError
	var next *workflow.ContinueAsNewError
	switch {
	case err == nil:
		return o, r.env.GetWorkflowResult(&o.report)
	case r.stagehand.isTerminated():
		o.failed = terminated
		return o, nil
	case errors.As(err, &next):
		o.failed = continued
		return o, converter.GetDefaultDataConverter().FromPayloads(next.Input, &o.next)
	case errors.As(err, &app):
		o.failed = app.Type()
		if !app.HasDetails() {
			return o, nil
		}
		return o, app.Details(&o.report)
	case errors.As(err, &stopped):
		o.failed = cancelled
		var report *cmk.Report // as it was given: the environment does not encode what a cancellation carries
		if err := stopped.Details(&report); err != nil {
			return o, err
		}
		o.report = *report
		return o, nil
	}
	var panicked *temporal.PanicError
	if errors.As(err, &panicked) {
		return o, fmt.Errorf("the run ended in no way of its own: %w\n%s", err, panicked.StackTrace())
	}
	return o, fmt.Errorf("the run ended in no way of its own: %w", err)
}

// status asks the run where it stands. It is called from what the environment calls back.
func (r *run) status() (cmk.Status, error) {
	var status cmk.Status
	got, err := r.env.QueryWorkflow(cmk.QueryStatus)
	if err != nil {
		return status, err
	}
	return status, got.Get(&status)
}

// in has something happen when the run has gone on for that long.
func (r *run) in(d time.Duration, happen func()) { r.env.RegisterDelayedCallback(happen, d) }

// signal sends a message; its payload need not be one that can be read.
func (r *run) signal(name string, payload any) {
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err) // schedules hold what marshals
	}
	r.env.SignalWorkflow(name, json.RawMessage(text))
}

// update sends a message as an update, and does not care for the answer.
func (r *run) update(name string, payload any) {
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err) // schedules hold what marshals
	}
	r.env.UpdateWorkflow(name, "", answered{}, json.RawMessage(text))
}

// answered takes the answers to updates.
type answered struct{}

func (answered) Accept()             {}
func (answered) Reject(error)        {}
func (answered) Complete(any, error) {}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
