package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

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

// Past the switch there is no way back: what cannot be verified is told as such, and the access key is left alone.
func TestMigrateThatCannotBeVerified(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, nil)
	l.start()
	run := l.migrate(func(r *cmk.MigrateRequest) { r.Deadlines.Verification = cmk.Duration(time.Second) })
	l.approve(run)
	l.until(run, "being verified", func(st cmk.Status) bool { return st.Phase == cmk.PhaseVerification })
	l.happen(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.SingleRegionKeyID})
	report, failed := l.outcome(run)
	require.Equal(t, cmk.ErrNotVerified, failed)
	require.Equal(t, cmk.PhaseStopped, report.Phase)
	require.NotEmpty(t, report.Keep)
	require.Len(t, l.writes(), migrationWrites)
	_, err := l.temporal.DescribeWorkflowExecution(t.Context(), cmk.RetireID(awssim.AtlasUserAccessKeyID), "")
	require.Error(t, err, "nothing is retired")
	l.record(run, "migrate-not-verified")
}
