package client

import (
	"context"
	"errors"

	"go.temporal.io/api/enums/v1"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Status asks a change where it stands, open or closed. It costs no history. Of a closed one it is known even while no
// worker runs. An error is *NotFoundError or *NoAnswerError, or of the connection.
func (c *Client) Status(ctx context.Context, workflowID string) (*cmk.Status, error) {
	run := Run{WorkflowID: workflowID}
	asked, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	status, err := c.status(asked, run)
	var silent *NoAnswerError
	if !errors.As(err, &silent) || c.closed(ctx, workflowID) == "" {
		return status, err
	}
	report, end := c.Wait(ctx, run, Watch{})
	var failed *FailedError
	switch {
	case end == nil:
		return &report.Status, nil
	case errors.As(end, &failed) && failed.Report != nil:
		return &failed.Report.Status, nil
	}
	return nil, err
}

func (c *Client) status(ctx context.Context, run Run) (*cmk.Status, error) {
	answer, err := c.temporal.QueryWorkflow(ctx, run.WorkflowID, run.RunID, cmk.QueryStatus)
	if err != nil {
		return nil, c.explain(ctx, run.WorkflowID, err)
	}
	var status cmk.Status
	if err := answer.Get(&status); err != nil {
		return nil, err
	}
	return &status, nil
}

// Workers is how many workers have polled the task queue in the last minutes. Without any, a change waits.
func (c *Client) Workers(ctx context.Context) (int, error) {
	d, err := c.temporal.DescribeTaskQueue(ctx, cmk.TaskQueue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return 0, err
	}
	return len(d.GetPollers()), nil
}
