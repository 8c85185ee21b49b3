package workflows

import (
	"encoding/json"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// AddPrivateEndpoints gives a project that is on its key more private endpoints: the key's replicas and the role's use of
// them, the endpoints, and their approvals. Each endpoint is its own point of no return: one through which a cluster
// reaches its key by then is not taken back.
func AddPrivateEndpoints(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeAdd(input)
	if err != nil {
		return nil, invalid(err)
	}
	a := &add{newEnable(ctx, cmk.AddPrivateEndpoints, request.Enable("", "", ""))}
	a.look = func(ctx workflow.Context) error { return a.lookAtEnabled(ctx, request.Enable, assessAdd) }
	return a.run(ctx, request.DryRun, a.steps)
}

// add is one run of AddPrivateEndpoints.
type add struct{ *enable }

func (a *add) steps(ctx workflow.Context) error {
	if err := a.look(ctx); err != nil || a.request.DryRun {
		return err
	}
	return inOrder(ctx, a.approvePlan, a.replicateKey, a.grantAccess, a.addEndpoints, a.verify)
}

// addEndpoints creates the endpoints that are missing, and waits until each is ACTIVE and approved.
func (a *add) addEndpoints(ctx workflow.Context) error {
	a.reachable = a.status.Started
	if slices.ContainsFunc(a.target.regions, func(region string) bool { return a.inUse(region) && !a.seen.standsActive(region) }) {
		// Until now, nodes there had no path: an alarm from before is no surprise.
		defer func() { a.reachable = workflow.Now(ctx) }()
	}
	return a.createEndpoints(ctx)
}

// assessAdd compares the regions asked for with what is there.
func assessAdd(r cmk.EnableRequest, s seen) (target, findings) {
	var f findings
	t := target{keyID: s.Key.ARN, keyRegion: r.KeyRegion, regions: slices.Clone(r.Regions)}
	assessSettings(&f, s, &t)
	assessKey(&f, r.Replicas, s, &t)
	assessRole(&f, r, s)
	assessEndpoints(&f, s, t)
	for _, c := range s.Project.Clusters {
		if c.Provider != cmk.ProviderAWS {
			continue
		}
		for _, region := range c.Regions {
			if !slices.Contains(t.regions, region) && !s.standsActive(region) {
				f.warn(cmk.FindingRegionUncovered, region, "add this region too", "cluster %s uses the key and has nodes in %s, where no private endpoint is ACTIVE: one that restarts cannot reach its key", c.Name, region)
			}
		}
	}
	t.admit(s)
	assessCircumstances(&f, r, s, t)
	return t, f
}
