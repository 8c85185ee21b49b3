package activities

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// RotateInput asks for a project to go over to another key, or to its key in another region.
type RotateInput struct {
	Lease     Lease  `json:"lease"`
	ProjectID string `json:"projectId"`
	// Before is the setting as preflight saw it: all of it but the key and its region stays.
	Before Encryption `json:"before"`
	KeyID  string     `json:"keyId"`
	Region string     `json:"region"`
	// Regions are those in which the key was seen to be usable.
	Regions []string `json:"regions"`
	// Until is for how long a refusal may be IAM's propagation.
	Until time.Time `json:"until"`
}

// RotateKey sends the project's whole setting with the key, once it has seen that every cluster on the former key is at
// rest and its nodes can reach the key. Its answer is an error only if the project is seen not to be on the key.
func (a *Atlas) RotateKey(ctx context.Context, in RotateInput) (*Encryption, error) {
	after := in.Before
	after.KeyID, after.Region = in.KeyID, in.Region
	return a.replace(ctx, replacement{
		lease: in.Lease, projectID: in.ProjectID, before: in.Before, after: after, until: in.Until,
		justify: func(ctx context.Context) error { return a.rotatable(ctx, in) },
	})
}

// rotatable refuses while a cluster on the key could not be wrapped with another one at once.
func (a *Atlas) rotatable(ctx context.Context, in RotateInput) error {
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	endpoints, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	for _, c := range clusters {
		if c.Provider != cmk.ProviderAWS {
			continue
		}
		switch {
		case c.Paused:
			return final(cmk.ErrForeign, "the key stays: cluster %s has been paused meanwhile, and would go on needing the former key", c.Name)
		case c.State != cmk.ClusterIdle && a.pace.clock().Now().Before(in.Until):
			return notReady(a.wait(ctx, in.Until), "cluster %s is %s", c.Name, c.State)
		case c.State != cmk.ClusterIdle:
			return final(cmk.ErrForeign, "the key stays: cluster %s is %s", c.Name, c.State)
		}
		for _, region := range c.Regions {
			if err := in.covers(c.Name, region, endpoints); err != nil {
				return err
			}
		}
	}
	return nil
}

// covers refuses when nodes in a region could not reach the key there.
func (in RotateInput) covers(cluster, region string, endpoints []Endpoint) error {
	switch {
	case !in.Before.RequirePrivateNetworking:
		return nil // nodes use the key in the region that the project names
	case !slices.Contains(in.Regions, region):
		return final(cmk.ErrForeign, "the key stays: cluster %s has come to have nodes in %s, where the key was not looked at", cluster, region)
	case !slices.ContainsFunc(endpoints, func(e Endpoint) bool { return e.Region == region && e.Status == cmk.EndpointActive }):
		return final(cmk.ErrForeign, "the key stays: cluster %s has nodes in %s, where no private endpoint is ACTIVE", cluster, region)
	}
	return nil
}

// KeyUnusedInput names a project and a key.
type KeyUnusedInput struct {
	ProjectID string `json:"projectId"`
	KeyID     string `json:"keyId"`
	// Region, if set, is where the key is meant.
	Region string `json:"region,omitempty"`
}

// ConfirmKeyUnused refuses, with ErrForeign, when the project uses the key: then nothing may be taken back that lets it.
func (a *Atlas) ConfirmKeyUnused(ctx context.Context, in KeyUnusedInput) error {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return err
	}
	bare := func(key string) string { return key[strings.LastIndex(key, "/")+1:] }
	if now.Enabled && bare(now.KeyID) == bare(in.KeyID) && (in.Region == "" || now.Region == in.Region) {
		return final(cmk.ErrForeign, "project %s uses key %s in %s: the role goes on having the use of it", in.ProjectID, now.KeyID, now.Region)
	}
	return nil
}

// ObserveRotationInput says what a rotation must lead to.
type ObserveRotationInput struct {
	ProjectID string `json:"projectId"`
	KeyID     string `json:"keyId"`
	Region    string `json:"region"`
	RoleID    string `json:"roleId"`
	// Since is how far the project's activity feed had come before the rotation. Rotates says that Atlas tells of it in
	// the feed, as it does of another key.
	Since   *Feed `json:"since,omitempty"`
	Rotates bool  `json:"rotates,omitempty"`
	// Alarms are looked for from Began on.
	Began time.Time `json:"began"`
	// Search are the clusters with search nodes.
	Search []string  `json:"search,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// rotations are the events by which Atlas tells that clusters are, or have been, wrapped with another key.
func rotations() []string {
	return []string{"ENCRYPTION_AT_REST_KEY_ROTATION_STARTED", "AWS_ENCRYPTION_KEY_ROTATED"}
}

// ObserveRotation returns the setting once the project is seen on the key and valid, Atlas has told of the rotation, and
// all clusters and search nodes are at rest; until then it fails with NotReady, which names what is missing. Which key a
// cluster is wrapped with Atlas does not show.
func (a *Atlas) ObserveRotation(ctx context.Context, in ObserveRotationInput) (*Encryption, error) {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if !now.Enabled || now.KeyID != in.KeyID || now.Region != in.Region || now.RoleID != in.RoleID {
		return nil, final(cmk.ErrForeign, "project %s does not use key %s in %s any more: someone else has changed that", in.ProjectID, in.KeyID, in.Region)
	}
	alarms, err := a.events(ctx, in.ProjectID, alarms(), in.Began)
	if err != nil {
		return nil, err
	}
	if n := len(alarms); n > 0 {
		return nil, final(cmk.ErrNotVerified, "%d events since %s say that the key could not be used: look at the project's activity feed", n, in.Began.Format(time.RFC3339))
	}
	if !now.Valid {
		return nil, notReady(a.wait(ctx, in.Until), "Atlas finds the key not valid")
	}
	if err := a.toldOfRotation(ctx, in); err != nil {
		return nil, err
	}
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if err := a.atRest(ctx, clusters, in.Until); err != nil {
		return nil, err
	}
	return &now, a.ObserveSearch(ctx, ObserveSearchInput{ProjectID: in.ProjectID, Clusters: in.Search, Until: in.Until})
}

// toldOfRotation fails with NotReady until Atlas has told of the rotation.
func (a *Atlas) toldOfRotation(ctx context.Context, in ObserveRotationInput) error {
	if !in.Rotates {
		return nil
	}
	since := Feed{}
	if in.Since != nil {
		since = *in.Since
	}
	told, err := a.events(ctx, in.ProjectID, rotations(), since.At)
	if err != nil {
		return err
	}
	for _, e := range told {
		if !slices.Contains(since.IDs, e.GetId()) {
			return nil
		}
	}
	return notReady(a.wait(ctx, in.Until), "Atlas has not told of the rotation in the project's activity feed: %s", strings.Join(rotations(), " or "))
}
