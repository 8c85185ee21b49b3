package activities

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Preflight reads what lies in Atlas, IAM and KMS alike: one step where three would be as many histories' worth of events.
type Preflight struct {
	atlas *Atlas
	iam   *IAM
	kms   *KMS
}

// NewPreflight makes the activities that look before a change.
func NewPreflight(atlas *Atlas, iam *IAM, kms *KMS) *Preflight {
	return &Preflight{atlas: atlas, iam: iam, kms: kms}
}

// SurveyInput says which project, key and IAM role are looked at.
type SurveyInput struct {
	Project ProjectInput `json:"project"`
	Key     KeyInput     `json:"key"`
	Role    IAMRoleInput `json:"role"`
}

// Survey is what a change finds.
type Survey struct {
	Project *Project `json:"project"`
	Key     *Key     `json:"key"`
	Role    *IAMRole `json:"role"`
}

// ReadSurvey reads all three at once. The first that cannot be read is the error. A service that does not answer is given up.
func (p *Preflight) ReadSurvey(ctx context.Context, in SurveyInput) (*Survey, error) {
	var s Survey
	given := func(ctx context.Context, err error) error {
		return unlessSilentFor(ctx, p.atlas.pace.clock(), silence, err)
	}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() (err error) { s.Project, err = p.atlas.ReadProject(ctx, in.Project); return err })
	all.Go(func() (err error) { s.Key, err = p.kms.ReadKey(ctx, in.Key); return given(ctx, err) })
	all.Go(func() (err error) { s.Role, err = p.iam.ReadIAMRole(ctx, in.Role); return given(ctx, err) })
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return &s, nil
}
