package workflows

import (
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// lookAtEnabled is the preflight of what adds to a project that is on its key over private endpoints already: key, region
// and role are those that the project has.
func (e *enable) lookAtEnabled(
	ctx workflow.Context, ask func(key, keyRegion, roleName string) cmk.EnableRequest, assess func(cmk.EnableRequest, seen) (target, findings),
) error {
	e.request = ask("", "", "")
	var s seen // into what was seen before, what is left out now would not be read
	id := e.projectID()
	if err := workflow.ExecuteActivity(surveying(ctx, "read project "+id), atlas.ReadProject, activities.ProjectInput{ProjectID: id, Switching: &e.request.Clusters}).Get(ctx, &s.Project); err != nil {
		return err
	}
	found := assessEnabled(s)
	if len(found) > 0 {
		e.status.Findings, e.status.Plan = found, &cmk.Plan{Hash: hash(nil), Steps: []cmk.Step{}}
		e.show(ctx)
		return e.refuseErrors(e.request.DryRun)
	}
	now := s.Project.Encryption
	arn := s.roleInUse().ARN
	e.request = ask(now.KeyID, now.Region, arn[strings.LastIndex(arn, "/")+1:])
	r := e.request
	key := workflow.ExecuteActivity(looking(ctx, "read the key and its replicas"), kms.ReadKey, activities.KeyInput{Key: r.Key, Region: r.KeyRegion, RoleName: r.Role.Name})
	role := workflow.ExecuteActivity(looking(ctx, "read IAM role "+r.Role.Name), iam.ReadIAMRole, activities.IAMRoleInput{ProjectID: r.ProjectID, Name: r.Role.Name})
	if err := key.Get(ctx, &s.Key); err != nil {
		return err
	}
	if err := role.Get(ctx, &s.Role); err != nil {
		return err
	}
	e.seen = s
	t, found := assess(r, s)
	return e.settle(ctx, t, found)
}

// roleInUse is Atlas's role through which the project uses its key; nil when there is none.
func (s seen) roleInUse() *activities.AccessRole {
	for i, r := range s.Project.Roles {
		if r.ID == s.Project.Encryption.RoleID && r.Authorized {
			return &s.Project.Roles[i]
		}
	}
	return nil
}

// assessEnabled finds what keeps a project from being added to.
func assessEnabled(s seen) findings {
	var f findings
	e := s.Project.Encryption
	switch {
	case e.Other != "":
		f.err(cmk.FindingOtherProvider, e.Other, "disable it first", "encryption at rest is enabled with %s", e.Other)
	case !e.Enabled:
		f.err(cmk.FindingNotEnabled, s.Project.ID, "enable it with "+cmk.EnableWithPrivateEndpoints, "the project has no customer-managed key")
	case e.RoleID == "":
		f.err(cmk.FindingEnabledWithCredentials, e.AccessKeyID, "migrate the project to an IAM role first, with "+cmk.MigrateUserToRole, "encryption at rest is enabled with an IAM user's credentials")
	case s.roleInUse() == nil:
		f.err(cmk.FindingRoleMissing, e.RoleID, "authorize the role again", "encryption at rest is enabled with cloud provider access role %s, which is not authorized", e.RoleID)
	case !e.RequirePrivateNetworking:
		f.err(cmk.FindingNetworkingOff, s.Project.ID, "require it with "+cmk.EnableWithPrivateEndpoints+", which takes the clusters that are on the key along",
			"the project does not require private networking")
	}
	return f
}

// standsActive says whether a region has an endpoint that carries traffic.
func (s seen) standsActive(region string) bool {
	for _, p := range s.Project.Endpoints {
		if p.Region == region && p.Status == cmk.EndpointActive {
			return true
		}
	}
	return false
}
