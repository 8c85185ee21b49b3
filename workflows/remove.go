package workflows

import (
	"encoding/json"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// RemovePrivateEndpoints deletes private endpoints that no cluster needs: all of those asked for, once all of them can be
// deleted, or none. Its point of no return is the first of them. Rejecting an endpoint of AWS is nothing else.
func RemovePrivateEndpoints(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeRemove(input)
	if err != nil {
		return nil, invalid(err)
	}
	r := &remove{exit: newExit(ctx, cmk.RemovePrivateEndpoints, request.ExitOptions), request: request}
	r.change.describe = r.describe
	return r.runTurnable(ctx, request.DryRun, r.steps)
}

// remove is one run of RemovePrivateEndpoints.
type remove struct {
	*exit
	request cmk.RemoveRequest
}

func (r *remove) steps(ctx workflow.Context) error {
	if err := r.agree(ctx, r.preflight); err != nil || r.options.DryRun {
		return err
	}
	return inOrder(ctx, r.deleteAll, r.verify)
}

func (r *remove) preflight(ctx workflow.Context) error {
	if err := r.look(ctx, activities.EncryptedProjectInput{}); err != nil {
		return err
	}
	meant := r.meant()
	r.status.Findings = assessRemove(r.request, r.seen)
	var steps []cmk.Step
	for _, p := range meant {
		steps = append(steps, cmk.Step{
			Action: "delete private endpoint in " + p.Region, Object: p.ID, Exists: p.Status == cmk.EndpointDeleting,
			Irreversible: "it cannot be kept once its deletion has begun; another can be created in its region",
		})
	}
	r.status.Plan = &cmk.Plan{Hash: hash(steps), Steps: steps}
	r.endpoints = newEndpointSet(r.change, regionsOfAll(meant), cmk.Deadlines{}, meant)
	r.show(ctx)
	return r.refuseErrors()
}

// meant are the endpoints asked for.
func (r *remove) meant() []activities.Endpoint {
	return slices.DeleteFunc(slices.Clone(r.seen.Project.Endpoints), func(e activities.Endpoint) bool { return !r.request.Endpoints.Selects(e.ID, e.Region) })
}

// regionsOfAll are the regions of endpoints, those that are being deleted too.
func regionsOfAll(endpoints []activities.Endpoint) []string {
	var regions []string
	for _, e := range endpoints {
		regions = append(regions, e.Region)
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// assessRemove compares what RemovePrivateEndpoints would do with what is there.
func assessRemove(r cmk.RemoveRequest, s survey) []cmk.Finding {
	var f findings
	staying := map[string]bool{}
	for _, e := range s.Project.Endpoints {
		if !r.Endpoints.Selects(e.ID, e.Region) && e.Status == cmk.EndpointActive {
			staying[e.Region] = true
		}
	}
	meant := 0
	for _, e := range s.Project.Endpoints {
		if !r.Endpoints.Selects(e.ID, e.Region) {
			continue
		}
		meant++
		if using := usersOf(s, e.Region); len(using) > 0 && e.Status != cmk.EndpointDeleting && !staying[e.Region] {
			f.err(cmk.FindingEndpointInUse, e.ID, "take those clusters off the key or out of the region first, or leave private networking as a whole with DisablePrivateNetworking",
				"private endpoint %s is the path to the key for nodes in %s of %s", e.ID, e.Region, strings.Join(using, ", "))
		}
		if !e.Deletable() {
			f.warn(cmk.FindingEndpointStuck, e.Region, "", "private endpoint %s in %s is %s: nothing is deleted until it can be deleted", e.ID, e.Region, e.Status)
		}
	}
	for _, id := range r.Endpoints.IDs {
		if !slices.ContainsFunc(s.Project.Endpoints, func(e activities.Endpoint) bool { return e.ID == id }) {
			f.info(cmk.FindingEndpointMissing, id, "there is no private endpoint %s: it is gone, or never was", id)
		}
	}
	if meant == 0 {
		f.info(cmk.FindingNothingToDo, s.Project.ID, "there is no private endpoint of those asked for")
	}
	return f
}

// usersOf are the clusters on the key with nodes in a region, while private networking is required.
func usersOf(s survey, region string) []string {
	if !s.Project.Encryption.RequirePrivateNetworking {
		return nil
	}
	var names []string
	for _, c := range s.Project.Clusters {
		onSearch := slices.ContainsFunc(s.Dependents.Search, func(d activities.SearchDeployment) bool {
			return d.Cluster == c.Name && d.Provider == cmk.ProviderAWS
		})
		if (c.Provider == cmk.ProviderAWS || onSearch) && slices.Contains(c.Regions, region) {
			names = append(names, c.Name)
		}
	}
	return names
}

// deleteAll waits until all can be deleted, and then deletes all. What Atlas recreates is followed in the regions in which
// nothing is to stay.
func (r *remove) deleteAll(ctx workflow.Context) error {
	if len(r.endpoints.current) == 0 {
		return nil
	}
	var regions []string
	for _, region := range r.endpoints.regions {
		if !slices.ContainsFunc(r.seen.Project.Endpoints, func(e activities.Endpoint) bool {
			return e.Region == region && !r.request.Endpoints.Selects(e.ID, e.Region)
		}) {
			regions = append(regions, region)
		}
	}
	r.enter(ctx, cmk.PhaseReadiness)
	for look := 1; ; look++ {
		if err := r.awaitDeletable(ctx); err != nil {
			return err
		}
		if look > 1 && workflow.GetVersion(ctx, "at-rest-first", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
			if _, err := r.awaitQuiet(ctx); err != nil {
				return err
			}
		}
		r.enter(ctx, cmk.PhaseEndpoints)
		r.pivoted = true
		err := r.heed(ctx, "delete the private endpoints", func(ctx workflow.Context) error {
			return r.deleteEndpoints(ctx, r.endpoints.current, regions, false)
		})
		if errorType(err) != cmk.ErrNotEnterable {
			return err
		}
		r.pivoted = false
	}
}

func (r *remove) verify(ctx workflow.Context) error {
	r.enter(ctx, cmk.PhaseVerification)
	return r.verifyExit(ctx, activities.VerifyExitInput{Gone: endpointIDs(r.meant())})
}

func (r *remove) describe(s *cmk.Status) {
	if r.endpoints != nil {
		s.Endpoints = r.endpoints.report()
	}
}
