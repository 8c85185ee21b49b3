package workflows

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// DisablePrivateNetworking deletes a project's private endpoints and stops requiring private networking. The key stays,
// and clusters on it use the public path from then on. It has no point of no return: it is one window.
func DisablePrivateNetworking(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeNetworking(input)
	if err != nil {
		return nil, invalid(err)
	}
	n := &networking{newExit(ctx, cmk.DisablePrivateNetworking, request.ExitOptions)}
	n.change.describe, n.change.conclude = n.describe, n.conclude
	return n.runTurnable(ctx, request.DryRun, n.steps)
}

// networking is one run of DisablePrivateNetworking.
type networking struct{ *exit }

func (n *networking) steps(ctx workflow.Context) error {
	if err := n.agree(ctx, n.preflight); err != nil || n.options.DryRun {
		return err
	}
	return inOrder(ctx, n.leaveNetworking, n.verify)
}

func (n *networking) preflight(ctx workflow.Context) error {
	if err := n.look(ctx, activities.EncryptedProjectInput{PublicPath: true}); err != nil {
		return err
	}
	n.status.Findings = assessNetworking(n.seen)
	steps := leaveSteps(n.seen)
	n.status.Plan = &cmk.Plan{Hash: hash(steps), Steps: steps}
	n.show(ctx)
	return n.refuseErrors()
}

// assessNetworking compares what DisablePrivateNetworking would do with what is there.
func assessNetworking(s survey) []cmk.Finding {
	var f findings
	if e := s.Project.Encryption; !e.RequirePrivateNetworking && len(s.Project.Endpoints) == 0 {
		f.info(cmk.FindingNothingToDo, s.Project.ID, "private networking is not required, and there are no private endpoints")
		return f
	}
	assessUsable(&f, s)
	assessLeaving(&f, s, false)
	if s.onKey() {
		f.warn(cmk.FindingPublicExposure, s.Project.ID, "", "from then on clusters use the key over the public path")
	}
	notEvaluated(&f)
	return f
}

func (n *networking) verify(ctx workflow.Context) error {
	n.enter(ctx, cmk.PhaseVerification)
	if !n.seen.Project.Encryption.Enabled {
		return n.verifyExit(ctx, activities.VerifyExitInput{Gone: endpointIDs(n.seen.Project.Endpoints)})
	}
	if err := n.verifyExit(ctx, activities.VerifyExitInput{Public: true}); err != nil {
		return err
	}
	n.keep = []string{fmt.Sprintf("KMS key %s, and IAM role %s with its policies, for as long as any cluster or snapshot of project %s is encrypted with the key", n.final.Key, n.final.RoleARN, n.projectID())}
	return nil
}

func (n *networking) describe(s *cmk.Status) {
	if n.endpoints == nil {
		return // before preflight
	}
	s.Endpoints, s.State = n.endpoints.report(), n.state()
}

// state is where the project stands.
func (n *networking) state() cmk.ProjectState {
	e := n.seen.Project.Encryption
	switch {
	case !e.Enabled:
		return cmk.StateOff
	case n.window:
		return cmk.StateWindow
	case len(encrypted(n.seen.Project.Clusters)) == 0:
		return cmk.StateAllOff
	case n.public || !e.RequirePrivateNetworking:
		return cmk.StatePublic
	}
	return cmk.StateOn
}

func (n *networking) conclude(r *cmk.Report) {
	if n.public {
		r.WayBack = n.seen.wayBack()
	}
}
