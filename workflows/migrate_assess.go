package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// migrateSeen is what the preflight of a migration saw.
type migrateSeen struct {
	seen
	// AccessKey is nil when its id is not known.
	AccessKey *activities.AccessKey
	Backups   *activities.Backups
}

// migrateTarget is what a migration is to bring about.
type migrateTarget struct {
	// switched is true of a project that uses the role already: only its verification and the access key are left.
	switched bool
	// standing is the project's role that stands for the IAM role already, if any.
	standing *activities.AccessRole
	// keyARNs are the replicas that the role is given the use of.
	keyARNs []string
	// accessKeyID is the access key that the project has used, empty when it is not known or not within reach.
	accessKeyID string
}

// accessKeyOf is the access key that the project uses or has used, as far as its id is known. It is recorded before the
// switch: Atlas may not tell afterwards.
func accessKeyOf(r cmk.MigrateRequest, now activities.Encryption) string {
	if cmk.IsAccessKeyID(now.AccessKeyID) {
		return now.AccessKeyID
	}
	return r.Retire.AccessKeyID
}

// validations is how long it takes to see two of Atlas's validations.
const validations = 30 * time.Minute

// assessMigration compares what a migration asks for with what is there. It is a function of its arguments alone.
func assessMigration(r cmk.MigrateRequest, s migrateSeen) (migrateTarget, []cmk.Finding) {
	var f findings
	t := migrateTarget{}
	for i, role := range s.Project.Roles {
		if role.ARN == s.Role.ARN && role.Authorized && (t.standing == nil || role.ID == s.Project.Encryption.RoleID) {
			t.standing = &s.Project.Roles[i]
		}
	}
	assessCredentials(&f, s, &t)
	if s.Key != nil {
		t.keyARNs = keysOf(s.seen)
		assessKey(&f, cmk.ReplicasCheck, s.seen, &target{regions: keyRegionsOf(s.seen, t.keyARNs)})
		assessRole(&f, cmk.EnableRequest{Role: r.Role}, s.seen)
	}
	assessAccessKey(&f, s, &t)
	if time.Duration(r.Settle) < validations {
		f.warn(cmk.FindingSettleShort, r.Settle.String(), "leave settle out", "Atlas validates the key every 15 minutes: in less than 30m it cannot be seen twice")
	}
	f.info(cmk.FindingNotEvaluated, "", "service and resource control policies of the AWS organization, the values that conditions of key policies are compared with, and the rights of the worker's own Atlas credentials, cannot be read")
	return t, f
}

// assessCredentials looks whether the project can be switched from where it is.
func assessCredentials(f *findings, s migrateSeen, t *migrateTarget) {
	e := s.Project.Encryption
	if e.Other != "" {
		f.err(cmk.FindingOtherProvider, e.Other, "a migration is for projects on AWS KMS", "encryption at rest is enabled with %s", e.Other)
	}
	switch {
	case !e.Enabled:
		f.err(cmk.FindingNotEnabled, s.Project.ID, "start "+cmk.EnableWithPrivateEndpoints+" instead, which uses a role from the start", "encryption at rest with AWS KMS is not enabled: there is nothing to migrate")
		return
	case e.RoleID != "" && t.standing != nil && t.standing.ID == e.RoleID:
		t.switched = true
		f.info(cmk.FindingOnRoleAlready, s.Role.ARN, "the project uses its key through this role already; it is verified, and its former access key retired if its id is known")
	case e.RoleID != "":
		f.err(cmk.FindingEnabledWithOtherRole, e.RoleID, "name that role in role.name; to retire the access key that the project used before, start "+cmk.RetireAccess,
			"the project uses its key through another role than %s already", s.Role.ARN)
	}
	if !e.Valid {
		f.err(cmk.FindingSettingsInvalid, e.KeyID, "make the present setting usable again: "+wayOut(s), "Atlas finds the present settings not valid: it can neither change nor disable a key that it does not reach")
	}
}

// wayOut says what to do about credentials that Atlas cannot use.
func wayOut(s migrateSeen) string {
	steps := []string{}
	switch k := s.AccessKey; {
	case k == nil || k.Unread != "":
		steps = append(steps, "make sure that the IAM user's access key exists and is Active")
	case !k.Exists:
		steps = append(steps, fmt.Sprintf("access key %s is not in the worker's AWS account: if it was deleted, it cannot be made again, and MongoDB support must change the setting", k.ID))
	case !k.Active:
		steps = append(steps, fmt.Sprintf("make access key %s of IAM user %s Active again", k.ID, k.User))
	}
	if s.Key != nil && s.Key.State != "Enabled" {
		steps = append(steps, fmt.Sprintf("the key is %s: make it Enabled", s.Key.State))
	}
	steps = append(steps, "make sure that the user's policies and the key's policy allow kms:Decrypt, kms:Encrypt and kms:DescribeKey", "then start again")
	return strings.Join(steps, "; ")
}

// keysOf are the key's replicas where Atlas may use it: in the region that the project names, and where it has nodes.
func keysOf(s seen) []string {
	var arns []string
	for _, replica := range s.Key.Replicas {
		used := replica.Region == s.Project.Encryption.Region || slices.ContainsFunc(s.Project.Clusters, func(c activities.Cluster) bool {
			return slices.Contains(c.Regions, replica.Region)
		})
		if used {
			arns = append(arns, replica.ARN)
		}
	}
	return arns
}

// keyRegionsOf are the regions in which the key must work. Over the public path that is where it is used now; over private
// endpoints, wherever there are nodes.
func keyRegionsOf(s seen, keyARNs []string) []string {
	var regions []string
	for _, replica := range s.Key.Replicas {
		if slices.Contains(keyARNs, replica.ARN) {
			regions = append(regions, replica.Region)
		}
	}
	if s.Project.Encryption.RequirePrivateNetworking {
		for _, c := range s.Project.Clusters {
			if c.Provider == cmk.ProviderAWS {
				regions = append(regions, c.Regions...)
			}
		}
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

func assessAccessKey(f *findings, s migrateSeen, t *migrateTarget) {
	byHand := "start " + cmk.RetireAccess + " by hand once it is known"
	switch k := s.AccessKey; {
	case k == nil:
		f.warn(cmk.FindingAccessKeyUnknown, s.Project.ID, byHand, "Atlas does not tell which access key the project has used: none is retired")
		return
	case k.Unread != "":
		f.warn(cmk.FindingAccessKeyUnknown, k.ID, "allow it, and start "+cmk.RetireAccess+" by hand", "access key %s is not retired: %s", k.ID, k.Unread)
	case !k.Exists:
		f.warn(cmk.FindingAccessKeyUnknown, k.ID, "retire it where it is", "access key %s is not in the worker's AWS account: it is not retired by this change", k.ID)
	default:
		t.accessKeyID = k.ID
	}
	f.info(cmk.FindingAccessKeyShared, s.AccessKey.ID, "whether others use access key %s too can be seen by its use alone; name the projects that have used it in retire.alsoProjects", s.AccessKey.ID)
	if b := s.Backups; b != nil && b.Count > 0 {
		f.info(cmk.FindingAccessKeyNeeded, s.AccessKey.ID, "%d snapshots and point-in-time windows are restored with access key %s: it must stay Active until %s at least", b.Count, s.AccessKey.ID, b.Until.Format(time.RFC3339))
	}
}

// planMigration lists the steps of a migration, in order, with what each finds done.
func planMigration(r cmk.MigrateRequest, s migrateSeen, t migrateTarget) cmk.Plan {
	e, role := s.Project.Encryption, t.standing != nil
	from := e.AccessKeyID
	if from == "" {
		from = "the access key"
	}
	steps := []cmk.Step{
		{Action: "cloud provider access role", Object: r.ProjectID, Exists: role || t.switched},
		{Action: "IAM role " + string(r.Role.Mode), Object: s.Role.ARN, Exists: s.Role.Exists || t.switched},
		{Action: "trust policy statement", Object: s.Role.ARN, Exists: t.switched || role && s.Role.ExternalID == t.standing.ExternalID},
		{Action: "inline policy " + activities.PolicyName(r.ProjectID), Object: s.Role.ARN, Exists: t.switched || s.Role.Exists && slices.Equal(s.Role.Keys, t.keyARNs)},
		{Action: "authorize the role", Object: s.Role.ARN, Exists: role || t.switched},
		{
			Action: "switch from " + from + " to the role, with key " + e.KeyID, Object: r.ProjectID, Exists: t.switched,
			Irreversible: "Atlas accepts no credentials any more: there is no way back to the access key",
			Exposure:     "from then on every node uses the key through the role; what could not be evaluated of it stands among the findings",
		},
	}
	if t.accessKeyID != "" && !r.Retire.None {
		steps = append(steps, cmk.Step{
			Action: "start the retirement of access key " + t.accessKeyID, Object: cmk.RetireID(t.accessKeyID),
			Irreversible: "nothing yet: its deletion, once nothing needs it, is asked for by an approval of its own",
		})
	}
	return cmk.Plan{Hash: hash(steps), Steps: steps}
}
