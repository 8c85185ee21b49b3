package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

const migratedRoleARN = "arn:aws:iam::" + awssim.CustomerAccount + ":role/atlas-cmk-" + sim.ProjectB

// role is the IAM role that a migration has made, as AWS has it; nil when it is gone.
func (l *legacy) role() *awssim.EntityState {
	roles := l.world.State().AWS.Roles
	at := slices.IndexFunc(roles, func(r awssim.EntityState) bool { return r.ARN == migratedRoleARN })
	if at < 0 {
		return nil
	}
	return &roles[at]
}

// left takes project B off its key, and gives the retirement of its role that has begun.
func (l *legacy) left(change func(*cmk.DisableRequest)) client.WorkflowRun {
	l.t.Helper()
	request := cmk.DisableRequest{
		ExitOptions:  cmk.ExitOptions{ProjectID: sim.ProjectB, Requester: "requester"},
		ResumePaused: true,
		Retire:       cmk.RetireAfter{Start: true, RetireOptions: quick()},
	}
	if change != nil {
		change(&request)
	}
	run, err := l.temporal.ExecuteWorkflow(l.t.Context(), client.StartWorkflowOptions{ID: cmk.WorkflowID(sim.ProjectB), TaskQueue: cmk.TaskQueue}, cmk.SafeDisableCMK, request)
	require.NoError(l.t, err)
	l.approve(run)
	report, failed := l.ends(run)
	require.Empty(l.t, failed, report.Problem)
	l.record(run, "disable-then-retire")
	return l.temporal.GetWorkflow(l.t.Context(), cmk.RetireRequest{RoleARN: migratedRoleARN, ProjectIDs: []string{sim.ProjectB}}.ID(), "")
}

// A project goes from an access key to a role, and off its key; the role is withdrawn once no snapshot needs it, by an
// approval of its own.
func TestRetireRole(t *testing.T) {
	t.Parallel()
	for name, restored := range map[string]bool{"done": false, "restored": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newRetiring(t, func(c *sim.Config) {
				if restored {
					projectB(c).Clusters[0].Snapshots = nil
				}
			})
			l.start()
			l.migrated(func(r *cmk.MigrateRequest) { r.Retire.None = true })
			before := l.role()
			require.NotNil(t, before)
			written := len(l.writes())
			run := l.left(nil)
			if !restored {
				st := l.until(run, "waiting for snapshots", askedFor(cmk.AwaitingSnapshots))
				require.Equal(t, cmk.FindingRoleNeeded, st.Findings[0].Code)
			}
			st := l.until(run, "asking for the withdrawal", askedFor(cmk.AwaitingDeletionApproval))
			require.Zero(t, l.snapshots(), "the role is needed until then")
			require.Equal(t, before.Inline, l.role().Inline, "nothing is taken away unasked")
			l.decide(run, cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash})
			if restored {
				l.until(run, "settling", askedFor(cmk.AwaitingSettling))
				l.decide(run, cmk.SignalRestore, cmk.Resolution{By: "approver"})
			}
			report, failed := l.ends(run)
			l.record(run, "retire-role-"+name)
			if restored {
				require.Equal(t, cmk.ErrAborted, failed)
				require.JSONEq(t, before.Inline["atlas-cmk-"+sim.ProjectB], l.role().Inline["atlas-cmk-"+sim.ProjectB])
				require.True(t, report.Writes[1].Undo)
				return
			}
			require.Empty(t, failed, report.Problem)
			require.Nil(t, l.role(), "this software made it, and nobody else was in it")
			require.Len(t, report.Writes, 3)
			require.Greater(t, len(l.writes()), written)
			l.noSecrets(run)
		})
	}
}

// The worker is killed at the writes of a withdrawal: it ends as if nothing had happened.
func TestRetireRoleCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	const withdrawal = 3 // the use of the key, Atlas's authorization, the role
	for n := 1; n <= withdrawal; n++ {
		for _, when := range moments(n) {
			t.Run(fmt.Sprintf("%d-%s", n, when), func(t *testing.T) {
				t.Parallel()
				l := newRetiring(t, func(c *sim.Config) { projectB(c).Clusters[0].Snapshots = nil })
				writes := &gate{}
				l.guard(writes)
				l.start()
				l.migrated(func(r *cmk.MigrateRequest) { r.Retire.None = true })
				run := l.left(nil)
				st := l.until(run, "asking for the withdrawal", askedFor(cmk.AwaitingDeletionApproval))
				before := len(l.writes())
				crashed := make(chan struct{})
				writes.arm(n, when, func() {
					l.worker.Kill()
					close(crashed)
				})
				l.decide(run, cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash})
				<-crashed
				l.start()
				report, failed := l.ends(run)
				require.Empty(t, failed, report.Problem)
				require.Nil(t, l.role())
				require.Len(t, report.Writes, withdrawal)
				once(t, l.writes()[before:])
			})
		}
	}
}

// What the project still uses is not withdrawn: neither its role nor its key, nor under a snapshot.
func TestRetireRoleRefusesWhatIsUsed(t *testing.T) {
	t.Parallel()
	l := newRetiring(t, func(c *sim.Config) {
		projectB(c).Clusters[0].Snapshots = []atlassim.Snapshot{{Age: 24 * time.Hour, Retention: 5000 * time.Hour}}
	})
	l.start()
	l.migrated(func(r *cmk.MigrateRequest) { r.Retire.None = true })
	written := l.writes()
	for _, keys := range [][]string{nil, {awssim.SingleRegionKeyARN}} {
		request := cmk.RetireRequest{RoleARN: migratedRoleARN, KeyARNs: keys, ProjectIDs: []string{sim.ProjectB}, SwitchedAt: time.Now().UTC(), RetireOptions: quick()}
		run, err := l.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: request.ID(), TaskQueue: cmk.TaskQueue}, cmk.RetireAccess, request)
		require.NoError(t, err)
		report, failed := l.ends(run)
		require.Equal(t, cmk.ErrPreflightFailed, failed)
		require.Equal(t, []cmk.FindingCode{cmk.FindingRoleInUse}, findingsOf(report))
		require.Equal(t, cmk.PhaseRefused, report.Phase)
		if keys == nil {
			l.record(run, "retire-role-in-use")
		}
	}
	require.Equal(t, written, l.writes())
}
