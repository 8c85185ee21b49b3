package workflows

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// wellLook is a project with which all is well.
func wellLook() *activities.Look {
	const arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-1"
	return &activities.Look{
		Encryption: activities.Encryption{Enabled: true, Valid: true, RequirePrivateNetworking: true, KeyID: arn, Region: "US_EAST_1", RoleID: "role"},
		Endpoints:  []activities.Endpoint{{ID: "e1", Region: "US_EAST_1", Status: cmk.EndpointActive}},
		Clusters:   []activities.Cluster{{Name: "c", State: cmk.ClusterIdle, Provider: cmk.ProviderAWS, Regions: []string{"US_EAST_1"}}},
		Key: &activities.Key{ARN: arn, Region: "US_EAST_1", State: "Enabled", MultiRegion: true, Replicas: []activities.KeyReplica{
			{Region: "US_EAST_1", ARN: arn, State: "Enabled", Policy: activities.KeyPolicy{Delegates: []string{"111122223333"}}},
		}},
		Roles: []activities.AccessRole{{ID: "role", ARN: "arn:aws:iam::111122223333:role/r", Authorized: true, UsedBy: []string{"ENCRYPTION_AT_REST"}}},
	}
}

func TestWhatIsNotWellWithAProject(t *testing.T) {
	t.Parallel()
	require.Empty(t, judge(wellLook()))
	for name, c := range map[string]struct {
		spoil func(*activities.Look)
		want  []cmk.FindingCode
		state cmk.ProjectState
	}{
		"off":              {func(l *activities.Look) { l.Encryption.Enabled = false }, nil, cmk.StateOff},
		"another provider": {func(l *activities.Look) { l.Encryption.Other = "AZURE" }, []cmk.FindingCode{cmk.FindingOtherProvider}, cmk.StateOn},
		"not valid":        {func(l *activities.Look) { l.Encryption.Valid = false }, []cmk.FindingCode{cmk.FindingSettingsInvalid}, cmk.StateOn},
		"credentials":      {func(l *activities.Look) { l.Encryption.RoleID = "" }, []cmk.FindingCode{cmk.FindingEnabledWithCredentials}, cmk.StateOn},
		"public":           {func(l *activities.Look) { l.Encryption.RequirePrivateNetworking, l.Endpoints = false, nil }, nil, cmk.StatePublic},
		"failed": {func(l *activities.Look) { l.Endpoints[0].Status = cmk.EndpointFailed },
			[]cmk.FindingCode{cmk.FindingEndpointFailed, cmk.FindingClusterUncovered}, cmk.StateWindow},
		"recreated": {func(l *activities.Look) {
			l.Endpoints[0].Status = cmk.EndpointPendingRecreation
			l.Endpoints = append(l.Endpoints, activities.Endpoint{ID: "e2", Region: "US_EAST_1", Status: cmk.EndpointInitiating})
		}, []cmk.FindingCode{cmk.FindingEndpointRecreated, cmk.FindingEndpointStuck, cmk.FindingClusterUncovered}, cmk.StateWindow},
		"no endpoints": {func(l *activities.Look) { l.Endpoints = nil },
			[]cmk.FindingCode{cmk.FindingNetworkingNoPath, cmk.FindingClusterUncovered}, cmk.StateWindow},
		"a cluster in another region": {func(l *activities.Look) {
			l.Clusters = append(l.Clusters, activities.Cluster{Name: "d", Provider: cmk.ProviderAWS, Regions: []string{"EU_WEST_1"}})
		}, []cmk.FindingCode{cmk.FindingClusterUncovered, cmk.FindingReplicaMissing}, cmk.StateWindow},
		"a cluster without the key": {func(l *activities.Look) {
			l.Clusters = append(l.Clusters, activities.Cluster{Name: "d", Provider: cmk.ProviderNone, Regions: []string{"EU_WEST_1"}})
		}, []cmk.FindingCode{cmk.FindingClusterWithoutKey}, cmk.StateSomeOff},
		"no cluster with the key": {func(l *activities.Look) { l.Clusters[0].Provider = cmk.ProviderNone },
			[]cmk.FindingCode{cmk.FindingClusterWithoutKey}, cmk.StateAllOff},
		"search nodes without the key": {func(l *activities.Look) {
			l.Encryption.SearchNodes = true
			l.Search = []activities.SearchDeployment{{Cluster: "c", Provider: cmk.ProviderNone, State: cmk.ClusterIdle}}
		}, []cmk.FindingCode{cmk.FindingSearchWithoutKey}, cmk.StateOn},
		"key disabled":             {func(l *activities.Look) { l.Key.State = "Disabled" }, []cmk.FindingCode{cmk.FindingKeyNotEnabled}, cmk.StateOn},
		"key scheduled to be gone": {func(l *activities.Look) { l.Key.State = "PendingDeletion" }, []cmk.FindingCode{cmk.FindingKeyNotEnabled}, cmk.StateOn},
		"key expires":              {func(l *activities.Look) { l.Key.ValidTo = time.Now() }, []cmk.FindingCode{cmk.FindingKeyExpires}, cmk.StateOn},
		"key gone": {func(l *activities.Look) { l.Key, l.KeyProblem = nil, &activities.KeyProblem{Code: "NotFoundException"} },
			[]cmk.FindingCode{cmk.FindingKeyMissing}, cmk.StateOn},
		"key not to be read": {func(l *activities.Look) {
			l.Key, l.KeyProblem = nil, &activities.KeyProblem{Code: "AccessDeniedException"}
		},
			[]cmk.FindingCode{cmk.FindingKeyUnread}, cmk.StateOn},
		"policy admits nobody":  {func(l *activities.Look) { l.Key.Replicas[0].Policy = activities.KeyPolicy{} }, []cmk.FindingCode{cmk.FindingKeyPolicyNoAccess}, cmk.StateOn},
		"policy is not assumed": {func(l *activities.Look) { l.Roles, l.Key.Replicas[0].Policy = nil, activities.KeyPolicy{} }, nil, cmk.StateOn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := wellLook()
			l.Endpoints, l.Clusters = slices.Clone(l.Endpoints), slices.Clone(l.Clusters)
			c.spoil(l)
			var got []cmk.FindingCode
			for _, f := range judge(l) {
				got = append(got, f.Code)
			}
			require.ElementsMatch(t, c.want, got)
			require.Equal(t, c.state, projectState(l))
		})
	}
}
