package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// migrationWrites is what a migration from nothing writes: Atlas's role, the IAM role, its policy, the authorization, and
// the switch.
const migrationWrites = 5

// legacy is a stage whose play is about project B, which uses an IAM user's access key.
type legacy struct{ *stage }

func newLegacy(t *testing.T, change func(*sim.Config)) *legacy {
	t.Helper()
	config := sim.DefaultConfig()
	if change != nil {
		change(&config)
	}
	return &legacy{newStage(t, shared, sim.Options{World: &config})}
}

// projectB is the project in a configuration.
func projectB(config *sim.Config) *atlassim.Project {
	return &config.Atlas.Projects[slices.IndexFunc(config.Atlas.Projects, func(p atlassim.Project) bool { return p.ID == sim.ProjectB })]
}

// happen has something happen to project B.
func (l *legacy) happen(a sim.Act) {
	l.t.Helper()
	if a.Project == "" {
		a.Project = sim.ProjectB
	}
	require.NoError(l.t, l.world.Act(a))
}

// migrate starts a migration that needs seconds where life takes an hour.
func (l *legacy) migrate(change func(*cmk.MigrateRequest)) client.WorkflowRun {
	l.t.Helper()
	request := cmk.MigrateRequest{ProjectID: sim.ProjectB, Requester: "requester", Rest: cmk.Duration(time.Second), Settle: cmk.Duration(2 * time.Second)}
	if change != nil {
		change(&request)
	}
	run, err := l.temporal.ExecuteWorkflow(l.t.Context(), client.StartWorkflowOptions{ID: cmk.WorkflowID(request.ProjectID), TaskQueue: cmk.TaskQueue}, cmk.MigrateUserToRole, request)
	require.NoError(l.t, err)
	return run
}

// approve approves whatever plan the run asks about, once it does.
func (l *legacy) approve(run client.WorkflowRun) cmk.Status {
	l.t.Helper()
	st := l.until(run, "waiting for the plan's approval", askedFor(cmk.AwaitingPlanApproval))
	require.NoError(l.t, l.temporal.SignalWorkflow(l.t.Context(), run.GetID(), run.GetRunID(), cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash}))
	return st
}

func askedFor(what cmk.Awaiting) func(cmk.Status) bool {
	return func(st cmk.Status) bool {
		return slices.ContainsFunc(st.Awaiting, func(w cmk.Wait) bool { return w.For == what })
	}
}

// ends waits for the run's end, by when the oracle has seen no rule broken.
func (l *legacy) ends(run client.WorkflowRun) (cmk.Report, string) {
	l.t.Helper()
	report, failed := l.outcome(run)
	l.happen(sim.Act{Act: atlassim.Act{Kind: atlassim.FinishChange}})
	assert.Empty(l.t, l.world.Violations())
	return report, failed
}

// noGrantLost requires that no node of project B was ever without the right to use its key.
func (l *legacy) noGrantLost() {
	l.t.Helper()
	for _, p := range l.world.State().Atlas.Projects {
		for _, c := range p.Clusters {
			for _, n := range c.Nodes {
				require.Zero(l.t, n.Without, "node %s of cluster %s", n.ID, c.Name)
				require.True(l.t, n.Up || c.Paused, "node %s of cluster %s", n.ID, c.Name)
			}
		}
	}
}

// noSecrets requires that nothing secret stands in the run's history.
func (l *legacy) noSecrets(run client.WorkflowRun) {
	l.t.Helper()
	text, err := protojson.Marshal(l.history(run))
	require.NoError(l.t, err)
	for _, event := range l.history(run).Events {
		raw, err := json.Marshal(event)
		require.NoError(l.t, err)
		text = append(text, raw...)
	}
	for _, secret := range []string{awssim.AtlasUserSecret, awssim.WorkerSecret, sim.ClientSecret, "Bearer "} {
		require.NotContains(l.t, string(text), secret)
	}
}

// findingsOf are the codes of a report's errors.
func findingsOf(report cmk.Report) (codes []cmk.FindingCode) {
	for _, f := range report.Findings {
		if f.Severity == cmk.SeverityError {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, nil)
	l.start()
	run := l.migrate(nil)
	st := l.approve(run)
	require.Len(t, st.Plan.Steps, 7)
	require.Equal(t, 7, st.Plan.Writes())
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	l.record(run, "migrate-from-nothing")
	require.True(t, report.Verified)
	require.True(t, report.Final.Valid)
	require.Equal(t, awssim.SingleRegionKeyID, report.Final.Key, "the spelling of the key stays")
	require.False(t, report.Final.RequirePrivateNetworking)
	require.Len(t, report.Writes, migrationWrites)
	require.Len(t, l.writes(), migrationWrites)
	require.Contains(t, strings.Join(report.Keep, "\n"), "access key "+awssim.AtlasUserAccessKeyID+", Active until ")
	l.noGrantLost()
	l.noSecrets(run)

	// The retirement has begun by itself and waits for the snapshots; it holds nothing.
	retirement := l.temporal.GetWorkflow(t.Context(), cmk.RetireID(awssim.AtlasUserAccessKeyID), "")
	waiting := l.until(retirement, "waiting for snapshots", askedFor(cmk.AwaitingSnapshots))
	require.Equal(t, cmk.PhaseSnapshots, waiting.Phase)
	l.record(retirement, "retire-waiting-for-snapshots")
	l.noSecrets(retirement)

	again := l.migrate(nil)
	report, failed = l.ends(again)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	require.Empty(t, report.Writes)
	require.Len(t, l.writes(), migrationWrites, "a finished migration that is run again writes nothing")
	l.record(again, "migrate-done-already")
}

// The worker is killed before and after every write, and after its answer.
func TestMigrateCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	for n := 1; n <= migrationWrites; n++ {
		for _, when := range moments(n) {
			t.Run(fmt.Sprintf("%d-%s", n, when), func(t *testing.T) {
				t.Parallel()
				l := newLegacy(t, nil)
				crashed := l.dieAt(n, when)
				l.start()
				run := l.migrate(nil)
				l.approve(run)
				<-crashed
				l.start()
				report, failed := l.ends(run)
				require.Empty(t, failed, report.Problem)
				require.True(t, report.Verified)
				require.Len(t, report.Writes, migrationWrites)
				once(t, l.writes())
				require.Len(t, l.writes(), migrationWrites)
				l.noGrantLost()
			})
		}
	}
}

func TestMigrateKilledWhileItWaits(t *testing.T) {
	t.Parallel()
	for _, phase := range []cmk.Phase{cmk.PhasePlanApproval, cmk.PhaseRole, cmk.PhaseVerification} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			l := newLegacy(t, nil)
			l.start()
			run := l.migrate(nil)
			if phase != cmk.PhasePlanApproval {
				l.approve(run)
			}
			l.until(run, "in phase "+string(phase), func(st cmk.Status) bool { return st.Phase == phase })
			l.worker.Kill()
			l.start()
			if phase == cmk.PhasePlanApproval {
				l.approve(run)
			}
			report, failed := l.ends(run)
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			once(t, l.writes())
			l.noGrantLost()
			l.record(run, "migrate-killed-in-"+string(phase))
		})
	}
}

// Cancelled before the switch, the migration takes everything back, what it does not know it has done included; from the
// switch on, it closes as cancelled with the project on the role.
func TestMigrateCancelledAfterLostAnswer(t *testing.T) {
	t.Parallel()
	for n := 1; n <= migrationWrites; n++ {
		if !chosen(n) {
			continue
		}
		t.Run(fmt.Sprintf("write-%d", n), func(t *testing.T) {
			t.Parallel()
			l := newLegacy(t, nil)
			before := l.readable()
			crashed := l.dieAt(n, afterWrite)
			l.start()
			run := l.migrate(nil)
			l.approve(run)
			<-crashed
			require.NoError(t, l.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			l.start()
			report, failed := l.ends(run)
			require.Equal(t, "Canceled", failed)
			l.noGrantLost()
			l.record(run, fmt.Sprintf("migrate-cancelled-after-write-%d", n))
			if n < migrationWrites {
				require.Equal(t, cmk.PhaseCompensated, report.Phase)
				require.Equal(t, before, l.readable())
				return
			}
			require.Equal(t, cmk.PhaseStopped, report.Phase)
			require.Contains(t, strings.Join(report.Keep, "\n"), awssim.AtlasUserAccessKeyID)
			require.Len(t, l.writes(), migrationWrites)

			// Started again, it verifies and retires what the cancelled one has left.
			again := l.migrate(func(r *cmk.MigrateRequest) { r.Retire.AccessKeyID = awssim.AtlasUserAccessKeyID })
			report, failed = l.ends(again)
			require.Empty(t, failed, report.Problem)
			require.Len(t, l.writes(), migrationWrites)
			retirement := l.temporal.GetWorkflow(t.Context(), cmk.RetireID(awssim.AtlasUserAccessKeyID), "")
			l.until(retirement, "waiting for snapshots", askedFor(cmk.AwaitingSnapshots))
		})
	}
}

func TestMigrateCancelledWhileItWaits(t *testing.T) {
	t.Parallel()
	for _, awaited := range []cmk.Awaiting{cmk.AwaitingPlanApproval, cmk.AwaitingPropagation} {
		t.Run(string(awaited), func(t *testing.T) {
			t.Parallel()
			l := newLegacy(t, nil)
			l.start()
			before := l.readable()
			run := l.migrate(func(r *cmk.MigrateRequest) { r.Rest = cmk.Duration(time.Minute) })
			if awaited != cmk.AwaitingPlanApproval {
				l.approve(run)
			}
			l.until(run, "awaiting "+string(awaited), askedFor(awaited))
			require.NoError(t, l.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			report, failed := l.ends(run)
			require.Equal(t, "Canceled", failed)
			require.Contains(t, []cmk.Phase{cmk.PhaseCompensated, cmk.PhaseRefused}, report.Phase)
			require.Equal(t, before, l.readable())
			l.noGrantLost()
			l.record(run, "migrate-cancelled-awaiting-"+string(awaited))
		})
	}
}

// IAM takes longer to show the role than it was left to rest: the switch is tried until it is taken.
func TestMigrateWithSlowPropagation(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, func(c *sim.Config) {
		c.AWS.Delays.IAMEnforcement = world.Distribution{Median: 90 * time.Minute, P95: 100 * time.Minute, Min: 80 * time.Minute}
	})
	l.start()
	run := l.migrate(nil)
	l.approve(run)
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	l.noGrantLost()
	l.record(run, "migrate-slow-propagation")
}

// Were Atlas to keep a setting that it refuses, a switch that comes too early would cut the project off. The role is
// authorized already, so that nothing but its rest keeps the switch from coming before its new permissions.
func TestMigrateNeverSwitchesTooEarly(t *testing.T) {
	t.Parallel()
	const name, external, id = "standing", "3b1f6a52-0000-4000-8000-00000000beef", "6a0000000000000000000c02"
	l := newLegacy(t, func(c *sim.Config) {
		c.Atlas.Assumptions.FailedPatchKeeps = false
		c.AWS.Delays.IAMEnforcement = world.Distribution{Median: 15 * time.Minute, P95: 16 * time.Minute, Min: 14 * time.Minute}
		c.AWS.Accounts[0].Roles = append(c.AWS.Accounts[0].Roles, awssim.Role{Name: name, Trust: fmt.Sprintf(
			`{"Version":"2012-10-17","Statement":[{"Sid":"AtlasCmk%s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"%s"}}}]}`,
			sim.ProjectB, awssim.AtlasAccount, external)})
		projectB(c).Roles = []atlassim.AccessRole{{ID: id, ExternalID: external, ARN: "arn:aws:iam::" + awssim.CustomerAccount + ":role/" + name}}
	})
	l.start()
	run := l.migrate(func(r *cmk.MigrateRequest) { r.Role = cmk.RoleRequest{Mode: cmk.RoleAdopt, Name: name} })
	l.approve(run)
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	require.Len(t, l.writes(), 2, "the permissions, and the switch")
	l.noGrantLost()
	l.record(run, "migrate-standing-role")
}

// The role is never shown to Atlas: the refusal is believed in the end, and everything is taken back.
func TestMigrateTakesBackWhatNeverPropagates(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, func(c *sim.Config) {
		c.AWS.Delays.IAMEnforcement = world.Distribution{Median: 1000 * time.Hour, P95: 1000 * time.Hour, Min: 1000 * time.Hour}
	})
	l.start()
	before := l.readable()
	run := l.migrate(func(r *cmk.MigrateRequest) { r.Deadlines.Propagation = cmk.Duration(4 * time.Second) })
	l.approve(run)
	report, failed := l.ends(run)
	require.Equal(t, "CANNOT_ASSUME_ROLE", failed)
	require.Equal(t, cmk.PhaseCompensated, report.Phase)
	require.Equal(t, before, l.readable())
	l.noGrantLost()
	l.record(run, "migrate-never-propagates")
}

// Services are away, answers are lost and garbled at random: the migration gets there, and does nothing twice.
func TestMigrateUnderFaults(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, func(c *sim.Config) {
		c.Faults = []fault.Rule{
			{Kind: fault.Status, Status: 503, Chance: 0.05}, {Kind: fault.DropBefore, Chance: 0.03},
			{Kind: fault.DropAfter, Chance: 0.06}, {Kind: fault.Garbage, Chance: 0.03},
		}
	})
	l.start()
	run := l.migrate(nil)
	l.approve(run)
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
	once(t, l.writes())
	require.Len(t, l.writes(), migrationWrites)
	l.noGrantLost()
}
