package activities

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Look is a project as it is now.
type Look struct {
	Encryption Encryption         `json:"encryption"`
	Endpoints  []Endpoint         `json:"endpoints,omitempty"`
	Clusters   []Cluster          `json:"clusters,omitempty"`
	Search     []SearchDeployment `json:"search,omitempty"`
	// Key is the project's key; nil when it has none, or for KeyProblem it could not be read.
	Key        *Key        `json:"key,omitempty"`
	KeyProblem *KeyProblem `json:"keyProblem,omitempty"`
	// Roles are the project's cloud provider access roles, where they were asked for.
	Roles []AccessRole `json:"roles,omitempty"`
	// At is when the settings were read.
	At time.Time `json:"at,omitzero"`
	// Alarms are the kinds of events of late that say that a node could not use its key.
	Alarms []string `json:"alarms,omitempty"`
	// Feed is how far the activity feed was followed. Since the look before, Strangers have changed the encryption at rest,
	// and Created is true when the worker's own credentials have created an endpoint.
	Feed      *Feed    `json:"feed,omitempty"`
	Strangers []string `json:"strangers,omitempty"`
	Created   bool     `json:"created,omitempty"`
}

// KeyProblem is why a key could not be read: AWS's code, and in words.
type KeyProblem struct {
	Code string `json:"code"`
	Why  string `json:"why"`
}

// Missing says whether there is no such key, or nothing where an alias leads.
func (p *KeyProblem) Missing() bool { return strings.HasPrefix(p.Code, "NotFound") }

// RoleARN is the IAM role behind the cloud provider access role through which the project uses its key; empty when that is
// not known.
func (l *Look) RoleARN() string {
	for _, r := range l.Roles {
		if r.ID == l.Encryption.RoleID && r.Authorized {
			return r.ARN
		}
	}
	return ""
}

// LookAtProject reads a project with three calls of Atlas, and one for each cluster: Atlas tells of search nodes cluster
// by cluster. The key is read from AWS.
func (a *Atlas) LookAtProject(ctx context.Context, in ProjectInput) (*Look, error) {
	look := &Look{At: a.pace.clock().Now().UTC()}
	group, within := errgroup.WithContext(ctx)
	group.Go(func() (err error) { look.Encryption, err = a.encryption(within, in.ProjectID); return })
	group.Go(func() (err error) { look.Endpoints, err = a.endpoints(within, in.ProjectID); return })
	group.Go(func() (err error) { look.Clusters, err = a.clusters(within, in.ProjectID); return })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	search := make([]*SearchDeployment, len(look.Clusters))
	group, within = errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, c := range look.Clusters {
		group.Go(func() (err error) { search[i], err = a.searchOf(within, in.ProjectID, c.Name); return })
	}
	group.Go(func() error { return a.lookAtKey(within, look) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, s := range search {
		if s != nil {
			look.Search = append(look.Search, *s)
		}
	}
	return look, nil
}

// lookAtKey reads the project's key. That it cannot be read is something seen; that AWS cannot be reached is an error.
func (a *Atlas) lookAtKey(ctx context.Context, look *Look) error {
	look.Key, look.KeyProblem = nil, nil
	if !look.Encryption.Enabled || look.Encryption.KeyID == "" {
		return nil
	}
	arn := look.RoleARN()
	key, err := a.keys.ReadKey(ctx, KeyInput{Key: look.Encryption.KeyID, Region: look.Encryption.Region, RoleName: arn[strings.LastIndex(arn, "/")+1:]})
	if look.KeyProblem = keyProblem(err); look.KeyProblem != nil {
		return nil
	}
	look.Key = key
	return err
}

// keyProblem is why a key could not be read, if that is what AWS has answered for good.
func keyProblem(err error) *KeyProblem {
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.NonRetryable() && app.Type() != cmk.ErrMisconfigured {
		return &KeyProblem{Code: app.Type(), Why: brief(app.Message())}
	}
	return nil
}
