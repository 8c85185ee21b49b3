package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

const anAccessKey = "AKIAIOSFODNN7EXAMPLE"

// onCredentials is a project that uses the key by an access key, over the public path, with nothing in the way.
func onCredentials() migrateSeen {
	s := migrateSeen{
		seen: healthy(), Backups: &activities.Backups{},
		AccessKey: &activities.AccessKey{ID: anAccessKey, Exists: true, Active: true, User: "atlas"},
	}
	s.Evaluation = &activities.RoleEvaluation{Unevaluated: "the role does not exist yet"}
	s.Project.Encryption = activities.Encryption{Enabled: true, Valid: true, KeyID: aKeyID, Region: "US_EAST_1", AccessKeyID: anAccessKey}
	for i := range s.Project.Clusters {
		s.Project.Clusters[i].Provider = cmk.ProviderAWS
	}
	return s
}

func migration() cmk.MigrateRequest {
	return cmk.MigrateRequest{ProjectID: aProject, Role: cmk.RoleRequest{Mode: cmk.RoleCreate, Name: "atlas-cmk-" + aProject}, Settle: cmk.Duration(30 * time.Minute)}
}

// A healthy project is migrated with nothing said but what cannot be known.
func TestMigrationOfAHealthyProject(t *testing.T) {
	target, found := assessMigration(migration(), onCredentials())
	for _, f := range found {
		require.Equal(t, cmk.SeverityInfo, f.Severity, "%+v", f)
	}
	require.Equal(t, anAccessKey, target.accessKeyID)
	require.False(t, target.switched)
	require.Equal(t, []string{"arn:aws:kms:eu-west-1:111122223333:key/" + aKeyID, aKeyARN}, target.keyARNs)
	p := planMigration(migration(), onCredentials(), target)
	require.Equal(t, len(p.Steps), p.Writes())
	require.NotEmpty(t, p.Steps[5].Irreversible)
}

func TestMigrationFindings(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*cmk.MigrateRequest, *migrateSeen)
		code     cmk.FindingCode
		severity cmk.Severity
		remedy   string
	}{
		"not enabled": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Project.Encryption, s.Key, s.Evaluation = activities.Encryption{}, nil, nil
		}, cmk.FindingNotEnabled, cmk.SeverityError, cmk.EnableWithPrivateEndpoints},
		"other provider": {func(_ *cmk.MigrateRequest, s *migrateSeen) { s.Project.Encryption.Other = "AZURE" }, cmk.FindingOtherProvider, cmk.SeverityError, ""},
		"another role": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Project.Encryption.RoleID = "other"
		}, cmk.FindingEnabledWithOtherRole, cmk.SeverityError, cmk.RetireAccess},
		"this role already": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			enabled(&s.seen)
		}, cmk.FindingOnRoleAlready, cmk.SeverityInfo, ""},
		"access key inactive": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Project.Encryption.Valid, s.AccessKey.Active = false, false
		}, cmk.FindingSettingsInvalid, cmk.SeverityError, "Active again"},
		"access key deleted": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Project.Encryption.Valid, s.AccessKey = false, &activities.AccessKey{ID: anAccessKey}
		}, cmk.FindingSettingsInvalid, cmk.SeverityError, "cannot be made again"},
		"key disabled": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Project.Encryption.Valid, s.Key.State = false, "Disabled"
		}, cmk.FindingSettingsInvalid, cmk.SeverityError, "make it Enabled"},
		"replica's policy": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Key.Replicas[0].Policy = activities.KeyPolicy{}
		}, cmk.FindingKeyPolicyNoAccess, cmk.SeverityError, aRoleARN},
		"single-Region key over private endpoints": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Project.Encryption.RequirePrivateNetworking = true
			s.Key.MultiRegion, s.Key.Replicas = false, s.Key.Replicas[1:]
		}, cmk.FindingKeySingleRegion, cmk.SeverityError, "multi-Region"},
		"boundary": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Role.Exists, s.Role.Boundary = true, "arn:aws:iam::111122223333:policy/b"
			s.Evaluation = &activities.RoleEvaluation{Denied: []string{"kms:Decrypt on k: the permissions boundary does not allow it"}}
		}, cmk.FindingRoleDenied, cmk.SeverityError, "boundary"},
		"not evaluated": {func(_ *cmk.MigrateRequest, s *migrateSeen) {
			s.Role.Exists = true
			s.Evaluation = &activities.RoleEvaluation{Unevaluated: "the worker may not"}
		}, cmk.FindingNotEvaluated, cmk.SeverityInfo, ""},
		"role missing":        {func(r *cmk.MigrateRequest, _ *migrateSeen) { r.Role.Mode = cmk.RoleAdopt }, cmk.FindingRoleMissing, cmk.SeverityError, "create"},
		"access key unknown":  {func(_ *cmk.MigrateRequest, s *migrateSeen) { s.AccessKey = nil }, cmk.FindingAccessKeyUnknown, cmk.SeverityWarning, cmk.RetireAccess},
		"access key unread":   {func(_ *cmk.MigrateRequest, s *migrateSeen) { s.AccessKey.Unread = "no right" }, cmk.FindingAccessKeyUnknown, cmk.SeverityWarning, cmk.RetireAccess},
		"access key shared":   {func(_ *cmk.MigrateRequest, _ *migrateSeen) {}, cmk.FindingAccessKeyShared, cmk.SeverityInfo, ""},
		"snapshots need it":   {func(_ *cmk.MigrateRequest, s *migrateSeen) { s.Backups.Count = 3 }, cmk.FindingAccessKeyNeeded, cmk.SeverityInfo, ""},
		"watched too shortly": {func(r *cmk.MigrateRequest, _ *migrateSeen) { r.Settle = cmk.Duration(time.Minute) }, cmk.FindingSettleShort, cmk.SeverityWarning, "leave settle out"},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := migration(), onCredentials()
			c.change(&r, &s)
			_, found := assessMigration(r, s)
			for _, f := range found {
				if f.Code == c.code {
					require.Equal(t, c.severity, f.Severity)
					require.Contains(t, f.Remedy, c.remedy)
					return
				}
			}
			require.Fail(t, "not found", "%s among %+v", c.code, found)
		})
	}
}

// Over the public path a single-Region key may be used by nodes anywhere: it is no obstacle.
func TestMigrationOfASingleRegionKey(t *testing.T) {
	s := onCredentials()
	s.Key.MultiRegion, s.Key.Replicas = false, s.Key.Replicas[1:]
	target, found := assessMigration(migration(), s)
	require.Empty(t, errorsIn(found))
	require.Equal(t, []string{aKeyARN}, target.keyARNs)
}

// A project on the role already has nothing in its plan but the retirement, if the access key is known.
func TestPlanOfAMigrationThatIsDone(t *testing.T) {
	s := onCredentials()
	enabled(&s.seen)
	s.AccessKey = nil
	target, _ := assessMigration(migration(), s)
	require.True(t, target.switched)
	p := planMigration(migration(), s, target)
	require.Zero(t, p.Writes())
}
