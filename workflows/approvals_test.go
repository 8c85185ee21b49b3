package workflows

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

func asked(policy cmk.ApprovalPolicy, regions ...string) *approvals {
	a := newApprovals(policy, "requester")
	a.askEndpoints(regions, func(region string) bool { return region == "IN_USE_1" })
	for _, r := range regions {
		a.region(r).bind("id-"+r, false)
	}
	return a
}

func one() cmk.ApprovalPolicy { return cmk.ApprovalPolicy{Mode: cmk.ApproveUse, Approvers: 1} }

func TestDecisions(t *testing.T) {
	type message struct {
		signal   string
		decision cmk.Decision
		refusal  string
	}
	approve := func(d cmk.Decision, refusal string) message { return message{cmk.SignalApproveEndpoint, d, refusal} }
	for name, c := range map[string]struct {
		policy   cmk.ApprovalPolicy
		messages []message
		states   map[string]cmk.ApprovalState
	}{
		"by region in either spelling": {one(), []message{
			approve(cmk.Decision{By: "ann", Region: "us-east-1"}, ""), approve(cmk.Decision{By: "ann", Region: "EU_WEST_1"}, ""),
		}, map[string]cmk.ApprovalState{"US_EAST_1": cmk.ApprovalApproved, "EU_WEST_1": cmk.ApprovalApproved}},
		"by endpoint": {one(), []message{approve(cmk.Decision{By: "ann", Endpoint: "id-US_EAST_1"}, "")},
			map[string]cmk.ApprovalState{"US_EAST_1": cmk.ApprovalApproved, "EU_WEST_1": cmk.ApprovalWaiting}},
		"all": {one(), []message{approve(cmk.Decision{By: "ann", Region: "all"}, "")},
			map[string]cmk.ApprovalState{"US_EAST_1": cmk.ApprovalApproved, "EU_WEST_1": cmk.ApprovalApproved}},
		"the requester cannot": {one(), []message{approve(cmk.Decision{By: " Requester", Region: "all"}, cmk.RefusedRequester)},
			map[string]cmk.ApprovalState{"US_EAST_1": cmk.ApprovalWaiting}},
		"nobody cannot": {one(), []message{approve(cmk.Decision{By: " ", Region: "all"}, cmk.RefusedNameMissing)}, nil},
		"two people": {cmk.ApprovalPolicy{Mode: cmk.ApproveUse, Approvers: 2}, []message{
			approve(cmk.Decision{By: "ann", Region: "all"}, ""), approve(cmk.Decision{By: "Ann ", Region: "all"}, cmk.RefusedRepeated),
			approve(cmk.Decision{By: "bob", Region: "US_EAST_1"}, ""),
		}, map[string]cmk.ApprovalState{"US_EAST_1": cmk.ApprovalApproved, "EU_WEST_1": cmk.ApprovalWaiting}},
		"once decided": {one(), []message{
			approve(cmk.Decision{By: "ann", Region: "US_EAST_1"}, ""), approve(cmk.Decision{By: "bob", Region: "US_EAST_1"}, cmk.RefusedDecided),
			{cmk.SignalRejectEndpoint, cmk.Decision{By: "bob", Region: "US_EAST_1"}, cmk.RefusedDecided},
		}, map[string]cmk.ApprovalState{"US_EAST_1": cmk.ApprovalApproved}},
		"rejection": {one(), []message{{cmk.SignalRejectEndpoint, cmk.Decision{By: "requester", Region: "US_EAST_1"}, ""}},
			map[string]cmk.ApprovalState{"US_EAST_1": cmk.ApprovalRejected}},
		"rejection of one in use": {one(), []message{{cmk.SignalRejectEndpoint, cmk.Decision{By: "bob", Region: "IN_USE_1"}, cmk.RefusedInUse}},
			map[string]cmk.ApprovalState{"IN_USE_1": cmk.ApprovalWaiting}},
		"unknown": {one(), []message{
			approve(cmk.Decision{By: "ann", Endpoint: "nope"}, cmk.RefusedUnknown), approve(cmk.Decision{By: "ann", Region: "AP_EAST_1"}, cmk.RefusedUnknown),
			approve(cmk.Decision{By: "ann"}, cmk.RefusedUnknown),
		}, nil},
		"no plan waits": {one(), []message{{cmk.SignalApprove, cmk.Decision{By: "ann"}, cmk.RefusedNothingWaits}}, nil},
		"Atlas's status decides": {cmk.ApprovalPolicy{Mode: cmk.ApproveProvider, Approvers: 1}, nil,
			map[string]cmk.ApprovalState{"US_EAST_1": cmk.ApprovalNotNeeded}},
	} {
		t.Run(name, func(t *testing.T) {
			a := asked(c.policy, "US_EAST_1", "EU_WEST_1", "IN_USE_1")
			for _, m := range c.messages {
				code, _ := a.judge(m.signal, m.decision)
				require.Equal(t, m.refusal, code)
				refusal := a.decide(m.signal, m.decision, time.Unix(0, 0))
				if m.refusal == "" {
					require.Nil(t, refusal)
				} else {
					require.Equal(t, m.refusal, refusal.Code)
				}
			}
			for region, state := range c.states {
				require.Equal(t, state, a.endpointState(region), region)
			}
		})
	}
}

func TestPlanIsApprovedByItsHash(t *testing.T) {
	a := newApprovals(one(), "")
	a.plan = &gate{hash: "abc"}
	require.Equal(t, cmk.RefusedOtherPlan, a.decide(cmk.SignalApprove, cmk.Decision{By: "ann", Plan: "def"}, time.Time{}).Code)
	require.Nil(t, a.decide(cmk.SignalApprove, cmk.Decision{By: "ann", Plan: "abc"}, time.Time{}))
	require.True(t, a.plan.approved(1))
}

func TestApprovalThatComesBeforeThePlanCounts(t *testing.T) {
	a := newApprovals(one(), "")
	require.Nil(t, a.decide(cmk.SignalApproveEndpoint, cmk.Decision{By: "ann", Region: "us-east-1"}, time.Time{}))
	a.askEndpoints([]string{"EU_WEST_1", "US_EAST_1"}, func(string) bool { return false })
	require.True(t, a.passes("US_EAST_1"))
	require.False(t, a.passes("EU_WEST_1"))
}

func TestRecreatedEndpointIsAskedForAnew(t *testing.T) {
	a := asked(one(), "US_EAST_1")
	require.Nil(t, a.decide(cmk.SignalApproveEndpoint, cmk.Decision{By: "ann", Region: "all"}, time.Time{}))
	a.region("US_EAST_1").bind("id-US_EAST_1", false)
	require.True(t, a.passes("US_EAST_1"), "the same endpoint again")
	a.region("US_EAST_1").bind("made in place of one that failed", true)
	require.True(t, a.passes("US_EAST_1"))
	a.region("US_EAST_1").bind("recreated by Atlas", false)
	require.False(t, a.passes("US_EAST_1"))
	require.Equal(t, cmk.RefusedUnknown, a.decide(cmk.SignalApproveEndpoint, cmk.Decision{By: "ann", Endpoint: "id-US_EAST_1"}, time.Time{}).Code)
	require.Nil(t, a.decide(cmk.SignalApproveEndpoint, cmk.Decision{By: "ann", Region: "US_EAST_1"}, time.Time{}))
	require.True(t, a.passes("US_EAST_1"))
}

// Whatever is sent in whatever order: an endpoint passes only with the votes of enough distinct people other than the
// requester, nothing passes after a rejection, judging changes nothing, and memory stays bounded.
func TestApprovalsHoldWhateverIsSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		approvers := rapid.IntRange(1, 3).Draw(t, "approvers")
		a := newApprovals(cmk.ApprovalPolicy{Mode: cmk.ApproveUse, Approvers: approvers}, "req")
		regions := []string{"US_EAST_1", "EU_WEST_1"}
		generation := map[string]int{}
		name := func(region string) string { return fmt.Sprintf("%s-%d", region, generation[region]) }
		rejected := map[string]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				if a.regions == nil {
					a.askEndpoints(regions, func(string) bool { return false })
				}
			case 1:
				region := rapid.SampledFrom(regions).Draw(t, "region")
				if a.regions != nil {
					generation[region]++
					a.region(region).bind(name(region), false)
				}
			default:
				signal := rapid.SampledFrom([]string{cmk.SignalApproveEndpoint, cmk.SignalRejectEndpoint, cmk.SignalApprove, cmk.SignalReject}).Draw(t, "signal")
				d := cmk.Decision{
					By:       rapid.SampledFrom([]string{"", "req", "a", "b", "c", "A"}).Draw(t, "by"),
					Region:   rapid.SampledFrom([]string{"", "all", "us-east-1", "EU_WEST_1", "?"}).Draw(t, "region"),
					Endpoint: rapid.SampledFrom([]string{"", "", name("US_EAST_1"), "?"}).Draw(t, "endpoint"),
				}
				code, _ := a.judge(signal, d)
				again, _ := a.judge(signal, d)
				require.Equal(t, code, again)
				refusal := a.decide(signal, d, time.Time{})
				require.Equal(t, code == "", refusal == nil)
			}
			for _, region := range regions {
				g := a.region(region)
				people := map[string]bool{}
				for _, v := range g.votes {
					require.False(t, samePerson(v.By, "req") && v.Approved)
					people[v.By] = true
				}
				if a.passes(region) {
					require.GreaterOrEqual(t, len(people), approvers)
					require.False(t, g.rejected)
				}
				if rejected[region+g.endpoint] {
					require.False(t, a.passes(region))
				}
				if g.rejected {
					rejected[region+g.endpoint] = true
				}
			}
			require.LessOrEqual(t, len(a.refusals), maxRefusals)
			require.LessOrEqual(t, len(a.early), maxEarly)
		}
	})
}

// Whoever sends without end does not make a change grow without end.
func TestLastRefusalsAreKept(t *testing.T) {
	a := newApprovals(one(), "requester")
	for i := range 3 * maxRefusals {
		require.NotNil(t, a.decide(cmk.SignalApprove, cmk.Decision{By: fmt.Sprint(i)}, time.Time{}), "no plan waits")
	}
	require.Len(t, a.refusals, maxRefusals)
	require.Equal(t, fmt.Sprint(2*maxRefusals), a.refusals[0].By)
}
