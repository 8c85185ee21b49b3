package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

const (
	project = "64b7f0c2a1b2c3d4e5f60718"
	key     = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
)

// fake is a Temporal that answers as it is told.
type fake struct {
	request *cmk.EnableRequest
	// other is the request of another change than an enable.
	other      any
	options    client.StartOptions
	startError error

	sent, signalled string
	payload         any
	sendError       error

	status      *cmk.Status
	statusError error

	shown     []cmk.Status
	silences  []error
	report    *cmk.Report
	waitError error
	// hang keeps Wait waiting until its context ends.
	hang    bool
	workers int

	watches   []client.ProjectWatch
	cancelled string
}

func (f *fake) Enable(_ context.Context, r cmk.EnableRequest, o client.StartOptions) (client.Run, error) {
	f.request, f.options = &r, o
	return client.Run{WorkflowID: cmk.WorkflowID(r.ProjectID), RunID: "run-1"}, f.startError
}

func (f *fake) AddEndpoints(_ context.Context, r cmk.AddRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) Encrypt(_ context.Context, r cmk.EncryptRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) Rotate(_ context.Context, r cmk.RotateRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) Migrate(_ context.Context, r cmk.MigrateRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) Retire(_ context.Context, r cmk.RetireRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) Disable(_ context.Context, r cmk.DisableRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) RemoveEndpoints(_ context.Context, r cmk.RemoveRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) DisableNetworking(_ context.Context, r cmk.NetworkingRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) Read(_ context.Context, r cmk.ReadRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) StartWatch(_ context.Context, r cmk.WatchRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) StartOrganizationWatch(_ context.Context, r cmk.OrganizationRequest, o client.StartOptions) (client.Run, error) {
	return f.begin(r, o)
}

func (f *fake) Watches(context.Context) ([]client.ProjectWatch, error) { return f.watches, nil }

func (f *fake) Cancel(_ context.Context, workflowID string) error {
	f.cancelled = workflowID
	return f.sendError
}

func (f *fake) begin(request any, o client.StartOptions) (client.Run, error) {
	f.other, f.options = request, o
	return client.Run{WorkflowID: "some-id", RunID: "run-1"}, f.startError
}

func (f *fake) Send(_ context.Context, workflowID, name string, payload any) (*cmk.Status, error) {
	f.sent, f.payload = workflowID+" "+name, payload
	return f.status, f.sendError
}

func (f *fake) Signal(_ context.Context, workflowID, name string, payload any) error {
	f.signalled, f.payload = workflowID+" "+name, payload
	return nil
}

func (f *fake) Status(context.Context, string) (*cmk.Status, error) { return f.status, f.statusError }

func (f *fake) Wait(ctx context.Context, _ client.Run, w client.Watch) (*cmk.Report, error) {
	for _, s := range f.shown {
		w.Status(s)
	}
	for _, err := range f.silences {
		w.Silent(err)
	}
	if f.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.report, f.waitError
}

func (f *fake) Workers(context.Context) (int, error) { return f.workers, nil }

// started is what a command line did.
type started struct {
	code        int
	out, errors string
}

func startWith(t *testing.T, f *fake, in string, args ...string) started {
	t.Helper()
	return startIn(t.Context(), f, in, args...)
}

func startIn(ctx context.Context, f *fake, in string, args ...string) started {
	return startOn(ctx, nil, f, in, args...)
}

// startOn is startWith where stdout is a terminal.
func startOn(ctx context.Context, terminal *screen, f *fake, in string, args ...string) started {
	var out, errs bytes.Buffer
	a := &app{
		out: &out, errors: &errs, in: strings.NewReader(in), env: func(string) string { return "" }, screen: terminal,
		dial: func(context.Context, connection) (changes, func(), error) { return f, func() {}, nil },
	}
	code := a.run(ctx, args)
	return started{code, out.String(), errs.String()}
}

func TestEnableTakesFlagsOverTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "request.yaml")
	require.NoError(t, os.WriteFile(file, []byte("projectId: \""+project+"\"\nkey: "+key+"\nclusters: [payments]\nparallel: 2\napproval:\n  mode: create\n"), 0o600))
	f := &fake{workers: 1}
	got := startWith(t, f, "", "enable", "-f", file, "--parallel", "3", "--approvers", "2", "--regions", "eu-west-1,us-east-1",
		"--deadline-endpoint", "2h", "--plan-approval", "--requester", "dana")
	require.Equal(t, exitDone, got.code, got.errors)
	require.Equal(t, 3, f.request.Parallel)
	require.Equal(t, cmk.ApprovalPolicy{Mode: cmk.ApproveCreate, Approvers: 2}, f.request.Approval)
	require.Equal(t, []string{"payments"}, f.request.Clusters.Names)
	require.Equal(t, []string{"EU_WEST_1", "US_EAST_1"}, f.request.Regions)
	require.Equal(t, cmk.Duration(2*time.Hour), f.request.Deadlines.Endpoint)
	require.True(t, f.request.PlanApproval)
	require.Equal(t, "dana", f.request.Requester)
	require.False(t, f.request.DryRun)
	require.Contains(t, got.out, "workflow cmk-"+project+", run run-1")
	require.NotContains(t, got.out, "warning")
}

func TestEnableReadsJSONAndStandardInput(t *testing.T) {
	t.Parallel()
	f := &fake{}
	got := startWith(t, f, `{"projectId": "`+project+`", "key": "`+key+`", "clusters": "none"}`, "enable", "-f", "-", "-o", "json")
	require.Equal(t, exitDone, got.code, got.errors)
	require.True(t, f.request.Clusters.None)
	require.NotEmpty(t, f.request.Requester, "whoever runs the command asks")
	var run client.Run
	require.NoError(t, json.Unmarshal([]byte(got.out), &run), "stdout is JSON alone")
	require.Equal(t, "run-1", run.RunID)
	require.Contains(t, got.errors, "no worker polls the task queue")
}

func TestMistakesAreToldInOneLineAndSendNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte(`{"projectId": `), 0o600))
	unknown := filepath.Join(dir, "unknown.yaml")
	require.NoError(t, os.WriteFile(unknown, []byte("projectId: \""+project+"\"\nkeys: x\n"), 0o600))
	empty := filepath.Join(dir, "empty.yaml")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such command":      {[]string{"destroy"}, "unknown command"},
		"no such subcommand":   {[]string{"networking", "on"}, "unknown command"},
		"no such watch":        {[]string{"watch", "lst"}, "unknown command"},
		"no such dry run":      {[]string{"retire", "--dry-run"}, "unknown flag"},
		"no such flag":         {[]string{"enable", "--secret", "x"}, "unknown flag"},
		"an argument too many": {[]string{"enable", "x"}, "unknown command"},
		"no target":            {[]string{"status"}, "accepts 1 arg"},
		"nobody decides":       {[]string{"approve", project}, `"by" not set`},
		"two things at once":   {[]string{"approve", project, "--by", "a", "--plan", "x", "--region", "y"}, "none of the others can be"},
		"an unknown output":    {[]string{"status", project, "-o", "xml"}, "text or json"},
		"nothing asked for":    {[]string{"enable"}, "projectId: is missing"},
		"no migration":         {[]string{"migrate", "--rest", "1ms"}, "projectId: is missing"},
		"a rest too short":     {[]string{"migrate", "--rest", "1ms"}, "give at least 1s"},
		"no access key":        {[]string{"retire"}, "accessKeyId: is missing"},
		"no projects":          {[]string{"retire"}, "projectIds: is missing"},
		"no time":              {[]string{"retire"}, "switchedAt: is missing"},
		"no such order":        {[]string{"disable", "--project-id", project, "--order", "any"}, `"keepPrivatePath"`},
		"no endpoints":         {[]string{"endpoints", "remove", "--project-id", project}, "endpoints: is missing"},
		"odd endpoints":        {[]string{"endpoints", "remove", "--project-id", project, "--endpoints", "none"}, `give "all"`},
		"no such way":          {[]string{"networking", "off", "--project-id", project, "--on-failure", "compensate"}, `give "stop" or "restore"`},
		"a wrong project":      {[]string{"enable", "--project-id", "x", "--key", key}, `projectId "x"`},
		"a broken file":        {[]string{"enable", "-f", broken}, "holds no request"},
		"an unknown field":     {[]string{"enable", "-f", unknown}, "keys: is not a field of this request"},
		"an empty file":        {[]string{"enable", "-f", empty}, "is empty"},
		"no file":              {[]string{"enable", "-f", filepath.Join(dir, "none")}, "no such file"},
		"a wrong duration":     {[]string{"enable", "--project-id", project, "--key", key, "--deadline-cluster", "soon"}, `deadlines.cluster "soon": give a duration`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			got := startWith(t, f, "", test.args...)
			require.Equal(t, exitInvalid, got.code, got.errors)
			require.Contains(t, got.errors, test.want)
			require.Equal(t, 1, strings.Count(got.errors, "\n"), got.errors)
			require.Nil(t, f.request)
			require.Nil(t, f.other)
			require.Empty(t, f.sent+f.signalled)
		})
	}
}

func TestExitCodesSayHowAChangeEnded(t *testing.T) {
	t.Parallel()
	failed := func(errorType string, phase cmk.Phase) error {
		return &client.FailedError{Type: errorType, Message: "why", Report: &cmk.Report{Status: cmk.Status{Phase: phase}}}
	}
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"refused by preflight":   {failed(cmk.ErrPreflightFailed, cmk.PhaseRefused), exitRefused},
		"refused by Atlas":       {failed("GROUP_NOT_FOUND", cmk.PhaseRefused), exitRefused},
		"busy":                   {&client.BusyError{Message: "held"}, exitRefused},
		"taken back":             {failed("CANNOT_ASSUME_ROLE", cmk.PhaseCompensated), exitFailed},
		"not verified":           {failed(cmk.ErrNotVerified, cmk.PhaseStopped), exitFailed},
		"rejected":               {failed(cmk.ErrRejected, cmk.PhaseCompensated), exitEnded},
		"the plan was rejected":  {failed(cmk.ErrRejected, cmk.PhaseRefused), exitEnded},
		"expired":                {failed(cmk.ErrExpired, cmk.PhaseCompensated), exitEnded},
		"aborted":                {failed(cmk.ErrAborted, cmk.PhaseStopped), exitEnded},
		"cancelled":              {failed(client.Canceled, cmk.PhaseCompensated), exitEnded},
		"terminated":             {&client.FailedError{Type: client.Terminated}, exitEnded},
		"invalid for the worker": {&client.FailedError{Type: cmk.ErrInvalidRequest}, exitInvalid},
		"unknown":                {&client.NotFoundError{WorkflowID: "x"}, exitUnknown},
		"no worker answers":      {&client.NoAnswerError{}, exitUnreachable},
		"runs already":           {&client.AlreadyRunningError{Run: client.Run{WorkflowID: "x", RunID: "y"}}, exitRefused},
		"ended already":          {&client.ClosedError{WorkflowID: "x", How: "Completed"}, exitRefused},
		"no such namespace":      {serviceerror.NewNamespaceNotFound("x"), exitInvalid},
		"unavailable":            {serviceerror.NewUnavailable("gone"), exitUnreachable},
		"not let in":             {serviceerror.NewPermissionDenied("no", ""), exitUnreachable},
		"anything else":          {errors.New("odd\nthing"), exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := startWith(t, &fake{waitError: test.err, workers: 1}, "", "status", project, "--watch")
			require.Equal(t, test.want, got.code)
			require.Equal(t, 1, strings.Count(got.errors, "\n"), got.errors)
			require.NotContains(t, got.errors, "goroutine")
		})
	}
}

func TestUnreachableTemporal(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var errs bytes.Buffer
	a := &app{out: &bytes.Buffer{}, errors: &errs, env: func(string) string { return "" }, dial: dial}
	code := a.run(t.Context(), []string{"status", project, "--address", "127.0.0.1:1"})
	require.Equal(t, exitUnreachable, code)
	require.Less(t, time.Since(began), 2*dialTimeout)
	require.Contains(t, errs.String(), "cannot reach Temporal at 127.0.0.1:1")
	require.Equal(t, 1, strings.Count(errs.String(), "\n"))
}

// Temporal's own profile file says where the server is, as it does for the temporal command line.
func TestAProfileOfTemporalIsUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(file, []byte("[profile.far]\naddress = \"127.0.0.1:1\"\n"), 0o600))
	t.Setenv("TEMPORAL_CONFIG_FILE", file)
	t.Setenv("TEMPORAL_ADDRESS", "")
	require.NoError(t, os.Unsetenv("TEMPORAL_ADDRESS")) // which would go over the file, even if empty
	var errs bytes.Buffer
	a := &app{out: &bytes.Buffer{}, errors: &errs, env: func(string) string { return "" }, dial: dial}
	require.Equal(t, exitUnreachable, a.run(t.Context(), []string{"status", project, "--profile", "far"}))
	require.Contains(t, errs.String(), "cannot reach Temporal at 127.0.0.1:1")
}

func TestWaitingStopsAtItsTimeoutOrOnInterrupt(t *testing.T) {
	t.Parallel()
	got := startWith(t, &fake{hang: true, workers: 1}, "", "status", project, "--watch", "--timeout", "10ms")
	require.Equal(t, exitRunning, got.code)
	require.Contains(t, got.errors, "goes on")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got = startIn(ctx, &fake{hang: true, workers: 1}, "", "status", project, "--watch")
	require.Equal(t, exitInterrupted, got.code)
	require.Contains(t, got.errors, "goes on")
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args    []string
		sent    string
		payload any
	}{
		"the plan":      {[]string{"approve", project, "--by", "alex", "--reason", "fine"}, cmk.SignalApprove, cmk.Decision{By: "alex", Reason: "fine"}},
		"another plan":  {[]string{"reject", project, "--by", "alex", "--plan", "1f2e"}, cmk.SignalReject, cmk.Decision{By: "alex", Plan: "1f2e"}},
		"an endpoint":   {[]string{"approve", project, "--by", "alex", "--endpoint", "e1"}, cmk.SignalApproveEndpoint, cmk.Decision{By: "alex", Endpoint: "e1"}},
		"a region":      {[]string{"reject", project, "--by", "alex", "--region", "eu-west-1"}, cmk.SignalRejectEndpoint, cmk.Decision{By: "alex", Region: "eu-west-1"}},
		"a retry":       {[]string{"retry", project, "--by", "alex"}, cmk.SignalRetry, cmk.Resolution{By: "alex"}},
		"a skip":        {[]string{"skip", project, "--by", "alex", "--step", "cluster a"}, cmk.SignalSkip, cmk.Resolution{By: "alex", Step: "cluster a"}},
		"an abort":      {[]string{"abort", project, "--by", "alex"}, cmk.SignalAbort, cmk.Resolution{By: "alex"}},
		"a restore":     {[]string{"restore", project, "--by", "alex", "--reason", "late"}, cmk.SignalRestore, cmk.Resolution{By: "alex", Reason: "late"}},
		"a stop":        {[]string{"stop", project, "--by", "alex"}, cmk.SignalStop, cmk.Resolution{By: "alex"}},
		"a workflow id": {[]string{"abort", "cmk-" + project, "--by", "alex"}, cmk.SignalAbort, cmk.Resolution{By: "alex"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{status: &cmk.Status{Phase: cmk.PhaseEndpoints}}
			got := startWith(t, f, "", test.args...)
			require.Equal(t, exitDone, got.code, got.errors)
			require.Equal(t, cmk.WorkflowID(project)+" "+test.sent, f.sent)
			require.Equal(t, test.payload, f.payload)
			require.Empty(t, f.signalled)

			f = &fake{}
			got = startWith(t, f, "", append(test.args, "--signal")...)
			require.Equal(t, exitDone, got.code, got.errors)
			require.Equal(t, cmk.WorkflowID(project)+" "+test.sent, f.signalled)
			require.Empty(t, f.sent)
		})
	}
}

func TestARetirementIsFoundByItsAccessKey(t *testing.T) {
	t.Parallel()
	f := &fake{status: &cmk.Status{Phase: cmk.PhaseInactive}}
	got := startWith(t, f, "", "restore", accessKey, "--by", "alex")
	require.Equal(t, exitDone, got.code, got.errors)
	require.Equal(t, cmk.RetireID(accessKey)+" "+cmk.SignalRestore, f.sent)
}

func TestADecisionThatNobodyAnswersIsNotLost(t *testing.T) {
	t.Parallel()
	f := &fake{sendError: &client.NoAnswerError{}}
	got := startWith(t, f, "", "approve", project, "--by", "alex", "--region", "all")
	require.Equal(t, exitDone, got.code, got.errors)
	require.Equal(t, cmk.WorkflowID(project)+" "+cmk.SignalApproveEndpoint, f.signalled)
	require.Contains(t, got.out, "no worker answers")
}

func TestADecisionThatIsRefusedSaysWhy(t *testing.T) {
	t.Parallel()
	f := &fake{sendError: &client.RefusedError{Code: cmk.RefusedRequester, Why: "who asked for a change cannot approve it"}}
	got := startWith(t, f, "", "approve", project, "--by", "dana")
	require.Equal(t, exitRefused, got.code)
	require.Equal(t, "starter: not taken: who asked for a change cannot approve it (REQUESTER)\n", got.errors)
	require.Empty(t, f.signalled)
}
