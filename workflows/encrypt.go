package workflows

import (
	"encoding/json"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// EncryptClusters puts more clusters of a project on its key, one after the other, and its search nodes if asked. Each
// cluster is its own point of no return. It creates no endpoint: where one is missing, it refuses.
func EncryptClusters(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeEncrypt(input)
	if err != nil {
		return nil, invalid(err)
	}
	x := &encryption{enable: newEnable(ctx, cmk.EncryptClusters, request.Enable("", "", "")), planned: request.PlannedRegions}
	x.look = func(ctx workflow.Context) error { return x.lookAtEnabled(ctx, request.Enable, x.assess) }
	return x.run(ctx, request.DryRun, x.steps)
}

// encryption is one run of EncryptClusters.
type encryption struct {
	*enable
	// planned are the regions of a cluster that somebody means to create.
	planned []string
}

func (x *encryption) steps(ctx workflow.Context) error {
	if err := x.look(ctx); err != nil || x.request.DryRun {
		return err
	}
	return x.untilAllAlong(ctx, x.carryOut)
}

func (x *encryption) carryOut(ctx workflow.Context) error {
	return inOrder(ctx, x.approvePlan, x.grantAccess, x.approveEndpoints, x.encryptClusters, x.encryptSearchNodes, x.takeSnapshots, x.verify)
}

// approveEndpoints waits for people to approve the endpoints that the clusters are to rely on. Those through which other
// clusters reach their key already are relied on, and not asked for again; what Atlas puts in their place is.
func (x *encryption) approveEndpoints(ctx workflow.Context) error {
	x.reachable = x.status.Started
	if x.approvals.waived = x.status.Plan.Writes() == 0; x.approvals.waived {
		return nil
	}
	for _, region := range x.target.regions {
		x.approvals.region(region).given = x.inUse(region)
	}
	x.enter(ctx, cmk.PhaseEndpoints)
	return x.endpoints.awaitApprovals(ctx)
}

// assess compares the clusters asked for with what is there.
func (x *encryption) assess(r cmk.EnableRequest, s seen) (target, findings) {
	var f findings
	t := target{keyID: s.Key.ARN, keyRegion: r.KeyRegion}
	assessClusters(&f, r, s, &t)
	for _, c := range t.clusters {
		t.regions = append(t.regions, c.Regions...)
	}
	slices.Sort(t.regions)
	t.regions = slices.Compact(t.regions)
	assessSettings(&f, s, &t)
	assessKey(&f, r.Replicas, s, &t)
	assessRole(&f, r, s)
	for _, c := range t.clusters {
		for _, region := range c.Regions {
			if !s.standsActive(region) { // one that is on the key already could not be verified
				f.err(cmk.FindingClusterUncovered, c.Name, "add an endpoint there first, with "+cmk.AddPrivateEndpoints, "cluster %s has nodes in %s, where no private endpoint is ACTIVE", c.Name, region)
			}
		}
	}
	assessPlanned(&f, x.planned, s)
	t.admit(s)
	assessCircumstances(&f, r, s, t)
	assessSize(&f, r, t)
	return t, f
}

// assessPlanned says of a cluster that does not exist yet how it is to be created.
func assessPlanned(f *findings, regions []string, s seen) {
	if len(regions) == 0 {
		return
	}
	all := strings.Join(regions, ", ")
	missing := slices.DeleteFunc(slices.Clone(regions), func(region string) bool {
		return s.standsActive(region) && slices.ContainsFunc(s.Key.Replicas, func(r activities.KeyReplica) bool { return r.Region == region })
	})
	if len(missing) > 0 {
		f.warn(cmk.FindingPlannedUncovered, all, "add endpoints there first, with "+cmk.AddPrivateEndpoints+"; until then, create it with encryptionAtRestProvider NONE",
			"a cluster with nodes in %s could not reach the key in %s: there is no ACTIVE private endpoint, or no replica of the key", all, strings.Join(missing, ", "))
		return
	}
	f.info(cmk.FindingPlannedCovered, all, "a cluster with nodes in %s can be created with encryptionAtRestProvider AWS: each region has an ACTIVE private endpoint and a replica of the key", all)
}
