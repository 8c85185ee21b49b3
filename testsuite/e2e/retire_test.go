package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// newRetiring is a stage on which AWS tells of uses within seconds, and the last snapshot from before lives for a time
// that a test can wait for: 18 hours of the world.
func newRetiring(t *testing.T, change func(*sim.Config)) *legacy {
	t.Helper()
	return newLegacy(t, func(c *sim.Config) {
		c.AWS.Delays.LastUsed = world.Distribution{Median: 20 * time.Minute, P95: 30 * time.Minute, Min: 10 * time.Minute}
		for i := range projectB(c).Clusters {
			projectB(c).Clusters[i].Snapshots = nil
		}
		projectB(c).Clusters[0].Snapshots = []atlassim.Snapshot{{Age: 24 * time.Hour, Retention: 42 * time.Hour}}
		if change != nil {
			change(c)
		}
	})
}

// quick are the spans of a retirement that takes seconds.
func quick() cmk.RetireOptions {
	return cmk.RetireOptions{Disuse: cmk.Duration(4 * time.Second), SettleInactive: cmk.Duration(2 * time.Second)}
}

// migrated brings project B to a role, and gives the retirement that has begun.
func (l *legacy) migrated(change func(*cmk.MigrateRequest)) client.WorkflowRun {
	l.t.Helper()
	run := l.migrate(func(r *cmk.MigrateRequest) {
		r.Settle = cmk.Duration(time.Second)
		r.Retire.RetireOptions = quick()
		if change != nil {
			change(r)
		}
	})
	l.approve(run)
	report, failed := l.ends(run)
	require.Empty(l.t, failed, report.Problem)
	return l.temporal.GetWorkflow(l.t.Context(), cmk.RetireID(awssim.AtlasUserAccessKeyID), "")
}

// accessKey is the old access key as AWS has it; nil when it is gone.
func (l *legacy) accessKey() *awssim.AccessKeyState {
	keys := l.world.State().AWS.AccessKeys
	at := slices.IndexFunc(keys, func(k awssim.AccessKeyState) bool { return k.ID == awssim.AtlasUserAccessKeyID })
	if at < 0 {
		return nil
	}
	return &keys[at]
}

func (l *legacy) snapshots() (n int) {
	for _, p := range l.world.State().Atlas.Projects {
		if p.ID != sim.ProjectB {
			continue
		}
		for _, c := range p.Clusters {
			n += c.Snapshots
		}
	}
	return n
}

// retirementWrites are: the access key made Inactive, and deleted, and the IAM user's policy.
const retirementWrites = 3

// userPolicies are the inline policies of the IAM user.
func (l *legacy) userPolicies() map[string]string {
	users := l.world.State().AWS.Users
	return users[slices.IndexFunc(users, func(u awssim.EntityState) bool { return strings.HasSuffix(u.ARN, "/"+awssim.AtlasUser) })].Inline
}

// use has somebody else use the old access key.
func (l *legacy) use() {
	l.t.Helper()
	api := kms.New(kms.Options{
		Region: "us-east-1", BaseEndpoint: &l.world.AWSURL,
		Credentials: credentials.NewStaticCredentialsProvider(awssim.AtlasUserAccessKeyID, awssim.AtlasUserSecret, ""),
	})
	_, err := api.Encrypt(l.t.Context(), &kms.EncryptInput{KeyId: aws.String(awssim.SingleRegionKeyID), Plaintext: []byte("x")})
	require.NoError(l.t, err)
}

func (l *legacy) decide(run client.WorkflowRun, signal string, decision any) {
	l.t.Helper()
	require.NoError(l.t, l.temporal.SignalWorkflow(l.t.Context(), run.GetID(), "", signal, decision))
}

// The access key stays Active until the last snapshot from before the switch has expired, and is deleted only when people
// say so.
func TestRetireAccessKey(t *testing.T) {
	t.Parallel()
	l := newRetiring(t, nil)
	l.start()
	run := l.migrated(nil)
	st := l.until(run, "waiting for snapshots", askedFor(cmk.AwaitingSnapshots))
	require.Contains(t, strings.Join(reportedKeys(st), " "), awssim.AtlasUserAccessKeyID)
	require.True(t, l.accessKey().Active)
	l.worker.Kill()
	l.start()
	l.until(run, "past the snapshots", func(st cmk.Status) bool { return st.Phase == cmk.PhaseInactive || st.Phase == cmk.PhaseDeletion })
	require.Zero(t, l.snapshots(), "the access key is needed until then")

	st = l.until(run, "asking for the deletion", askedFor(cmk.AwaitingDeletionApproval))
	require.False(t, l.accessKey().Active)
	l.decide(run, cmk.SignalApprove, cmk.Decision{By: "requester", Plan: st.Plan.Hash})
	l.decide(run, cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash})
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	require.Nil(t, l.accessKey())
	require.Len(t, report.Writes, retirementWrites)
	require.Equal(t, cmk.RefusedRequester, report.Refusals[0].Code)
	require.Len(t, l.writes(), migrationWrites+retirementWrites)
	require.Empty(t, l.userPolicies(), "what the user was allowed on the key alone goes with the access key")
	l.noGrantLost()
	l.noSecrets(run)
	l.record(run, "retire-done")

	// Asked again, there is nothing left to do.
	again := l.retire(nil)
	report, failed = l.ends(again)
	require.Empty(t, failed, report.Problem)
	require.Empty(t, report.Writes)
	l.record(again, "retire-gone-already")
}

// The worker is killed around every write of a retirement.
func TestRetireCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	for n := migrationWrites + 1; n <= migrationWrites+retirementWrites; n++ {
		for _, when := range moments(n - migrationWrites) {
			t.Run(fmt.Sprintf("%d-%s", n, when), func(t *testing.T) {
				t.Parallel()
				l := newRetiring(t, func(c *sim.Config) { projectB(c).Clusters[0].Snapshots = nil })
				crashed := l.dieAt(n, when)
				l.start()
				run := l.migrated(nil)
				approve := func() {
					st := l.until(run, "asking for the deletion", askedFor(cmk.AwaitingDeletionApproval))
					l.decide(run, cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash})
				}
				if n > migrationWrites+1 {
					approve()
				}
				<-crashed
				l.start()
				if n == migrationWrites+1 {
					approve()
				}
				report, failed := l.ends(run)
				require.Empty(t, failed, report.Problem)
				require.Nil(t, l.accessKey())
				require.Len(t, report.Writes, retirementWrites)
				require.Empty(t, l.userPolicies())
				once(t, l.writes())
				l.noGrantLost()
			})
		}
	}
}

func reportedKeys(st cmk.Status) (objects []string) {
	for _, f := range st.Findings {
		objects = append(objects, f.Object)
	}
	return objects
}

// retire starts a retirement by hand.
func (l *legacy) retire(change func(*cmk.RetireRequest)) client.WorkflowRun {
	l.t.Helper()
	request := cmk.RetireRequest{
		AccessKeyID: awssim.AtlasUserAccessKeyID, ProjectIDs: []string{sim.ProjectB}, SwitchedAt: time.Now().UTC(), Requester: "requester", RetireOptions: quick(),
	}
	if change != nil {
		change(&request)
	}
	run, err := l.temporal.ExecuteWorkflow(l.t.Context(), client.StartWorkflowOptions{ID: cmk.RetireID(request.AccessKeyID), TaskQueue: cmk.TaskQueue}, cmk.RetireAccess, request)
	require.NoError(l.t, err)
	return run
}

func TestRetireRefusesAnAccessKeyInUse(t *testing.T) {
	t.Parallel()
	l := newRetiring(t, nil)
	l.start()
	run := l.retire(nil)
	report, failed := l.ends(run)
	require.Equal(t, cmk.ErrPreflightFailed, failed)
	require.Equal(t, []cmk.FindingCode{cmk.FindingProjectOnCredentials}, findingsOf(report))
	require.Empty(t, l.writes())
	l.record(run, "retire-refused-in-use")
}

// Somebody else uses the access key: that is told with when and where, and nothing is touched until a person has said to
// look again.
func TestRetireLeavesAnAccessKeyThatOthersUse(t *testing.T) {
	t.Parallel()
	l := newRetiring(t, func(c *sim.Config) { projectB(c).Clusters[0].Snapshots = nil })
	l.start()
	run := l.migrated(nil)
	l.use()
	st := l.until(run, "asking a person", askedFor(cmk.AwaitingDecision))
	require.Equal(t, cmk.FindingAccessKeyInUse, st.Findings[0].Code)
	require.Contains(t, st.Findings[0].Detail, "kms in us-east-1")
	require.Len(t, l.writes(), migrationWrites)
	require.True(t, l.accessKey().Active)

	l.decide(run, cmk.SignalRetry, cmk.Resolution{By: "approver"})
	l.until(run, "asking for the deletion", askedFor(cmk.AwaitingDeletionApproval))
	require.False(t, l.accessKey().Active)
	l.decide(run, cmk.SignalReject, cmk.Decision{By: "approver"})
	report, failed := l.ends(run)
	require.Equal(t, cmk.ErrRejected, failed)
	require.Equal(t, cmk.PhaseStopped, report.Phase)
	require.False(t, l.accessKey().Active, "nothing is made Active again by itself")
	l.record(run, "retire-others-use-it-then-rejected")
}

// An access key that is used in the last moment, when it is about to be made Inactive, is not; and it is not tried again at once.
func TestRetireRestsAfterARefusal(t *testing.T) {
	t.Parallel()
	l := newRetiring(t, func(c *sim.Config) {
		projectB(c).Clusters[0].Snapshots = nil
		c.AWS.Delays.LastUsed = world.Always(0)
	})
	l.start()
	run := l.migrated(nil)
	other, err := l.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: cmk.WorkflowID(sim.ProjectB), TaskQueue: cmk.TaskQueue},
		cmk.SafeDisableCMK, cmk.DisableRequest{ExitOptions: cmk.ExitOptions{ProjectID: sim.ProjectB}, ResumePaused: true})
	require.NoError(t, err)
	l.until(other, "holding the project", askedFor(cmk.AwaitingPlanApproval))
	l.until(run, "about to make it Inactive", func(st cmk.Status) bool { return st.Phase == cmk.PhaseInactive })
	l.use()
	require.NoError(t, l.temporal.CancelWorkflow(t.Context(), other.GetID(), other.GetRunID()))
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(l.history(run).GetEvents(), func(e *history.HistoryEvent) bool {
			return e.GetMarkerRecordedEventAttributes().GetMarkerName() == "Version" && strings.Contains(e.String(), "rest-after-refusal")
		})
	}, patience, 100*time.Millisecond)
	require.True(t, l.accessKey().Active)
	require.NoError(t, l.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
	_, failed := l.ends(run)
	require.Equal(t, "Canceled", failed)
	require.True(t, l.accessKey().Active)
	require.Len(t, l.writes(), migrationWrites)
	l.record(run, "retire-rests-after-a-refusal")
}

// A person makes the access key Active again.
func TestRetireRestored(t *testing.T) {
	t.Parallel()
	l := newRetiring(t, func(c *sim.Config) { projectB(c).Clusters[0].Snapshots = nil })
	l.start()
	run := l.migrated(nil)
	l.decide(run, cmk.SignalRestore, cmk.Resolution{By: "approver"})
	st := l.until(run, "asking for the deletion", askedFor(cmk.AwaitingDeletionApproval))
	require.Equal(t, cmk.RefusedNothingWaits, st.Refusals[0].Code, "there was nothing to restore yet")
	l.decide(run, cmk.SignalRestore, cmk.Resolution{By: "approver"})
	report, failed := l.ends(run)
	require.Equal(t, cmk.ErrAborted, failed)
	require.True(t, l.accessKey().Active)
	require.Len(t, report.Writes, 2)
	require.True(t, report.Writes[1].Undo)
	l.record(run, "retire-restored")
}

// People accept the loss of the snapshots, which are listed; without their word the snapshots are waited for.
func TestRetireWithLossOfSnapshots(t *testing.T) {
	t.Parallel()
	l := newRetiring(t, func(c *sim.Config) {
		projectB(c).Clusters[0].Snapshots = []atlassim.Snapshot{{Age: 24 * time.Hour, Retention: 5000 * time.Hour}}
	})
	l.start()
	run := l.migrated(func(r *cmk.MigrateRequest) { r.Retire.AcceptSnapshotLoss = true })
	st := l.until(run, "waiting for snapshots", askedFor(cmk.AwaitingSnapshots))
	require.Equal(t, cmk.SignalApprove, st.Awaiting[0].Signal)
	require.Len(t, st.Plan.Steps, 1)
	require.Contains(t, st.Plan.Steps[0].Action, "lose snapshot")
	require.True(t, l.accessKey().Active)
	l.decide(run, cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash})
	st = l.until(run, "asking for the deletion", askedFor(cmk.AwaitingDeletionApproval))
	l.decide(run, cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash})
	report, failed := l.outcome(run)
	require.Empty(t, failed, report.Problem)
	require.Nil(t, l.accessKey())
	for _, v := range l.world.Violations() {
		require.Contains(t, v.Message, "the snapshot ", "the snapshots are lost by people's leave, and nothing else")
	}
	l.record(run, "retire-with-loss-of-snapshots")
}

// Two projects share an IAM user, and come to share a role. The retirement that the first has started sees the use of the second, is joined by it
// once it too is on a role, and only then goes on.
func TestRetireAfterTheLastProject(t *testing.T) {
	t.Parallel()
	l := newRetiring(t, func(c *sim.Config) {
		projectB(c).Clusters[0].Snapshots = nil
		other := &c.Atlas.Projects[slices.IndexFunc(c.Atlas.Projects, func(p atlassim.Project) bool { return p.ID == sim.ProjectA })]
		other.Encryption = &atlassim.Encryption{
			Key: awssim.SingleRegionKeyID, Region: "US_EAST_1", AccessKeyID: awssim.AtlasUserAccessKeyID, SecretAccessKey: awssim.AtlasUserSecret,
		}
		other.Clusters = []atlassim.Cluster{{
			Name: "other", Size: "M10", Provider: cmk.ProviderAWS, Backup: true,
			Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}, Snapshots: []atlassim.Snapshot{{Age: time.Hour, Retention: 22 * time.Hour}},
		}}
	})
	l.start()
	run := l.migrated(func(r *cmk.MigrateRequest) { r.Role.Name = "shared" })
	st := l.until(run, "asking a person", askedFor(cmk.AwaitingDecision))
	require.Equal(t, cmk.FindingAccessKeyInUse, st.Findings[0].Code)
	require.True(t, l.accessKey().Active)

	second := l.migrated(func(r *cmk.MigrateRequest) { r.ProjectID, r.Role.Name = sim.ProjectA, "shared" })
	require.Equal(t, run.GetID(), second.GetID())
	l.until(run, "waiting for the other's snapshots", askedFor(cmk.AwaitingSnapshots))
	st = l.until(run, "asking for the deletion", askedFor(cmk.AwaitingDeletionApproval))
	l.decide(run, cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash})
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	require.Nil(t, l.accessKey())
	l.noGrantLost()
	l.record(run, "retire-after-the-last-project")
}
