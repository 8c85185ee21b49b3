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
		for _, when := range []moment{beforeWrite, afterWrite, afterAnswer} {
			t.Run(fmt.Sprintf("%d-%s", n, when), func(t *testing.T) {
				t.Parallel()
				l := newLegacy(t, nil)
				crashed := make(chan struct{})
				l.guard(&gate{nth: n, when: when, crash: func() {
					l.worker.Kill()
					close(crashed)
				}})
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
		t.Run(fmt.Sprintf("write-%d", n), func(t *testing.T) {
			t.Parallel()
			l := newLegacy(t, nil)
			before := l.readable()
			crashed := make(chan struct{})
			l.guard(&gate{nth: n, when: afterWrite, crash: func() {
				l.worker.Kill()
				close(crashed)
			}})
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

// Were Atlas to keep a setting that it refuses, a switch that comes too early would cut the project off.
func TestMigrateNeverSwitchesTooEarly(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, func(c *sim.Config) { c.Atlas.Assumptions.FailedPatchKeeps = false })
	l.start()
	run := l.migrate(nil)
	l.approve(run)
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	l.noGrantLost()
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

func TestMigrateRejected(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, nil)
	l.start()
	run := l.migrate(nil)
	l.until(run, "waiting for the plan's approval", askedFor(cmk.AwaitingPlanApproval))
	require.NoError(t, l.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalReject, cmk.Decision{By: "approver"}))
	report, failed := l.ends(run)
	require.Equal(t, cmk.ErrRejected, failed)
	require.Equal(t, cmk.PhaseRefused, report.Phase)
	require.Empty(t, l.writes())
	l.record(run, "migrate-rejected")
}

// While people were deciding, somebody else has made the role: the plan is another, and asked for anew.
func TestMigrateAsksAgainWhenThePlanDiffers(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, nil)
	l.start()
	run := l.migrate(nil)
	first := l.until(run, "waiting for the plan's approval", askedFor(cmk.AwaitingPlanApproval))
	l.happen(sim.Act{Act: atlassim.Act{Kind: sim.CreateRole}, Role: "arn:aws:iam::" + awssim.CustomerAccount + ":role/atlas-cmk-" + sim.ProjectB, Policy: fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"sts:AssumeRole"}]}`, awssim.CustomerAccount)})
	require.NoError(t, l.temporal.SignalWorkflow(t.Context(), run.GetID(), "", cmk.SignalApprove, cmk.Decision{By: "approver", Plan: first.Plan.Hash}))
	l.until(run, "asking again", func(st cmk.Status) bool {
		return askedFor(cmk.AwaitingPlanApproval)(st) && st.Plan.Hash != first.Plan.Hash
	})
	require.Empty(t, l.writes())
	l.approve(run)
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	l.noGrantLost()
	l.record(run, "migrate-plan-differs")
}

func TestMigrateDryRun(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, nil)
	l.start()
	run := l.migrate(func(r *cmk.MigrateRequest) { r.DryRun = true })
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	require.Equal(t, cmk.PhasePlanned, report.Phase)
	require.Len(t, report.Plan.Steps, 7)
	require.Empty(t, l.writes())
	l.record(run, "migrate-dry-run")
}

// boundary is a permissions boundary that lets a role do anything but use KMS.
func boundary(config *sim.Config) string {
	account := &config.AWS.Accounts[0]
	account.Policies = append(account.Policies, awssim.ManagedPolicy{Name: "no-kms", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`})
	return "arn:aws:iam::" + awssim.CustomerAccount + ":policy/no-kms"
}

func TestMigrateFromElsewhere(t *testing.T) {
	t.Parallel()
	const bounded = "bounded"
	for name, c := range map[string]struct {
		world   func(*sim.Config)
		acts    []sim.Act
		request func(*cmk.MigrateRequest)
		want    []cmk.FindingCode
		remedy  string
	}{
		"not enabled": {
			world: func(c *sim.Config) {
				p := projectB(c)
				p.Encryption, p.Clusters = nil, nil
			},
			want: []cmk.FindingCode{cmk.FindingNotEnabled}, remedy: cmk.EnableWithPrivateEndpoints,
		},
		"credentials invalid": {
			acts: []sim.Act{{Act: atlassim.Act{Kind: sim.DeactivateAccessKey}, AccessKey: awssim.AtlasUserAccessKeyID}, {Act: atlassim.Act{Kind: atlassim.CheckKeys}}},
			want: []cmk.FindingCode{cmk.FindingSettingsInvalid}, remedy: "Active again",
		},
		"key disabled": {
			acts: []sim.Act{{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.SingleRegionKeyID}},
			want: []cmk.FindingCode{cmk.FindingSettingsInvalid, cmk.FindingKeyNotEnabled, cmk.FindingReplicaNotEnabled}, remedy: "Enabled",
		},
		"boundary": {
			world: func(c *sim.Config) {
				c.AWS.Accounts[0].Roles = append(c.AWS.Accounts[0].Roles, awssim.Role{Name: bounded, Boundary: boundary(c), Trust: fmt.Sprintf(
					`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"sts:AssumeRole"}]}`, awssim.CustomerAccount)})
			},
			request: func(r *cmk.MigrateRequest) { r.Role = cmk.RoleRequest{Mode: cmk.RoleAdopt, Name: bounded} },
			want:    []cmk.FindingCode{cmk.FindingRoleDenied, cmk.FindingRoleDenied, cmk.FindingRoleDenied}, remedy: "boundary",
		},
		"role missing": {
			request: func(r *cmk.MigrateRequest) { r.Role = cmk.RoleRequest{Mode: cmk.RoleAdopt, Name: "none"} },
			want:    []cmk.FindingCode{cmk.FindingRoleMissing}, remedy: "create",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLegacy(t, c.world)
			l.start()
			for _, a := range c.acts {
				l.happen(a)
			}
			report, failed := l.outcome(l.migrate(c.request))
			require.Equal(t, cmk.ErrPreflightFailed, failed)
			require.Equal(t, cmk.PhaseRefused, report.Phase)
			require.ElementsMatch(t, c.want, findingsOf(report))
			require.Contains(t, fmt.Sprint(report.Findings), c.remedy)
			require.Empty(t, l.writes())
		})
	}
}

// A role that is made under a boundary can be evaluated only once it stands, which is before the switch.
func TestMigrateEvaluatesTheRoleThatItMade(t *testing.T) {
	t.Parallel()
	var arn string
	l := newLegacy(t, func(c *sim.Config) { arn = boundary(c) })
	l.start()
	before := l.readable()
	run := l.migrate(func(r *cmk.MigrateRequest) {
		r.Role.PermissionsBoundary = arn
		r.Deadlines.Propagation = cmk.Duration(5 * time.Second)
	})
	l.approve(run)
	report, failed := l.ends(run)
	require.Equal(t, cmk.ErrRoleDenied, failed, report.Problem)
	require.Equal(t, cmk.PhaseCompensated, report.Phase)
	require.Equal(t, before, l.readable())
	l.noGrantLost()
	l.record(run, "migrate-role-denied")
}

// A project on another role is not migrated, and what to do is said.
func TestMigrateRefusesAnotherRole(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, nil)
	l.start()
	run := l.migrate(func(r *cmk.MigrateRequest) { r.Role.Name, r.Retire.None = "first-role", true })
	l.approve(run)
	_, failed := l.ends(run)
	require.Empty(t, failed)
	report, failed := l.ends(l.migrate(nil))
	require.Equal(t, cmk.ErrPreflightFailed, failed)
	require.Equal(t, []cmk.FindingCode{cmk.FindingEnabledWithOtherRole}, findingsOf(report))
	require.Contains(t, fmt.Sprint(report.Findings), cmk.RetireAccess)
	require.Len(t, l.writes(), migrationWrites)
}

// Whatever Atlas shows of the former access key, a migration that is run again finds nothing to write.
func TestMigrateWhateverAtlasShowsOfTheAccessKey(t *testing.T) {
	t.Parallel()
	for _, fate := range []atlassim.AccessKeyFate{atlassim.AccessKeyMasked, atlassim.AccessKeyKept} {
		t.Run(string(fate), func(t *testing.T) {
			t.Parallel()
			l := newLegacy(t, func(c *sim.Config) { c.Atlas.Assumptions.AccessKeyAfterSwitch = fate })
			l.start()
			run := l.migrate(nil)
			l.approve(run)
			report, failed := l.ends(run)
			require.Empty(t, failed, report.Problem)
			report, failed = l.ends(l.migrate(nil))
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			require.Len(t, l.writes(), migrationWrites)
			l.noGrantLost()
		})
	}
}
