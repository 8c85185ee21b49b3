package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// An endpoint that is lost while a cluster re-syncs is shown and asked about, and no other cluster is switched meanwhile:
// one that Atlas recreates needs approval of its own, one that has failed is made anew, one that somebody has deleted only
// if people say so.
func TestEndpointLostWhileClustersSwitch(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(s *stage){
		"recreated": func(s *stage) { s.act(atlassim.Act{Kind: atlassim.RejectEndpoint, Region: "EU_WEST_1"}) },
		"failed":    func(s *stage) { s.act(atlassim.Act{Kind: atlassim.FailEndpoint, Region: "EU_WEST_1"}) },
		"gone": func(s *stage) {
			s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1", Status: "DELETING"})
			s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Slow enough for what happens to fall into the first cluster's re-sync.
			s := newStage(t, shared, sim.Options{Scale: scale / 3})
			s.env["ATLAS_CMK_POLL_IDLE"] = "100ms"
			s.start()
			run := s.enable(nil)
			s.approveAll(run)
			st := s.until(run, "switching", func(st cmk.Status) bool {
				return st.Phase == cmk.PhaseClusters && slices.ContainsFunc(st.Clusters, resyncing)
			})
			before := endpointIn(st, "EU_WEST_1")
			require.Equal(t, cmk.ApprovalApproved, before.Approval)
			lose(s)
			switch name {
			case "recreated":
				st = s.until(run, "asking anew", waitingForApproval)
				require.Equal(t, 1, switches(s), "no other cluster is switched")
				after := endpointIn(st, "EU_WEST_1")
				require.NotEqual(t, before.ID, after.ID)
				require.Equal(t, cmk.ApprovalWaiting, after.Approval)
				s.approveWhenAsked(run)
			case "gone":
				st = s.until(run, "asking what to do", askingPerson)
				require.Contains(t, st.Awaiting[0].What, "EU_WEST_1 is gone")
				require.Contains(t, st.Awaiting[0].Signal, cmk.SignalRetry)
				require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalRetry, cmk.Resolution{By: "ann"}))
				s.approveWhenAsked(run)
			}
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			require.NotEqual(t, before.ID, endpointIn(report.Status, "EU_WEST_1").ID)
			s.record(run, "enable-endpoint-"+name+"-while-switching")
		})
	}
}

func resyncing(c cmk.ClusterReport) bool { return c.State == cmk.ClusterUpdating }

func endpointIn(st cmk.Status, region string) cmk.EndpointReport {
	at := slices.IndexFunc(st.Endpoints, func(e cmk.EndpointReport) bool { return e.Region == region })
	return st.Endpoints[at]
}

// switches counts the clusters that have been asked to switch.
func switches(s *stage) (n int) {
	for _, w := range s.writes() {
		if strings.HasPrefix(w, "updateGroupCluster ") {
			n++
		}
	}
	return n
}

// An endpoint that Atlas does not get done in time is for a person to judge: to wait on, which the endpoint's coming makes
// needless, or to give up, which takes everything back.
func TestEndpointStuckAsksAPerson(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(s *stage){
		"comes": func(s *stage) { s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1"}) },
		"retry": nil,
		"abort": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := sim.DefaultConfig()
			config.Atlas.Durations.EndpointCreate = world.Always(2 * time.Hour) // longer than the deadline, at this scale
			s := newStage(t, shared, sim.Options{World: &config})
			s.start()
			before := s.readable()
			run := s.enable(func(r *cmk.EnableRequest) {
				r.Deadlines.Endpoint = cmk.Duration(3 * time.Second)
				r.Clusters.Names = []string{sim.ClusterEast}
			})
			s.until(run, "creating", func(st cmk.Status) bool {
				return len(st.Endpoints) == 3 && !slices.ContainsFunc(st.Endpoints, func(e cmk.EndpointReport) bool { return e.ID == "" })
			})
			s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1", Status: "INITIATING"})
			s.until(run, "seeing that", func(st cmk.Status) bool { return endpointIn(st, "EU_WEST_1").Status == cmk.EndpointInitiating })
			s.approveAll(run)
			st := s.until(run, "asking what to do", askingPerson)
			require.Contains(t, st.Awaiting[0].What, "INITIATING")
			if decide != nil {
				decide(s)
			} else {
				require.NoError(t, s.temporal.SignalWorkflow(t.Context(), run.GetID(), "", name, cmk.Resolution{By: "ann"}))
				s.until(run, "going on", func(st cmk.Status) bool { return !askingPerson(st) })
				s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1"})
			}
			report, failed := s.result(run)
			s.record(run, "enable-endpoint-stuck-"+name)
			if name == cmk.SignalAbort {
				require.Equal(t, cmk.ErrAborted, failed)
				require.Equal(t, cmk.PhaseCompensated, report.Phase)
				require.Equal(t, before, s.readable())
				return
			}
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
		})
	}
}

// A window that can be left neither way is told as open, once a person has given up on it.
func TestWindowLeftOpenIsTold(t *testing.T) {
	t.Parallel()
	config := grown(func(p *atlassim.Project) { p.Encryption.Private, p.Endpoints = false, nil })
	config.Atlas.Durations.EndpointCreate = world.Always(2 * time.Hour) // longer than the deadline, at this scale
	config.Faults = []fault.Rule{{System: "atlas", Operation: "requestGroupEncryptionAtRestPrivateEndpointDeletion", Kind: fault.Status, Status: 403}}
	s := newStage(t, shared, sim.Options{World: config})
	s.start()
	run := s.enable(func(r *cmk.EnableRequest) { r.Deadlines.Endpoint = cmk.Duration(time.Second) })
	s.approveAll(run)
	s.answer(run, "leave the window", cmk.SignalAbort)
	report, failed := s.outcome(run)
	require.Equal(t, cmk.ErrAborted, failed)
	require.Equal(t, cmk.StateWindow, report.State)
	require.Zero(t, report.Windows[0].Until)
	s.record(run, "enable-window-left-open")
}
