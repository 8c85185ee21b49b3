package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

func (s *stage) leaveNetworking(change func(*cmk.NetworkingRequest)) client.WorkflowRun {
	s.t.Helper()
	request := cmk.NetworkingRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA, Requester: "requester"}}
	if change != nil {
		change(&request)
	}
	return s.begin(cmk.DisablePrivateNetworking, request)
}

func TestNetworking(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(searching)})
	s.start()
	run := s.leaveNetworking(nil)
	s.approvePlan(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	s.record(run, "networking")
	require.True(t, report.Verified)
	require.Equal(t, cmk.StatePublic, report.State)
	require.Len(t, report.Windows, 1)
	require.False(t, report.Windows[0].Until.IsZero())
	require.Len(t, report.Writes, 4)
	require.Len(t, s.writes(), 4)
	require.True(t, s.project().Encryption.Valid)
	require.False(t, s.project().Encryption.Private)
	require.True(t, s.project().SearchNodes)
	require.Empty(t, s.project().Endpoints)

	again := s.leaveNetworking(nil)
	report, failed = s.result(again)
	require.Empty(t, failed, report.Problem)
	require.Len(t, s.writes(), 4, "a finished change that is run again writes nothing")
	s.record(again, "networking-done-already")
}

// Inside the window a cancellation is held; what follows is up to onFailure.
func TestNetworkingCancelledInWindow(t *testing.T) {
	t.Parallel()
	for _, onFailure := range []cmk.OnFailure{cmk.Stop, cmk.Restore} {
		t.Run(string(onFailure), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(nil), Scale: 300})
			s.start()
			run := s.leaveNetworking(func(r *cmk.NetworkingRequest) { r.OnFailure = onFailure })
			s.approvePlan(run)
			s.until(run, "in the window", func(st cmk.Status) bool { return st.State == cmk.StateWindow })
			require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			report, failed := s.result(run)
			require.Equal(t, "Canceled", failed)
			s.record(run, "networking-cancelled-"+string(onFailure))
			require.Equal(t, onFailure == cmk.Restore, s.project().Encryption.Private)
			if onFailure == cmk.Restore {
				require.Equal(t, cmk.PhaseCompensated, report.Phase)
				require.Equal(t, cmk.StateOn, report.State)
				require.Len(t, s.project().Endpoints, 3)
				require.Len(t, report.Windows, 2)
				return
			}
			require.Equal(t, cmk.PhaseStopped, report.Phase)
			require.Equal(t, cmk.StatePublic, report.State)
			require.Empty(t, s.project().Endpoints)
		})
	}
}

// An endpoint that Atlas recreates inside the window is deleted too.
func TestNetworkingRecreatedInWindow(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil), Scale: 200})
	s.start()
	run := s.leaveNetworking(nil)
	s.approvePlan(run)
	s.until(run, "in the window", func(st cmk.Status) bool { return st.State == cmk.StateWindow })
	require.Eventually(t, func() bool { return len(s.writes()) == 3 }, patience, 5*time.Millisecond)
	s.act(atlassim.Act{Kind: atlassim.RejectEndpoint, Region: "US_WEST_2"})
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	s.record(run, "networking-recreated")
	require.Empty(t, s.project().Endpoints)
	require.GreaterOrEqual(t, len(report.Writes), 4)
}

func (s *stage) remove(endpoints cmk.EndpointSelection) client.WorkflowRun {
	s.t.Helper()
	return s.begin(cmk.RemovePrivateEndpoints, cmk.RemoveRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA}, Endpoints: endpoints})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	idle := func(p *atlassim.Project) {
		unswitched(p)
		p.Clusters[0].Provider = cmk.ProviderAWS // in US_EAST_1
	}
	t.Run("in-use", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, shared, sim.Options{World: grown(idle)})
		s.start()
		run := s.remove(cmk.EndpointSelection{All: true})
		report, failed := s.result(run)
		require.Equal(t, cmk.ErrPreflightFailed, failed)
		require.Equal(t, []cmk.FindingCode{cmk.FindingEndpointInUse}, errorCodes(report))
		require.Empty(t, s.writes())
		s.record(run, "remove-in-use")
	})
	t.Run("regions", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, shared, sim.Options{World: grown(idle)})
		s.start()
		run := s.remove(cmk.EndpointSelection{Regions: []string{"eu-west-1", "US_WEST_2"}})
		s.approvePlan(run)
		report, failed := s.result(run)
		require.Empty(t, failed, report.Problem)
		s.record(run, "remove-regions")
		require.Len(t, report.Writes, 2)
		require.Len(t, s.writes(), 2)
		require.Len(t, s.project().Endpoints, 1)
		require.Empty(t, report.Windows)
	})
	for _, released := range []bool{true, false} {
		t.Run(fmt.Sprintf("stuck-released-%t", released), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(unswitched)})
			s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1", Status: "INITIATING"})
			s.start()
			request := cmk.RemoveRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectA}, Endpoints: cmk.EndpointSelection{All: true}}
			if !released {
				request.Deadlines.Endpoint = cmk.Duration(2 * time.Second)
			}
			run := s.begin(cmk.RemovePrivateEndpoints, request)
			s.approvePlan(run)
			if released { // else the wait may be over before anybody has looked
				s.until(run, "waiting for the endpoint", awaits(cmk.AwaitingReadiness))
				require.Empty(t, s.writes())
				s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1"})
				report, failed := s.result(run)
				require.Empty(t, failed, report.Problem)
				require.Empty(t, s.project().Endpoints)
			} else {
				_, failed := s.outcome(run)
				require.Equal(t, cmk.ErrExpired, failed)
				require.Empty(t, s.writes())
			}
			s.record(run, fmt.Sprintf("remove-stuck-released-%t", released))
		})
	}
	t.Run("recreated", func(t *testing.T) {
		t.Parallel()
		config := grown(unswitched)
		config.Atlas.Durations.NodeRestart = world.Always(20 * time.Minute)
		s := newStage(t, shared, sim.Options{World: config})
		s.start()
		run := s.remove(cmk.EndpointSelection{Regions: []string{"US_WEST_2"}})
		s.until(run, "at the gate", arrived(cmk.PhasePlanApproval))
		loseWest(s)
		s.act(atlassim.Act{Kind: atlassim.ScaleCluster, Cluster: sim.ClusterWest, Size: "M40"})
		s.approvePlan(run)
		s.until(run, "waiting for the cluster that may need its key", awaits(cmk.AwaitingCalm))
		require.Empty(t, s.writes())
		report, failed := s.result(run)
		require.Empty(t, failed, report.Problem)
		s.record(run, "remove-recreated-while-a-cluster-changes")
		require.Len(t, s.project().Endpoints, 2)
	})
}
