// Package e2e runs the worker as it is shipped, as a process of its own, against a real Temporal server and a simulated
// Atlas and AWS.
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// theatre is what all tests share: a Temporal server, and the worker's binary.
type theatre struct {
	server *devserver.Server
	worker string
}

func openTheatre(ctx context.Context) (*theatre, func(), error) {
	dir, err := os.MkdirTemp("", "atlas-cmk-e2e")
	if err != nil {
		return nil, nil, err
	}
	th := &theatre{worker: filepath.Join(dir, "worker")}
	build := exec.CommandContext(ctx, "go", "build", "-o", th.worker, "github.com/atlas-cmk/atlas-cmk/worker")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("build the worker: %w\n%s", err, out)
	}
	if th.server, err = devserver.Start(ctx, devserver.Options{Fast: true, LogFile: filepath.Join(dir, "server.log")}); err != nil {
		return nil, nil, err
	}
	return th, func() {
		_ = th.server.Stop()
		_ = os.RemoveAll(dir)
	}, nil
}

// stage is one test's own namespace, worker and world.
type stage struct {
	t         testing.TB
	theatre   *theatre
	namespace string
	temporal  client.Client
	world     *sim.Running
	worker    *proc.Process
	env       map[string]string
}

// scale is how much faster than life the world is.
const scale = 1500

// patience is for how long a test waits for what must come, on a machine that may have much else to do.
const patience = 8 * time.Minute

func newStage(t testing.TB, th *theatre, o sim.Options) *stage {
	t.Helper()
	return newStageNamed(t, th, t.Name(), o)
}

// newStageNamed makes one of several stages of a test.
func newStageNamed(t testing.TB, th *theatre, name string, o sim.Options) *stage {
	t.Helper()
	if o.Scale == 0 {
		o.Scale = scale
	}
	s := &stage{t: t, theatre: th, namespace: strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(name)), world: sim.Start(t, o)}
	// The oracle holds us to our word: no cluster is switched before its endpoints are approved.
	s.act(atlassim.Act{Kind: atlassim.RequireApprovals})
	base, err := client.Dial(client.Options{HostPort: th.server.Address, Logger: quiet{}})
	require.NoError(t, err)
	defer base.Close()
	_, err = base.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: s.namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	s.temporal, err = client.NewClientFromExisting(base, client.Options{HostPort: th.server.Address, Namespace: s.namespace, Logger: quiet{}})
	require.NoError(t, err)
	t.Cleanup(s.temporal.Close)
	s.env = map[string]string{
		"TEMPORAL_ADDRESS": th.server.Address, "TEMPORAL_NAMESPACE": s.namespace,
		"MONGODB_ATLAS_BASE_URL": s.world.AtlasURL, "MONGODB_ATLAS_CLIENT_ID": sim.ClientID, "MONGODB_ATLAS_CLIENT_SECRET": sim.ClientSecret,
		"AWS_ENDPOINT_URL": s.world.AWSURL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": awssim.WorkerAccessKeyID, "AWS_SECRET_ACCESS_KEY": awssim.WorkerSecret,
		"ATLAS_CMK_HEALTH_ADDRESS": "127.0.0.1:0",
		"ATLAS_CMK_POLL_SHORTEST":  "200ms", "ATLAS_CMK_POLL_LONGEST": "500ms", "ATLAS_CMK_POLL_IDLE": "1s", "ATLAS_CMK_POLL_SETTLE": "50ms",
		"ATLAS_CMK_DUE_ENDPOINT": "50ms", "ATLAS_CMK_DUE_CLUSTER": "50ms", "ATLAS_CMK_DUE_DELETION": "300ms",
	}
	return s
}

// act has something happen in project A, or tells the oracle something about it.
func (s *stage) act(a atlassim.Act) {
	s.t.Helper()
	a.Project = sim.ProjectA
	require.NoError(s.t, s.world.Act(sim.Act{Act: a}))
}

// start starts the worker; the test waits for it nowhere, since work waits for a worker.
func (s *stage) start() {
	s.t.Helper()
	worker, err := proc.Start(s.spec())
	require.NoError(s.t, err)
	s.worker = worker
	s.t.Cleanup(func() {
		_ = worker.Stop()
		if s.t.Failed() {
			s.t.Logf("worker:\n%s", worker.Tail(60))
		}
	})
}

// enable starts EnableWithPrivateEndpoints with the default world's project and key.
func (s *stage) enable(change func(*cmk.EnableRequest)) client.WorkflowRun {
	s.t.Helper()
	request := cmk.EnableRequest{ProjectID: sim.ProjectA, Key: awssim.MultiRegionKeyARN, Requester: "requester"}
	if change != nil {
		change(&request)
	}
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: cmk.WorkflowID(request.ProjectID), TaskQueue: cmk.TaskQueue,
	}, cmk.EnableWithPrivateEndpoints, request)
	require.NoError(s.t, err)
	return run
}

// status asks the run where it stands.
func (s *stage) status(run client.WorkflowRun) (cmk.Status, error) {
	var status cmk.Status
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	got, err := s.temporal.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), cmk.QueryStatus)
	if err != nil {
		return status, err
	}
	return status, got.Get(&status)
}

// until waits until the run's status satisfies a condition.
func (s *stage) until(run client.WorkflowRun, what string, condition func(cmk.Status) bool) cmk.Status {
	s.t.Helper()
	var last cmk.Status
	require.Eventually(s.t, func() bool {
		status, err := s.status(run)
		if err != nil {
			return false
		}
		last = status
		return condition(status)
	}, patience, 100*time.Millisecond, "never %s", what)
	return last
}

// approveAll approves every endpoint by signal.
func (s *stage) approveAll(run client.WorkflowRun) {
	s.t.Helper()
	s.act(atlassim.Act{Kind: atlassim.Approve})
	require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), run.GetID(), run.GetRunID(), cmk.SignalApproveEndpoint,
		cmk.Decision{By: "approver", Region: cmk.AllRegions, Reason: "test"}))
}

// update sends a message as an update: the answer comes at once.
func (s *stage) update(run client.WorkflowRun, name string, payload any) error {
	s.t.Helper()
	handle, err := s.temporal.UpdateWorkflow(s.t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), UpdateName: name, Args: []any{payload}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return handle.Get(s.t.Context(), nil)
}

// approveWhenAsked approves each endpoint whenever the run asks, by its id where it has one, until the run has ended.
func (s *stage) approveWhenAsked(run client.WorkflowRun) {
	s.t.Helper()
	asked := func(e cmk.EndpointReport) bool { return e.Approval == cmk.ApprovalWaiting }
	for {
		st := s.until(run, "ended or waiting for approval", func(st cmk.Status) bool {
			return st.Ended != nil || waitingForApproval(st) && slices.ContainsFunc(st.Endpoints, asked)
		})
		if st.Ended != nil {
			return
		}
		for _, e := range st.Endpoints {
			if asked(e) {
				d := cmk.Decision{By: "approver", Endpoint: e.ID}
				if e.ID == "" {
					d.Region = e.Region
				}
				s.act(atlassim.Act{Kind: atlassim.Approve, Endpoint: d.Endpoint, Region: d.Region})
				require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), run.GetID(), "", cmk.SignalApproveEndpoint, d))
			}
		}
	}
}

func waitingForApproval(st cmk.Status) bool {
	return slices.ContainsFunc(st.Awaiting, func(w cmk.Wait) bool { return w.For == cmk.AwaitingEndpointApproval })
}

// result waits for the run's end: its report, from the result or from the error's details, and the error's type. By then
// the oracle has seen no rule broken, on the way or by what is left behind.
func (s *stage) result(run client.WorkflowRun) (cmk.Report, string) {
	s.t.Helper()
	defer func() {
		s.act(atlassim.Act{Kind: atlassim.FinishChange})
		assert.Empty(s.t, s.world.Violations())
	}()
	return s.outcome(run)
}

// outcome is result while another change goes on.
func (s *stage) outcome(run client.WorkflowRun) (cmk.Report, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var report cmk.Report
	err := run.Get(ctx, &report)
	if err == nil {
		return report, ""
	}
	var app *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	switch {
	case errors.As(err, &app):
		if app.HasDetails() {
			_ = app.Details(&report)
		}
		return report, app.Type()
	case errors.As(err, &cancelled):
		require.NoError(s.t, cancelled.Details(&report))
		return report, "Canceled"
	}
	require.NoError(s.t, err)
	return report, ""
}

// writes lists what changed the world, by operation and object.
func (s *stage) writes() []string {
	var out []string
	for _, e := range s.world.Journal.Entries() {
		if e.Applied && e.Write && !strings.Contains(strings.ToLower(e.Operation), "token") {
			out = append(out, strings.TrimSpace(e.Operation+" "+e.Object))
		}
	}
	return out
}

// readable is the state of the world as far as somebody has set it, as JSON: without times and last uses.
func (s *stage) readable() string {
	state := s.world.State()
	text, err := json.MarshalIndent([]any{state.Atlas.Projects, state.AWS.Keys, state.AWS.Aliases, state.AWS.Roles, state.AWS.Policies}, "", " ")
	require.NoError(s.t, err)
	return string(text)
}

// history is the run's, so far.
func (s *stage) history(run client.WorkflowRun) *history.History {
	s.t.Helper()
	var h history.History
	events := s.temporal.GetWorkflowHistory(s.t.Context(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(s.t, err)
		h.Events = append(h.Events, event)
	}
	return &h
}

// recordings names the environment variable that says where to keep histories, to be replayed by every later version.
const recordings = "ATLAS_CMK_RECORD_HISTORIES"

// eventsAtMost bounds the history of a run that has ended.
func (s *stage) eventsAtMost(run client.WorkflowRun, most int) {
	s.t.Helper()
	require.LessOrEqual(s.t, len(s.history(run).Events), most)
}

// record keeps the run's history under a name that tells which way it went, when histories are being recorded. In any case,
// each step in it says what it is for.
func (s *stage) record(run client.WorkflowRun, name string) {
	s.t.Helper()
	h := s.history(run)
	for _, e := range h.GetEvents() {
		switch e.GetEventType() {
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enums.EVENT_TYPE_TIMER_STARTED, enums.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			var summary string
			require.NoError(s.t, converter.GetDefaultDataConverter().FromPayload(e.GetUserMetadata().GetSummary(), &summary), e)
			require.NotEmpty(s.t, summary, e)
		default:
		}
	}
	dir := os.Getenv(recordings)
	if dir == "" {
		return
	}
	text, err := protojson.MarshalOptions{Indent: " "}.Marshal(h)
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600)) //nolint:gosec // the name is the test's own
}

func (s *stage) spec() proc.Spec {
	env := os.Environ()
	for name, value := range s.env {
		env = append(env, name+"="+value)
	}
	return proc.Spec{Name: "worker", Path: s.theatre.worker, Env: env}
}

// get reads JSON from the worker's health server or the simulator.
func get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
