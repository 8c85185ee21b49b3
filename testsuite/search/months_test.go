package search

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// An approval that comes after half a year counts where the deadline is longer than that, and nothing is written until then.
// Where it is not, all is taken back when it is over, and the run says what did not come.
func TestApprovalsAfterMonths(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	const halfAYear = 183 * day
	for name, asked := range map[string]struct {
		mode cmk.ApprovalMode
		plan bool
	}{
		"plan":             {cmk.ApproveProvider, true},
		"endpoints to use": {cmk.ApproveUse, false},
		"endpoints to be":  {cmk.ApproveCreate, false},
	} {
		for outcome, deadline := range map[string]time.Duration{"in time": 200 * day, "too late": 30 * day} {
			t.Run(name+"/"+outcome, func(t *testing.T) {
				t.Parallel()
				pace := fewLooks()
				pace.Idle, pace.Longest = 12*time.Hour, 12*time.Hour
				config := worldOf(startNothing)
				config.Atlas.Durations.KeyCheck = day
				s, err := newStage(config, 1, pace)
				require.NoError(t, err)
				request := cmk.EnableRequest{
					ProjectID: sim.ProjectA, Key: awssim.MultiRegionKeyARN, Requester: requester, PlanApproval: asked.plan, Approval: cmk.ApprovalPolicy{Mode: asked.mode},
					Deadlines: cmk.Deadlines{Approval: cmk.Duration(deadline)},
				}
				r := s.newRun()
				var before, waited int
				r.in(day, func() { before = len(s.writes()) })
				r.in(halfAYear, func() {
					waited = len(s.writes())
					r.signal(cmk.SignalApprove, cmk.Decision{By: alice})
					r.signal(cmk.SignalApproveEndpoint, cmk.Decision{By: alice, Region: cmk.AllRegions})
				})
				o, err := r.execute(cmk.EnableWithPrivateEndpoints, request)
				require.NoError(t, err)
				require.NoError(t, s.judged(func(sim.Violation) bool { return false }))
				took := o.report.Ended.Sub(o.report.Started)
				if deadline > halfAYear {
					require.Empty(t, o.failed, o.report.Problem)
					require.True(t, o.report.Verified)
					require.Greater(t, took, halfAYear)
					require.Equal(t, before, waited)
					return
				}
				require.Equal(t, cmk.ErrExpired, o.failed)
				require.Regexp(t, "approv.* by 2026-02-04", o.report.Problem)
				require.InDelta(t, deadline.Hours(), took.Hours(), 24)
				require.Nil(t, s.world.State().Atlas.Projects[0].Encryption)
			})
		}
	}
}
