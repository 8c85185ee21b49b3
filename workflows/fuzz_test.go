package workflows

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// waitingChange is a change in which everything waits that people can decide: a plan, endpoints, a step, IAM.
func waitingChange() *change {
	c := &change{
		approvals: newApprovals(cmk.ApprovalPolicy{Mode: cmk.ApproveUse, Approvers: 2}, "requester"), chosen: map[string]string{},
		describe: func(*cmk.Status) {}, conclude: func(*cmk.Report) {}, turn: &turn{cancel: func() {}},
	}
	c.approvals.plan = &gate{hash: "abc"}
	c.approvals.askEndpoints([]string{"EU_WEST_1", "US_EAST_1"}, func(region string) bool { return region == "EU_WEST_1" })
	c.approvals.region("US_EAST_1").bind("6a00000000000000000000e1", false)
	c.status.Awaiting = []cmk.Wait{
		{For: cmk.AwaitingDecision, Step: "cluster east", Signal: "retry | abort | skip"}, {For: cmk.AwaitingIAM, Step: "iam", Signal: cmk.SignalIAMReady},
	}
	return c
}

// Whatever is sent as a signal or an update, looking at it changes nothing, and it is either taken or refused with a code
// and a reason; what was refused once is not taken when it comes again.
func FuzzMessage(f *testing.F) {
	for i := range messages() {
		for _, seed := range []string{
			``, `null`, `[]`, `"x"`, `{`, `{}`, `{"by":""}`, `{"by":7}`, `{"by":" ","region":"all"}`, `{"by":"Requester ","region":"all"}`,
			`{"by":"a","region":"us-east-1"}`, `{"by":"a","region":"ALL","reason":"\u0000"}`, `{"by":"a","endpoint":"6a00000000000000000000e1"}`, `{"by":"a","region":"EU_WEST_1"}`,
			`{"by":"a","plan":"abc"}`, `{"by":"a","plan":"abd"}`, `{"by":"a","step":"cluster east"}`, `{"by":"a","step":"nothing"}`,
		} {
			f.Add(uint8(i), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		name := messages()[int(which)%len(messages())].name
		c := waitingChange()
		state := func() string {
			text, err := json.Marshal([]any{c.snapshot(), c.chosen})
			require.NoError(t, err)
			return string(text)
		}
		before := state()
		code, why := c.examine(name, raw)
		require.Equal(t, before, state(), "validators only read")
		require.Equal(t, code == "", why == "")
		again, _ := c.examine(name, raw)
		require.Equal(t, code, again)
		if resolves(name) {
			return
		}
		d, err := decode[cmk.Decision](raw)
		if err != nil {
			require.Equal(t, cmk.RefusedUnreadable, code)
			return
		}
		refusal := c.approvals.decide(name, d, time.Unix(0, 0))
		require.Equal(t, code == "", refusal == nil, "what the validator says is what happens")
		if refusal == nil {
			require.NotNil(t, c.approvals.decide(name, d, time.Unix(1, 0)), "nobody votes twice")
			require.False(t, samePerson(d.By, "requester") && (name == cmk.SignalApprove || name == cmk.SignalApproveEndpoint))
		}
	})
}
