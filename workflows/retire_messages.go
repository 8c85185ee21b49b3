package workflows

import (
	"encoding/json"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// signalRestore makes the access key Active again, by a person's word alone.
const signalRestore = "restore"

// signalJoin tells a retirement of further projects that have used the access key; migrations send it.
const signalJoin = "join"

// joining is the payload of signalJoin.
type joining struct {
	ProjectIDs []string  `json:"projectIds"`
	SwitchedAt time.Time `json:"switchedAt"`
}

// listenMore registers what a retirement understands beyond what every change does.
func (r *retirement) listenMore(ctx workflow.Context) error {
	apart, _ := workflow.NewDisconnectedContext(ctx)
	join := workflow.GetSignalChannelWithOptions(ctx, signalJoin, workflow.SignalChannelOptions{Description: "another project has used the access key"})
	workflow.GoNamed(apart, signalJoin, func(ctx workflow.Context) {
		for {
			var raw json.RawMessage
			if !join.Receive(ctx, &raw) {
				return
			}
			r.join(raw)
		}
	})
	restore := workflow.GetSignalChannelWithOptions(ctx, signalRestore, workflow.SignalChannelOptions{Description: `make the access key Active again: {"by", "reason"}`})
	workflow.GoNamed(apart, signalRestore, func(ctx workflow.Context) {
		for {
			var raw json.RawMessage
			if !restore.Receive(ctx, &raw) {
				return
			}
			if code, why := r.examineRestore(raw); code != "" {
				r.approvals.refuse(cmk.Refusal{Signal: signalRestore, At: workflow.Now(ctx).UTC(), Code: code, Why: why})
				continue
			}
			r.restore(raw)
		}
	})
	return workflow.SetUpdateHandlerWithOptions(ctx, signalRestore,
		func(_ workflow.Context, raw json.RawMessage) (cmk.Status, error) {
			r.restore(raw)
			return r.snapshot(), nil
		},
		workflow.UpdateHandlerOptions{
			Description: `make the access key Active again: {"by", "reason"}`,
			Validator: func(_ workflow.Context, raw json.RawMessage) error {
				if code, why := r.examineRestore(raw); code != "" {
					return refused(cmk.Refusal{Signal: signalRestore, Code: code, Why: why})
				}
				return nil
			},
		})
}

// join adds projects. The waits begin anew: snapshots of theirs may need the access key for longer.
func (r *retirement) join(raw json.RawMessage) {
	j, err := decode[joining](raw)
	if err != nil || r.inactive {
		return // an access key that is Inactive had not been used for long: no project came from it since
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

func (r *retirement) examineRestore(raw json.RawMessage) (code, why string) {
	d, err := decode[cmk.Resolution](raw)
	switch {
	case err != nil:
		return cmk.RefusedUnreadable, err.Error()
	case d.By == "":
		return cmk.RefusedNameMissing, "by is missing: say who decides"
	case !r.inactive:
		return cmk.RefusedNothingWaits, "the access key is not Inactive by this retirement's hand"
	}
	return "", ""
}

// restore has the access key made Active again, as soon as the step in flight allows. A step that waits for a person is
// answered by it.
func (r *retirement) restore(raw json.RawMessage) {
	d, err := decode[cmk.Resolution](raw)
	if err != nil {
		return
	}
	r.restoredBy = d.By
	for _, step := range r.stepsMeant(cmk.SignalRetry, "") {
		r.chosen[step] = cmk.SignalRetry
	}
}

// reactivate makes the access key Active again and ends the retirement.
func (r *retirement) reactivate(ctx workflow.Context) error {
	err := r.persist(ctx, "make the access key Active again", func(ctx workflow.Context) error {
		return workflow.ExecuteActivity(writing(ctx, "make access key "+r.key.ID+" Active again"), iam.ReactivateAccessKey, activities.AccessKeyInput{AccessKeyID: r.key.ID}).Get(ctx, nil)
	})
	if err != nil {
		return err
	}
	r.inactive = false
	r.undid(ctx, cmk.SystemIAM, "make access key Active again", r.key.ID)
	return failure(cmk.ErrAborted, "access key %s is Active again, as %s asked; it is not retired", r.key.ID, r.restoredBy)
}
