package workflows

import (
	"encoding/json"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// ReadProject tells of a project as it is now. It writes nothing, needs no lease, and may be started at any time.
func ReadProject(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeRead(input)
	if err != nil {
		return nil, invalid(err)
	}
	c := newChange(ctx, cmk.ReadProject, request.ProjectID, "", cmk.ApprovalPolicy{}, cmk.Stop)
	in := activities.ProjectInput{ProjectID: request.ProjectID}
	var temporal *activities.Temporal
	reading := workflow.ExecuteActivity(looking(ctx, "read the project"), atlas.LookAtProject, in)
	asked := workflow.ExecuteActivity(looking(ctx, "ask the project's open runs"), temporal.ReadOpenRuns, in)
	var look activities.Look
	if err := reading.Get(ctx, &look); err != nil {
		return nil, c.fail(ctx, cmk.PhaseRefused, err)
	}
	var open activities.OpenRuns
	if err := asked.Get(ctx, &open); err != nil {
		return nil, c.fail(ctx, cmk.PhaseRefused, err)
	}
	tell(&c.status, &look)
	c.status.Endpoints = endpointReports(look.Endpoints, open.Statuses)
	c.status.Findings = judge(&look)
	if len(open.Silent) > 0 {
		(*findings)(&c.status.Findings).info(cmk.FindingNotEvaluated, strings.Join(open.Silent, ", "), "approvals are not known: an open run did not answer")
	}
	c.final = c.status.Settings
	return c.complete(ctx, cmk.PhaseDone), nil
}

// endpointReports are endpoints with what open runs know of them.
func endpointReports(endpoints []activities.Endpoint, open []cmk.Status) []cmk.EndpointReport {
	var reports []cmk.EndpointReport
	for _, e := range endpoints {
		r := cmk.EndpointReport{Region: e.Region, ID: e.ID, Status: e.Status, ErrorMessage: e.Error, Approval: cmk.ApprovalUnknown}
		for _, s := range open {
			at := slices.IndexFunc(s.Endpoints, func(known cmk.EndpointReport) bool { return known.ID == e.ID })
			if at < 0 {
				continue
			}
			known := s.Endpoints[at]
			r.Approval, r.Votes = known.Approval, known.Votes
			if known.Status == e.Status {
				r.Since = known.Since
			}
			break
		}
		reports = append(reports, r)
	}
	return reports
}
