package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

func TestWatchesAreAddedRemovedAndListed(t *testing.T) {
	t.Parallel()
	f := &fake{workers: 1}
	got := startWith(t, f, "", "watch", "add", "--project-id", project, "--repair", "remake-failed,create-missing", "--interval", "10m", "--requester", "dana")
	require.Equal(t, exitDone, got.code, got.errors)
	sent := f.other.(cmk.WatchRequest)
	require.Equal(t, []cmk.Repair{cmk.RepairCreateMissing, cmk.RepairRemakeFailed}, sent.Repair)
	require.Equal(t, cmk.Duration(10*time.Minute), sent.Interval)

	for _, arg := range []string{project, "cmk-watch-" + project} {
		got = startWith(t, f, "", "watch", "remove", arg)
		require.Equal(t, exitDone, got.code, got.errors)
		require.Equal(t, "cmk-watch-"+project, f.cancelled)
	}
	got = startWith(t, &fake{sendError: &client.NotFoundError{WorkflowID: "cmk-watch-" + project}}, "", "watch", "remove", project)
	require.NotEqual(t, exitDone, got.code)
	require.Contains(t, got.errors, "cmk-watch-"+project)

	f.watches = []client.ProjectWatch{
		{Run: client.Run{WorkflowID: "cmk-watch-b"}, ProjectID: strings.Repeat("b", 24), Phase: cmk.PhaseAttention, Awaiting: cmk.AwaitingEndpointApproval},
		{Run: client.Run{WorkflowID: "cmk-watch-a"}, ProjectID: strings.Repeat("a", 24), Phase: cmk.PhaseWatching, Awaiting: cmk.AwaitingNothing},
	}
	got = startWith(t, f, "", "watch", "list")
	require.Equal(t, exitDone, got.code, got.errors)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[1], strings.Repeat("a", 24)+"  watching")
	require.Contains(t, lines[2], "attention  endpoint-approval")

	got = startWith(t, f, "", "watch", "list", "-o", "json")
	var listed []client.ProjectWatch
	require.NoError(t, json.Unmarshal([]byte(got.out), &listed))
	require.Len(t, listed, 2)
	got = startWith(t, &fake{}, "", "watch", "list", "-o", "json")
	require.Equal(t, "[]", strings.TrimSpace(got.out))
}

// An organization is watched by its own command line, and what is meant for one is not taken for a project.
func TestWatchesOfAnOrganization(t *testing.T) {
	t.Parallel()
	organization := strings.Repeat("c", 24)
	f := &fake{workers: 1}
	got := startWith(t, f, "", "watch", "add", "--org", organization, "--exclude", project, "--projects-interval", "30m", "--interval", "10m", "--requester", "dana")
	require.Equal(t, exitDone, got.code, got.errors)
	sent := f.other.(cmk.OrganizationRequest)
	require.Equal(t, organization, sent.OrganizationID)
	require.Equal(t, []string{project}, sent.Exclude)
	require.Equal(t, cmk.Duration(30*time.Minute), sent.ProjectsInterval)
	require.Equal(t, cmk.Duration(10*time.Minute), sent.Interval)
	require.Contains(t, got.out, "organization "+organization)

	got = startWith(t, f, "", "watch", "remove", "--org", organization)
	require.Equal(t, exitDone, got.code, got.errors)
	require.Equal(t, "cmk-watch-org-"+organization, f.cancelled)

	for _, args := range [][]string{
		{"add", "--org", organization, "--project-id", project},
		{"add", "--project-id", project, "--exclude", project},
		{"remove", "--org", organization, project},
		{"remove"},
	} {
		got = startWith(t, &fake{workers: 1}, "", append([]string{"watch"}, args...)...)
		require.Equal(t, exitInvalid, got.code, "%v: %s", args, got.errors)
	}
	got = startWith(t, &fake{workers: 1}, "", "watch", "add", "--org", "payments")
	require.Contains(t, got.errors, "organizationId")

	f.watches = []client.ProjectWatch{{Run: client.Run{WorkflowID: "cmk-watch-org-" + organization}, Organization: true, Phase: cmk.PhaseWatching}}
	require.Contains(t, startWith(t, f, "", "watch", "list").out, "(organization)")
}
