package workflows

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

const someRole = "6a0000000000000000000c01"

// onAll is a project with all on: S0.
func onAll(change func(*survey)) survey {
	s := survey{
		Project: &activities.Project{
			ID:         "6a00000000000000000000aa",
			Encryption: activities.Encryption{Enabled: true, Valid: true, KeyID: "key", Region: "US_EAST_1", RoleID: someRole, RequirePrivateNetworking: true},
			Roles:      []activities.AccessRole{{ID: someRole, ARN: "arn:aws:iam::111122223333:role/atlas", Authorized: true}},
			Endpoints:  []activities.Endpoint{{ID: "e1", Region: "EU_WEST_1", Status: cmk.EndpointActive}, {ID: "e2", Region: "US_EAST_1", Status: cmk.EndpointActive}},
			Clusters: []activities.Cluster{
				{Name: "one", State: cmk.ClusterIdle, Provider: cmk.ProviderAWS, Regions: []string{"US_EAST_1"}},
				{Name: "two", State: cmk.ClusterIdle, Provider: cmk.ProviderAWS, Regions: []string{"EU_WEST_1", "US_EAST_1"}},
				{Name: "plain", State: cmk.ClusterIdle, Provider: cmk.ProviderNone, Regions: []string{"US_EAST_1"}},
			},
		},
		Dependents: &activities.Dependents{},
		Key:        &activities.KeyUse{ARN: "arn", State: "Enabled", Delegated: true},
		Role:       &activities.RoleUse{Allowed: true},
	}
	if change != nil {
		change(&s)
	}
	return s
}

func codes(found []cmk.Finding, severity cmk.Severity) []cmk.FindingCode {
	out := []cmk.FindingCode{}
	for _, f := range found {
		if f.Severity == severity {
			out = append(out, f.Code)
		}
	}
	slices.Sort(out)
	return out
}

func TestAssessDisable(t *testing.T) {
	t.Parallel()
	page, keep := cmk.DisableRequest{Order: cmk.OrderPage}, cmk.DisableRequest{Order: cmk.OrderKeepPrivatePath}
	window := []cmk.FindingCode{cmk.FindingPublicExposure, cmk.FindingWindow}
	for name, c := range map[string]struct {
		request        cmk.DisableRequest
		seen           survey
		errors, warned []cmk.FindingCode
	}{
		"all on":     {page, onAll(nil), nil, window},
		"kept path":  {keep, onAll(nil), nil, nil},
		"off":        {page, onAll(func(s *survey) { s.Project.Encryption = activities.Encryption{} }), nil, nil},
		"key lost":   {page, onAll(func(s *survey) { s.Project.Encryption.Valid = false }), []cmk.FindingCode{cmk.FindingSettingsInvalid}, window},
		"key off":    {page, onAll(func(s *survey) { s.Key.State = "Disabled" }), []cmk.FindingCode{cmk.FindingKeyNotEnabled}, window},
		"compliance": {page, onAll(func(s *survey) { s.Dependents.ComplianceRequires = true }), []cmk.FindingCode{cmk.FindingBackupCompliance}, window},
		"paused":     {keep, onAll(func(s *survey) { s.Project.Clusters[0].Paused = true }), []cmk.FindingCode{cmk.FindingClusterPaused}, nil},
		"paused, to be resumed": {cmk.DisableRequest{Order: cmk.OrderKeepPrivatePath, ResumePaused: true},
			onAll(func(s *survey) { s.Project.Clusters[0].Paused = true }), nil, []cmk.FindingCode{cmk.FindingClusterPaused}},
		"paused, off the key": {keep, onAll(func(s *survey) { s.Project.Clusters[2].Paused = true }), nil, nil},
		"another provider":    {keep, onAll(func(s *survey) { s.Project.Clusters[2].Provider = "AZURE" }), []cmk.FindingCode{cmk.FindingClusterOtherKMS}, nil},
		"busy":                {keep, onAll(func(s *survey) { s.Project.Clusters[0].State = cmk.ClusterUpdating }), nil, []cmk.FindingCode{cmk.FindingClusterNotIdle}},
		"public path closed":  {page, onAll(func(s *survey) { s.Key.Closed = []string{"Lock"} }), []cmk.FindingCode{cmk.FindingPublicPathClosed}, window},
		"public path closed, not needed": {page, onAll(func(s *survey) {
			s.Key.Closed, s.Project.Encryption.RequirePrivateNetworking = []string{"Lock"}, false
		}), nil, []cmk.FindingCode{cmk.FindingPublicExposure}},
		"public path closed, kept path": {keep, onAll(func(s *survey) { s.Key.Closed = []string{"Lock"} }), nil, nil},
		"role not judged":               {page, onAll(func(s *survey) { s.Role = nil }), []cmk.FindingCode{cmk.FindingPublicPathClosed}, window},
		"provisioning":                  {keep, onAll(func(s *survey) { s.Project.Endpoints[0].Status = cmk.EndpointInitiating }), nil, []cmk.FindingCode{cmk.FindingEndpointStuck}},
		"no path to keep":               {keep, onAll(func(s *survey) { s.Project.Endpoints = s.Project.Endpoints[1:] }), []cmk.FindingCode{cmk.FindingClusterUncovered}, nil},
		"no path to keep, failed":       {keep, onAll(func(s *survey) { s.Project.Endpoints[0].Status = cmk.EndpointFailed }), []cmk.FindingCode{cmk.FindingClusterUncovered}, nil},
		"no path, page":                 {page, onAll(func(s *survey) { s.Project.Endpoints = s.Project.Endpoints[1:] }), nil, window},
		"no path to keep, not needed":   {keep, onAll(func(s *survey) { s.Project.Endpoints, s.Project.Encryption.RequirePrivateNetworking = nil, false }), nil, []cmk.FindingCode{cmk.FindingPublicExposure}},
		"snapshots": {keep, onAll(func(s *survey) {
			s.Dependents.Snapshots = []activities.Snapshots{{Cluster: "one", Count: 2, Until: time.Now()}}
		}), nil, []cmk.FindingCode{cmk.FindingSnapshotsNeedRole}},
		"credentials": {page, onAll(func(s *survey) {
			s.Project.Encryption.RoleID, s.Project.Encryption.AccessKeyID, s.Project.Encryption.RequirePrivateNetworking = "", "AKIA", false
		}), nil, []cmk.FindingCode{cmk.FindingEnabledWithCredentials, cmk.FindingPublicExposure}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := assessDisable(c.request, c.seen)
			require.ElementsMatch(t, c.errors, codes(found, cmk.SeverityError))
			require.ElementsMatch(t, c.warned, codes(found, cmk.SeverityWarning))
		})
	}
}

// A plan states its order and its exposure, and the same plan has the same hash.
func TestPlanDisable(t *testing.T) {
	t.Parallel()
	actions := func(p cmk.Plan) []string {
		var all []string
		for _, s := range p.Steps {
			all = append(all, s.Action+" "+s.Object)
		}
		return all
	}
	s := onAll(func(s *survey) { s.Dependents.SearchNodes = true })
	page := planDisable(cmk.DisableRequest{Order: cmk.OrderPage}, s)
	keep := planDisable(cmk.DisableRequest{Order: cmk.OrderKeepPrivatePath}, s)
	id := s.Project.ID
	require.Equal(t, []string{
		"delete private endpoint in EU_WEST_1 e1", "delete private endpoint in US_EAST_1 e2", "stop requiring private networking " + id,
		"take the search nodes off the key " + id, "take cluster off the key two", "take cluster off the key one", "disable encryption at rest " + id,
	}, actions(page))
	require.Equal(t, []string{
		"take the search nodes off the key " + id, "take cluster off the key two", "take cluster off the key one",
		"delete private endpoint in EU_WEST_1 e1", "delete private endpoint in US_EAST_1 e2", "disable encryption at rest " + id,
	}, actions(keep))
	require.NotEmpty(t, page.Steps[0].Exposure)
	require.NotEqual(t, page.Hash, keep.Hash)
	require.Equal(t, page.Hash, planDisable(cmk.DisableRequest{Order: cmk.OrderPage}, s).Hash)
	require.Zero(t, planDisable(cmk.DisableRequest{Order: cmk.OrderPage}, survey{
		Project: &activities.Project{ID: id}, Dependents: &activities.Dependents{},
	}).Writes())
}

func TestAssessRemove(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		selected cmk.EndpointSelection
		seen     survey
		errors   []cmk.FindingCode
	}{
		"in use":       {cmk.EndpointSelection{All: true}, onAll(nil), []cmk.FindingCode{cmk.FindingEndpointInUse, cmk.FindingEndpointInUse}},
		"not required": {cmk.EndpointSelection{All: true}, onAll(func(s *survey) { s.Project.Encryption.RequirePrivateNetworking = false }), nil},
		"off the key":  {cmk.EndpointSelection{Regions: []string{"EU_WEST_1"}}, onAll(func(s *survey) { s.Project.Clusters[1].Provider = cmk.ProviderNone }), nil},
		"search on the key": {cmk.EndpointSelection{Regions: []string{"EU_WEST_1"}}, onAll(func(s *survey) {
			s.Project.Clusters[1].Provider = cmk.ProviderNone
			s.Dependents.Search = []activities.SearchDeployment{{Cluster: "two", Provider: cmk.ProviderAWS}}
		}), []cmk.FindingCode{cmk.FindingEndpointInUse}},
		"another is there": {cmk.EndpointSelection{IDs: []string{"e2"}}, onAll(func(s *survey) {
			s.Project.Endpoints = append(s.Project.Endpoints, activities.Endpoint{ID: "e3", Region: "US_EAST_1", Status: cmk.EndpointActive})
		}), nil},
		"going already": {cmk.EndpointSelection{IDs: []string{"e1"}}, onAll(func(s *survey) { s.Project.Endpoints[0].Status = cmk.EndpointDeleting }), nil},
		"unknown":       {cmk.EndpointSelection{IDs: []string{"e9"}}, onAll(nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ElementsMatch(t, c.errors, codes(assessRemove(cmk.RemoveRequest{Endpoints: c.selected}, c.seen), cmk.SeverityError))
		})
	}
}

// The request that goes back is one that would be accepted.
func TestWayBack(t *testing.T) {
	t.Parallel()
	way := onAll(nil).wayBack()
	require.Equal(t, []string{"EU_WEST_1", "US_EAST_1"}, way.Request.Regions)
	require.Equal(t, []string{"one", "two"}, way.Request.Clusters.Names)
	require.Equal(t, cmk.RoleRequest{Mode: cmk.RoleAdopt, Name: "atlas"}, way.Request.Role)
	require.Nil(t, onAll(func(s *survey) { s.Project.Encryption.RoleID = "" }).wayBack())
}

// A project with more clusters on the key than fit into one history is refused.
func TestTooMuchToDisableAtOnce(t *testing.T) {
	var f findings
	s := survey{Project: &activities.Project{ID: aProject, Clusters: slices.Repeat([]activities.Cluster{{Provider: cmk.ProviderAWS}}, 600)}}
	assessReleaseSize(&f, s)
	require.Empty(t, f)
	s.Project.Clusters = append(s.Project.Clusters, slices.Repeat(s.Project.Clusters, 1)...)
	assessReleaseSize(&f, s)
	require.Len(t, f, 1)
	require.Equal(t, cmk.FindingTooMuchAtOnce, f[0].Code)
	require.Equal(t, cmk.SeverityError, f[0].Severity)
}
