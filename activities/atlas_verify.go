package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// VerifyInput says what the final look must find.
type VerifyInput struct {
	ProjectID string `json:"projectId"`
	KeyID     string `json:"keyId"`
	RoleID    string `json:"roleId"`
	// RoleARN, when given, is the IAM role that must still be able to use the key wherever the clusters have nodes.
	RoleARN   string    `json:"roleArn,omitempty"`
	Endpoints []string  `json:"endpoints"`
	Clusters  []string  `json:"clusters,omitempty"`
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until,omitzero"`
	// Known are the clusters that preflight saw; when given, those that have come since are told.
	Known []string `json:"known"`
}

// Verified is what the final look has found.
type Verified struct {
	Encryption
	// Appeared are the clusters that have come since preflight, and that are not on the key.
	Appeared []string `json:"appeared,omitempty"`
}

// alarms are the events that say that a node could not use its key.
func alarms() []string {
	return []string{"ENCRYPTION_AT_REST_KMS_NETWORK_ACCESS_DENIED", "ENCRYPTION_AT_REST_CONFIG_NO_LONGER_VALID"}
}

// VerifyProject looks at everything once more, and returns the state if it is what was asked for. If not it fails with
// NotReady, which names what is missing, to be tried again until the wait's deadline.
func (a *Atlas) VerifyProject(ctx context.Context, in VerifyInput) (*Verified, error) {
	now, err := a.encryption(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	endpoints, err := a.endpoints(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	clusters, err := a.clusters(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	events, response, err := a.api.EventsApi.ListGroupEvents(ctx, in.ProjectID).EventType(alarms()).MinDate(wholeSecond(in.Since)).Execute()
	if err != nil {
		return nil, atlasError(err, response, "list the events of project %s", in.ProjectID)
	}
	if n := len(events.GetResults()); n > 0 {
		// What has happened will not go away by waiting.
		return nil, final(cmk.ErrNotVerified, "%d events since %s say that the key could not be used: look at the project's activity feed", n, in.Since.Format(time.RFC3339))
	}
	missing := unmet(in, now, endpoints, clusters)
	if len(missing) == 0 && in.RoleARN != "" {
		err := a.usable(ctx, now, in.RoleARN, named(clusters, in.Clusters))
		var unusable *temporal.ApplicationError
		switch {
		case errors.As(err, &unusable) && unusable.Type() == cmk.ErrForeign:
			missing = append(missing, unusable.Message())
		case err != nil:
			return nil, err
		}
	}
	if len(missing) > 0 {
		return nil, notReady(a.wait(ctx, in.Until), "not verified: %s", brief(strings.Join(missing, "; ")))
	}
	return &Verified{now, appeared(in, clusters)}, nil
}

func appeared(in VerifyInput, clusters []Cluster) []string {
	if in.Known == nil {
		return nil
	}
	return clusterNames(slices.DeleteFunc(slices.Clone(clusters), func(c Cluster) bool {
		return c.Provider != cmk.ProviderNone || c.State == cmk.ClusterDeleting || slices.Contains(in.Known, c.Name)
	}))
}

func unmet(in VerifyInput, now Encryption, endpoints []Endpoint, clusters []Cluster) []string {
	var missing []string
	if !now.Enabled || !now.Valid || !now.RequirePrivateNetworking || now.KeyID != in.KeyID || now.RoleID != in.RoleID {
		missing = append(missing, fmt.Sprintf("encryption at rest is enabled %t, valid %t, requires private networking %t, key %s, role %s",
			now.Enabled, now.Valid, now.RequirePrivateNetworking, now.KeyID, now.RoleID))
	}
	for _, id := range in.Endpoints {
		if !slices.ContainsFunc(endpoints, func(e Endpoint) bool { return e.ID == id && e.Status == cmk.EndpointActive }) {
			missing = append(missing, "private endpoint "+id+" is not ACTIVE")
		}
	}
	for _, name := range in.Clusters {
		if !slices.ContainsFunc(clusters, func(c Cluster) bool {
			return c.Name == name && c.Provider == cmk.ProviderAWS && c.State == cmk.ClusterIdle
		}) {
			missing = append(missing, "cluster "+name+" is not IDLE with provider AWS")
		}
	}
	return missing
}

// wholeSecond is the first full second that is not before t. Events are told to the second: one of the second in which t lies
// may have happened before it.
func wholeSecond(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); !whole.Equal(t) {
		return whole.Add(time.Second)
	}
	return t
}
