package cmk

import "time"

// Status answers the query "status": where a change stands, of an open run and of a closed one.
type Status struct {
	Workflow string `json:"workflow"`
	// ProjectID is left out by the watch of an organization.
	ProjectID string `json:"projectId,omitempty"`
	// OrganizationID is told by the watch of an organization, and Watched are the projects whose watches it keeps.
	OrganizationID string     `json:"organizationId,omitempty"`
	Watched        []string   `json:"watched,omitempty"`
	Requester      string     `json:"requester,omitempty"`
	Phase          Phase      `json:"phase"`
	Started        time.Time  `json:"started"`
	Ended          *time.Time `json:"ended,omitempty"`
	// Awaiting lists what the change waits for; empty while it works.
	Awaiting  []Wait           `json:"awaiting,omitempty"`
	Plan      *Plan            `json:"plan,omitempty"`
	Findings  []Finding        `json:"findings,omitempty"`
	Endpoints []EndpointReport `json:"endpoints,omitempty"`
	Clusters  []ClusterReport  `json:"clusters,omitempty"`
	// State is where the project stands, told by the ways out, by what puts clusters on a key, and of the project as it is now.
	// Windows are the times in which clusters had, or may have had, no path to their key.
	State   ProjectState `json:"state,omitempty"`
	Windows []Window     `json:"windows,omitempty"`
	// Settings, Search and Key are the project's as they were last read, where a workflow tells of the project as it is now.
	Settings *FinalState    `json:"settings,omitempty"`
	Search   []SearchReport `json:"search,omitempty"`
	Key      *KeyReport     `json:"key,omitempty"`
	Writes   []Write        `json:"writes,omitempty"`
	// Documents are policies for somebody else to put in place.
	Documents []Document `json:"documents,omitempty"`
	// Approvals are the votes on the plan; those on endpoints stand with them.
	Approvals []Vote `json:"approvals,omitempty"`
	// Refusals are the last decisions that were not taken, at most 50.
	Refusals []Refusal `json:"refusals,omitempty"`
	// Problem is what ended or stopped the change.
	Problem string `json:"problem,omitempty"`
}

// Wait is one thing that a change waits for, and what moves it on.
type Wait struct {
	For  Awaiting `json:"for"`
	What string   `json:"what"`
	// Region is the region of an endpoint that is awaited, or its approval.
	Region string `json:"region,omitempty"`
	// Step names the step that a person is asked about.
	Step   string    `json:"step,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"`
	Signal string    `json:"signal,omitempty"`
	// Example is a payload for Signal that would move the change on.
	Example string `json:"example,omitempty"`
}

// EndpointReport is one region's private endpoint and its approval.
type EndpointReport struct {
	Region       string         `json:"region"`
	ID           string         `json:"id,omitempty"`
	Status       EndpointStatus `json:"status,omitempty"`
	ErrorMessage string         `json:"errorMessage,omitempty"`
	Since        time.Time      `json:"since,omitzero"`
	Approval     ApprovalState  `json:"approval"`
	Votes        []Vote         `json:"votes,omitempty"`
}

// ClusterReport is one selected cluster.
type ClusterReport struct {
	Name     string    `json:"name"`
	Regions  []string  `json:"regions"`
	Provider string    `json:"provider"`
	State    string    `json:"state"`
	Since    time.Time `json:"since,omitzero"`
	Done     bool      `json:"done"`
	Skipped  bool      `json:"skipped,omitempty"`
}

// Document is a policy document, and where it belongs.
type Document struct {
	Place string `json:"place"`
	Text  string `json:"text"`
}

// Write is one change that was made in Atlas or AWS.
type Write struct {
	At        time.Time `json:"at"`
	System    string    `json:"system"`
	Operation string    `json:"operation"`
	Object    string    `json:"object"`
	// Undo is true of a write that took back an earlier one.
	Undo bool `json:"undo,omitempty"`
}

// Systems that are written to.
const (
	SystemAtlas = "Atlas"
	SystemIAM   = "IAM"
	SystemKMS   = "KMS"
)

// Report is the result of a change, and stands in the details of the error of one that did not complete.
type Report struct {
	Status
	// Verified is true when the final look found the state that was asked for.
	Verified bool `json:"verified"`
	// Final is the project as it was last seen.
	Final *FinalState `json:"final,omitempty"`
	// Keep lists what must be kept for as long as anything still needs it.
	Keep []string `json:"keep,omitempty"`
	// KeepUntil is when the last snapshot that is known to need the key and its role expires: keep them until then at
	// least, since snapshots of deleted clusters are not listed.
	KeepUntil time.Time `json:"keepUntil,omitzero"`
	// Rotation is what became of the project's key, of a rotation that has taken place.
	Rotation *Rotation `json:"rotation,omitempty"`
	// WayBack is what would bring the project back, of a way out that has written something.
	WayBack *WayBack `json:"wayBack,omitempty"`
}

// FinalState is what the verification saw.
type FinalState struct {
	Enabled                  bool   `json:"enabled"`
	Valid                    bool   `json:"valid"`
	RequirePrivateNetworking bool   `json:"requirePrivateNetworking"`
	Key                      string `json:"key,omitempty"`
	KeyRegion                string `json:"keyRegion,omitempty"`
	// RoleID is Atlas's cloud provider access role, RoleARN the IAM role behind it.
	RoleID  string `json:"roleId,omitempty"`
	RoleARN string `json:"roleArn,omitempty"`
}
