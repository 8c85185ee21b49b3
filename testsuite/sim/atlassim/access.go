package atlassim

import (
	"fmt"
	"net/http"
	"slices"
)

func (a *Atlas) newRole(p *project) *role {
	r := &role{id: a.world.ID("role"), externalID: a.world.UUID("externalId"), created: a.world.Now()}
	p.roles = append(p.roles, r)
	return r
}

// usedBy is whether a project's encryption uses the role.
func (r *role) usedBy(p *project) bool { return p.kms != nil && p.kms.roleID == r.id }

func (c *call) roleView(r *role) any {
	usages := []any{}
	if r.usedBy(c.project) {
		usages = append(usages, map[string]any{"featureType": "ENCRYPTION_AT_REST", "featureId": nil})
	}
	view := map[string]any{
		"atlasAWSAccountArn": c.config.AccountARN, "atlasAssumedRoleExternalId": r.externalID,
		"authorizedDate": stampOrNil(r.authorized), "createdDate": stamp(r.created), "featureUsages": usages,
		"iamAssumedRoleArn": nil, "providerName": "AWS", "roleId": r.id,
	}
	if r.arn != "" {
		view["iamAssumedRoleArn"] = r.arn
	}
	return view
}

func listAccess(c *call) (any, error) {
	roles := []any{}
	for _, r := range c.project.roles {
		roles = append(roles, c.roleView(r))
	}
	return map[string]any{"awsIamRoles": roles, "azureServicePrincipals": []any{}, "gcpServiceAccounts": []any{}}, nil
}

func createAccess(c *call) (any, error) {
	var body struct{ ProviderName string }
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if err := awsOnly(body.ProviderName); err != nil {
		return nil, err
	}
	if c.assume.PendingRoleReused {
		for _, r := range c.project.roles {
			if r.arn == "" {
				return c.roleView(r), nil
			}
		}
	}
	c.beforeRole(c.project)
	r := c.newRole(c.project)
	c.apply(c.project.id + "/" + r.id)
	c.record(c.project, "CLOUD_PROVIDER_ACCESS_AWS_IAM_ROLE_ADDED", c)
	return c.roleView(r), nil
}

func getAccess(c *call) (any, error) {
	r, err := c.accessRole()
	if err != nil {
		return nil, err
	}
	return c.roleView(r), nil
}

func (c *call) accessRole() (*role, error) {
	if r := c.project.role(c.param("roleId")); r != nil {
		return r, nil
	}
	id := c.param("roleId")
	return nil, refusal(http.StatusNotFound, "CLOUD_PROVIDER_ACCESS_ROLE_NOT_FOUND",
		fmt.Sprintf("The specified Cloud Provider Access role (%s) was not found.", id), id)
}

// authorizeAccess has Atlas assume the IAM role, which the role's trust policy has to allow.
func authorizeAccess(c *call) (any, error) {
	var body struct{ ProviderName, IamAssumedRoleArn string }
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if err := awsOnly(body.ProviderName); err != nil {
		return nil, err
	}
	if body.IamAssumedRoleArn == "" {
		return nil, missingAttribute("iamAssumedRoleArn")
	}
	r, err := c.accessRole()
	if err != nil {
		return nil, err
	}
	trial := *r
	trial.arn = body.IamAssumedRoleArn
	if err := c.aws.Assume(trial.identity(c.config.AccountARN)); err != nil {
		return nil, cannotAssumeRole(body.IamAssumedRoleArn)
	}
	c.beforeRoleChange(c.project, r)
	*r = trial
	r.authorized = c.world.Now()
	c.apply("")
	c.record(c.project, "CLOUD_PROVIDER_ACCESS_AWS_IAM_ROLE_UPDATED", c)
	return c.roleView(r), nil
}

func deauthorizeAccess(c *call) (any, error) {
	if err := awsOnly(c.param("cloudProvider")); err != nil {
		return nil, err
	}
	r, err := c.accessRole()
	if err != nil {
		return nil, err
	}
	if r.usedBy(c.project) && c.assume.DeauthorizeInUseRefused {
		return nil, badRequest("CLOUD_PROVIDER_ACCESS_ROLE_IN_USE",
			fmt.Sprintf("The specified Cloud Provider Access role (%s) is in use.", r.id), r.id)
	}
	c.beforeRoleChange(c.project, r)
	c.project.roles = slices.DeleteFunc(c.project.roles, func(other *role) bool { return other == r })
	c.apply("")
	c.record(c.project, "CLOUD_PROVIDER_ACCESS_AWS_IAM_ROLE_DELETED", c)
	return nil, nil
}

// awsOnly refuses the clouds that the simulation does not know.
func awsOnly(provider string) error {
	if provider != "AWS" {
		return badRequest("INVALID_CLOUD_PROVIDER", fmt.Sprintf("Invalid cloud provider %s specified.", provider), provider)
	}
	return nil
}
