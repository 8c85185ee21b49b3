package workflows

import (
	"encoding/json"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// startRetirement starts a retirement as a workflow of its own, which outlives this one. One of an access key that runs
// already, because another project has used it, is told of the projects; one that ends in between is started anew.
func startRetirement(ctx workflow.Context, request cmk.RetireRequest) error {
	options := workflow.ChildWorkflowOptions{
		WorkflowID:        request.ID(),
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:     "Retire " + request.What(),
	}
	const tries = 3
	var err error
	for range tries {
		err = workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), cmk.RetireAccess, request).GetChildWorkflowExecution().Get(ctx, nil)
		if !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return err
		}
		if request.RoleARN != "" {
			return nil // it is this project's own, and has begun before
		}
		err = workflow.SignalExternalWorkflow(ctx, request.ID(), "", signalJoin, joining{ProjectIDs: request.ProjectIDs, SwitchedAt: request.SwitchedAt}).Get(ctx, nil)
		if err == nil {
			return nil
		}
	}
	return err
}

// signalJoin tells a retirement of further projects that have used the access key; migrations send it.
const signalJoin = "join"

// joining is the payload of signalJoin.
type joining struct {
	ProjectIDs []string  `json:"projectIds"`
	SwitchedAt time.Time `json:"switchedAt"`
}

// listenForProjects registers the handler of signalJoin.
func (r *retirement) listenForProjects(ctx workflow.Context) {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	channel := workflow.GetSignalChannelWithOptions(ctx, signalJoin, workflow.SignalChannelOptions{Description: "other projects have used the access key"})
	workflow.GoNamed(apart, signalJoin, func(ctx workflow.Context) {
		for {
			var raw json.RawMessage
			if !channel.Receive(ctx, &raw) {
				return
			}
			r.join(raw)
		}
	})
}

// join adds projects. The waits begin anew: snapshots of theirs may need the access key for longer.
func (r *retirement) join(raw json.RawMessage) {
	j, err := decode[joining](raw)
	if err != nil || r.turn != nil {
		return // an access key that is Inactive had not been used for long: no project has come from it since
	}
	ids := append(slices.Clone(r.request.ProjectIDs), j.ProjectIDs...)
	slices.Sort(ids)
	r.request.ProjectIDs = slices.Compact(ids)
	if j.SwitchedAt.After(r.request.SwitchedAt) {
		r.request.SwitchedAt = j.SwitchedAt
	}
	r.progress.LossAccepted = false
	r.joined = true
	r.chosen[stepDisuse] = cmk.SignalRetry
}

// inactive opens the way for people to end the retirement, now that the access key is Inactive: with restore, which makes
// it Active again, or with stop, which leaves it. A step that waits for a person is answered by that.
func (r *retirement) inactive() {
	r.turn = &turn{cancel: func() {
		for _, step := range r.stepsMeant(cmk.SignalRetry, "") {
			r.chosen[step] = cmk.SignalRetry
		}
	}}
}

// turned is true once people have ended the retirement.
func (r *retirement) turned() bool { return r.turn != nil && r.turn.signal != "" }

// turnBack ends the retirement as people have asked for.
func (r *retirement) turnBack(ctx workflow.Context) error {
	if r.turn.signal == cmk.SignalStop {
		return failure(cmk.ErrAborted, "%s has asked for stop; access key %s stays Inactive", r.turn.by, r.key.ID)
	}
	err := r.persist(ctx, "make the access key Active again", func(ctx workflow.Context) error {
		in := activities.AccessKeyInput{AccessKeyID: r.key.ID}
		return workflow.ExecuteActivity(writing(ctx, "make access key "+r.key.ID+" Active again"), iam.ReactivateAccessKey, in).Get(ctx, nil)
	})
	if err != nil {
		return err
	}
	r.undid(ctx, cmk.SystemIAM, "make access key Active again", r.key.ID)
	return failure(cmk.ErrAborted, "access key %s is Active again, as %s asked; it is not retired", r.key.ID, r.turn.by)
}
