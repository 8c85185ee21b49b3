package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// ObserveDeletableInput asks whether endpoints can be deleted.
type ObserveDeletableInput struct {
	ProjectID string `json:"projectId"`
	// Endpoints are those meant; Regions are watched for what Atlas recreates in their place.
	Endpoints []string  `json:"endpoints"`
	Regions   []string  `json:"regions"`
	Until     time.Time `json:"until,omitzero"`
}

// ObserveDeletable returns the endpoints that are meant, and those that Atlas has recreated in their regions, once all of
// them can be deleted; until then it fails with NotReady. Atlas refuses to delete what it is still making.
func (a *Atlas) ObserveDeletable(ctx context.Context, in ObserveDeletableInput) ([]Endpoint, error) {
	all, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	meant := slices.DeleteFunc(all, func(e Endpoint) bool {
		return !slices.Contains(in.Endpoints, e.ID) && !slices.Contains(in.Regions, e.Region)
	})
	if e := undeletable(meant); e != nil {
		return nil, notReady(a.wait(ctx, in.Until), "private endpoint %s in %s is %s, and cannot be deleted yet", e.ID, e.Region, e.Status)
	}
	return meant, nil
}

// Deletable says whether Atlas would delete the endpoint: not while it is at work on it. In place of one that is
// PENDING_RECREATION another is about to come.
func (e Endpoint) Deletable() bool {
	return e.Status != cmk.EndpointInitiating && e.Status != cmk.EndpointPendingRecreation
}

// undeletable is an endpoint that cannot be deleted yet, nil when there is none.
func undeletable(endpoints []Endpoint) *Endpoint {
	i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return !e.Deletable() })
	if i < 0 {
		return nil
	}
	return &endpoints[i]
}

// LeaveInput asks for endpoints to be deleted, and private networking to be left.
type LeaveInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	// Endpoints are those to delete: their deletion stands in the change's history. Regions are where others may appear
	// in their place.
	Endpoints []string `json:"endpoints"`
	Regions   []string `json:"regions"`
	// Followed says that the change that comes next is one that Atlas refuses while a private endpoint exists.
	Followed bool `json:"followed,omitempty"`
	// Encryption is the project's setting as the change knows it.
	Encryption Encryption `json:"encryption"`
}

// Left is how far the endpoints have gone.
type Left struct {
	// Appeared are endpoints that nobody has asked to delete: they stand where others were deleted, or where they would
	// keep private networking from being left. Nothing else is done until they are asked for.
	Appeared []Endpoint `json:"appeared,omitempty"`
}

// LeavePrivateNetworking deletes all private endpoints of a project and then stops requiring private networking: a
// window, for clusters on the key have no path in between. It enters it, that is, deletes the first endpoint, only after
// it has seen in the same breath that nothing will hold it open: every endpoint can be deleted, every cluster is IDLE,
// no maintenance is near, the setting is valid and as expected. If not, it fails with NotEnterable, with nothing deleted. Once inside, it goes on.
func (a *Atlas) LeavePrivateNetworking(ctx context.Context, in LeaveInput) (*Left, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	all, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if untouched(all, in.Endpoints) {
		if err := a.enterable(ctx, in, all); err != nil {
			return nil, err
		}
	}
	appeared := foreignTo(all, in.Endpoints)
	if len(appeared) > 0 {
		return &Left{Appeared: appeared}, nil
	}
	if err := a.delete(ctx, in.ProjectID, all); err != nil {
		return nil, err
	}
	if len(all) == 0 && !askedForAll(ctx) { // and a second look: a list has been seen empty before its time
		if all, err = a.endpoints(ctx, in.ProjectID); err != nil {
			return nil, err
		}
	}
	if len(all) > 0 {
		return nil, notReady(a.whileDeleting(ctx, true), "%d private endpoints are being deleted", len(all))
	}
	now, err := a.expected(ctx, in)
	if err != nil {
		return nil, err
	}
	a.learnDeletion(ctx)
	if !now.RequirePrivateNetworking {
		return &Left{}, nil
	}
	enabled, required := true, false
	_, err = a.patchEncryption(ctx, in.ProjectID, &admin.AWSKMSConfiguration{
		Enabled: &enabled, CustomerMasterKeyID: &now.KeyID, Region: &now.Region, RoleId: &now.RoleID, RequirePrivateNetworking: &required,
	})
	return &Left{}, err
}

// askedForAll says whether an earlier attempt has asked for the deletion of all endpoints. Then one look at an empty list will
// do, where a change follows that Atlas refuses while one exists.
func askedForAll(ctx context.Context) (all bool) {
	return activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &all) == nil && all
}

// whileDeleting is the delay until the next look at endpoints that are being deleted; urgent inside a window, of which
// each second of delay is one more.
func (a *Atlas) whileDeleting(ctx context.Context, urgent bool) time.Duration {
	return a.next(ctx, wait{due: a.pace.expected(endpointDeleted), urgent: urgent})
}

// learnDeletion remembers how long the deletion took that ends with the attempt that runs under ctx; the first attempt has
// waited for none.
func (a *Atlas) learnDeletion(ctx context.Context) {
	if info := activity.GetInfo(ctx); info.Attempt > 1 {
		a.pace.Experience.learn(endpointDeleted, a.pace.clock().Now().Sub(info.ScheduledTime))
	}
}

// untouched is true while every endpoint to delete is still there: the window has not been entered.
func untouched(all []Endpoint, meant []string) bool {
	return len(meant) > 0 && !slices.ContainsFunc(meant, func(id string) bool {
		return !slices.ContainsFunc(all, func(e Endpoint) bool { return e.ID == id && e.Status != cmk.EndpointDeleting })
	})
}

// enterable refuses to enter a window that something could hold open.
func (a *Atlas) enterable(ctx context.Context, in LeaveInput, all []Endpoint) error {
	now, err := a.expected(ctx, in)
	if err != nil {
		return err
	}
	if !now.Valid {
		return final(cmk.ErrForeign, "the private endpoints stay: Atlas finds the key of project %s not usable", in.ProjectID)
	}
	if e := undeletable(all); e != nil {
		return final(cmk.ErrNotEnterable, "private endpoint %s in %s is %s, and cannot be deleted yet", e.ID, e.Region, e.Status)
	}
	err = a.ObserveCalm(ctx, CalmInput{ProjectID: in.ProjectID})
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.Type() == cmk.ErrNotReady {
		return final(cmk.ErrNotEnterable, "%s", app.Message())
	}
	if err != nil {
		return err
	}
	return a.undisturbed(ctx, in.ProjectID, in.Lease)
}

// expected reads the project's setting, and refuses one that somebody else has changed.
func (a *Atlas) expected(ctx context.Context, in LeaveInput) (Encryption, error) {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return now, err
	}
	if was := in.Encryption; !now.Enabled || now.KeyID != was.KeyID || now.RoleID != was.RoleID || now.Region != was.Region {
		return now, final(cmk.ErrForeign, "encryption at rest of project %s is enabled %t with key %s in %s through role %s: someone else has set it since preflight", in.ProjectID, now.Enabled, now.KeyID, now.Region, now.RoleID)
	}
	return now, nil
}

// foreignTo lists the endpoints that are neither asked for nor on their way out.
func foreignTo(all []Endpoint, meant []string) []Endpoint {
	return slices.DeleteFunc(slices.Clone(all), func(e Endpoint) bool {
		return e.Status == cmk.EndpointDeleting || slices.Contains(meant, e.ID)
	})
}

// delete asks Atlas to delete endpoints, those that it does not delete already.
func (a *Atlas) delete(ctx context.Context, projectID string, endpoints []Endpoint) error {
	for _, e := range endpoints {
		if e.Status == cmk.EndpointDeleting {
			continue
		}
		response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.RequestPrivateEndpointDeletion(ctx, projectID, providerAWS, e.ID).Execute()
		if err != nil && !absent(err, response) {
			return atlasError(err, response, "delete private endpoint %s in %s", e.ID, e.Region)
		}
	}
	if len(endpoints) > 0 {
		activity.RecordHeartbeat(ctx, true)
	}
	return nil
}

// DeleteEndpoints deletes endpoints that no cluster needs, and is done when they are not listed any more in two looks, or, when
// another change is to follow that Atlas refuses while one exists, in one. It refuses with ErrForeign as long as private
// networking is required and a cluster on the key has nodes in the region of one of them, with no other ACTIVE endpoint there;
// and to begin, with NotEnterable while one of them cannot be deleted, or a cluster there is not at rest.
func (a *Atlas) DeleteEndpoints(ctx context.Context, in LeaveInput) (*Left, error) {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return nil, err
	}
	listed, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	here := in.among(listed)
	if appeared := foreignTo(here, in.Endpoints); len(appeared) > 0 {
		return &Left{Appeared: appeared}, nil
	}
	if e := undeletable(here); e != nil && untouched(here, in.Endpoints) {
		return nil, final(cmk.ErrNotEnterable, "private endpoint %s in %s is %s, and cannot be deleted yet", e.ID, e.Region, e.Status)
	}
	if len(here) == 0 && in.Followed && askedForAll(ctx) {
		a.learnDeletion(ctx)
		return &Left{}, nil
	}
	if len(here) == 0 { // and a second look: a list has been seen empty before its time
		again, err := a.endpoints(ctx, in.ProjectID)
		if err != nil {
			return nil, err
		}
		if here = in.among(again); len(here) == 0 {
			a.learnDeletion(ctx)
			return &Left{}, nil
		}
		return nil, notReady(a.pace.Shortest, "%d private endpoints have come back", len(here))
	}
	if slices.ContainsFunc(here, func(e Endpoint) bool { return e.Status != cmk.EndpointDeleting }) {
		if err := a.dispensable(ctx, in, here, listed); err != nil {
			return nil, err
		}
	}
	if untouched(here, in.Endpoints) {
		if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {
			return nil, err
		}
	}
	if err := a.delete(ctx, in.ProjectID, here); err != nil {
		return nil, err
	}
	return nil, notReady(a.whileDeleting(ctx, false), "%d private endpoints are being deleted", len(here))
}

// among are the endpoints of a list that are meant, or stand where those did.
func (in LeaveInput) among(all []Endpoint) []Endpoint {
	return slices.DeleteFunc(slices.Clone(all), func(e Endpoint) bool {
		return !slices.Contains(in.Endpoints, e.ID) && !slices.Contains(in.Regions, e.Region)
	})
}

// dispensable refuses the deletion of a path that a cluster depends on; and to begin it, of one that a cluster may depend on
// until it is at rest: one that has just begun to leave the key shows that it has none. Where private networking is not required,
// none depends on any.
func (a *Atlas) dispensable(ctx context.Context, in LeaveInput, meant, all []Endpoint) error {
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	depended := in.depended(clusters, meant, all)
	if depended == nil {
		return nil
	}
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil || !now.RequirePrivateNetworking {
		return err
	}
	return depended
}

// depended says why endpoints of a project that requires private networking must stay; nil when they need not.
func (in LeaveInput) depended(clusters []Cluster, meant, all []Endpoint) error {
	staying := slices.DeleteFunc(slices.Clone(all), func(e Endpoint) bool {
		return e.Status != cmk.EndpointActive || slices.ContainsFunc(meant, func(m Endpoint) bool { return m.ID == e.ID })
	})
	without := slices.DeleteFunc(slices.Clone(meant), func(e Endpoint) bool {
		return slices.ContainsFunc(staying, func(s Endpoint) bool { return s.Region == e.Region })
	})
	if err := outOfUse(clusters, without); err != nil {
		return err
	}
	for _, c := range clusters {
		if c.State != cmk.ClusterIdle && !c.Paused && untouched(meant, in.Endpoints) &&
			slices.ContainsFunc(without, func(e Endpoint) bool { return slices.Contains(c.Regions, e.Region) }) {
			return final(cmk.ErrNotEnterable, "no private endpoint is deleted yet: cluster %s is %s, and may need its key until it is IDLE", c.Name, c.State)
		}
	}
	return nil
}
