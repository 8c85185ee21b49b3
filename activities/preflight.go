package activities

import (
	"context"
	"slices"

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
	// Regions are those in which nodes are to use the key; by default, those in which the project has nodes.
	Regions []string `json:"regions,omitempty"`
}

// Survey is what a change finds.
type Survey struct {
	Project *Project `json:"project"`
	// Key is no more than its name where KeyProblem says why it could not be read.
	Key        *Key        `json:"key"`
	KeyProblem *KeyProblem `json:"keyProblem,omitempty"`
	Role       *IAMRole    `json:"role"`
	// Evaluation is of a role that exists, as if it had our permissions already.
	Evaluation *RoleEvaluation `json:"evaluation,omitempty"`
}

// ReadSurvey reads all three at once, and then has IAM evaluate the role. A project or a role that cannot be read is the error;
// that a key cannot be is something seen. A service that does not answer is given up.
func (p *Preflight) ReadSurvey(ctx context.Context, in SurveyInput) (*Survey, error) {
	var s Survey
	given := func(ctx context.Context, err error) error {
		return unlessSilentFor(ctx, p.atlas.pace.clock(), silence, err)
	}
	all, within := errgroup.WithContext(ctx)
	all.Go(func() (err error) { s.Project, err = p.atlas.ReadProject(within, in.Project); return err })
	all.Go(func() (err error) {
		s.Key, err = p.kms.ReadKey(within, in.Key)
		if s.KeyProblem = keyProblem(err); s.KeyProblem != nil {
			s.Key, err = &Key{ARN: in.Key.Key, ID: in.Key.Key, Region: in.Key.Region}, nil
		}
		return given(within, err)
	})
	all.Go(func() (err error) { s.Role, err = p.iam.ReadIAMRole(within, in.Role); return given(within, err) })
	if err := all.Wait(); err != nil {
		return nil, err
	}
	if keys := s.keysIn(in.Regions); s.Role.Exists && len(keys) > 0 {
		var err error
		s.Evaluation, err = p.iam.EvaluateRole(ctx, EvaluateRoleInput{ProjectID: in.Project.ProjectID, RoleARN: s.Role.ARN, KeyARNs: keys, AsGranted: true})
		if err != nil {
			return nil, given(ctx, err)
		}
	}
	return &s, nil
}

// keysIn are the key's replicas in some regions; without any, where the project has nodes.
func (s *Survey) keysIn(regions []string) []string {
	if len(regions) == 0 {
		for _, c := range s.Project.Clusters {
			regions = append(regions, c.Regions...)
		}
	}
	var arns []string
	for _, r := range s.Key.Replicas {
		if slices.Contains(regions, r.Region) {
			arns = append(arns, r.ARN)
		}
	}
	return arns
}
