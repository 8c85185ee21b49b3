package cmk

import (
	"slices"
	"time"
)

// WatchOrganization keeps a watch of every project of an organization that uses a customer-managed key.
const WatchOrganization = "WatchOrganization"

// OrganizationRequest is the input of WatchOrganization. The other options are those with which each project is watched.
type OrganizationRequest struct {
	// OrganizationID is the Atlas organization, 24 hexadecimal digits.
	OrganizationID string `json:"organizationId"`
	// ProjectsInterval is how often the organization's projects are listed, 1h by default; at most 24h.
	ProjectsInterval Duration `json:"projectsInterval,omitempty"`
	// Exclude lists projects that are not to be watched on this account. A watch of one that runs already goes on.
	Exclude []string `json:"exclude,omitempty"`
	WatchOptions
	// Progress is where an earlier run left off that continued as this one. It is not to be given by hand.
	Progress *OrganizationProgress `json:"progress,omitempty"`
}

// OrganizationProgress is what a run of WatchOrganization hands on when it continues as a new one.
type OrganizationProgress struct {
	Started time.Time `json:"started"`
	// Kept are the projects whose watches it has seen to.
	Kept     []string  `json:"kept,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
}

// OrganizationWatchID is the workflow id of the watch of an organization.
func OrganizationWatchID(organizationID string) string { return WatchID("org-" + organizationID) }

// FindingOrganizationUnreadable says that the projects of an organization cannot be listed, or there are none.
const FindingOrganizationUnreadable FindingCode = "ORGANIZATION_UNREADABLE"

// DecodeOrganization reads, completes and validates a request, as DecodeEnable does.
func DecodeOrganization(data []byte) (OrganizationRequest, error) {
	return read[OrganizationRequest](data)
}

func (r *OrganizationRequest) complete() {
	orElse(&r.ProjectsInterval, time.Hour)
	slices.Sort(r.Exclude)
	r.WatchOptions.complete()
}

func (r *OrganizationRequest) validate(p *problems) {
	switch {
	case r.OrganizationID == "":
		p.add("organizationId", "", "is missing: give the id of the Atlas organization, 24 hexadecimal digits")
	case !projectIDForm.MatchString(r.OrganizationID):
		p.add("organizationId", r.OrganizationID, "is not the id of an Atlas organization: give 24 lower-case hexadecimal digits")
	}
	atLeastASecond(p, "projectsInterval", r.ProjectsInterval)
	if time.Duration(r.ProjectsInterval) > maxInterval {
		p.add("projectsInterval", r.ProjectsInterval.String(), "give at most %s", maxInterval)
	}
	validateProjectIDs(p, "exclude", r.Exclude)
	r.WatchOptions.validate(p)
}
