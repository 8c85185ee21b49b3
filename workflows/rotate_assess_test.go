package workflows

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

const (
	otherKeyID  = "mrk-00000000000000000000000000002027"
	otherKeyARN = "arn:aws:kms:us-east-1:111122223333:key/" + otherKeyID
)

// toRotate is a project that uses its key over private endpoints, and another key, with nothing in the way.
func toRotate() rotateSeen {
	before := healthy()
	enabled(&before)
	before.Role.Keys = []string{arnIn(aKeyARN, "EU_WEST_1"), aKeyARN}
	for i := range before.Project.Clusters {
		before.Project.Clusters[i].Provider = cmk.ProviderAWS
	}
	before.Project.Endpoints = []activities.Endpoint{{ID: "e1", Region: "EU_WEST_1", Status: cmk.EndpointActive}, {ID: "e2", Region: "US_EAST_1", Status: cmk.EndpointActive}}
	next := *before.Key
	next.ARN, next.ID, next.Replicas = otherKeyARN, otherKeyID, nil
	for _, r := range before.Key.Replicas {
		r.ARN = arnIn(otherKeyARN, r.Region)
		next.Replicas = append(next.Replicas, r)
	}
	return rotateSeen{
		survey: survey{Project: before.Project, Dependents: &activities.Dependents{}, Key: &activities.KeyUse{ARN: aKeyARN, State: "Enabled"}},
		Next:   &next, Granted: before.Role, Evaluation: &activities.RoleEvaluation{},
	}
}

func rotation() cmk.RotateRequest {
	return cmk.RotateRequest{ProjectID: aProject, Key: otherKeyARN, KeyRegion: "US_EAST_1", Replicas: cmk.ReplicasCheck}
}

// sameKeyElsewhere asks for the project's own key in another region.
func sameKeyElsewhere(r *cmk.RotateRequest, s *rotateSeen) {
	r.Key, r.KeyRegion = "", "EU_WEST_1"
	own := *s.Next
	own.ARN, own.ID, own.Replicas = aKeyARN, aKeyID, healthy().Key.Replicas
	s.Next = &own
}

// A healthy project is rotated with nothing said but what cannot be known, and keeps the use of its former key.
func TestRotationOfAHealthyProject(t *testing.T) {
	s := toRotate()
	target, found := assessRotation(rotation(), s)
	codes := map[cmk.FindingCode]bool{}
	for _, f := range found {
		require.Equal(t, cmk.SeverityInfo, f.Severity, "%+v", f)
		codes[f.Code] = true
	}
	require.True(t, codes[cmk.FindingRewrapUnseen], "%+v", found)
	require.Equal(t, []string{"EU_WEST_1", "US_EAST_1"}, target.regions)
	added := []string{arnIn(otherKeyARN, "EU_WEST_1"), otherKeyARN}
	require.Equal(t, added, target.toGrant)
	require.Equal(t, added, target.toWithdraw)
	require.Subset(t, target.granted, s.Granted.Keys)
	require.Equal(t, s.Granted.Keys, target.formerARNs)
	p := planRotation(s, target)
	require.Equal(t, 3, p.Writes())
	require.NotEmpty(t, p.Steps[2].Irreversible)
}

// Where only the region changes, the key keeps its spelling, and what nodes have begun to use is not taken back.
func TestRotationToAnotherRegionKeepsTheSpelling(t *testing.T) {
	r, s := rotation(), toRotate()
	sameKeyElsewhere(&r, &s)
	s.Project.Encryption.KeyID = aKeyID
	s.Granted.Keys = []string{aKeyARN}
	target, _ := assessRotation(r, s)
	require.True(t, target.sameKey)
	require.False(t, target.done)
	require.Equal(t, aKeyID, target.keyID)
	require.Equal(t, "EU_WEST_1", target.keyRegion)
	require.Equal(t, []string{arnIn(aKeyARN, "EU_WEST_1")}, target.toGrant)
	require.Empty(t, target.toWithdraw, "nodes there use it from the moment that it is granted")

	s.Project.Encryption.Region = "EU_WEST_1"
	target, _ = assessRotation(r, s)
	require.True(t, target.done)
	require.Zero(t, planRotation(s, target).Writes())
}

func TestRotationFindings(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*cmk.RotateRequest, *rotateSeen)
		code     cmk.FindingCode
		severity cmk.Severity
		remedy   string
	}{
		"not enabled":    {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Project.Encryption = activities.Encryption{} }, cmk.FindingNotEnabled, cmk.SeverityError, cmk.EnableWithPrivateEndpoints},
		"other provider": {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Project.Encryption.Other = "AZURE" }, cmk.FindingOtherProvider, cmk.SeverityError, ""},
		"on credentials": {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Project.Encryption.RoleID = "" }, cmk.FindingEnabledWithCredentials, cmk.SeverityError, cmk.MigrateUserToRole},
		"present key not valid": {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Project.Encryption.Valid = false }, cmk.FindingSettingsInvalid, cmk.SeverityError,
			"usable again"},
		"present key disabled": {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Key.State = "Disabled" }, cmk.FindingKeyNotEnabled, cmk.SeverityError, "usable again"},
		"next key disabled":    {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Next.State = "Disabled" }, cmk.FindingKeyNotEnabled, cmk.SeverityError, ""},
		"no replica":           {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Next.Replicas = s.Next.Replicas[1:] }, cmk.FindingReplicaMissing, cmk.SeverityError, "replicate"},
		"replica to make": {func(r *cmk.RotateRequest, s *rotateSeen) {
			r.Replicas, s.Next.Replicas = cmk.ReplicasCreate, s.Next.Replicas[1:]
		}, cmk.FindingReplicaMade, cmk.SeverityInfo, ""},
		"policy does not admit": {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Next.Replicas[0].Policy = activities.KeyPolicy{} }, cmk.FindingKeyPolicyNoAccess, cmk.SeverityError, "statement"},
		"role elsewhere":        {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Granted.Exists = false }, cmk.FindingRoleMissing, cmk.SeverityError, "account"},
		"role denied":           {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Evaluation.Denied = []string{"kms:Decrypt"} }, cmk.FindingRoleDenied, cmk.SeverityError, "policy"},
		"no endpoint":           {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Project.Endpoints = s.Project.Endpoints[1:] }, cmk.FindingClusterUncovered, cmk.SeverityError, "private endpoint"},
		"paused":                {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Project.Clusters[0].Paused = true }, cmk.FindingClusterPaused, cmk.SeverityError, "resumePaused"},
		"paused, to resume": {func(r *cmk.RotateRequest, s *rotateSeen) {
			r.ResumePaused, s.Project.Clusters[0].Paused = true, true
		}, cmk.FindingClusterPaused, cmk.SeverityWarning, ""},
		"busy":         {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Project.Clusters[0].State = cmk.ClusterUpdating }, cmk.FindingClusterNotIdle, cmk.SeverityWarning, ""},
		"search nodes": {func(_ *cmk.RotateRequest, s *rotateSeen) { s.Dependents.SearchNodes = true }, cmk.FindingSearchNodes, cmk.SeverityInfo, ""},
		"ARN spelling": {sameKeyElsewhere, cmk.FindingKeySpelling, cmk.SeverityWarning, ""},
		"single-Region key elsewhere": {func(r *cmk.RotateRequest, s *rotateSeen) {
			sameKeyElsewhere(r, s)
			s.Next.MultiRegion = false
		}, cmk.FindingKeySingleRegion, cmk.SeverityError, "another key"},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := rotation(), toRotate()
			c.change(&r, &s)
			_, found := assessRotation(r, s)
			for _, f := range found {
				if f.Code == c.code && f.Severity == c.severity && strings.Contains(f.Remedy, c.remedy) {
					return
				}
			}
			require.Failf(t, "not found", "%s in %+v", c.code, found)
		})
	}
}
