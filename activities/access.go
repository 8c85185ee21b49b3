package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Access is what projects have used their keys through, and use no more. A step that withdraws some of it reads in Atlas
// what justifies that, and then writes in IAM: nothing lies between the two.
type Access struct {
	atlas *Atlas
	iam   *IAM
}

// NewAccess makes the activities that withdraw access.
func NewAccess(atlas *Atlas, iam *IAM) *Access { return &Access{atlas: atlas, iam: iam} }

// Justification is what must hold when access is withdrawn.
type Justification struct {
	// Leases are those of all projects that had the access, and of the role if there is one.
	Leases     []Lease  `json:"leases"`
	ProjectIDs []string `json:"projectIds"`
	// Before is when they ceased to use it: backups from before need it, unless their loss was accepted.
	Before       time.Time `json:"before"`
	LossAccepted bool      `json:"lossAccepted,omitempty"`
}

// holds refuses, with ErrForeign, when a backup still needs the access.
func (a *Access) holds(ctx context.Context, j Justification) error {
	for _, lease := range j.Leases {
		if err := a.atlas.leases.Check(ctx, lease); err != nil {
			return err
		}
	}
	for _, id := range j.ProjectIDs {
		if j.LossAccepted {
			break
		}
		b, err := a.atlas.backups(ctx, BackupsInput{ProjectID: id, Before: j.Before})
		if err != nil {
			return err
		}
		if b.Count > 0 {
			return final(cmk.ErrForeign, "%d snapshots and point-in-time windows of project %s still need it, until %s at least: nothing is withdrawn", b.Count, id, b.Until.Format(time.RFC3339))
		}
	}
	return nil
}

// DeactivateAccessKey makes an access key Inactive, unless a project or a backup needs it, or AWS tells of a use since it
// was given up: that is ErrForeign.
func (a *Access) DeactivateAccessKey(ctx context.Context, in WithdrawAccessKeyInput) error {
	if err := a.spare(ctx, in.Justification); err != nil {
		return err
	}
	return a.iam.deactivateAccessKey(ctx, in)
}

// DeleteAccessKey deletes an access key that is Inactive and that nothing needs.
func (a *Access) DeleteAccessKey(ctx context.Context, in WithdrawAccessKeyInput) error {
	if err := a.spare(ctx, in.Justification); err != nil {
		return err
	}
	return a.iam.deleteAccessKey(ctx, in)
}

// RemoveUserStatements takes from the IAM user what it was allowed for the access key's sake, once nothing needs that.
func (a *Access) RemoveUserStatements(ctx context.Context, in WithdrawUserStatementsInput) error {
	if err := a.spare(ctx, in.Justification); err != nil {
		return err
	}
	return a.iam.removeUserStatements(ctx, in.UserStatementsInput)
}

// spare refuses when a project or a backup needs the access key.
func (a *Access) spare(ctx context.Context, in Justification) error {
	if err := a.holds(ctx, in); err != nil {
		return err
	}
	for _, id := range in.ProjectIDs {
		now, err := a.atlas.encryption(ctx, id)
		if err != nil {
			return err
		}
		if now.Enabled && now.RoleID == "" {
			return final(cmk.ErrForeign, "project %s uses its key through access key %s: it is not touched", id, now.AccessKeyID)
		}
	}
	return nil
}

// RoleAccessInput names what projects may do through an IAM role: all that our statements in it allow, or the use of some
// keys.
type RoleAccessInput struct {
	ProjectIDs []string `json:"projectIds"`
	RoleARN    string   `json:"roleArn"`
	// KeyARNs are those keys; none means all.
	KeyARNs []string `json:"keyArns,omitempty"`
}

// nameOf is the last part of an ARN: a role's name, a key's id.
func nameOf(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// RoleAccess is what is there of it.
type RoleAccess struct {
	// Exists is whether the worker's account has the role; Made, whether this software has made it.
	Exists   bool            `json:"exists"`
	Made     bool            `json:"made,omitempty"`
	Projects []ProjectAccess `json:"projects"`
	// Others are the statements of the trust policy that are not of these projects. Reliant are those of them that are of
	// ours, of projects that have no policy of their own in the role: they live on another's.
	Others  []string `json:"others,omitempty"`
	Reliant []string `json:"reliant,omitempty"`
}

// ProjectAccess is that of one project.
type ProjectAccess struct {
	ProjectID string `json:"projectId"`
	// Trusted is whether our statement stands in the trust policy. Keys are those of them that are meant that our inline
	// policy admits.
	Trusted bool     `json:"trusted,omitempty"`
	Keys    []string `json:"keys,omitempty"`
	// AccessRoles are Atlas's cloud provider access roles that stand for the IAM role.
	AccessRoles []string `json:"accessRoles,omitempty"`
	// InUse says by what it is used still; empty if by nothing.
	InUse string `json:"inUse,omitempty"`
}

// ReadRoleAccess reads what projects may do through a role, and whether they still do.
func (a *Access) ReadRoleAccess(ctx context.Context, in RoleAccessInput) (*RoleAccess, error) {
	role, trust, err := a.iam.role(ctx, nameOf(in.RoleARN))
	if err != nil {
		return nil, err
	}
	out := &RoleAccess{Exists: role != nil && *role.Arn == in.RoleARN}
	if !out.Exists {
		trust = newDocument()
	} else {
		out.Made = role.Description != nil && strings.Contains(*role.Description, madeBy)
	}
	for _, id := range in.ProjectIDs {
		p := ProjectAccess{ProjectID: id, Trusted: trust.find(Sid(id)) >= 0}
		if out.Exists {
			if p.Keys, err = a.admittedKeys(ctx, in, id); err != nil {
				return nil, err
			}
		}
		if p.AccessRoles, p.InUse, err = a.uses(ctx, in, id); err != nil {
			return nil, err
		}
		out.Projects = append(out.Projects, p)
	}
	out.Others, out.Reliant, err = a.others(ctx, in, trust)
	return out, err
}

// admittedKeys are the keys that are meant and that a project's inline policy admits.
func (a *Access) admittedKeys(ctx context.Context, in RoleAccessInput, projectID string) ([]string, error) {
	permissions, err := a.iam.permissions(ctx, projectID, nameOf(in.RoleARN))
	if err != nil || permissions == nil {
		return nil, err
	}
	return in.meant(permissions.admits(projectID)), nil
}

// meant are those of the keys that are to be withdrawn.
func (in RoleAccessInput) meant(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(arn string) bool { return len(in.KeyARNs) > 0 && !slices.Contains(in.KeyARNs, arn) })
}

// uses says which of a project's cloud provider access roles stand for the IAM role, and what of what is to be withdrawn the
// project still uses.
func (a *Access) uses(ctx context.Context, in RoleAccessInput, projectID string) (standing []string, why string, err error) {
	now, err := a.atlas.encryption(ctx, projectID)
	if err != nil {
		return nil, "", err
	}
	roles, err := a.atlas.accessRoles(ctx, projectID)
	if err != nil {
		return nil, "", err
	}
	whole := len(in.KeyARNs) == 0
	for _, r := range roles {
		if r.ARN != in.RoleARN {
			continue
		}
		standing = append(standing, r.ID)
		switch {
		case now.Enabled && now.RoleID == r.ID && (whole || slices.ContainsFunc(in.KeyARNs, func(arn string) bool { return sameKey(arn, now.KeyID) })):
			why = fmt.Sprintf("the project uses key %s through it", now.KeyID)
		case whole && len(r.UsedBy) > 0:
			why = "Atlas uses it for " + strings.Join(r.UsedBy, ", ")
		}
	}
	if why == "" && !whole {
		why, err = a.wrapped(ctx, projectID)
	}
	return standing, why, err
}

// wrapped names a cluster that may need a key from before a rotation: one that is paused has not been part of it.
func (a *Access) wrapped(ctx context.Context, projectID string) (string, error) {
	clusters, err := a.atlas.clusters(ctx, projectID)
	if err != nil {
		return "", err
	}
	for _, c := range clusters {
		if c.Provider == cmk.ProviderAWS && c.Paused {
			return fmt.Sprintf("cluster %s is paused, and may need it to come back: resume it first", c.Name), nil
		}
	}
	return "", nil
}

// sameKey says whether two spellings mean one key, in whatever region: a key's id or its ARN.
func sameKey(a, b string) bool { return nameOf(a) == nameOf(b) }

// others are the statements of a trust policy that are not of these projects, and among them those that live on their
// policies.
func (a *Access) others(ctx context.Context, in RoleAccessInput, trust *document) (others, reliant []string, err error) {
	for i, sid := range trust.sids() {
		id, ours := strings.CutPrefix(sid, sidPrefix)
		if ours && slices.Contains(in.ProjectIDs, id) {
			continue
		}
		if sid == "" {
			sid = fmt.Sprintf("statement %d", i+1)
		}
		others = append(others, sid)
		if !ours {
			continue
		}
		own, err := a.iam.permissions(ctx, id, nameOf(in.RoleARN))
		if err != nil {
			return nil, nil, err
		}
		if own == nil {
			reliant = append(reliant, id)
		}
	}
	return others, reliant, nil
}

// WithdrawRoleInput asks for what projects may do through a role to be withdrawn.
type WithdrawRoleInput struct {
	Justification
	RoleARN string   `json:"roleArn"`
	KeyARNs []string `json:"keyArns,omitempty"`
}

// justified refuses, with ErrForeign, when something still needs it.
func (a *Access) justified(ctx context.Context, in WithdrawRoleInput) (*RoleAccess, error) {
	if err := a.holds(ctx, in.Justification); err != nil {
		return nil, err
	}
	now, err := a.ReadRoleAccess(ctx, in.access())
	if err != nil {
		return nil, err
	}
	for _, p := range now.Projects {
		if p.InUse != "" {
			return nil, final(cmk.ErrForeign, "project %s: %s: nothing is withdrawn", p.ProjectID, p.InUse)
		}
		clusters, err := a.atlas.clusters(ctx, p.ProjectID)
		if err != nil {
			return nil, err
		}
		if err := a.atlas.atRest(ctx, clusters, time.Time{}); err != nil {
			return nil, err
		}
	}
	if len(now.Reliant) > 0 {
		return nil, final(cmk.ErrForeign, "projects %s live on these policies, having none of their own: nothing is withdrawn", strings.Join(now.Reliant, ", "))
	}
	return now, nil
}

func (in WithdrawRoleInput) access() RoleAccessInput {
	return RoleAccessInput{ProjectIDs: in.ProjectIDs, RoleARN: in.RoleARN, KeyARNs: in.KeyARNs}
}

// NarrowRole takes the keys out of the projects' inline policies. It can be taken back, by WidenRole.
func (a *Access) NarrowRole(ctx context.Context, in WithdrawRoleInput) error {
	now, err := a.justified(ctx, in)
	if err != nil || !now.Exists {
		return err
	}
	for _, p := range now.Projects {
		if err := a.iam.dropKeys(ctx, p.ProjectID, nameOf(in.RoleARN), p.Keys); err != nil {
			return err
		}
	}
	return nil
}

// WidenRoleInput asks for what NarrowRole has taken out to be put back.
type WidenRoleInput struct {
	Leases   []Lease         `json:"leases"`
	RoleARN  string          `json:"roleArn"`
	Projects []ProjectAccess `json:"projects"`
}

// WidenRole puts the keys back into the projects' inline policies.
func (a *Access) WidenRole(ctx context.Context, in WidenRoleInput) error {
	for _, lease := range in.Leases {
		if err := a.atlas.leases.Check(ctx, lease); err != nil {
			return err
		}
	}
	for _, p := range in.Projects {
		if err := a.iam.addKeys(ctx, p.ProjectID, nameOf(in.RoleARN), p.Keys); err != nil {
			return err
		}
	}
	return nil
}

// RoleRemoval is what was left of a role.
type RoleRemoval struct {
	// Deleted is whether the role is gone; Left says why it, or our statement in its trust policy, is not.
	Deleted bool   `json:"deleted,omitempty"`
	Left    string `json:"left,omitempty"`
}

// RemoveRoleAccess deauthorizes Atlas's roles that stand for the IAM role, takes the projects out of its trust policy, and
// deletes it if this software has made it and nothing else uses it.
func (a *Access) RemoveRoleAccess(ctx context.Context, in WithdrawRoleInput) (*RoleRemoval, error) {
	now, err := a.justified(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, p := range now.Projects {
		if len(p.Keys) > 0 {
			return nil, final(cmk.ErrForeign, "the inline policy of project %s in IAM role %s has come back: nothing more is withdrawn", p.ProjectID, in.RoleARN)
		}
		for _, id := range p.AccessRoles {
			if err := a.atlas.deauthorize(ctx, p.ProjectID, id); err != nil {
				return nil, err
			}
		}
	}
	if !now.Exists {
		return &RoleRemoval{Deleted: true}, nil
	}
	return a.iam.leaveRole(ctx, nameOf(in.RoleARN), in.ProjectIDs, now.Made)
}
