package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// maxReminders is how often people are asked again for the same: whoever has not answered by then will not be found so.
const maxReminders = 50

// remind asks people again for what they have not answered, as often as the policy says; a compensation waits for people
// too. What could not be delivered is not kept: the next reminder says the same.
func (c *change) remind(ctx workflow.Context) {
	every := time.Duration(c.approvals.policy.Reminder)
	if every == 0 {
		return
	}
	apart, _ := workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(apart, "reminders", func(ctx workflow.Context) {
		sent := 0
		for {
			if workflow.Await(ctx, func() bool { return len(c.asks()) > 0 }) != nil {
				return
			}
			asked := c.asks()
			next := workflow.Now(ctx).Add(every)
			if sent == maxReminders {
				next = time.Time{}
			}
			err := until(ctx, next, "reminder", func() bool { return !slices.EqualFunc(c.asks(), asked, sameAsk) })
			switch {
			case err == nil:
				sent = 0
			case errorType(err) == cmk.ErrExpired:
				sent++
				c.askAgain(ctx, asked, sent)
			default:
				return
			}
		}
	})
}

func (c *change) askAgain(ctx workflow.Context, asked []cmk.Wait, n int) {
	run := workflow.GetInfo(ctx).WorkflowExecution
	for _, a := range asked {
		workflow.GetLogger(ctx).Warn("still waiting for people", "project", c.projectID(), "for", a.For, "what", a.What, "since", a.Since, "signal", a.Signal)
		workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"awaiting": string(a.For)}).Counter("atlas_cmk_reminders").Inc(1)
	}
	err := workflow.ExecuteActivity(delivering(ctx), notifier.Notify, cmk.Notification{
		ID: fmt.Sprintf("%s/%s/%s/%d", run.ID, run.RunID, asked[0].Since.Format(time.RFC3339), n), At: workflow.Now(ctx).UTC(),
		ProjectID: c.projectID(), WorkflowID: run.ID, Asked: asked, Reminder: true,
	}).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Error("reminder not delivered", "error", reason(err))
	}
}

// asks are the waits that people end.
func (c *change) asks() []cmk.Wait {
	return slices.DeleteFunc(slices.Clone(c.status.Awaiting), func(a cmk.Wait) bool {
		return a.Signal == "" || a.For == cmk.AwaitingEndpointApproval && c.approvals.passes(a.Region)
	})
}

func sameAsk(a, b cmk.Wait) bool {
	return a.For == b.For && a.Region == b.Region && a.Step == b.Step && a.Since.Equal(b.Since)
}
