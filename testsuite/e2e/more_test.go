package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// frankfurt is a region in which the grown project has nothing yet, neither endpoint nor replica.
const frankfurt = "EU_CENTRAL_1"

// add starts AddPrivateEndpoints.
func (s *stage) add(change func(*cmk.AddRequest)) client.WorkflowRun {
	s.t.Helper()
	s.act(atlassim.Act{Kind: atlassim.Own, Role: grownRoleName})
	request := cmk.AddRequest{ProjectID: sim.ProjectA, Regions: []string{"eu-central-1"}, Replicas: cmk.ReplicasCreate, Requester: "requester"}
	if change != nil {
		change(&request)
	}
	return s.begin(cmk.AddPrivateEndpoints, request)
}

// encrypt starts EncryptClusters.
func (s *stage) encrypt(change func(*cmk.EncryptRequest)) client.WorkflowRun {
	s.t.Helper()
	request := cmk.EncryptRequest{ProjectID: sim.ProjectA, Requester: "requester"}
	if change != nil {
		change(&request)
	}
	return s.begin(cmk.EncryptClusters, request)
}

// westOff has cluster west off the key.
func westOff(p *atlassim.Project) {
	for i, c := range p.Clusters {
		if c.Name == sim.ClusterWest {
			p.Clusters[i].Provider = ""
		}
	}
}

// withoutEndpoint takes the endpoint of a region away.
func withoutEndpoint(region string) func(*atlassim.Project) {
	return func(p *atlassim.Project) {
		p.Endpoints = slices.DeleteFunc(p.Endpoints, func(e atlassim.Endpoint) bool { return e.Region == region })
	}
}

func TestAddPrivateEndpoints(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil)})
	s.start()
	run := s.add(nil)
	st := s.until(run, "waiting for approval", waitingForApproval)
	require.Equal(t, frankfurt, st.Awaiting[0].Region)
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Len(t, report.Endpoints, 1)
	require.Equal(t, cmk.EndpointActive, report.Endpoints[0].Status)
	require.Len(t, s.writes(), 3, "a replica, the role's use of it, and an endpoint: %v", s.writes())
	require.Len(t, report.Writes, 3)
	s.eventsAtMost(run, 120)
	s.record(run, "add")

	again := s.add(nil)
	report, failed = s.result(again)
	require.Empty(t, failed, report.Problem)
	require.Empty(t, report.Writes)
	require.Len(t, s.writes(), 3)
	s.record(again, "add-done-already")
}

// What was added is taken back when the change is cancelled or rejected, but for the replica, which nothing here takes
// back, and for an endpoint through which a cluster reaches its key.
func TestAddTakenBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *stage, run client.WorkflowRun) string{
		"cancelled": func(s *stage, run client.WorkflowRun) string {
			require.NoError(s.t, s.temporal.CancelWorkflow(s.t.Context(), run.GetID(), run.GetRunID()))
			return "Canceled"
		},
		"rejected": func(s *stage, run client.WorkflowRun) string {
			require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), run.GetID(), "", cmk.SignalRejectEndpoint, cmk.Decision{By: "approver", Region: frankfurt}))
			return cmk.ErrRejected
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(withoutEndpoint("EU_WEST_1"))})
			s.start()
			run := s.add(func(r *cmk.AddRequest) { r.Regions = append(r.Regions, "eu-west-1") })
			s.until(run, "waiting for approval of endpoints", func(st cmk.Status) bool {
				return waitingForApproval(st) && len(st.Endpoints) == 2 && st.Endpoints[0].ID != "" && st.Endpoints[1].ID != ""
			})
			want := end(s, run)
			report, failed := s.outcome(run)
			require.Equal(t, want, failed, report.Problem)
			require.Equal(t, cmk.PhaseCompensated, report.Phase)
			s.record(run, "add-"+name)
			var regions []string
			for _, e := range s.project().Endpoints {
				regions = append(regions, e.Region)
			}
			require.ElementsMatch(t, []string{"EU_WEST_1", "US_EAST_1", "US_WEST_2"}, regions, "the path of cluster ireland stays")
			require.Contains(t, strings.Join(report.Keep, "\n"), "EU_WEST_1")
			require.Empty(t, s.world.Violations())
		})
	}
}

// What adds to a project says at once where there is nothing to add to, and writes nothing.
func TestAddNeedsAnEnabledProject(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world   *sim.Config
		project string
		code    cmk.FindingCode
	}{
		"not enabled":    {nil, sim.ProjectA, cmk.FindingNotEnabled},
		"credentials":    {nil, sim.ProjectB, cmk.FindingEnabledWithCredentials},
		"networking off": {grown(func(p *atlassim.Project) { p.Encryption.Private, p.Endpoints = false, nil }), sim.ProjectA, cmk.FindingNetworkingOff},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: c.world})
			s.start()
			for kind, begin := range map[string]func() client.WorkflowRun{
				"add":     func() client.WorkflowRun { return s.add(func(r *cmk.AddRequest) { r.ProjectID = c.project }) },
				"encrypt": func() client.WorkflowRun { return s.encrypt(func(r *cmk.EncryptRequest) { r.ProjectID = c.project }) },
			} {
				run := begin()
				report, failed := s.result(run)
				require.Equal(t, cmk.ErrPreflightFailed, failed)
				require.Equal(t, c.code, report.Findings[0].Code)
				s.record(run, kind+"-"+strings.ReplaceAll(name, " ", "-"))
			}
			require.Empty(t, s.writes())
		})
	}
}

func TestEncryptClusters(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(westOff)})
	s.act(atlassim.Act{Kind: atlassim.Approve}) // all are in use: nobody is asked again
	s.start()
	run := s.encrypt(nil)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Len(t, report.Writes, 1)
	require.Len(t, s.writes(), 1, "%v", s.writes())
	for _, c := range s.project().Clusters {
		require.Equal(t, cmk.ProviderAWS, c.Provider, c.Name)
	}
	s.eventsAtMost(run, 80)
	s.record(run, "encrypt")

	again := s.encrypt(nil)
	report, failed = s.result(again)
	require.Empty(t, failed, report.Problem)
	require.Empty(t, report.Writes)
	s.record(again, "encrypt-done-already")
}

// An endpoint that no cluster relies on yet is asked for; where there is none, nothing is switched, and a cluster that does
// not exist yet is told how to be created.
func TestEncryptReliesOnApprovedEndpoints(t *testing.T) {
	t.Parallel()
	world := grown(func(p *atlassim.Project) {
		unswitched(p)
		withoutEndpoint("EU_WEST_1")(p)
	})
	s := newStage(t, shared, sim.Options{World: world})
	s.start()
	run := s.encrypt(func(r *cmk.EncryptRequest) { r.DryRun, r.PlannedRegions = true, []string{"us-east-1", "us-west-2"} })
	report, failed := s.outcome(run)
	require.Empty(t, failed)
	codes := func() (all []cmk.FindingCode) {
		for _, f := range report.Findings {
			all = append(all, f.Code)
		}
		return all
	}
	require.Contains(t, codes(), cmk.FindingClusterUncovered)
	require.Contains(t, codes(), cmk.FindingPlannedCovered)
	run = s.encrypt(func(r *cmk.EncryptRequest) { r.DryRun, r.PlannedRegions = true, []string{"us-east-1", "eu-west-1"} })
	report, failed = s.outcome(run)
	require.Empty(t, failed)
	require.Contains(t, codes(), cmk.FindingPlannedUncovered)
	run = s.encrypt(nil)
	report, failed = s.result(run)
	require.Equal(t, cmk.ErrPreflightFailed, failed)
	require.Empty(t, s.writes())

	run = s.encrypt(func(r *cmk.EncryptRequest) { r.Clusters.Names = []string{sim.ClusterWest} })
	s.until(run, "waiting for approval", waitingForApproval)
	require.Empty(t, s.writes())
	s.approveAll(run)
	report, failed = s.result(run)
	require.Empty(t, failed, report.Problem)
	require.Len(t, s.writes(), 1)
	s.record(run, "encrypt-approved")
}

// The worker is killed at every write of what adds to a project; the run ends as if nothing had happened.
func TestMoreCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world  func(*atlassim.Project)
		begin  func(*stage) client.WorkflowRun
		writes int
	}{
		"add":     {nil, func(s *stage) client.WorkflowRun { return s.add(nil) }, 3},
		"encrypt": {twoOff, func(s *stage) client.WorkflowRun { return s.encryptAll() }, encryptWrites},
	} {
		for n := range c.writes {
			for _, when := range moments(n + 1) {
				t.Run(fmt.Sprintf("%s-%d-%s", name, n+1, when), func(t *testing.T) {
					t.Parallel()
					s := newStage(t, shared, sim.Options{World: grown(c.world)})
					crashed := s.dieAt(n+1, when)
					s.start()
					run := c.begin(s)
					s.approveAll(run)
					<-crashed
					s.start()
					report, failed := s.result(run)
					require.Empty(t, failed, report.Problem)
					require.True(t, report.Verified)
					require.Len(t, report.Writes, c.writes)
					require.Len(t, s.writes(), c.writes, "%v", s.writes())
				})
			}
		}
	}
}
