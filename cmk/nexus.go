package cmk

import "encoding/json"

// The Nexus service by which other namespaces reach a worker that serves it. Its operations are the workflow types, each of
// which takes its request and completes with its report, and these two.
const (
	NexusService = "atlas-cmk"
	// NexusDecide delivers a NexusMessage as an update and answers with the status after it.
	NexusDecide = "decide"
	// NexusStatus answers with the status of the workflow that a NexusMessage names.
	NexusStatus = "status"
)

// NexusMessage is the input of the Nexus operations that are about a change that runs.
type NexusMessage struct {
	// WorkflowID is the id of the change's workflow.
	WorkflowID string `json:"workflowId"`
	// Signal is one of the signals, and Payload its Decision or Resolution. Decide takes both, status neither.
	Signal  string          `json:"signal,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}
