package workflows

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// watched is a project that is watched in an environment in which time is skipped.
type watched struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T
	// now is the project, and told what the outside was told.
	now  *activities.Look
	told []cmk.Notification
	// deaf, if set, says that a notification cannot be delivered now.
	deaf func(cmk.Notification) bool
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{TestWorkflowEnvironment: (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment(), t: t, now: wellLook()}
	var notifier *activities.Notifier
	var server *activities.Temporal
	for _, a := range []any{atlas, notifier, server} {
		w.RegisterActivity(a)
	}
	w.RegisterWorkflowWithOptions(Lease, workflow.RegisterOptions{Name: cmk.LeaseWorkflow})
	w.SetTestTimeout(time.Minute)
	w.OnActivity(atlas.ObserveProject, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.ObserveProjectInput) (*activities.Look, error) {
		if w.now == nil {
			return nil, temporal.NewNonRetryableApplicationError("not allowed", "NOT_ALLOWED", nil)
		}
		if in.LastSeen != nil && same(in.LastSeen, w.now) && !in.Anyway {
			return nil, temporal.NewApplicationErrorWithOptions("nothing new", cmk.ErrNotReady, temporal.ApplicationErrorOptions{NextRetryDelay: time.Duration(in.Interval)})
		}
		seen := *w.now
		return &seen, nil
	}).Maybe()
	w.OnActivity(notifier.Notify, mock.Anything, mock.Anything).Return(func(_ context.Context, n cmk.Notification) error {
		if w.deaf != nil && w.deaf(n) {
			return temporal.NewApplicationError("no answer", cmk.ErrUnreachable)
		}
		w.told = append(w.told, n)
		return nil
	}).Maybe()
	return w
}

func same(a, b *activities.Look) bool {
	x, y := *a, *b
	x.Strangers, y.Strangers, x.Created, y.Created = nil, nil, false, false
	return string(canonical(x)) == string(canonical(y))
}

// after has something happen to the project at a time.
func (w *watched) after(d time.Duration, happen func(*activities.Look)) {
	w.RegisterDelayedCallback(func() {
		next := *w.now
		next.Endpoints, next.Clusters = slices.Clone(next.Endpoints), slices.Clone(next.Clusters)
		happen(&next)
		w.now = &next
	}, d)
}

// run watches until a time, or until the watch goes on as a new one.
func (w *watched) run(until time.Duration, request cmk.WatchRequest) {
	w.t.Helper()
	w.RegisterDelayedCallback(w.CancelWorkflow, until)
	request.ProjectID = aProject
	text, err := json.Marshal(request)
	require.NoError(w.t, err)
	w.ExecuteWorkflow(WatchProject, json.RawMessage(text))
	require.True(w.t, w.IsWorkflowCompleted())
}

func (w *watched) status() cmk.Status {
	w.t.Helper()
	answer, err := w.QueryWorkflow(cmk.QueryStatus)
	require.NoError(w.t, err)
	var s cmk.Status
	require.NoError(w.t, answer.Get(&s))
	return s
}

func (w *watched) opened() []cmk.FindingCode {
	return codesTold(w.told, func(n cmk.Notification) []cmk.Finding { return n.Opened })
}
func (w *watched) closed() []cmk.FindingCode {
	return codesTold(w.told, func(n cmk.Notification) []cmk.Finding { return n.Closed })
}

func codesTold(told []cmk.Notification, of func(cmk.Notification) []cmk.Finding) []cmk.FindingCode {
	var out []cmk.FindingCode
	for _, n := range told {
		for _, f := range of(n) {
			out = append(out, f.Code)
		}
	}
	return out
}

func TestWatchOfAProjectThatIsWellTellsNobody(t *testing.T) {
	w := newWatched(t)
	var s cmk.Status
	w.RegisterDelayedCallback(func() { s = w.status() }, 47*time.Hour)
	w.run(48*time.Hour, cmk.WatchRequest{})
	require.True(t, temporal.IsCanceledError(w.GetWorkflowError()))
	require.Empty(t, w.told)
	require.Equal(t, cmk.PhaseWatching, s.Phase)
	require.Empty(t, s.Awaiting)
	require.Equal(t, cmk.ApprovalNotNeeded, s.Endpoints[0].Approval, "it stood before")
}

// An endpoint that Atlas recreated is asked for, and followed until it is ACTIVE and approved.
func TestWatchAsksForARecreatedEndpoint(t *testing.T) {
	w := newWatched(t)
	w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].Status = cmk.EndpointPendingRecreation })
	w.after(2*time.Hour, func(l *activities.Look) {
		l.Endpoints = append(l.Endpoints, activities.Endpoint{ID: "e2", Region: "US_EAST_1", Status: cmk.EndpointInitiating})
	})
	w.after(3*time.Hour, func(l *activities.Look) {
		l.Endpoints = []activities.Endpoint{{ID: "e2", Region: "US_EAST_1", Status: cmk.EndpointActive}}
	})
	var asked, approved cmk.Status
	w.RegisterDelayedCallback(func() {
		asked = w.status()
		w.SignalWorkflow(cmk.SignalApproveEndpoint, cmk.Decision{By: "approver", Endpoint: "e2"})
	}, 5*time.Hour)
	w.RegisterDelayedCallback(func() { approved = w.status() }, 6*time.Hour)
	w.run(7*time.Hour, cmk.WatchRequest{})
	require.Equal(t, cmk.ApprovalWaiting, asked.Endpoints[0].Approval)
	require.Equal(t, cmk.AwaitingEndpointApproval, asked.Awaiting[0].For)
	require.Equal(t, cmk.ApprovalApproved, approved.Endpoints[0].Approval)
	require.Equal(t, "e2", approved.Endpoints[0].ID)
	require.Empty(t, approved.Awaiting)
	require.Equal(t, cmk.PhaseWatching, approved.Phase)
	require.Contains(t, w.opened(), cmk.FindingEndpointRecreated)
	require.Contains(t, w.closed(), cmk.FindingEndpointRecreated)
	require.True(t, slices.ContainsFunc(w.told, func(n cmk.Notification) bool { return len(n.Asked) > 0 && n.Asked[0].Region == "US_EAST_1" }))
}

// What somebody else has changed stays a finding until people accept it, whatever else happens; what the worker changed is none.
func TestWatchTellsAForeignChangeFromItsOwn(t *testing.T) {
	w := newWatched(t)
	w.after(time.Hour, func(l *activities.Look) { l.Encryption.RoleID, l.Roles = "own", nil })
	w.after(2*time.Hour, func(l *activities.Look) { l.Encryption.RoleID, l.Strangers = "foreign", []string{"mallory"} })
	w.after(3*time.Hour, func(l *activities.Look) {
		l.Strangers = nil
		l.Clusters = append(l.Clusters, activities.Cluster{Name: "new", Provider: cmk.ProviderAWS, Regions: []string{"US_EAST_1"}})
	})
	var s cmk.Status
	w.RegisterDelayedCallback(func() {
		s = w.status()
		w.SignalWorkflow(cmk.SignalApprove, cmk.Decision{By: "approver"})
	}, 4*time.Hour)
	w.run(5*time.Hour, cmk.WatchRequest{})
	require.Equal(t, cmk.PhaseAttention, s.Phase)
	require.Equal(t, []cmk.FindingCode{cmk.FindingSettingsChanged}, w.opened(), "%+v", w.told)
	require.Contains(t, s.Findings[0].Detail, "mallory")
	require.Equal(t, []cmk.FindingCode{cmk.FindingSettingsChanged}, w.closed())
}

func TestWatchFindsAnEndpointStuck(t *testing.T) {
	w := newWatched(t)
	w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].Status = cmk.EndpointInitiating })
	w.run(6*time.Hour, cmk.WatchRequest{})
	require.Contains(t, w.opened(), cmk.FindingEndpointOverdue)
}

// A watch that has grown long goes on as a new run, and loses neither an approval, nor a finding, nor who was told.
func TestWatchContinuesAsNewAgainAndAgain(t *testing.T) {
	request := cmk.WatchRequest{}
	var started time.Time
	for round := range 5 {
		w := newWatched(t)
		w.now.Endpoints[0].ID = "e2"
		if round == 0 {
			w.now.Endpoints[0].ID = "e1"
			w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].ID = "e2" })
			w.after(time.Hour+time.Minute, func(l *activities.Look) { l.Encryption.Valid = false })
		} else {
			w.now.Encryption.Valid = false
			require.NotNil(t, request.Progress)
		}
		w.RegisterDelayedCallback(func() {
			if round == 2 {
				w.SignalWorkflow(cmk.SignalApproveEndpoint, cmk.Decision{By: "approver", Region: cmk.AllRegions})
			} else {
				w.SignalWorkflow(cmk.SignalRetry, cmk.Resolution{By: "approver"})
			}
			w.now = &activities.Look{Encryption: w.now.Encryption, Endpoints: w.now.Endpoints, Clusters: w.now.Clusters, Key: w.now.Key, Roles: w.now.Roles, Alarms: []string{"A"}}
		}, 3*time.Hour)
		w.RegisterDelayedCallback(func() { w.SetContinueAsNewSuggested(true) }, 3*time.Hour+time.Second)
		w.run(24*time.Hour, request)
		var next *workflow.ContinueAsNewError
		require.ErrorAs(t, w.GetWorkflowError(), &next)
		request = cmk.WatchRequest{}
		require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &request))
		p := request.Progress
		if round == 0 {
			started = p.Started
		} else {
			require.NotContains(t, w.opened(), cmk.FindingSettingsInvalid, "it was told before")
		}
		require.True(t, p.Started.Equal(started))
		require.Equal(t, "e2", p.Endpoints[0].ID)
		require.False(t, p.Endpoints[0].Given)
		require.Len(t, p.Endpoints[0].Votes, min(max(round-1, 0), 1), "round %d", round)
		require.True(t, slices.ContainsFunc(p.Findings, func(f cmk.Finding) bool { return f.Code == cmk.FindingSettingsInvalid }))
	}
}

// What people were asked for before a watch goes on as a new run they are not asked for again, and what is new they are.
func TestWatchContinuedAsNewAsksNobodyAgain(t *testing.T) {
	request := cmk.WatchRequest{}
	asked := make([]map[cmk.Awaiting]int, 3)
	for round := range asked {
		w := newWatched(t)
		if round == 0 {
			w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].ID = "e2" })
			w.after(2*time.Hour, func(l *activities.Look) { l.Encryption.RoleID, l.Strangers = "foreign", []string{"mallory"} })
		} else {
			w.now.Endpoints[0].ID, w.now.Encryption.RoleID = "e2", "foreign"
		}
		if round == 2 {
			w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].ID = "e3" })
		}
		w.RegisterDelayedCallback(func() {
			w.SetContinueAsNewSuggested(true)
			w.SignalWorkflow(cmk.SignalRetry, cmk.Resolution{By: "approver"})
		}, 3*time.Hour)
		w.run(24*time.Hour, request)
		var next *workflow.ContinueAsNewError
		require.ErrorAs(t, w.GetWorkflowError(), &next)
		request = cmk.WatchRequest{}
		require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &request))
		asked[round] = map[cmk.Awaiting]int{}
		for _, n := range w.told {
			for _, a := range n.Asked {
				asked[round][a.For]++
			}
		}
	}
	require.Equal(t, map[cmk.Awaiting]int{cmk.AwaitingEndpointApproval: 1, cmk.AwaitingPlanApproval: 1}, asked[0])
	require.Empty(t, asked[1])
	require.Equal(t, map[cmk.Awaiting]int{cmk.AwaitingEndpointApproval: 1}, asked[2])
}

// What a watch could not do, or not read, it has told of once, however often it goes on as a new run.
func TestWatchContinuedAsNewTellsOfItsTroubleOnce(t *testing.T) {
	for name, trouble := range map[cmk.FindingCode]func(*watched){
		cmk.FindingRepairFailed: func(w *watched) {
			w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].Status = cmk.EndpointFailed })
		},
		cmk.FindingProjectUnreadable: func(w *watched) {
			w.RegisterDelayedCallback(func() { w.now = nil }, time.Hour)
		},
	} {
		t.Run(string(name), func(t *testing.T) {
			request := cmk.WatchRequest{}
			for round := range 3 {
				w := newWatched(t)
				w.OnActivity(atlas.RemoveEndpoints, mock.Anything, mock.Anything).
					Return(temporal.NewNonRetryableApplicationError("no", "NO", nil)).Maybe()
				w.OnActivity(atlas.EnsureEndpoints, mock.Anything, mock.Anything).
					Return(nil, temporal.NewNonRetryableApplicationError("no", "NO", nil)).Maybe()
				trouble(w)
				if round > 0 {
					w.now.Endpoints[0].Status = cmk.EndpointFailed
					if name == cmk.FindingProjectUnreadable {
						w.now = nil
					}
				}
				w.RegisterDelayedCallback(func() {
					w.SetContinueAsNewSuggested(true)
					w.SignalWorkflow(cmk.SignalRetry, cmk.Resolution{By: "approver"})
				}, 5*time.Hour)
				request.Repair = []cmk.Repair{cmk.RepairRemakeFailed}
				w.run(24*time.Hour, request)
				var next *workflow.ContinueAsNewError
				require.ErrorAs(t, w.GetWorkflowError(), &next)
				request = cmk.WatchRequest{}
				require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &request))
				require.True(t, slices.ContainsFunc(request.Progress.Findings, func(f cmk.Finding) bool { return f.Code == name }), "round %d", round)
				if round == 0 {
					require.Contains(t, w.opened(), name)
				} else {
					require.Empty(t, w.told, "round %d", round)
				}
			}
		})
	}
}

// A project that can be read again is found as it was, and that is told.
func TestWatchThatCanReadItsProjectAgainSaysSo(t *testing.T) {
	w := newWatched(t)
	well := w.now
	w.RegisterDelayedCallback(func() { w.now = nil }, time.Hour)
	w.RegisterDelayedCallback(func() { w.now = well }, 3*time.Hour)
	var meanwhile, after cmk.Status
	w.RegisterDelayedCallback(func() { meanwhile = w.status() }, 2*time.Hour)
	w.RegisterDelayedCallback(func() { after = w.status() }, 5*time.Hour)
	w.run(6*time.Hour, cmk.WatchRequest{})
	require.Equal(t, cmk.PhaseAttention, meanwhile.Phase)
	require.Equal(t, cmk.PhaseWatching, after.Phase)
	require.Empty(t, after.Findings)
	require.Equal(t, []cmk.FindingCode{cmk.FindingProjectUnreadable}, w.opened())
	require.Equal(t, []cmk.FindingCode{cmk.FindingProjectUnreadable}, w.closed())
}

// What could not be delivered for a day is given up, and what comes after it is told then; the watch has seen it all the while.
func TestWatchGivesUpAReceiverThatIsNeverThere(t *testing.T) {
	w := newWatched(t)
	w.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&untiring{}}})
	var tried []time.Time
	w.deaf = func(n cmk.Notification) bool {
		failing := slices.ContainsFunc(n.Opened, func(f cmk.Finding) bool { return f.Code == cmk.FindingEndpointFailed })
		if failing {
			tried = append(tried, w.Now())
		}
		return failing
	}
	began := w.Now()
	w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].Status = cmk.EndpointFailed })
	w.after(2*time.Hour, func(l *activities.Look) { l.Encryption.Valid = false })
	var meanwhile, after cmk.Status
	w.RegisterDelayedCallback(func() { meanwhile = w.status() }, 3*time.Hour)
	w.RegisterDelayedCallback(func() { require.Empty(t, w.told) }, 24*time.Hour)
	w.RegisterDelayedCallback(func() { after = w.status() }, 26*time.Hour)
	w.run(27*time.Hour, cmk.WatchRequest{})
	invalid := func(f cmk.Finding) bool { return f.Code == cmk.FindingSettingsInvalid }
	require.True(t, slices.ContainsFunc(meanwhile.Findings, invalid))
	require.Empty(t, meanwhile.Problem)
	require.Greater(t, len(tried), 100)
	require.WithinRange(t, tried[len(tried)-1], began.Add(24*time.Hour), began.Add(25*time.Hour+10*time.Minute))
	require.Contains(t, after.Problem, "not delivered")
	require.Len(t, w.told, 1)
	require.True(t, slices.ContainsFunc(w.told[0].Opened, invalid))
}

// untiring lets activities be tried as often as on a server: the test environment gives up after ten attempts.
type untiring struct {
	interceptor.WorkerInterceptorBase
}

func (*untiring) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &untiringIn{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type untiringIn struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *untiringIn) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&untiringOut{interceptor.WorkflowOutboundInterceptorBase{Next: out}})
}

type untiringOut struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (o *untiringOut) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	policy := *workflow.GetActivityOptions(ctx).RetryPolicy
	policy.MaximumAttempts = math.MaxInt32
	return o.Next.ExecuteActivity(workflow.WithRetryPolicy(ctx, policy), name, args...)
}

// A notification that has not been delivered when a watch goes on as a new run is told by that, as the same.
func TestWatchContinuedAsNewHandsOnWhatItCouldNotTell(t *testing.T) {
	w := newWatched(t)
	var deaf []cmk.Notification
	w.deaf = func(n cmk.Notification) bool {
		deaf = append(deaf, n)
		return true
	}
	w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].Status = cmk.EndpointFailed })
	w.RegisterDelayedCallback(func() {
		w.SetContinueAsNewSuggested(true)
		w.SignalWorkflow(cmk.SignalRetry, cmk.Resolution{By: "approver"})
	}, time.Hour+6*time.Minute)
	w.run(24*time.Hour, cmk.WatchRequest{})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, w.GetWorkflowError(), &next)
	var request cmk.WatchRequest
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &request))
	require.Len(t, request.Progress.Outbox, 1)

	w = newWatched(t)
	w.now.Endpoints[0].Status = cmk.EndpointFailed
	w.run(time.Hour, request)
	require.NotEmpty(t, deaf)
	require.Equal(t, deaf[:1], w.told)
}

// A watch that cannot find out who holds the project tells of it, and goes on.
func TestWatchOutlivesALeaseThatCannotBeLookedAt(t *testing.T) {
	w := newWatched(t)
	var server *activities.Temporal
	w.OnActivity(server.FindLeaseHolder, mock.Anything, mock.Anything).
		Return(nil, temporal.NewNonRetryableApplicationError("not allowed", "PermissionDenied", nil))
	w.after(time.Hour, func(l *activities.Look) { l.Endpoints[0].Status = cmk.EndpointFailed })
	w.RegisterDelayedCallback(w.CancelWorkflow, 9*time.Hour)
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, input json.RawMessage) error {
		held := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: cmk.LeaseID(aProject)}), cmk.LeaseWorkflow)
		if err := held.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return err
		}
		_, err := WatchProject(ctx, input)
		return err
	}, workflow.RegisterOptions{Name: "beside another"})
	w.ExecuteWorkflow("beside another", json.RawMessage(`{"projectId": "`+aProject+`", "repair": ["remake-failed"]}`))
	require.True(t, temporal.IsCanceledError(w.GetWorkflowError()), "%v", w.GetWorkflowError())
	require.Contains(t, w.opened(), cmk.FindingRepairFailed)
}
