package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/sdk/temporalnexus"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// nexusService serves the contract to other namespaces: an operation for each workflow type, which takes its request and
// completes with its report; one that decides, and one that tells the status.
func nexusService() (*nexus.Service, error) {
	s := nexus.NewService(cmk.NexusService)
	var errs []error
	for _, r := range cmk.RequestTypes() {
		start, err := nexusStart(r)
		if err == nil {
			err = s.Register(start)
		}
		errs = append(errs, err)
	}
	errs = append(errs,
		s.Register(nexus.NewSyncOperation(cmk.NexusDecide, func(ctx context.Context, m cmk.NexusMessage, _ nexus.StartOperationOptions) (*cmk.Status, error) {
			if !slices.Contains(slices.Concat(cmk.DecisionSignals(), cmk.ResolutionSignals()), m.Signal) {
				return nil, nexus.NewHandlerErrorf(nexus.HandlerErrorTypeBadRequest, "signal %q is none of ours", m.Signal)
			}
			status, err := client.New(temporalnexus.GetClient(ctx)).Send(ctx, m.WorkflowID, m.Signal, m.Payload)
			return status, nexusError(err)
		})),
		s.Register(nexus.NewSyncOperation(cmk.NexusStatus, func(ctx context.Context, m cmk.NexusMessage, _ nexus.StartOperationOptions) (*cmk.Status, error) {
			status, err := client.New(temporalnexus.GetClient(ctx)).Status(ctx, m.WorkflowID)
			return status, nexusError(err)
		})),
	)
	return s, errors.Join(errs...)
}

// nexusStart is the operation that starts a workflow type, as the Go client does, and completes with it.
func nexusStart(r cmk.RequestType) (nexus.RegisterableOperation, error) {
	return temporalnexus.NewWorkflowRunOperationWithOptions(temporalnexus.WorkflowRunOperationOptions[json.RawMessage, cmk.Report]{
		Name: r.Workflow,
		Handler: func(ctx context.Context, request json.RawMessage, o nexus.StartOperationOptions) (temporalnexus.WorkflowHandle[cmk.Report], error) {
			decoded, err := r.Decode(request)
			if err != nil {
				return nil, nexus.NewHandlerErrorf(nexus.HandlerErrorTypeBadRequest, "invalid request: %s", err)
			}
			return temporalnexus.ExecuteUntypedWorkflow[cmk.Report](ctx, o, client.WorkflowOptions(decoded, client.StartOptions{}), r.Workflow, decoded)
		},
	})
}

// nexusError tells errors that trying again does not change from others.
func nexusError(err error) error {
	var refused *client.RefusedError
	var unknown *client.NotFoundError
	var closed *client.ClosedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return nexus.NewOperationFailedErrorf("%s: %s", refused.Code, refused.Why)
	case errors.As(err, &unknown), errors.As(err, &closed):
		return nexus.NewHandlerErrorf(nexus.HandlerErrorTypeNotFound, "%s", err)
	}
	return err
}
