package activities

import (
	"context"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// ObserveOrganizationInput asks for an organization's projects as soon as they differ from what was last seen.
type ObserveOrganizationInput struct {
	OrganizationID string `json:"organizationId"`
	// LastSeen is nil when every project is to be read anew.
	LastSeen *Organization `json:"lastSeen,omitempty"`
	// Kept are the projects that are watched on the organization's account; those that it has no more are told as Left.
	Kept     []string     `json:"kept,omitempty"`
	Interval cmk.Duration `json:"interval"`
}

// Organization is which projects of an organization use a key of the customer's.
type Organization struct {
	// Encrypted are those that do. One that did when it was read stands here until all are read anew: reading it again has
	// Atlas validate its key.
	Encrypted []string `json:"encrypted"`
	// Left are those of Kept that the organization has no more.
	Left []string `json:"left,omitempty"`
	// Unread are those that could not be read.
	Unread []string `json:"unread,omitempty"`
}

// readAtOnce is how many projects of an organization are read at a time.
const readAtOnce = 4

// ObserveOrganization returns which of an organization's projects use a customer-managed key once that differs from
// LastSeen; until then it fails with NotReady. It takes a call for every page of projects, and one for each project that was
// not seen to use a key.
func (a *Atlas) ObserveOrganization(ctx context.Context, in ObserveOrganizationInput) (*Organization, error) {
	projects, err := a.projects(ctx, in.OrganizationID)
	if err != nil {
		return nil, err
	}
	if len(projects) == 0 {
		// Whoever may see none may not see that they are gone.
		return nil, final(cmk.ErrOrganizationUnseen, "organization %s shows the worker's credentials no project: check its id, and their roles", in.OrganizationID)
	}
	now := &Organization{}
	var unknown []string
	for _, id := range projects {
		if in.LastSeen != nil && slices.Contains(in.LastSeen.Encrypted, id) {
			now.Encrypted = append(now.Encrypted, id)
		} else {
			unknown = append(unknown, id)
		}
	}
	if err := a.readUses(ctx, unknown, now); err != nil {
		return nil, err
	}
	for _, id := range in.Kept {
		if slices.Contains(projects, id) {
			continue
		}
		left, err := a.hasLeft(ctx, in.OrganizationID, id)
		switch {
		case err != nil:
			return nil, err
		case left:
			now.Left = append(now.Left, id)
		default:
			now.Unread = append(now.Unread, id)
		}
	}
	now.Encrypted, now.Left, now.Unread = set(now.Encrypted), set(now.Left), set(now.Unread)
	if last := in.LastSeen; last != nil && len(now.Left) == 0 && slices.Equal(now.Encrypted, last.Encrypted) && slices.Equal(now.Unread, last.Unread) {
		return nil, notReady(jitter(ctx, in.Interval), "the projects of organization %s have not changed", in.OrganizationID)
	}
	return now, nil
}

// projects lists an organization's projects, as far as the worker's credentials see them.
func (a *Atlas) projects(ctx context.Context, organizationID string) ([]string, error) {
	var all []string
	for page := 1; ; page++ {
		got, response, err := a.api.ProjectsApi.ListGroups(ctx).ItemsPerPage(pageSize).PageNum(page).IncludeCount(false).Execute()
		if err != nil {
			return nil, atlasError(err, response, "list the projects of organization %s", organizationID)
		}
		for _, p := range got.GetResults() {
			if p.GetOrgId() == organizationID {
				all = append(all, p.GetId())
			}
		}
		if len(got.GetResults()) < pageSize {
			return all, nil
		}
	}
}

// readUses reads which projects use a key of the customer's. One that cannot be read keeps nobody from the others, unless
// Atlas is to be asked again later.
func (a *Atlas) readUses(ctx context.Context, projects []string, into *Organization) error {
	uses := make([]bool, len(projects))
	unread := make([]bool, len(projects))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(readAtOnce)
	for i, id := range projects {
		group.Go(func() error {
			got, response, err := a.api.EncryptionAtRestUsingCustomerKeyManagementApi.GetEncryptionAtRest(within, id).Execute()
			switch {
			case err == nil:
				uses[i] = encryptionOf(got).Enabled
			case response != nil && !retryable("", response.StatusCode):
				unread[i] = response.StatusCode != http.StatusNotFound // deleted since it was listed
			default:
				return atlasError(err, response, "read the encryption at rest of project %s", id)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, id := range projects {
		if uses[i] {
			into.Encrypted = append(into.Encrypted, id)
		}
		if unread[i] {
			into.Unread = append(into.Unread, id)
		}
	}
	return nil
}

// hasLeft says whether a project is gone, or belongs to another organization. That it is not listed may also mean that the
// worker's credentials may not see it.
func (a *Atlas) hasLeft(ctx context.Context, organizationID, projectID string) (bool, error) {
	got, response, err := a.api.ProjectsApi.GetGroup(ctx, projectID).Execute()
	switch {
	case err == nil:
		return got.GetOrgId() != organizationID, nil
	case response != nil && response.StatusCode == http.StatusNotFound:
		return true, nil
	case response != nil && !retryable("", response.StatusCode):
		return false, nil
	}
	return false, atlasError(err, response, "read project %s", projectID)
}
