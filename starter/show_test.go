package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

func began() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// endpoints is a change that waits for its endpoints.
func endpoints() cmk.Status {
	return cmk.Status{
		Workflow: cmk.EnableWithPrivateEndpoints, ProjectID: project, Phase: cmk.PhaseEndpoints, Started: began(),
		Endpoints: []cmk.EndpointReport{
			{Region: "EU_WEST_1", ID: "e1", Status: cmk.EndpointActive, Since: began().Add(50 * time.Second), Approval: cmk.ApprovalApproved, Votes: []cmk.Vote{{By: "alex", Approved: true}}},
			{Region: "US_EAST_1", ID: "e2", Status: cmk.EndpointInitiating, Since: began().Add(10 * time.Second), Approval: cmk.ApprovalWaiting},
			{Region: "US_WEST_2", Approval: cmk.ApprovalWaiting},
		},
		Clusters: []cmk.ClusterReport{{Name: "payments", Regions: []string{"EU_WEST_1"}, Provider: cmk.ProviderNone, State: cmk.ClusterIdle}},
		Awaiting: []cmk.Wait{
			{For: cmk.AwaitingEndpoint, What: "private endpoint e2 in US_EAST_1", Since: began()},
			{For: cmk.AwaitingEndpointApproval, What: "approval of the private endpoint in US_EAST_1", Since: began().Add(30 * time.Second), Signal: cmk.SignalApproveEndpoint, Example: `{"by":"your name","endpoint":"e2"}`},
		},
		Writes: []cmk.Write{{At: began(), System: cmk.SystemIAM, Operation: "create role", Object: "arn:r"}},
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"EnableWithPrivateEndpoints of project " + project + ": endpoints, 1:30",
		"  endpoint  EU_WEST_1  ACTIVE         0:40  approved by alex  e1",
		"  endpoint  US_EAST_1  INITIATING     1:20  approval waits    e2",
		"  endpoint  US_WEST_2  not there yet        approval waits",
		"  cluster   payments   NONE IDLE            EU_WEST_1",
		"waits 1:00 for approval of the private endpoint in US_EAST_1",
		"next: starter approve cmk-x --endpoint e2 --by NAME",
	}, block(endpoints(), "cmk-x", began().Add(90*time.Second)))
}

func TestTheClockStopsWithTheChange(t *testing.T) {
	t.Parallel()
	s, ended := endpoints(), began().Add(time.Hour+time.Minute)
	s.Ended, s.Phase, s.Awaiting, s.Problem = &ended, cmk.PhaseStopped, nil, "it went wrong"
	lines := block(s, "cmk-x", began().Add(24*time.Hour))
	require.Contains(t, lines[0], "stopped, 1:01:00")
	require.Contains(t, lines[2], "not approved")
	require.Equal(t, "problem: it went wrong", lines[len(lines)-1])
}

func TestCommandsThatMoveAChangeOn(t *testing.T) {
	t.Parallel()
	for want, w := range map[string]cmk.Wait{
		"starter approve id --plan 1f2e --by NAME":                        {For: cmk.AwaitingPlanApproval, Example: `{"by":"your name","plan":"1f2e"}`},
		"starter approve id --region EU_WEST_1 --by NAME":                 {For: cmk.AwaitingEndpointApproval, Example: `{"region":"EU_WEST_1"}`},
		`starter retry|abort|skip id --step "cluster payments" --by NAME`: {For: cmk.AwaitingDecision, Signal: "retry | abort | skip", Step: "cluster payments"},
		"": {For: cmk.AwaitingCluster},
	} {
		require.Equal(t, want, command(w, "id"))
	}
}

// shownLines are the lines for a series of statuses.
func shownLines(statuses ...cmk.Status) []string {
	var b bytes.Buffer
	a := &app{out: &b}
	l := &lines{print: a.notice, workflowID: "cmk-x", now: func() time.Time { return began().Add(90 * time.Second) }}
	for _, s := range statuses {
		l.status(s)
	}
	l.end()
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func TestLinesTellEachThingOnce(t *testing.T) {
	t.Parallel()
	first := endpoints()
	second := endpoints()
	second.Endpoints[1].Status, second.Endpoints[1].Approval = cmk.EndpointActive, cmk.ApprovalApproved
	second.Endpoints[1].Votes = []cmk.Vote{{By: "alex", Approved: true}}
	second.Phase, second.Awaiting = cmk.PhaseClusters, nil
	second.Clusters[0].Provider, second.Clusters[0].State = cmk.ProviderAWS, cmk.ClusterUpdating
	second.Writes = append(second.Writes, cmk.Write{At: began().Add(80 * time.Second), System: cmk.SystemAtlas, Operation: "switch cluster", Object: "payments"})
	second.Refusals = []cmk.Refusal{{Signal: cmk.SignalApproveEndpoint, By: "dana", Code: cmk.RefusedRequester, Why: "not you"}}
	require.Equal(t, []string{
		"  0:00  wrote IAM: create role (arn:r)",
		"  1:30  phase endpoints",
		"  1:30  endpoint EU_WEST_1 e1: ACTIVE, approved by alex",
		"  1:30  endpoint US_EAST_1 e2: INITIATING, approval waits",
		"  1:30  cluster payments: NONE IDLE, EU_WEST_1",
		"  1:30  waits for approval of the private endpoint in US_EAST_1: starter approve cmk-x --endpoint e2 --by NAME",
		"  1:20  wrote Atlas: switch cluster (payments)",
		"  1:30  phase clusters",
		"  1:30  endpoint US_EAST_1 e2: ACTIVE, approved by alex",
		"  1:30  cluster payments: AWS UPDATING, EU_WEST_1",
		"  1:30  not taken: approve-endpoint by dana: not you (REQUESTER)",
	}, shownLines(first, first, second, second))
}

func TestLinesHaveNoControlCodesAndRepeatNoSilence(t *testing.T) {
	t.Parallel()
	silent := &client.NoAnswerError{}
	got := startWith(t, &fake{shown: []cmk.Status{endpoints()}, silences: []error{silent, silent, errors.New("down")}, report: &cmk.Report{Status: endpoints()}, workers: 1},
		"", "status", project, "--watch")
	require.Equal(t, exitDone, got.code, got.errors)
	require.NotContains(t, got.out, "\x1b")
	require.NotContains(t, got.out, "\r")
	require.Equal(t, 1, strings.Count(got.out, "no worker answers"))
	require.Equal(t, 1, strings.Count(got.out, "Temporal does not answer: down"))
}

func TestALiveBlockIsRedrawnInPlaceAndFits(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := newLive(&b, &screen{fd: -1, width: 40, height: 8}, "cmk-x")
	l.status(endpoints())
	drawn := strings.Count(b.String(), "\n")
	l.end()
	require.Less(t, drawn, 8, "a block higher than the screen could not be redrawn")
	require.Contains(t, b.String(), "\x1b["+string(rune('0'+drawn))+"A", "the second drawing begins where the first did")
	for line := range strings.SplitSeq(b.String(), "\n") {
		_, text, found := strings.Cut(line, clearing)
		if !found {
			text = line
		}
		require.LessOrEqual(t, len([]rune(text)), 40)
	}
}

// On a terminal the block is live, unless the output is JSON; that one can be asked for all the same, and JSON stays JSON.
func TestOnATerminalTheBlockIsLive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		terminal *screen
		args     []string
		// out and errors say where the block is drawn.
		out, errors bool
	}{
		"a terminal":                  {&screen{fd: -1, width: 80, height: 24}, nil, true, false},
		"a terminal, JSON":            {&screen{fd: -1, width: 80, height: 24}, []string{"-o", "json"}, false, false},
		"a terminal, JSON, asked for": {&screen{fd: -1, width: 80, height: 24}, []string{"-o", "json", "--progress", "live"}, false, true},
		"a terminal, lines":           {&screen{fd: -1, width: 80, height: 24}, []string{"--progress", "lines"}, false, false},
		"a pipe":                      {nil, nil, false, false},
		"a pipe, asked for":           {nil, []string{"--progress", "live"}, true, false},
		"a pipe, JSON, asked for":     {nil, []string{"-o", "json", "--progress", "live"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{shown: []cmk.Status{endpoints()}, report: &cmk.Report{Status: endpoints()}, workers: 1}
			got := startOn(t.Context(), test.terminal, f, "", append([]string{"status", project, "--watch"}, test.args...)...)
			require.Equal(t, exitDone, got.code, got.errors)
			require.Equal(t, test.out, strings.Contains(got.out, clearing), got.out)
			require.Equal(t, test.errors, strings.Contains(got.errors, clearing), got.errors)
			require.Equal(t, slices.Contains(test.args, "json"), json.Valid([]byte(got.out)), got.out)
		})
	}
}

const clearing = "\x1b[J"

func planned() cmk.Report {
	return cmk.Report{Status: cmk.Status{
		ProjectID: project,
		Plan: &cmk.Plan{Hash: "1f2e", Steps: []cmk.Step{
			{Action: "IAM role", Object: "arn:r", Exists: true},
			{Action: "switch cluster", Object: "a", Irreversible: "no way back", Exposure: "re-sync"},
			{Action: "switch cluster", Object: "b", Irreversible: "no way back", Exposure: "re-sync"},
		}},
		Findings: []cmk.Finding{
			{Code: cmk.FindingNotEvaluated, Severity: cmk.SeverityInfo, Detail: "not looked at"},
			{Code: cmk.FindingReplicaMissing, Severity: cmk.SeverityError, Detail: "no replica", Remedy: "make one"},
		},
	}}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	f := &fake{report: new(cmk.Report), workers: 1}
	*f.report = planned()
	got := startWith(t, f, "", "plan", "--project-id", project, "--key", key)
	require.Equal(t, exitRefused, got.code, "a plan with an error would be refused")
	require.True(t, f.request.DryRun)
	require.Equal(t, `Plan 1f2e for project 64b7f0c2a1b2c3d4e5f60718: 3 steps, 2 of them write

  1.  is so       IAM role        arn:r
  2.  will write  switch cluster  a
  3.  will write  switch cluster  b

Cannot be undone
  a, b: no way back

Exposed meanwhile
  a, b: re-sync

Findings
  error    REPLICA_MISSING: no replica
           → make one
  info     NOT_EVALUATED: not looked at
`, got.out)

	f.report.Findings = f.report.Findings[:1]
	got = startWith(t, f, "", "enable", "--dry-run", "--project-id", project, "--key", key, "-o", "json")
	require.Equal(t, exitDone, got.code, got.errors)
	var report cmk.Report
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Equal(t, "1f2e", report.Plan.Hash)
}

func TestReport(t *testing.T) {
	t.Parallel()
	s, ended := endpoints(), began().Add(time.Minute)
	s.Phase, s.Ended, s.Awaiting = cmk.PhaseDone, &ended, nil
	r := cmk.Report{
		Status: s, Verified: true, Keep: []string{"the key"},
		Final: &cmk.FinalState{Enabled: true, Valid: true, RequirePrivateNetworking: true, Key: "arn:k", KeyRegion: "US_EAST_1", RoleARN: "arn:r"},
	}
	text := reportText(r)
	require.Contains(t, text, "create role")
	require.Contains(t, text, "the key")
	require.Contains(t, text, "done, verified")
	require.Contains(t, text, "valid: true")

	r.Writes, r.Verified, r.Final = nil, false, nil
	text = reportText(r)
	require.Contains(t, text, "Nothing was written.")
	require.NotContains(t, text, "verified")
	require.NotContains(t, text, "valid:")
}

func TestAFailedChangeShowsItsReportAndOneLine(t *testing.T) {
	t.Parallel()
	report := planned()
	report.Phase, report.Workflow = cmk.PhaseRefused, cmk.EnableWithPrivateEndpoints
	f := &fake{workers: 1, waitError: &client.FailedError{Type: cmk.ErrPreflightFailed, Message: "preflight found 1 error", Report: &report}}
	got := startWith(t, f, "", "enable", "--project-id", project, "--key", key, "--wait")
	require.Equal(t, exitRefused, got.code)
	require.Contains(t, got.out, "→ make one")
	require.Equal(t, "starter: PreflightFailed: preflight found 1 error\n", got.errors)

	got = startWith(t, f, "", "enable", "--project-id", project, "--key", key, "--wait", "-o", "json", "--progress", "none")
	require.Equal(t, exitRefused, got.code)
	require.True(t, json.Valid([]byte(got.out)), got.out)
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s := endpoints()
	got := startWith(t, &fake{status: &s}, "", "status", project)
	require.Equal(t, exitDone, got.code)
	require.Contains(t, got.out, "next: starter approve cmk-"+project+" --endpoint e2 --by NAME")
	got = startWith(t, &fake{status: &s}, "", "status", project, "-o", "json")
	var back cmk.Status
	require.NoError(t, json.Unmarshal([]byte(got.out), &back))
	require.Equal(t, s, back)
}

// The status of a watch says what needs attention.
func TestStatusOfAWatchShowsItsFindings(t *testing.T) {
	t.Parallel()
	lines := block(cmk.Status{
		Workflow: cmk.WatchProject, ProjectID: "64b7f0c2a1b2c3d4e5f60718", Phase: cmk.PhaseAttention,
		Findings: []cmk.Finding{{Code: cmk.FindingClusterWithoutKey, Severity: cmk.SeverityWarning, Detail: "as it is", Remedy: "do this"}},
	}, "cmk-watch-64b7f0c2a1b2c3d4e5f60718", time.Now())
	require.Contains(t, strings.Join(lines, "\n"), "warning  CLUSTER_WITHOUT_KEY: as it is")
	require.Contains(t, strings.Join(lines, "\n"), "→ do this")
}
