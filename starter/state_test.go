package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// leaving is a way out in its window.
func leaving() cmk.Status {
	return cmk.Status{
		Workflow: cmk.SafeDisableCMK, ProjectID: project, Phase: cmk.PhaseWindow, Started: began(),
		State: cmk.StateWindow, Windows: []cmk.Window{{From: began().Add(time.Minute)}},
	}
}

func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }

func TestBlockShowsStateAndWindow(t *testing.T) {
	t.Parallel()
	from := clock(began().Add(time.Minute))
	require.Equal(t, []string{
		"SafeDisableCMK of project " + project + ": window, 1:30",
		"state W, clusters are on the key, and may have no path to it",
		"window: since " + from + ", for 0:30, clusters may have no path to the key",
	}, block(leaving(), "cmk-x", began().Add(90*time.Second)))
	s := leaving()
	s.State, s.Windows[0].Until = cmk.StatePublic, began().Add(80*time.Second)
	require.Contains(t, block(s, "cmk-x", began().Add(time.Hour)),
		"window: from "+from+" to "+clock(began().Add(80*time.Second))+", for 0:20, clusters may have had no path to the key")
}

func TestLinesTellOfStatesWindowsAndWhatIsAwaited(t *testing.T) {
	t.Parallel()
	before, until := leaving(), began().Add(6*time.Hour)
	before.Phase, before.State, before.Windows = cmk.PhaseReadiness, cmk.StateOn, nil
	before.Awaiting = []cmk.Wait{{For: cmk.AwaitingReadiness, What: "every private endpoint", Until: until}}
	after := leaving()
	after.Phase, after.State, after.Windows[0].Until = cmk.PhaseClusters, cmk.StatePublic, began().Add(80*time.Second)
	require.Equal(t, []string{
		"  1:30  phase readiness",
		"  1:30  state S0, clusters are on the key, over private endpoints",
		"  1:30  waits for every private endpoint, until " + until.Local().Format(time.DateTime),
		"  1:30  phase window",
		"  1:30  state W, clusters are on the key, and may have no path to it",
		"  1:30  phase clusters",
		"  1:30  state S1, clusters are on the key, over the public path",
		"  1:30  window: from " + clock(began().Add(time.Minute)) + " to " + clock(began().Add(80*time.Second)) + ", for 0:20, clusters may have had no path to the key",
		// A window that could not be entered is taken back.
		"  1:30  phase readiness",
		"  1:30  state S0, clusters are on the key, over private endpoints",
		"  1:30  waits for every private endpoint, until " + until.Local().Format(time.DateTime),
	}, shownLines(before, leaving(), after, before))
}

func TestAPlanThatWaitsIsShown(t *testing.T) {
	t.Parallel()
	s := leaving()
	s.Plan = planned().Plan
	s.Awaiting = []cmk.Wait{{For: cmk.AwaitingPlanApproval, What: "approval of plan 1f2e", Signal: cmk.SignalApprove, Example: `{"plan":"1f2e"}`}}
	require.Contains(t, shownLines(s), "  1:30    2.  will write  switch cluster  a")
	got := startWith(t, &fake{status: &s}, "", "status", project)
	require.Contains(t, got.out, "Plan 1f2e for project")
	require.Contains(t, got.out, "Cannot be undone\n  a, b: no way back")
}

func TestDocumentsAreShownWhole(t *testing.T) {
	t.Parallel()
	s := leaving()
	s.Documents = []cmk.Document{{Place: "inline policy x of arn:r", Text: `{"Version":"2012-10-17"}`}}
	s.Awaiting = []cmk.Wait{{For: cmk.AwaitingIAM, What: "the IAM role to be prepared by hand", Step: "IAM role", Signal: cmk.SignalIAMReady, Example: `{"by":"your name"}`}}
	want := "inline policy x of arn:r\n    {\n      \"Version\": \"2012-10-17\"\n    }\n"
	got := startWith(t, &fake{status: &s}, "", "status", project)
	require.Contains(t, got.out, want)
	require.Contains(t, got.out, "next: starter iam-ready cmk-"+project+" --by NAME")
	require.Contains(t, reportText(cmk.Report{Status: s}), want)
	require.Contains(t, strings.Join(shownLines(s), "\n"), `"Version": "2012-10-17"`)
}

func TestTheReportOfAWayOut(t *testing.T) {
	t.Parallel()
	s, until := leaving(), began().Add(1000*time.Hour)
	s.Phase, s.State = cmk.PhaseDone, cmk.StateOff
	text := reportText(cmk.Report{
		Status: s, Verified: true, KeepUntil: until,
		WayBack: &cmk.WayBack{Workflow: cmk.EnableWithPrivateEndpoints, Request: &cmk.EnableRequest{
			ProjectID: project, Key: key, KeyRegion: "US_EAST_1", Role: cmk.RoleRequest{Mode: cmk.RoleAdopt, Name: "r"},
			Regions: []string{"EU_WEST_1", "US_EAST_1"}, Clusters: cmk.ClusterSelection{Names: []string{"a", "b"}},
		}},
		Final: &cmk.FinalState{},
	})
	require.Contains(t, text, "Snapshots need the key and its role until "+until.Local().Format(time.DateTime)+" at least.")
	require.Contains(t, text, "  state S4, the project has no key of its own\n")
	require.NotContains(t, text, "through role")
	back := "starter enable --project-id " + project + " --key " + key + " --key-region US_EAST_1" +
		" --role-mode adopt --role-name r --regions EU_WEST_1,US_EAST_1 --clusters a,b"
	require.Contains(t, text, "The way back\n  "+back+"\n")
	checkCommand(t, strings.Fields(strings.TrimPrefix(back, "starter ")))
}

func TestDeletedEndpointsAreGone(t *testing.T) {
	t.Parallel()
	s := leaving()
	s.Endpoints = []cmk.EndpointReport{{Region: "EU_WEST_1", Votes: []cmk.Vote{{By: "alex", Approved: true}}}}
	require.Contains(t, block(s, "cmk-x", began()), "  endpoint  EU_WEST_1  gone")
	require.NotContains(t, strings.Join(shownLines(s), "\n"), "EU_WEST_1")
}

func TestAnApprovalSaysWhoHasDecided(t *testing.T) {
	t.Parallel()
	s := leaving()
	s.Phase, s.Approvals = cmk.PhasePlanApproval, []cmk.Vote{{By: "alex", Approved: true}}
	s.Awaiting = []cmk.Wait{{For: cmk.AwaitingPlanApproval, What: "approval of plan 1f2e"}}
	got := startWith(t, &fake{status: &s}, "", "approve", project, "--by", "alex")
	require.Contains(t, got.out, "now in phase plan-approval, decided on by alex")
}
