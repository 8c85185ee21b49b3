package activities

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// endpoints lists the project's private endpoints for encryption at rest, by region and id.
func (a *Atlas) endpoints(ctx context.Context, projectID string) ([]Endpoint, error) {
	var all []Endpoint
	for page := 1; ; page++ {
		got, response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.ListRestPrivateEndpoints(ctx, projectID, providerAWS).
			ItemsPerPage(pageSize).PageNum(page).Execute()
		if err != nil {
			return nil, atlasError(err, response, "list the private endpoints of project %s", projectID)
		}
		for _, e := range got.GetResults() {
			all = append(all, endpointOf(&e))
		}
		if len(got.GetResults()) < pageSize {
			slices.SortFunc(all, func(x, y Endpoint) int {
				return strings.Compare(x.Region+x.ID, y.Region+y.ID)
			})
			return all, nil
		}
	}
}

func endpointOf(e *admin.EARPrivateEndpoint) Endpoint {
	return Endpoint{ID: e.GetId(), Region: e.GetRegionName(), Status: cmk.EndpointStatus(e.GetStatus()), Error: brief(e.GetErrorMessage())}
}

// EndpointsInput asks for a private endpoint in each region.
type EndpointsInput struct {
	Lease     Lease    `json:"lease"`
	ProjectID string   `json:"projectId"`
	Regions   []string `json:"regions"`
}

// EnsureEndpoints creates an endpoint in every region that has none, and returns those of the regions. An endpoint that
// is there counts whatever its status; only while one is being deleted is the region's turn yet to come (NotReady).
func (a *Atlas) EnsureEndpoints(ctx context.Context, in EndpointsInput) ([]Endpoint, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	all, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	var ours []Endpoint
	var deleting string
	for _, region := range in.Regions {
		here := slices.DeleteFunc(slices.Clone(all), func(e Endpoint) bool { return e.Region != region })
		standing := slices.DeleteFunc(slices.Clone(here), func(e Endpoint) bool { return e.Status == cmk.EndpointDeleting })
		switch {
		case len(standing) > 0:
			ours = append(ours, standing...)
		case len(here) > 0:
			deleting = region
		default:
			made, response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.CreateRestPrivateEndpoint(ctx, in.ProjectID, providerAWS,
				&admin.EARPrivateEndpoint{RegionName: &region}).Execute()
			if err != nil {
				return nil, atlasError(err, response, "create a private endpoint in %s for project %s", region, in.ProjectID)
			}
			ours = append(ours, endpointOf(made))
		}
	}
	if deleting != "" {
		return nil, notReady(a.pace.Shortest, "the old private endpoint in %s is still being deleted", deleting)
	}
	return ours, nil
}

// ObserveEndpointsInput asks for the endpoints of some regions as soon as they differ from what was last seen.
type ObserveEndpointsInput struct {
	ProjectID string     `json:"projectId"`
	Regions   []string   `json:"regions"`
	LastSeen  []Endpoint `json:"lastSeen,omitempty"`
	// Began is when the endpoints were asked for; zero means with this wait. Until is its deadline; zero means none.
	Began time.Time `json:"began,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Looked is when LastSeen was seen: just after it nothing is to be expected.
	Looked time.Time `json:"looked,omitzero"`
	// Idle is true while only a person can move things on.
	Idle bool `json:"idle,omitempty"`
}

// ObserveEndpoints returns the endpoints of the regions once they differ from LastSeen; until then it fails with
// NotReady, to be tried again when the next look is due.
func (a *Atlas) ObserveEndpoints(ctx context.Context, in ObserveEndpointsInput) ([]Endpoint, error) {
	next := a.next(ctx, wait{since: in.Began, until: in.Until, due: a.pace.expected(endpointMade), idle: in.Idle})
	if a.seenJustNow(in.Looked) {
		return nil, notReady(next, "the private endpoints were looked at just now")
	}
	all, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	seen := slices.DeleteFunc(all, func(e Endpoint) bool { return !slices.Contains(in.Regions, e.Region) })
	if slices.Equal(seen, in.LastSeen) {
		return nil, notReady(next, "the private endpoints have not changed")
	}
	if made := slices.ContainsFunc(seen, func(e Endpoint) bool {
		e.Status = cmk.EndpointInitiating
		return slices.Contains(in.LastSeen, e) && !slices.ContainsFunc(seen, func(o Endpoint) bool { return o.Status == cmk.EndpointInitiating })
	}); made && !in.Began.IsZero() {
		a.pace.Experience.learn(endpointMade, a.pace.clock().Now().Sub(in.Began))
	}
	return seen, nil
}

// RemoveEndpointsInput asks for endpoints to be deleted.
type RemoveEndpointsInput struct {
	Lease     Lease    `json:"lease"`
	ProjectID string   `json:"projectId"`
	Regions   []string `json:"regions"`
	// Except are endpoints that stood before the change: they stay.
	Except []string `json:"except,omitempty"`
	// Only, when given, are the endpoints meant.
	Only []string `json:"only,omitempty"`
	// Failed restricts the deletion to endpoints that have failed.
	Failed bool `json:"failed,omitempty"`
	// Window says that the change has opened a window, and closes it this way: a path in use may go.
	Window bool `json:"window,omitempty"`
}

// RemoveEndpoints deletes the endpoints of the regions that are meant, and is done when none of them is listed any
// more. It never deletes one in a region where a cluster uses the key: that is ErrForeign. An endpoint that is being
// provisioned cannot be deleted yet; Atlas says so, and it is tried again.
func (a *Atlas) RemoveEndpoints(ctx context.Context, in RemoveEndpointsInput) error {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return err
	}
	all, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	meant := slices.DeleteFunc(all, func(e Endpoint) bool {
		return !slices.Contains(in.Regions, e.Region) || slices.Contains(in.Except, e.ID) ||
			len(in.Only) > 0 && !slices.Contains(in.Only, e.ID) || in.Failed && e.Status != cmk.EndpointFailed && e.Status != cmk.EndpointDeleting
	})
	if len(meant) == 0 {
		return nil
	}
	if !in.Window {
		clusters, err := a.clusters(ctx, in.ProjectID)
		if err == nil {
			err = outOfUse(clusters, meant)
		}
		if err != nil {
			return err
		}
	}
	asked := in.Window || in.Failed // what failed is no path that anybody counts on
	for _, e := range meant {
		if e.Status == cmk.EndpointDeleting {
			continue
		}
		if !asked {
			if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {
				return err
			}
			asked = true
		}
		response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.RequestPrivateEndpointDeletion(ctx, in.ProjectID, providerAWS, e.ID).Execute()
		if err != nil && !absent(err, response) {
			return atlasError(err, response, "delete private endpoint %s in %s", e.ID, e.Region)
		}
	}
	return notReady(a.wait(ctx, time.Time{}), "%d private endpoints are being deleted", len(meant))
}

// outOfUse refuses the deletion of a live path that a cluster depends on.
func outOfUse(clusters []Cluster, endpoints []Endpoint) error {
	for _, e := range endpoints {
		if e.Status == cmk.EndpointFailed || e.Status == cmk.EndpointDeleting {
			continue
		}
		for _, c := range clusters {
			if c.Provider == cmk.ProviderAWS && slices.Contains(c.Regions, e.Region) {
				return final(cmk.ErrForeign, "private endpoint %s in %s is not deleted: cluster %s reaches its key through it", e.ID, e.Region, c.Name)
			}
		}
	}
	return nil
}
