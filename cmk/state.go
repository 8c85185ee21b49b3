package cmk

import "time"

// ProjectState is where a project stands, on the way to its key or out. Each but the window is a state to stay in: every
// node can reach its key.
type ProjectState string

// The states of a project.
const (
	// StateOn: clusters are on the key, over private endpoints.
	StateOn ProjectState = "S0"
	// StateWindow: clusters are on the key and some have no path to it. No change stops here.
	StateWindow ProjectState = "W"
	// StatePublic: clusters are on the key, over the public path.
	StatePublic ProjectState = "S1"
	// StateSomeOff: some clusters are not on the key.
	StateSomeOff ProjectState = "S2"
	// StateAllOff: no cluster is on the key, the project has it.
	StateAllOff ProjectState = "S3"
	// StateOff: the project has no key of its own.
	StateOff ProjectState = "S4"
)

// Window is a time in which clusters on the key had no path to it: nodes that ran went on running, one that restarted
// had to wait.
type Window struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until,omitzero"`
}

// WayBack is what to start to bring a project back to where a change found it.
type WayBack struct {
	Workflow string         `json:"workflow"`
	Request  *EnableRequest `json:"request"`
}
