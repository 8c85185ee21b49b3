package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// StartOptions are the choices of whoever starts a change.
type StartOptions struct {
	// WorkflowID is cmk.WorkflowID of the project if empty, of a dry run PlanID, of a watch cmk.WatchID or
	// cmk.OrganizationWatchID, of a ReadProject cmk.ReadID, and of a retirement that of its request.
	WorkflowID string
	// Memo is kept with the workflow, for whoever lists it: a ticket, a team. No secrets.
	Memo map[string]any
}

// PlanID is the workflow id of a dry run: it is another than a change's, so that one can be planned while another runs.
func PlanID(projectID string) string { return cmk.WorkflowID(projectID) + "-plan" }

// Enable starts EnableWithPrivateEndpoints. The request is validated first, a *cmk.InvalidRequestError says what is wrong
// with it; an *AlreadyRunningError, that a workflow of this id runs. So do the other functions that start a change.
func (c *Client) Enable(ctx context.Context, request cmk.EnableRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeEnable)
}

// AddEndpoints starts AddPrivateEndpoints.
func (c *Client) AddEndpoints(ctx context.Context, request cmk.AddRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeAdd)
}

// Encrypt starts EncryptClusters.
func (c *Client) Encrypt(ctx context.Context, request cmk.EncryptRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeEncrypt)
}

// Migrate starts MigrateUserToRole.
func (c *Client) Migrate(ctx context.Context, request cmk.MigrateRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeMigrate)
}

// Rotate starts RotateKey.
func (c *Client) Rotate(ctx context.Context, request cmk.RotateRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeRotate)
}

// Retire starts RetireAccess. There is no dry run of it: it writes nothing for long, and then asks.
func (c *Client) Retire(ctx context.Context, request cmk.RetireRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeRetire)
}

// Disable starts SafeDisableCMK.
func (c *Client) Disable(ctx context.Context, request cmk.DisableRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeDisable)
}

// RemoveEndpoints starts RemovePrivateEndpoints.
func (c *Client) RemoveEndpoints(ctx context.Context, request cmk.RemoveRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeRemove)
}

// DisableNetworking starts DisablePrivateNetworking.
func (c *Client) DisableNetworking(ctx context.Context, request cmk.NetworkingRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeNetworking)
}

// Read starts ReadProject, which reads a project as it is now. An earlier one that still waits for a worker makes way.
func (c *Client) Read(ctx context.Context, request cmk.ReadRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeRead)
}

// StartWatch starts WatchProject.
func (c *Client) StartWatch(ctx context.Context, request cmk.WatchRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeWatch)
}

// StartOrganizationWatch starts WatchOrganization.
func (c *Client) StartOrganizationWatch(ctx context.Context, request cmk.OrganizationRequest, o StartOptions) (Run, error) {
	return start(ctx, c, request, o, cmk.DecodeOrganization)
}

// WorkflowOptions are those with which a change is started: its id, what Temporal shows of it, and what becomes of another
// that runs under the same id. The request is one of cmk's, as its decoder completes it; any other is a mistake, and panics.
func WorkflowOptions(request any, o StartOptions) client.StartWorkflowOptions {
	return describe(request).options(o)
}

// beginning is what Temporal is told of a change when it is started.
type beginning struct {
	// workflow is its type.
	workflow string
	// id is its recommended id, planID that of a dry run.
	id, planID string
	// what it does, in the imperative; details follow as Markdown.
	what, details string
	requester     string
	dryRun        bool
	// replaces is true where an earlier run may be ended for this one: it writes nothing.
	replaces bool
}

// describe tells what a request begins.
func describe(request any) beginning {
	switch r := request.(type) {
	case cmk.EnableRequest:
		b := ofProject(r.ProjectID, cmk.EnableWithPrivateEndpoints, "enable customer-managed keys for Atlas project", r.Requester, r.DryRun)
		b.details = fmt.Sprintf("Key `%s` in %s, reached over private endpoints.", r.Key, r.KeyRegion)
		return b
	case cmk.AddRequest:
		b := ofProject(r.ProjectID, cmk.AddPrivateEndpoints, "add private endpoints to Atlas project", r.Requester, r.DryRun)
		b.details = fmt.Sprintf("In %s.", strings.Join(r.Regions, ", "))
		return b
	case cmk.EncryptRequest:
		return ofProject(r.ProjectID, cmk.EncryptClusters, "put clusters on the customer-managed key of Atlas project", r.Requester, r.DryRun)
	case cmk.MigrateRequest:
		b := ofProject(r.ProjectID, cmk.MigrateUserToRole, "migrate to an IAM role the Atlas project", r.Requester, r.DryRun)
		b.details = fmt.Sprintf("From an IAM user's access key to IAM role `%s`; the key stays.", r.Role.Name)
		return b
	case cmk.RotateRequest:
		b := ofProject(r.ProjectID, cmk.RotateKey, "rotate the customer-managed key of Atlas project", r.Requester, r.DryRun)
		b.details = fmt.Sprintf("To key `%s` in %s.", r.Key, r.KeyRegion)
		if r.Key == "" {
			b.details = fmt.Sprintf("To %s; the key stays.", r.KeyRegion)
		}
		return b
	case cmk.RetireRequest:
		return beginning{
			workflow: cmk.RetireAccess, id: r.ID(), what: "retire " + r.What(),
			details: fmt.Sprintf("%d projects have used it.", len(r.ProjectIDs)), requester: r.Requester,
		}
	case cmk.DisableRequest:
		b := ofProject(r.ProjectID, cmk.SafeDisableCMK, "disable customer-managed keys for Atlas project", r.Requester, r.DryRun)
		b.details = fmt.Sprintf("Order `%s`.", r.Order)
		return b
	case cmk.RemoveRequest:
		return ofProject(r.ProjectID, cmk.RemovePrivateEndpoints, "remove private endpoints of Atlas project", r.Requester, r.DryRun)
	case cmk.NetworkingRequest:
		return ofProject(r.ProjectID, cmk.DisablePrivateNetworking, "disable private networking of Atlas project", r.Requester, r.DryRun)
	case cmk.ReadRequest:
		return beginning{workflow: cmk.ReadProject, id: cmk.ReadID(r.ProjectID), what: "read Atlas project " + r.ProjectID, replaces: true}
	case cmk.WatchRequest:
		return beginning{
			workflow: cmk.WatchProject, id: cmk.WatchID(r.ProjectID), what: "watch Atlas project " + r.ProjectID,
			details: fmt.Sprintf("A look every %s, of the settings every %s.", r.Interval, r.SettingsInterval), requester: r.Requester,
		}
	case cmk.OrganizationRequest:
		return beginning{
			workflow: cmk.WatchOrganization, id: cmk.OrganizationWatchID(r.OrganizationID), what: "watch Atlas organization " + r.OrganizationID,
			details: fmt.Sprintf("Its projects are listed every %s.", r.ProjectsInterval), requester: r.Requester,
		}
	}
	panic(fmt.Sprintf("client: %T begins nothing", request))
}

func ofProject(projectID, workflow, what, requester string, dryRun bool) beginning {
	return beginning{
		workflow: workflow, id: cmk.WorkflowID(projectID), planID: PlanID(projectID), what: what + " " + projectID,
		requester: requester, dryRun: dryRun,
	}
}

// start starts a change. Its request is completed before it is sent, so that history records the defaults.
func start[R any](ctx context.Context, c *Client, request R, o StartOptions, decode func([]byte) (R, error)) (Run, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return Run{}, fmt.Errorf("write the request: %w", err)
	}
	if request, err = decode(text); err != nil {
		return Run{}, err
	}
	b := describe(request)
	options := b.options(o)
	run, err := c.temporal.ExecuteWorkflow(ctx, options, b.workflow, request)
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &already) {
		return Run{}, &AlreadyRunningError{Run{WorkflowID: options.ID, RunID: already.RunId}}
	}
	if err != nil {
		return Run{}, fmt.Errorf("start %s: %w", b.workflow, err)
	}
	return Run{WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}

// memoRequester is the key of the requester in a workflow's memo.
const memoRequester = "requester"

func (b beginning) options(o StartOptions) client.StartWorkflowOptions {
	options := client.StartWorkflowOptions{
		ID:                       o.WorkflowID,
		TaskQueue:                cmk.TaskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		// Without it, starting a workflow that runs already would quietly give back that one.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            capital(b.what),
		StaticDetails:                            b.details,
		Memo:                                     map[string]any{},
	}
	for k, v := range o.Memo {
		options.Memo[k] = v
	}
	if b.requester != "" {
		options.Memo[memoRequester] = b.requester
		options.StaticDetails = strings.TrimSpace(options.StaticDetails + " Asked for by " + b.requester + ".")
	}
	if options.ID == "" {
		options.ID = b.id
	}
	if b.replaces {
		options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	}
	if b.dryRun {
		options.StaticSummary = "Plan to " + b.what
		if o.WorkflowID == "" {
			options.ID = b.planID
			// A dry run writes nothing, so that an earlier one that still waits for a worker can make way.
			options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
		}
	}
	return options
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
