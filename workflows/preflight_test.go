package workflows

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

const (
	aProject = "64b7f0c2a1d3e4f5a6b7c8d9"
	aKeyID   = "mrk-0123456789abcdef0123456789abcdef"
	aKeyARN  = "arn:aws:kms:us-east-1:111122223333:key/" + aKeyID
	aRoleARN = "arn:aws:iam::111122223333:role/atlas-cmk-" + aProject
)

// healthy is a project on which nothing has been done, and for which nothing stands in the way: two clusters, in two
// regions, of a key with replicas in both.
func healthy() seen {
	yes := true
	delegating := activities.KeyPolicy{Delegates: []string{"111122223333"}}
	return seen{
		Project: &activities.Project{ID: aProject, Clusters: []activities.Cluster{
			{Name: "a", State: cmk.ClusterIdle, Provider: cmk.ProviderNone, Regions: []string{"US_EAST_1"}, Clouds: []string{"AWS"}, Tiers: []string{"M30"}},
			{Name: "b", State: cmk.ClusterIdle, Provider: cmk.ProviderNone, Regions: []string{"EU_WEST_1", "US_EAST_1"}, Clouds: []string{"AWS"}, Tiers: []string{"M10"}},
		}},
		Key: &activities.Key{
			ARN: aKeyARN, ID: aKeyID, Region: "US_EAST_1", State: "Enabled", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", Origin: "AWS_KMS", Manager: "CUSTOMER",
			MultiRegion: true, Rotated: &yes,
			Replicas: []activities.KeyReplica{
				{Region: "EU_WEST_1", ARN: "arn:aws:kms:eu-west-1:111122223333:key/" + aKeyID, State: "Enabled", Policy: delegating},
				{Region: "US_EAST_1", ARN: aKeyARN, State: "Enabled", Policy: delegating},
			},
		},
		Role: &activities.IAMRole{ARN: aRoleARN},
	}
}

func request() cmk.EnableRequest {
	return cmk.EnableRequest{ProjectID: aProject, Key: aKeyARN, KeyRegion: "US_EAST_1", Role: cmk.RoleRequest{Mode: cmk.RoleCreate, Name: "atlas-cmk-" + aProject}}
}

// enabled makes the project one that is encrypted with the key through the role.
func enabled(s *seen) {
	s.Role.Exists, s.Role.ExternalID = true, "external"
	s.Project.Roles = []activities.AccessRole{{ID: "role", ARN: aRoleARN, ExternalID: "external", Authorized: true}}
	s.Project.Encryption = activities.Encryption{Enabled: true, Valid: true, KeyID: aKeyARN, Region: "US_EAST_1", RoleID: "role", RequirePrivateNetworking: true}
}

// keyUnread has AWS refuse to describe the key.
func keyUnread(w world, code string) {
	w.s.Key, w.s.KeyProblem = &activities.Key{ARN: "alias/none", ID: "alias/none", Region: "US_EAST_1"}, &activities.KeyProblem{Code: code, Why: "describe: " + code}
}

// world is what a case of preflight changes.
type world struct {
	r *cmk.EnableRequest
	s *seen
}

// findingCase has an enable find something: by what, and as what it is found.
type findingCase struct {
	severity cmk.Severity
	object   string
	change   func(w world)
}

func findingCases() map[string]findingCase {
	return map[string]findingCase{
		string(cmk.FindingClusterMissing):    {cmk.SeverityError, "z", func(w world) { w.r.Clusters.Names = []string{"z"} }},
		string(cmk.FindingClusterNotOnAWS):   {cmk.SeverityError, "b", func(w world) { w.s.Project.Clusters[1].Clouds = []string{"AWS", "GCP"} }},
		string(cmk.FindingClusterOtherKMS):   {cmk.SeverityError, "a", func(w world) { w.s.Project.Clusters[0].Provider = "AZURE" }},
		string(cmk.FindingClusterTooSmall):   {cmk.SeverityError, "a", func(w world) { w.s.Project.Clusters[0].Tiers = []string{"M2"} }},
		string(cmk.FindingClusterPaused):     {cmk.SeverityError, "a", func(w world) { w.s.Project.Clusters[0].Paused = true }},
		string(cmk.FindingClusterNotIdle):    {cmk.SeverityWarning, "a", func(w world) { w.s.Project.Clusters[0].State = cmk.ClusterUpdating }},
		string(cmk.FindingClusterDeleting):   {cmk.SeverityInfo, "b", func(w world) { w.s.Project.Clusters[1].State = cmk.ClusterDeleting }},
		string(cmk.FindingClusterUncovered):  {cmk.SeverityError, "b", func(w world) { w.r.Regions = []string{"US_EAST_1"} }},
		string(cmk.FindingRegionUncovered):   {cmk.SeverityWarning, "EU_WEST_1", func(w world) { w.r.Regions, w.r.Clusters.Names = []string{"US_EAST_1"}, []string{"a"} }},
		string(cmk.FindingNoRegions):         {cmk.SeverityError, "", func(w world) { w.s.Project.Clusters = nil }},
		string(cmk.FindingClusterReencrypts): {cmk.SeverityInfo, "a", func(world) {}},

		string(cmk.FindingEnabledWithCredentials): {cmk.SeverityError, "AKIA", func(w world) {
			enabled(w.s)
			w.s.Project.Encryption.RoleID, w.s.Project.Encryption.AccessKeyID = "", "AKIA"
		}},
		string(cmk.FindingEnabledWithOtherRole): {cmk.SeverityError, "other", func(w world) { enabled(w.s); w.s.Project.Encryption.RoleID = "other" }},
		string(cmk.FindingEnabledWithOtherKey):  {cmk.SeverityError, "arn:other", func(w world) { enabled(w.s); w.s.Project.Encryption.KeyID = "arn:other" }},
		string(cmk.FindingSettingsInvalid):      {cmk.SeverityError, aKeyARN, func(w world) { enabled(w.s); w.s.Project.Encryption.Valid = false }},
		string(cmk.FindingOtherProvider):        {cmk.SeverityError, "AZURE", func(w world) { w.s.Project.Encryption.Other = "AZURE" }},
		string(cmk.FindingWindow): {cmk.SeverityWarning, "a", func(w world) {
			enabled(w.s)
			w.s.Project.Encryption.RequirePrivateNetworking = false
			w.s.Project.Clusters[0].Provider = cmk.ProviderAWS
		}},
		string(cmk.FindingNetworkingNoPath): {cmk.SeverityWarning, "US_EAST_1", func(w world) { enabled(w.s); w.s.Project.Clusters[0].Provider = cmk.ProviderAWS }},

		string(cmk.FindingKeyMissing): {cmk.SeverityError, "alias/none", func(w world) { keyUnread(w, "NotFoundException") }},
		string(cmk.FindingKeyUnread):  {cmk.SeverityError, "alias/none", func(w world) { keyUnread(w, "AccessDeniedException") }},

		string(cmk.FindingKeyNotEncrypting):   {cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.Usage = "SIGN_VERIFY" }},
		string(cmk.FindingKeyNotEnabled):      {cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.State = "PendingDeletion" }},
		string(cmk.FindingKeyAWSManaged):      {cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.Manager = "AWS" }},
		string(cmk.FindingKeyExpires):         {cmk.SeverityWarning, aKeyARN, func(w world) { w.s.Key.ValidTo = time.Unix(1, 0) }},
		string(cmk.FindingKeyCustomStore):     {cmk.SeverityWarning, aKeyARN, func(w world) { w.s.Key.Store = "cks-1" }},
		string(cmk.FindingKeyNotRotated):      {cmk.SeverityInfo, aKeyARN, func(w world) { no := false; w.s.Key.Rotated = &no }},
		string(cmk.FindingKeySingleRegion):    {cmk.SeverityError, "EU_WEST_1", func(w world) { w.s.Key.MultiRegion, w.s.Key.Replicas = false, w.s.Key.Replicas[1:] }},
		string(cmk.FindingReplicaMissing):     {cmk.SeverityError, "EU_WEST_1", func(w world) { w.s.Key.Replicas = w.s.Key.Replicas[1:] }},
		string(cmk.FindingReplicaNotEnabled):  {cmk.SeverityError, "arn:aws:kms:eu-west-1:111122223333:key/" + aKeyID, func(w world) { w.s.Key.Replicas[0].State = "Disabled" }},
		string(cmk.FindingKeyPolicyNoAccess):  {cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.Replicas[1].Policy = activities.KeyPolicy{} }},
		string(cmk.FindingKeyPolicyCondition): {cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.Replicas[1].Policy = activities.KeyPolicy{Conditional: []string{"x"}} }},
		string(cmk.FindingKeyPolicyDeny):      {cmk.SeverityWarning, aKeyARN, func(w world) { w.s.Key.Replicas[1].Policy.Denies = []string{"x"} }},
		string(cmk.FindingKeyPolicyUnread):    {cmk.SeverityWarning, aKeyARN, func(w world) { w.s.Key.Replicas[1].Policy = activities.KeyPolicy{Unread: "AccessDenied"} }},

		string(cmk.FindingRoleMissing):         {cmk.SeverityError, "r", func(w world) { w.r.Role = cmk.RoleRequest{Mode: cmk.RoleAdopt, Name: "r"} }},
		string(cmk.FindingRoleBoundary):        {cmk.SeverityWarning, aRoleARN, func(w world) { w.s.Role.Boundary = "arn:aws:iam::1:policy/b" }},
		string(cmk.FindingTrustTooLong):        {cmk.SeverityWarning, aRoleARN, func(w world) { w.s.Role.TrustSize = 1900 }},
		string(cmk.FindingPendingRolesUnknown): {cmk.SeverityInfo, "p", func(w world) { w.s.Project.Roles = []activities.AccessRole{{ID: "p", ExternalID: "x"}} }},
		string(cmk.FindingEndpointExists): {cmk.SeverityInfo, "US_EAST_1", func(w world) {
			w.s.Project.Endpoints = []activities.Endpoint{{ID: "e", Region: "US_EAST_1", Status: cmk.EndpointActive}}
		}},
		string(cmk.FindingEndpointStuck): {cmk.SeverityWarning, "US_EAST_1", func(w world) {
			w.s.Project.Endpoints = []activities.Endpoint{{ID: "e", Region: "US_EAST_1", Status: cmk.EndpointFailed}}
		}},
		string(cmk.FindingNotEvaluated): {cmk.SeverityInfo, "", func(world) {}},
		string(cmk.FindingReplicaMade): {cmk.SeverityInfo, "EU_WEST_1", func(w world) {
			w.s.Key.Replicas, w.r.Replicas = w.s.Key.Replicas[1:], cmk.ReplicasCreate
		}},

		string(cmk.FindingKeyOtherPartition): {cmk.SeverityError, aKeyARN, func(w world) { w.s.Role.ARN = "arn:aws-us-gov:iam::111122223333:role/r" }},
		string(cmk.FindingInlineTooLong):     {cmk.SeverityWarning, aRoleARN, func(w world) { w.s.Role.InlineSize = 9900 }},
		string(cmk.FindingCallerRights): {cmk.SeverityError, aProject, func(w world) {
			w.s.Project.Circumstances = &activities.Circumstances{RightsRead: true, Rights: []string{"GROUP_READ_ONLY"}}
		}},
		string(cmk.FindingBackupCompliance): {cmk.SeverityWarning, aProject, func(w world) { w.s.Project.Circumstances = &activities.Circumstances{EncryptedBackups: true} }},
		string(cmk.FindingAlertMissing):     {cmk.SeverityWarning, activities.AlertOnKMS, func(w world) { w.s.Project.Circumstances = &activities.Circumstances{NoAlert: true} }},
		string(cmk.FindingMaintenance): {cmk.SeverityWarning, aProject, func(w world) {
			w.s.Project.Circumstances = &activities.Circumstances{MaintenanceAt: w.s.Project.At.Add(time.Hour)}
		}},
		string(cmk.FindingRestoreRunning):   {cmk.SeverityWarning, "a", func(w world) { w.s.Project.Circumstances = &activities.Circumstances{Restored: []string{"a"}} }},
		string(cmk.FindingOutageSimulation): {cmk.SeverityError, "b", func(w world) { w.s.Project.Circumstances = &activities.Circumstances{Outages: []string{"b"}} }},
		string(cmk.FindingClusterScales):    {cmk.SeverityInfo, "a", func(w world) { w.s.Project.Clusters[0].Scales = true }},
		string(cmk.FindingResyncPastOplog): {cmk.SeverityWarning, "a", func(w world) {
			w.s.Project.Clusters[0].DiskGB = 4000
			w.s.Project.Circumstances = &activities.Circumstances{OplogHours: map[string]float64{"a": 24}}
		}},
		string(cmk.FindingTooMuchAtOnce): {cmk.SeverityError, aProject, func(w world) {
			w.s.Project.Clusters = slices.Repeat(w.s.Project.Clusters, 320)
		}},
		string(cmk.FindingSnapshotsBeforeKey): {cmk.SeverityWarning, "a", func(w world) { w.s.Project.Clusters[0].Backup = true }},
	}
}

func TestFindings(t *testing.T) {
	for code, c := range findingCases() {
		t.Run(code, func(t *testing.T) {
			r, s := request(), healthy()
			c.change(world{&r, &s})
			_, findings := assess(r, s)
			at := slices.IndexFunc(findings, func(f cmk.Finding) bool { return string(f.Code) == code && f.Object == c.object })
			require.GreaterOrEqual(t, at, 0, "%+v", findings)
			require.Equal(t, c.severity, findings[at].Severity)
			require.NotEmpty(t, findings[at].Detail)
			if c.severity == cmk.SeverityError {
				require.NotEmpty(t, findings[at].Remedy)
			}
		})
	}
}

// What has several causes is found by each of them.
func TestEveryCauseOfAFinding(t *testing.T) {
	endpoint := func(e activities.Endpoint) func(world) {
		return func(w world) { w.s.Project.Endpoints = []activities.Endpoint{e} }
	}
	circumstance := func(c activities.Circumstances) func(world) {
		return func(w world) { w.s.Project.Circumstances = &c }
	}
	const ireland = "arn:aws:kms:eu-west-1:111122223333:key/" + aKeyID
	for name, c := range map[string]struct {
		findingCase
		code cmk.FindingCode
	}{
		"no symmetric key":                {findingCase{cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.Spec = "RSA_2048" }}, cmk.FindingKeyNotEncrypting},
		"key disabled":                    {findingCase{cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.State = "Disabled" }}, cmk.FindingKeyNotEnabled},
		"key without its material":        {findingCase{cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.State = "PendingImport" }}, cmk.FindingKeyNotEnabled},
		"key whose store is disconnected": {findingCase{cmk.SeverityError, aKeyARN, func(w world) { w.s.Key.State = "Unavailable" }}, cmk.FindingKeyNotEnabled},
		"replica without its material":    {findingCase{cmk.SeverityError, ireland, func(w world) { w.s.Key.Replicas[0].State = "PendingImport" }}, cmk.FindingReplicaNotEnabled},
		"imported key not replicated": {findingCase{cmk.SeverityError, "EU_WEST_1", func(w world) {
			w.s.Key.Origin, w.s.Key.Replicas, w.r.Replicas = "EXTERNAL", w.s.Key.Replicas[1:], cmk.ReplicasCreate
		}}, cmk.FindingReplicaMissing},
		"replica's own policy": {findingCase{cmk.SeverityError, ireland, func(w world) { w.s.Key.Replicas[0].Policy = activities.KeyPolicy{} }}, cmk.FindingKeyPolicyNoAccess},
		"delegated to another account": {findingCase{cmk.SeverityError, aKeyARN, func(w world) {
			w.s.Key.Replicas[1].Policy = activities.KeyPolicy{Delegates: []string{"444455556666"}}
		}}, cmk.FindingKeyPolicyNoAccess},
		"key of another region":        {findingCase{cmk.SeverityError, "EU_WEST_1", func(w world) { enabled(w.s); w.s.Project.Encryption.Region = "EU_WEST_1" }}, cmk.FindingEnabledWithOtherKey},
		"role not authorized any more": {findingCase{cmk.SeverityError, "role", func(w world) { enabled(w.s); w.s.Project.Roles[0].Authorized = false }}, cmk.FindingEnabledWithOtherRole},
		"Google's keys":                {findingCase{cmk.SeverityError, "GCP", func(w world) { w.s.Project.Encryption.Other = "GCP" }}, cmk.FindingOtherProvider},
		"role denied": {findingCase{cmk.SeverityError, aRoleARN, func(w world) {
			w.s.Role.Exists, w.s.Evaluation = true, &activities.RoleEvaluation{Denied: []string{"kms:Decrypt on k: a policy denies it"}}
		}}, cmk.FindingRoleDenied},
		"role denied and in use": {findingCase{cmk.SeverityWarning, aRoleARN, func(w world) {
			enabled(w.s)
			w.s.Project.Clusters[0].Provider = cmk.ProviderAWS
			w.s.Evaluation = &activities.RoleEvaluation{Denied: []string{"kms:Decrypt on k: a policy denies it"}}
		}}, cmk.FindingRoleDenied},
		"role not evaluated": {findingCase{cmk.SeverityInfo, aRoleARN, func(w world) {
			w.s.Role.Exists, w.s.Evaluation = true, &activities.RoleEvaluation{Unevaluated: "the worker may not"}
		}}, cmk.FindingNotEvaluated},
		"boundary to be given":       {findingCase{cmk.SeverityWarning, aRoleARN, func(w world) { w.r.Role.PermissionsBoundary = "arn:aws:iam::1:policy/b" }}, cmk.FindingRoleBoundary},
		"inline policies unread":     {findingCase{cmk.SeverityInfo, aRoleARN, func(w world) { w.s.Role.InlineUnread = "no right" }}, cmk.FindingNotEvaluated},
		"all of a cluster elsewhere": {findingCase{cmk.SeverityError, "b", func(w world) { w.s.Project.Clusters[1].Clouds = []string{"GCP"} }}, cmk.FindingClusterNotOnAWS},
		"not asked for, elsewhere": {findingCase{cmk.SeverityError, "b", func(w world) {
			w.r.Clusters.Names, w.s.Project.Clusters[1].Clouds = []string{"a"}, []string{"AZURE"}
		}}, cmk.FindingClusterNotOnAWS},
		"free tier":         {findingCase{cmk.SeverityError, "a", func(w world) { w.s.Project.Clusters[0].Tiers = []string{"M0"} }}, cmk.FindingClusterTooSmall},
		"Flex":              {findingCase{cmk.SeverityError, "a", func(w world) { w.s.Project.Clusters[0].Tiers = []string{"FLEX"} }}, cmk.FindingClusterTooSmall},
		"paused, to resume": {findingCase{cmk.SeverityWarning, "a", func(w world) { w.s.Project.Clusters[0].Paused, w.r.ResumePaused = true, true }}, cmk.FindingClusterPaused},
		"being created":     {findingCase{cmk.SeverityWarning, "a", func(w world) { w.s.Project.Clusters[0].State = cmk.ClusterCreating }}, cmk.FindingClusterNotIdle},
		"being repaired":    {findingCase{cmk.SeverityWarning, "a", func(w world) { w.s.Project.Clusters[0].State = cmk.ClusterRepairing }}, cmk.FindingClusterNotIdle},
		"on the key, nodes uncovered": {findingCase{cmk.SeverityError, "b", func(w world) {
			enabled(w.s)
			w.s.Project.Clusters[1].Provider, w.r.Clusters.Names, w.r.Regions = cmk.ProviderAWS, []string{"a"}, []string{"US_EAST_1"}
		}}, cmk.FindingClusterUncovered},
		"endpoint elsewhere":          {findingCase{cmk.SeverityInfo, "SA_EAST_1", endpoint(activities.Endpoint{ID: "e", Region: "SA_EAST_1", Status: cmk.EndpointActive})}, cmk.FindingEndpointExists},
		"endpoint INITIATING":         {findingCase{cmk.SeverityWarning, "US_EAST_1", endpoint(activities.Endpoint{ID: "e", Region: "US_EAST_1", Status: cmk.EndpointInitiating})}, cmk.FindingEndpointStuck},
		"endpoint PENDING_ACCEPTANCE": {findingCase{cmk.SeverityWarning, "US_EAST_1", endpoint(activities.Endpoint{ID: "e", Region: "US_EAST_1", Status: cmk.EndpointPendingAcceptance})}, cmk.FindingEndpointStuck},
		"endpoint PENDING_RECREATION": {findingCase{cmk.SeverityWarning, "US_EAST_1", endpoint(activities.Endpoint{ID: "e", Region: "US_EAST_1", Status: cmk.EndpointPendingRecreation})}, cmk.FindingEndpointStuck},
		"endpoint DELETING":           {findingCase{cmk.SeverityWarning, "US_EAST_1", endpoint(activities.Endpoint{ID: "e", Region: "US_EAST_1", Status: cmk.EndpointDeleting})}, cmk.FindingEndpointStuck},
		"maintenance running":         {findingCase{cmk.SeverityWarning, aProject, circumstance(activities.Circumstances{Maintenance: true})}, cmk.FindingMaintenance},
		"invalid for want of a path": {findingCase{cmk.SeverityWarning, aKeyARN, func(w world) {
			enabled(w.s)
			w.s.Project.Encryption.Valid, w.s.Project.Clusters[0].Provider = false, cmk.ProviderAWS
		}}, cmk.FindingSettingsInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := request(), healthy()
			c.change(world{&r, &s})
			_, findings := assess(r, s)
			require.True(t, slices.ContainsFunc(findings, func(f cmk.Finding) bool {
				return f.Code == c.code && f.Object == c.object && f.Severity == c.severity
			}), "%+v", findings)
		})
	}
}

// What is none of the change's business is not held against it, and what was evaluated is not warned of.
func TestWhatIsNotFound(t *testing.T) {
	for code, change := range map[cmk.FindingCode]func(world){
		cmk.FindingClusterTooSmall: func(w world) { w.s.Project.Clusters[0].Tiers, w.r.Clusters.Names = []string{"M0"}, []string{"b"} },
		cmk.FindingClusterPaused: func(w world) {
			enabled(w.s)
			w.s.Project.Clusters[0].Paused, w.s.Project.Clusters[0].Provider = true, cmk.ProviderAWS
		},
		cmk.FindingRoleBoundary: func(w world) {
			w.s.Role.Exists, w.s.Role.Boundary, w.s.Evaluation = true, "arn:aws:iam::1:policy/b", &activities.RoleEvaluation{}
		},
		cmk.FindingMaintenance: func(w world) {
			w.s.Project.Circumstances = &activities.Circumstances{MaintenanceAt: w.s.Project.At.Add(48 * time.Hour)}
		},
		cmk.FindingResyncPastOplog: func(w world) {
			w.s.Project.Clusters[0].DiskGB = 1000
			w.s.Project.Circumstances = &activities.Circumstances{OplogHours: map[string]float64{"a": 24}}
		},
		cmk.FindingCallerRights: func(w world) {
			w.s.Project.Circumstances = &activities.Circumstances{RightsRead: true, Rights: []string{"GROUP_OWNER"}}
		},
		cmk.FindingTrustTooLong: func(w world) { w.s.Role.TrustSize, w.s.Role.ExternalID = 2000, "ours stands in it" },
	} {
		t.Run(string(code), func(t *testing.T) {
			r, s := request(), healthy()
			change(world{&r, &s})
			_, findings := assess(r, s)
			require.False(t, slices.ContainsFunc(findings, func(f cmk.Finding) bool { return f.Code == code }), "%+v", findings)
		})
	}
}

// Errors about what is set already say which change does what this one does not.
func TestRemediesNameTheOtherChanges(t *testing.T) {
	for name, change := range map[string]func(s *seen){
		cmk.MigrateUserToRole: func(s *seen) { s.Project.Encryption.RoleID, s.Project.Encryption.AccessKeyID = "", "AKIA" },
		cmk.RotateKey:         func(s *seen) { s.Project.Encryption.KeyID = "arn:other" },
	} {
		s := healthy()
		enabled(&s)
		change(&s)
		_, findings := assess(request(), s)
		require.True(t, slices.ContainsFunc(findings, func(f cmk.Finding) bool { return strings.Contains(f.Remedy, name) }), "%+v", findings)
	}
}

// A key that could not be read is told beside all that is known without it, and so is what is not known for that: no other
// error is made of it.
func TestKeyThatCouldNotBeReadIsToldBesideAllElse(t *testing.T) {
	r, s := request(), healthy()
	enabled(&s)
	keyUnread(world{&r, &s}, "NotFoundException")
	s.Project.Clusters[0].Paused, s.Project.Clusters[1].Tiers, s.Role.TrustSize, s.Role.ExternalID = true, []string{"M0"}, 2000, ""
	target, found := assess(r, s)
	errs := slices.DeleteFunc(found, func(f cmk.Finding) bool { return f.Severity != cmk.SeverityError })
	var codes []cmk.FindingCode
	for _, f := range errs {
		codes = append(codes, f.Code)
	}
	require.ElementsMatch(t, []cmk.FindingCode{cmk.FindingKeyMissing, cmk.FindingClusterPaused, cmk.FindingClusterTooSmall}, codes)
	_, found = assess(r, s)
	require.True(t, slices.ContainsFunc(found, func(f cmk.Finding) bool { return f.Code == cmk.FindingTrustTooLong }), "%+v", found)
	require.True(t, slices.ContainsFunc(found, func(f cmk.Finding) bool {
		return f.Code == cmk.FindingNotEvaluated && f.Object == "alias/none"
	}), "%+v", found)
	require.NotEmpty(t, plan(r, s, target).Steps)
}

// Where nodes wait for an endpoint, it is made before all others.
func TestUrgentEndpointsComeFirst(t *testing.T) {
	s := healthy()
	enabled(&s)
	s.Project.Clusters[0].Provider = cmk.ProviderAWS // in US_EAST_1, the second by name
	target, _ := assess(request(), s)
	require.Equal(t, []string{"US_EAST_1", "EU_WEST_1"}, target.regions)
}

// A cluster that is being deleted is left out, whatever else is wrong with it, and told.
func TestClusterThatIsBeingDeletedIsLeftOut(t *testing.T) {
	r, s := request(), healthy()
	r.Regions = []string{"US_EAST_1"}
	gone := &s.Project.Clusters[1] // with nodes in EU_WEST_1
	gone.State, gone.Paused, gone.Tiers, gone.Clouds = cmk.ClusterDeleting, true, []string{"M0"}, []string{"GCP"}
	target, found := assess(r, s)
	require.Equal(t, []string{"a"}, clustersIn(target.clusters))
	for _, f := range found {
		require.True(t, f.Object != "b" && f.Severity != cmk.SeverityError || f.Code == cmk.FindingClusterDeleting, "%+v", f)
	}
}

// However many clusters may go at once, the first goes alone until it is done.
func TestCanaryGoesAlone(t *testing.T) {
	named := func(names ...string) (all []activities.Cluster) {
		for _, name := range names {
			all = append(all, activities.Cluster{Name: name, Provider: cmk.ProviderNone})
		}
		return all
	}
	s := newClusterSet(nil, cmk.ProviderAWS, 3, time.Hour, named("a", "b", "c", "d", "e"))
	require.Equal(t, []string{"a"}, clusterNames(s.startable(false)))
	s.clusters[0].started = true
	require.Empty(t, s.startable(false), "the canary is in flight")
	s.clusters[0].done = true
	require.Equal(t, []string{"b", "c", "d"}, clusterNames(s.startable(false)))
	require.Empty(t, s.startable(true), "cancelled")
	s.clusters[1].started, s.clusters[2].started = true, true
	require.Equal(t, []string{"d"}, clusterNames(s.startable(false)))
}

func TestNothingStandsInTheWayOfAHealthyProject(t *testing.T) {
	for name, change := range map[string]func(*seen){"untouched": func(*seen) {}, "enabled": enabled} {
		s := healthy()
		change(&s)
		target, findings := assess(request(), s)
		for _, f := range findings {
			require.NotEqual(t, cmk.SeverityError, f.Severity, "%s: %+v", name, f)
			require.NotEqual(t, cmk.SeverityWarning, f.Severity, "%s: %+v", name, f)
		}
		require.Equal(t, []string{"EU_WEST_1", "US_EAST_1"}, target.regions)
		require.Equal(t, "b", target.clusters[0].Name, "the cluster that covers the most regions goes first")
		require.Len(t, target.keyARNs, 2)
	}
}

// The project keeps its spelling of the key: to send another might count as a rotation.
func TestKeyKeepsItsSpelling(t *testing.T) {
	s := healthy()
	enabled(&s)
	s.Project.Encryption.KeyID = aKeyID
	target, _ := assess(request(), s)
	require.Equal(t, aKeyID, target.keyID)
}

// A first snapshot is planned of the clusters that come to the key and have backups, and of no other.
func TestSnapshotsArePlanned(t *testing.T) {
	r, s := request(), healthy()
	s.Project.Clusters[0].Backup = true
	r.SnapshotDays = 7
	target, found := assess(r, s)
	at := slices.IndexFunc(found, func(f cmk.Finding) bool { return f.Code == cmk.FindingSnapshotsBeforeKey })
	require.Equal(t, cmk.SeverityInfo, found[at].Severity)
	var of []string
	for _, step := range plan(r, s, target).Steps {
		if step.Action == "take an on-demand snapshot" {
			of = append(of, step.Object)
		}
	}
	require.Equal(t, []string{s.Project.Clusters[0].Name}, of)
	s.Project.Clusters[0].Provider = cmk.ProviderAWS
	require.False(t, needsSnapshot(r, s.Project.Clusters[0]), "what was on the key before has its snapshots")
}

func TestPlanIsKnownByWhatItDoes(t *testing.T) {
	s := healthy()
	target, _ := assess(request(), s)
	p := plan(request(), s, target)
	require.Equal(t, p.Hash, plan(request(), s, target).Hash)
	require.Equal(t, len(p.Steps), p.Writes())
	reworded := slices.Clone(p.Steps)
	reworded[0].Exposure = "said better"
	require.Equal(t, p.Hash, hash(reworded))
	reworded[0].Exists = true
	require.NotEqual(t, p.Hash, hash(reworded))
}
