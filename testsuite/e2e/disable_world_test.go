package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// assume sets what is assumed of Atlas.
func (s *stage) assume(settings string) {
	s.act(atlassim.Act{Kind: atlassim.Assume, Settings: json.RawMessage(settings)})
}

func awaits(what cmk.Awaiting) func(cmk.Status) bool {
	return func(st cmk.Status) bool {
		return slices.ContainsFunc(st.Awaiting, func(w cmk.Wait) bool { return w.For == what })
	}
}

// An endpoint that cannot be deleted keeps all of them: nothing is deleted until it can be, or the deadline has passed.
func TestDisableStuckEndpoint(t *testing.T) {
	t.Parallel()
	for _, released := range []bool{true, false} {
		t.Run(fmt.Sprintf("released-%t", released), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(nil)})
			s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1", Status: "INITIATING"})
			s.start()
			run := s.disable(func(r *cmk.DisableRequest) {
				if !released {
					r.Deadlines.Endpoint = cmk.Duration(2 * time.Second)
				}
			})
			s.approvePlan(run)
			if released { // else the wait may be over before anybody has looked
				s.until(run, "waiting for the endpoint", awaits(cmk.AwaitingReadiness))
				s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1"})
				report, failed := s.result(run)
				require.Empty(t, failed, report.Problem)
				s.off()
			} else {
				report, failed := s.outcome(run)
				require.Equal(t, cmk.ErrExpired, failed)
				require.Equal(t, cmk.PhaseRefused, report.Phase)
				require.Empty(t, s.writes())
				require.Empty(t, s.world.Violations())
			}
			s.record(run, fmt.Sprintf("disable-stuck-endpoint-released-%t", released))
		})
	}
}

// What happens at the gate is seen before the window: an endpoint that Atlas recreates is waited for and goes too,
// maintenance is waited for.
func TestDisableThingsBegin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ begin, end *atlassim.Act }{
		"recreated":   {begin: &atlassim.Act{Kind: atlassim.RejectEndpoint, Region: "US_WEST_2"}},
		"maintenance": {begin: &atlassim.Act{Kind: atlassim.StartMaintenance}, end: &atlassim.Act{Kind: atlassim.StopMaintenance}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(nil)})
			s.start()
			run := s.disable(nil)
			s.until(run, "at the gate", arrived(cmk.PhasePlanApproval))
			s.act(*c.begin)
			s.approvePlan(run)
			if c.end != nil {
				s.until(run, "waiting", awaits(cmk.AwaitingCalm))
				require.Empty(t, s.writes())
				s.act(*c.end)
			}
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			require.Equal(t, cmk.StateOff, report.State)
			s.record(run, "disable-"+name)
			s.off()
		})
	}
}

// A window that does not end is left backwards: the endpoints come back, clusters have their path again.
func TestDisableWindowLeftBackwards(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(nil), Scale: 200})
	s.start()
	run := s.disable(func(r *cmk.DisableRequest) { r.Deadlines.Window = cmk.Duration(3 * time.Second) })
	s.approvePlan(run)
	s.until(run, "in the window", arrived(cmk.PhaseWindow))
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(s.project().Endpoints, func(e atlassim.EndpointState) bool { return e.Status == "DELETING" && e.Region == "EU_WEST_1" })
	}, patience, 5*time.Millisecond)
	s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1", Status: "DELETING"})
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()), "which is held")
	s.until(run, "on the way back", func(st cmk.Status) bool { return st.Problem != "" })
	s.act(atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "EU_WEST_1"})
	report, failed := s.result(run)
	require.Equal(t, "Canceled", failed)
	s.record(run, "disable-window-left-backwards")
	require.Equal(t, cmk.StateOn, report.State)
	require.True(t, s.project().Encryption.Private)
	require.Len(t, s.project().Endpoints, 3)
	require.Len(t, report.Windows, 1)
}

// A cluster that somebody creates on the key in the middle keeps the project's key until people agree to switch it too.
func TestDisableClusterAppears(t *testing.T) {
	t.Parallel()
	for _, order := range []cmk.DisableOrder{cmk.OrderPage, cmk.OrderKeepPrivatePath} {
		t.Run(string(order), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(nil)})
			s.start()
			run := s.disable(func(r *cmk.DisableRequest) { r.Order = order })
			first := s.approvePlan(run)
			s.until(run, "switching clusters", arrived(cmk.PhaseClusters))
			s.act(atlassim.Act{Kind: atlassim.AddCluster, Add: &atlassim.Cluster{
				Name: "late", Provider: cmk.ProviderAWS, Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}},
			}})
			s.approvePlan(run, first)
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			s.record(run, "disable-cluster-appears-"+string(order))
			require.Len(t, report.Clusters, 5)
			s.off()
		})
	}
}

func TestDisablePausedCluster(t *testing.T) {
	t.Parallel()
	for _, resume := range []bool{true, false} {
		t.Run(fmt.Sprintf("resume-%t", resume), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(func(p *atlassim.Project) { p.Clusters[1].Paused = true })})
			s.start()
			run := s.disable(func(r *cmk.DisableRequest) { r.ResumePaused = resume })
			if !resume {
				report, failed := s.result(run)
				require.Equal(t, cmk.ErrPreflightFailed, failed)
				require.Equal(t, []cmk.FindingCode{cmk.FindingClusterPaused}, errorCodes(report))
				require.Empty(t, s.writes())
			} else {
				s.approvePlan(run)
				report, failed := s.result(run)
				require.Empty(t, failed, report.Problem)
				require.Len(t, report.Writes, len(s.writes()))
				s.off()
			}
			s.record(run, fmt.Sprintf("disable-paused-resume-%t", resume))
		})
	}
}

func errorCodes(r cmk.Report) []cmk.FindingCode {
	var codes []cmk.FindingCode
	for _, f := range r.Findings {
		if f.Severity == cmk.SeverityError {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

// What nobody knows of Atlas: it may refuse either order.
func TestDisableRefusedOrders(t *testing.T) {
	t.Parallel()
	t.Run("clusters-off-with-endpoints", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, shared, sim.Options{World: grown(searching)})
		s.assume(`{"clusterOffWithEndpointsRefused": true}`)
		s.start()
		run := s.disable(func(r *cmk.DisableRequest) { r.Order = cmk.OrderKeepPrivatePath })
		first := s.approvePlan(run)
		s.approvePlan(run, first)
		report, failed := s.result(run)
		require.Empty(t, failed, report.Problem)
		require.Len(t, report.Windows, 1)
		require.Len(t, report.Writes, len(s.writes()))
		s.off()
		s.record(run, "disable-keep-falls-back")
	})
	t.Run("delete-in-use", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, shared, sim.Options{World: grown(nil)})
		s.assume(`{"deleteInUseRefused": true}`)
		s.start()
		run := s.disable(nil)
		s.approvePlan(run)
		report, failed := s.result(run)
		require.Equal(t, "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_IN_USE", failed)
		require.Equal(t, cmk.PhaseRefused, report.Phase)
		require.Equal(t, cmk.StateOn, report.State)
		require.Empty(t, s.writes())
		s.record(run, "disable-delete-in-use-refused")
	})
	for _, settings := range []string{
		`{"providerShownAtOnce": false}`, `{"omittedPrivateNetworkingKept": true}`, `{"disableWithClustersRefused": false}`,
		`{"noComplianceNotFound": true}`, `{"publicPathCut": false}`, `{"validSeesDataPlane": true}`,
	} {
		t.Run(settings[2:len(settings)-2], func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(searching)})
			s.assume(settings)
			s.start()
			run := s.disable(nil)
			s.approvePlan(run)
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			s.off()
		})
	}
}

// What stands in the way is found before anything is written.
func TestDisablePreflight(t *testing.T) {
	t.Parallel()
	root := fmt.Sprintf(`{"Sid":"Root","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"kms:*","Resource":"*"}`, awssim.CustomerAccount)
	key := func(statements string) sim.Act {
		return sim.Act{Act: atlassim.Act{Kind: sim.PutKeyPolicy, Region: "us-east-1"}, Key: awssim.MultiRegionKeyARN, Policy: `{"Version":"2012-10-17","Statement":[` + root + `,` + statements + `]}`}
	}
	deny := func(condition string) sim.Act {
		return key(fmt.Sprintf(`{"Sid":"Lock","Effect":"Deny","Principal":{"AWS":%q},"Action":"kms:Decrypt","Resource":"*","Condition":%s}`, grownRoleARN, condition))
	}
	for name, c := range map[string]struct {
		project func(*atlassim.Project)
		act     *sim.Act
		want    cmk.FindingCode
	}{
		"vpce-only":    {act: ptr(deny(`{"StringNotLike":{"aws:SourceVpce":"vpce-*"},"Bool":{"aws:ViaAWSService":"false"}}`)), want: cmk.FindingPublicPathClosed},
		"ip-condition": {act: ptr(deny(`{"NotIpAddress":{"aws:SourceIp":["3.92.113.229/32"]},"Null":{"aws:SourceVpce":"true"}}`)), want: cmk.FindingPublicPathClosed},
		"compliance": {project: func(p *atlassim.Project) {
			p.Compliance = &atlassim.Compliance{Email: "a@b.c", FirstName: "A", LastName: "B", Encryption: true}
		}, want: cmk.FindingBackupCompliance},
		"key-disabled": {act: &sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "us-east-1"}, Key: awssim.MultiRegionKeyARN}, want: cmk.FindingSettingsInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: grown(c.project)})
			if c.act != nil {
				require.NoError(t, s.world.Act(*c.act))
				require.NoError(t, s.world.Act(sim.Act{Act: atlassim.Act{Kind: atlassim.Approve, Project: sim.ProjectA}}))
			}
			s.start()
			run := s.disable(nil)
			report, failed := s.outcome(run)
			require.Equal(t, cmk.ErrPreflightFailed, failed)
			require.Contains(t, errorCodes(report), c.want, report.Problem)
			require.Empty(t, s.writes())
			s.record(run, "disable-refused-"+name)
		})
	}
}

func ptr[T any](v T) *T { return &v }
