package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// inbox is a receiver of notifications.
type inbox struct {
	mu  sync.Mutex
	all []cmk.Notification
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n cmk.Notification
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, n)
}

// has says whether such a notification has come.
func (i *inbox) has(such func(cmk.Notification) bool) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.ContainsFunc(i.all, such)
}

// told says whether a finding was opened, or closed.
func (i *inbox) told(code cmk.FindingCode, closed bool) bool {
	return i.has(func(n cmk.Notification) bool {
		of := n.Opened
		if closed {
			of = n.Closed
		}
		return slices.ContainsFunc(of, func(f cmk.Finding) bool { return f.Code == code })
	})
}

// watch watches project A, and looks every second.
func (s *stage) watch(repair ...cmk.Repair) client.WorkflowRun {
	s.t.Helper()
	const second = cmk.Duration(time.Second)
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{ID: cmk.WatchID(sim.ProjectA), TaskQueue: cmk.TaskQueue},
		cmk.WatchProject, cmk.WatchRequest{ProjectID: sim.ProjectA, WatchOptions: cmk.WatchOptions{
			Interval: second, Soon: second, Repair: repair, Requester: "requester",
		}})
	require.NoError(s.t, err)
	s.until(run, "watching", func(st cmk.Status) bool { return len(st.Endpoints) == 3 && st.Phase == cmk.PhaseWatching })
	return run
}

// standing is the endpoint of a region that is ACTIVE.
func standing(st cmk.Status, region string) string {
	for _, e := range st.Endpoints {
		if e.Region == region && e.Status == cmk.EndpointActive {
			return e.ID
		}
	}
	return ""
}

// An endpoint that Atlas recreates is noticed, told to the outside, approved by signal and seen ACTIVE, with nobody touching
// Atlas. While nothing changes, nothing is written to the history.
func TestWatchFollowsARecreatedEndpoint(t *testing.T) {
	t.Parallel()
	received := &inbox{}
	receiver := httptest.NewServer(received)
	t.Cleanup(receiver.Close)
	s := newStage(t, shared, sim.Options{World: grown(nil), Scale: 30}) // so that no look misses the recreation
	s.env["ATLAS_CMK_WEBHOOK_URL"], s.env["ATLAS_CMK_WEBHOOK_SECRET"] = receiver.URL, webhookSecret
	s.start()
	run := s.watch()
	require.Zero(t, s.eventsWhileLooking(run, "listGroupEncryptionAtRestPrivateEndpoints", 4), "a look that finds nothing new leaves no event")
	quiet := len(s.history(run).Events)

	s.act(atlassim.Act{Kind: atlassim.RejectEndpoint, Region: "EU_WEST_1"})
	asked := func(st cmk.Status) bool {
		return askedFor(cmk.AwaitingEndpointApproval)(st) && standing(st, "EU_WEST_1") != ""
	}
	st := s.until(run, "asking for the recreated endpoint, ACTIVE by then", asked)
	require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalApproveEndpoint,
		cmk.Decision{By: "approver", Endpoint: standing(st, "EU_WEST_1")}))
	s.until(run, "watching again", func(st cmk.Status) bool {
		return st.Phase == cmk.PhaseWatching && len(st.Awaiting) == 0 && len(st.Endpoints) == 3
	})
	require.Eventually(t, func() bool { return received.told(cmk.FindingEndpointRecreated, true) }, patience, 50*time.Millisecond)
	require.True(t, received.told(cmk.FindingEndpointRecreated, false))
	require.Empty(t, s.writes(), "the watch writes nothing")
	const most = 90 // of a recreation: some looks that differ, two notifications or three, one signal
	require.LessOrEqual(t, len(s.history(run).Events)-quiet, most)

	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
	_, failed := s.outcome(run)
	require.Equal(t, "Canceled", failed)
	s.record(run, "watch-recreated-endpoint")
}

// A watch repairs what it was told it may, once the change that holds the project lets go of it.
func TestWatchRepairsWhenNoChangeHoldsTheProject(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil)})
	s.start()
	run := s.watch(cmk.RepairRemakeFailed)
	change := s.begin(cmk.SafeDisableCMK, cmk.DisableRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA}})
	s.until(change, "waiting for its plan's approval", arrived(cmk.PhasePlanApproval))
	s.act(atlassim.Act{Kind: atlassim.FailEndpoint, Region: "EU_WEST_1", Message: "as it happens"})
	s.until(run, "attention", func(st cmk.Status) bool { return st.Phase == cmk.PhaseAttention })
	looks := s.eventsWhileLooking(run, "listGroupEncryptionAtRestPrivateEndpoints", 4)
	require.Empty(t, s.writes(), "the project is held by a change, after %d events", looks)

	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), change.GetID(), ""))
	s.outcome(change)
	// That nodes could not use the key stays a finding for an hour.
	s.until(run, "repaired", func(st cmk.Status) bool { return standing(st, "EU_WEST_1") != "" && len(st.Writes) > 0 })
	require.Len(t, s.writes(), 2, "one deletion and one creation")
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
	_, failed := s.outcome(run)
	require.Equal(t, "Canceled", failed)
	s.record(run, "watch-repaired")
}

// Every project of an organization that uses a key comes to be watched, one that is deleted is not any more, and with the
// organization's watch end those that it has begun, and no others.
func TestWatchOfAnOrganization(t *testing.T) {
	t.Parallel()
	const empty, keyless = "6a00000000000000000000cc", "6a00000000000000000000dd"
	config := grown(nil)
	other := config.Atlas.Projects[slices.IndexFunc(config.Atlas.Projects, func(p atlassim.Project) bool { return p.ID == sim.ProjectB })]
	config.Atlas.Projects = append(config.Atlas.Projects,
		atlassim.Project{ID: empty, Name: "empty", Encryption: other.Encryption}, atlassim.Project{ID: keyless, Name: "keyless"})
	for i := range config.Atlas.ServiceAccounts {
		a := &config.Atlas.ServiceAccounts[i]
		a.Roles = append(a.Roles, atlassim.Grant{Project: empty, Role: a.Roles[0].Role}, atlassim.Grant{Project: keyless, Role: a.Roles[0].Role})
	}
	s := newStage(t, shared, sim.Options{World: config, Scale: 30})
	s.start()
	byHand := s.watch()
	const second = cmk.Duration(time.Second)
	run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: cmk.OrganizationWatchID(sim.OrganizationID), TaskQueue: cmk.TaskQueue},
		cmk.WatchOrganization, cmk.OrganizationRequest{OrganizationID: sim.OrganizationID, ProjectsInterval: second})
	require.NoError(t, err)
	st := s.until(run, "watching", func(st cmk.Status) bool { return len(st.Watched) > 0 && st.Phase == cmk.PhaseWatching })
	require.Equal(t, []string{sim.ProjectA, sim.ProjectB, empty}, st.Watched)
	for _, id := range st.Watched {
		require.True(t, s.open(cmk.WatchID(id)), id)
	}
	require.False(t, s.open(cmk.WatchID(keyless)))

	lists := func() int { return s.asked("listGroups") }
	before, listed := len(s.history(run).Events), lists()
	require.Eventually(t, func() bool { return lists() >= listed+3 }, patience, 20*time.Millisecond)
	require.Len(t, s.history(run).Events, before, "a look that finds nothing new leaves no event")

	atlas, err := activities.AtlasAccess{BaseURL: s.world.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client(activities.Agent("test"))
	require.NoError(t, err)
	_, err = atlas.ProjectsApi.DeleteGroup(t.Context(), empty).Execute()
	require.NoError(t, err)
	s.until(run, "one project fewer", func(st cmk.Status) bool { return len(st.Watched) == 2 })
	require.Eventually(t, func() bool { return !s.open(cmk.WatchID(empty)) }, patience, 20*time.Millisecond)

	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
	_, failed := s.outcome(run)
	require.Equal(t, "Canceled", failed)
	require.Eventually(t, func() bool { return !s.open(cmk.WatchID(sim.ProjectB)) }, patience, 20*time.Millisecond)
	require.True(t, s.open(byHand.GetID()), "the organization's watch has not begun it")
	s.record(run, "watch-organization")
}

// asked is how often an operation of Atlas was called.
func (s *stage) asked(operation string) (n int) {
	for _, e := range s.world.Journal.Entries() {
		if e.Operation == operation {
			n++
		}
	}
	return n
}
