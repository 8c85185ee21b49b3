package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

const (
	nextKeyID  = "mrk-00000000000000000000000000002027"
	nextKeyARN = "arn:aws:kms:us-east-1:" + awssim.CustomerAccount + ":key/" + nextKeyID
	// rotationWrites is what a rotation writes: the role's use of the key, and the rotation.
	rotationWrites = 2
)

// nextKey is a grown world with another multi-Region key, in the same regions.
func nextKey(change func(*atlassim.Project)) *sim.Config {
	config := grown(change)
	account := &config.AWS.Accounts[0]
	account.Keys = append(account.Keys, awssim.Key{
		ID: nextKeyID, Region: "us-east-1", Replicas: []awssim.Replica{{Region: "us-west-2"}, {Region: "eu-west-1"}},
	})
	return config
}

// rotate starts a rotation that needs seconds where life takes an hour.
func (s *stage) rotate(change func(*cmk.RotateRequest)) client.WorkflowRun {
	s.t.Helper()
	const second = cmk.Duration(1e9)
	request := cmk.RotateRequest{ProjectID: sim.ProjectA, Key: nextKeyARN, Requester: "requester", Rest: second, Settle: second}
	if change != nil {
		change(&request)
	}
	return s.begin(cmk.RotateKey, request)
}

func TestRotate(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: nextKey(nil)})
	s.start()
	run := s.rotate(nil)
	s.approvePlan(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Len(t, report.Writes, rotationWrites)
	require.Len(t, s.writes(), rotationWrites)
	require.Equal(t, nextKeyARN, s.project().Encryption.Key)
	require.True(t, s.project().Encryption.Private)
	require.Len(t, report.Rotation.FormerKeyARNs, 3, "the role goes on having the use of the former key")
	require.Equal(t, awssim.MultiRegionKeyARN, report.Rotation.FormerKey)
	require.Equal(t, grownRoleARN, report.Rotation.RoleARN)
	require.Contains(t, strings.Join(report.Keep, "\n"), "former KMS key "+awssim.MultiRegionKeyARN)
	s.eventsAtMost(run, 165)
	s.record(run, "rotate")

	again := s.rotate(nil)
	report, failed = s.result(again)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Empty(t, report.Writes)
	require.Len(t, s.writes(), rotationWrites, "a finished rotation that is run again writes nothing")
	s.record(again, "rotate-done-already")
}

// The role's use of the former key is retired after the rotation, once no snapshot from before is left, by an approval of its
// own; the worker is killed as the answer to that one write is lost. The use of the other key is not touched.
func TestRotateThenRetire(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: nextKey(func(p *atlassim.Project) {
		p.Clusters[0].Backup = true
		p.Clusters[0].Snapshots = []atlassim.Snapshot{{Age: time.Hour, Retention: 4 * time.Hour}}
	})})
	s.act(atlassim.Act{Kind: atlassim.Own, Role: grownRoleName})
	writes := &gate{}
	s.guard(writes)
	s.start()
	run := s.rotate(func(r *cmk.RotateRequest) { r.Retire = cmk.RetireAfter{Start: true, RetireOptions: quick()} })
	s.approvePlan(run)
	report, failed := s.outcome(run)
	require.Empty(t, failed, report.Problem)
	s.record(run, "rotate-then-retire")
	former := report.Rotation.FormerKeyARNs
	request := cmk.RetireRequest{RoleARN: grownRoleARN, KeyARNs: former, ProjectIDs: []string{sim.ProjectA}}
	require.Contains(t, strings.Join(report.Keep, "\n"), request.ID())

	retirement := s.temporal.GetWorkflow(t.Context(), request.ID(), "")
	st := s.until(retirement, "asking for the withdrawal", askedFor(cmk.AwaitingDeletionApproval))
	crashed := make(chan struct{})
	writes.arm(1, afterWrite, func() {
		s.worker.Kill()
		close(crashed)
	})
	require.NoError(t, s.temporal.SignalWorkflow(t.Context(), retirement.GetID(), "", cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash}))
	<-crashed
	s.start()
	report, failed = s.result(retirement)
	require.Empty(t, failed, report.Problem)
	require.Len(t, report.Writes, 1)
	require.Len(t, s.writes(), rotationWrites+1)
	s.record(retirement, "retire-grant")
	roles := s.world.State().AWS.Roles
	policy := roles[slices.IndexFunc(roles, func(r awssim.EntityState) bool { return r.ARN == grownRoleARN })].Inline["atlas-cmk-"+sim.ProjectA]
	require.Contains(t, policy, nextKeyID)
	for _, arn := range former {
		require.NotContains(t, policy, arn)
	}
}

// Only the region is another: the key keeps its spelling, and nothing is granted that was granted already.
func TestRotateToAnotherRegion(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(func(p *atlassim.Project) { p.Encryption.Key = awssim.MultiRegionKeyID })})
	s.start()
	run := s.rotate(func(r *cmk.RotateRequest) { r.Key, r.KeyRegion = "", "us-west-2" })
	s.approvePlan(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Len(t, s.writes(), 1)
	require.Equal(t, awssim.MultiRegionKeyID, s.project().Encryption.Key)
	require.Equal(t, "US_WEST_2", s.project().Encryption.Region)
	s.record(run, "rotate-to-another-region")
}

// The worker is killed before and after every write, and after its answer.
func TestRotateCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	for n := 1; n <= rotationWrites; n++ {
		for _, when := range moments(n) {
			t.Run(fmt.Sprintf("%d-%s", n, when), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, shared, sim.Options{World: nextKey(nil)})
				crashed := s.dieAt(n, when)
				s.start()
				run := s.rotate(nil)
				s.approvePlan(run)
				<-crashed
				s.start()
				report, failed := s.result(run)
				require.Empty(t, failed, report.Problem)
				require.True(t, report.Verified)
				require.Len(t, report.Writes, rotationWrites)
				require.Len(t, s.writes(), rotationWrites)
			})
		}
	}
}

// Cancelled before Atlas is told of the key, the rotation takes the grant back, if it was given without anybody knowing
// too; after it, it closes as cancelled with the project on the key.
func TestRotateCancelledAfterLostAnswer(t *testing.T) {
	t.Parallel()
	for n := 1; n <= rotationWrites; n++ {
		if !chosen(n) {
			continue
		}
		t.Run(fmt.Sprintf("write-%d", n), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: nextKey(nil)})
			before := s.readable()
			crashed := s.dieAt(n, afterWrite)
			s.start()
			run := s.rotate(nil)
			s.approvePlan(run)
			<-crashed
			require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			s.start()
			report, failed := s.result(run)
			require.Equal(t, "Canceled", failed)
			s.record(run, fmt.Sprintf("rotate-cancelled-after-write-%d", n))
			if n < rotationWrites {
				require.Equal(t, cmk.PhaseCompensated, report.Phase)
				require.Equal(t, before, s.readable())
				return
			}
			require.Equal(t, cmk.PhaseStopped, report.Phase)
			require.Equal(t, nextKeyARN, s.project().Encryption.Key)
			require.Equal(t, awssim.MultiRegionKeyARN, report.Rotation.FormerKey)
			require.Len(t, s.writes(), rotationWrites)
		})
	}
}

// A paused cluster would go on needing the former key: it is an error, or resumed first.
func TestRotatePausedCluster(t *testing.T) {
	t.Parallel()
	for _, resume := range []bool{true, false} {
		t.Run(fmt.Sprintf("resume-%t", resume), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: nextKey(func(p *atlassim.Project) { p.Clusters[1].Paused = true })})
			s.start()
			run := s.rotate(func(r *cmk.RotateRequest) { r.ResumePaused = resume })
			if resume {
				s.approvePlan(run)
			}
			report, failed := s.result(run)
			s.record(run, fmt.Sprintf("rotate-paused-resume-%t", resume))
			if !resume {
				require.Equal(t, cmk.ErrPreflightFailed, failed)
				require.Equal(t, []cmk.FindingCode{cmk.FindingClusterPaused}, errorCodes(report))
				require.Empty(t, s.writes())
				return
			}
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			require.Len(t, s.writes(), rotationWrites+1)
		})
	}
}

// The role is prepared by others: what it needs is shown, and awaited.
func TestRotateRoleReadOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: nextKey(nil)})
	s.start()
	run := s.rotate(func(r *cmk.RotateRequest) { r.RoleMode = cmk.RoleReadOnly })
	s.approvePlan(run)
	st := s.until(run, "waiting for the role", awaits(cmk.AwaitingIAM))
	require.Len(t, st.Documents, 1)
	require.Contains(t, st.Documents[0].Text, nextKeyID)
	require.Contains(t, st.Documents[0].Text, awssim.MultiRegionKeyID, "the former key stays")
	require.Empty(t, s.writes())
	require.NoError(t, s.world.Act(sim.Act{Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: grownRoleARN, Name: "atlas-cmk-" + sim.ProjectA, Policy: st.Documents[0].Text}))
	s.say(run, cmk.SignalIAMReady)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Len(t, report.Writes, 1)
	s.record(run, "rotate-role-read-only")
}

// A replica that the key lacks is an error, or made first; the worker is killed as the answer to that is lost. It is not taken
// back: a rotation that is cancelled then says that it stays.
func TestRotateMakesAMissingReplica(t *testing.T) {
	t.Parallel()
	for _, cancel := range []bool{true, false} {
		t.Run(fmt.Sprintf("cancelled-%t", cancel), func(t *testing.T) {
			t.Parallel()
			config := nextKey(nil)
			keys := config.AWS.Accounts[0].Keys
			keys[len(keys)-1].Replicas = []awssim.Replica{{Region: "us-west-2"}}
			s := newStage(t, shared, sim.Options{World: config})
			crashed := s.dieAt(1, afterWrite)
			s.start()
			report, failed := s.result(s.rotate(nil))
			require.Equal(t, cmk.ErrPreflightFailed, failed)
			require.Equal(t, []cmk.FindingCode{cmk.FindingReplicaMissing}, errorCodes(report))
			require.Empty(t, s.writes())

			run := s.rotate(func(r *cmk.RotateRequest) { r.Replicas = cmk.ReplicasCreate })
			s.approvePlan(run)
			<-crashed
			if cancel {
				require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			}
			s.start()
			report, failed = s.result(run)
			s.record(run, fmt.Sprintf("rotate-replica-made-cancelled-%t", cancel))
			made := strings.Replace(nextKeyARN, "us-east-1", "eu-west-1", 1)
			require.True(t, slices.ContainsFunc(s.world.State().AWS.Keys, func(k awssim.KeyState) bool { return k.ARN == made }))
			if cancel {
				require.Equal(t, "Canceled", failed)
				require.Equal(t, cmk.PhaseCompensated, report.Phase)
				require.Len(t, s.writes(), 1, "%v", s.writes())
				require.Contains(t, strings.Join(report.Keep, "\n"), "replica of KMS key "+nextKeyARN+" in EU_WEST_1")
				return
			}
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			require.Len(t, s.writes(), rotationWrites+1, "%v", s.writes())
			require.Len(t, report.Writes, rotationWrites+1)
			require.Equal(t, cmk.SystemKMS, report.Writes[0].System)
			require.Equal(t, nextKeyARN, s.project().Encryption.Key)
			require.Len(t, report.Rotation.FormerKeyARNs, 3)
			roles := s.world.State().AWS.Roles
			require.Contains(t, roles[slices.IndexFunc(roles, func(r awssim.EntityState) bool { return r.ARN == grownRoleARN })].Inline["atlas-cmk-"+sim.ProjectA], made)
		})
	}
}

// Search nodes that are on the key too are waited for, and are on the other key's afterwards.
func TestRotateWaitsForSearchNodes(t *testing.T) {
	t.Parallel()
	config := nextKey(searching)
	const long = 8 * time.Second // of the test's own time: longer than all else that the rotation waits for
	config.Atlas.Durations.SearchChange = world.Always(scale * long)
	s := newStage(t, shared, sim.Options{World: config})
	s.start()
	run := s.rotate(nil)
	s.until(run, "asking for its plan's approval", awaits(cmk.AwaitingPlanApproval))
	api, err := admin.NewClient(admin.UseBaseURL(s.world.AtlasURL), admin.UseDigestAuth(sim.APIPublicKey, sim.APIPrivateKey))
	require.NoError(t, err)
	_, _, err = api.AtlasSearchApi.UpdateClusterSearchDeployment(t.Context(), sim.ProjectA, sim.ClusterEast,
		&admin.ApiSearchDeploymentRequest{Specs: []admin.ApiSearchDeploymentRequestSpec{{InstanceSize: "S30_HIGHCPU_NVME", NodeCount: new(2)}}}).Execute()
	require.NoError(t, err)
	s.approvePlan(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.True(t, slices.ContainsFunc(report.Findings, func(f cmk.Finding) bool { return f.Code == cmk.FindingSearchNodes && f.Object == sim.ClusterEast }))
	now, _, err := api.AtlasSearchApi.GetClusterSearchDeployment(t.Context(), sim.ProjectA, sim.ClusterEast).Execute()
	require.NoError(t, err)
	require.Equal(t, "IDLE", now.GetStateName(), "the rotation is over before the search nodes are at rest")
	require.Equal(t, cmk.ProviderAWS, now.GetEncryptionAtRestProvider())
	require.True(t, s.project().SearchNodes)
	s.record(run, "rotate-search-nodes")
}
