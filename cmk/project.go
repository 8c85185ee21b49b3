package cmk

// ReadProject reads a project as it is now, and writes nothing. Its report has the settings, endpoints, clusters, search
// nodes, key and findings of the moment.
const ReadProject = "ReadProject"

// ReadRequest is the input of ReadProject.
type ReadRequest struct {
	// ProjectID is the Atlas project (group), 24 hexadecimal digits.
	ProjectID string `json:"projectId"`
}

// ReadID is the recommended workflow id of a ReadProject.
func ReadID(projectID string) string { return "cmk-read-" + projectID }

// DecodeRead reads and validates a request, as DecodeEnable does.
func DecodeRead(data []byte) (ReadRequest, error) { return read[ReadRequest](data) }

func (*ReadRequest) complete() {}

func (r *ReadRequest) validate(p *problems) { validateProjectID(p, r.ProjectID) }

// ApprovalUnknown is the approval of an endpoint of which no open change or watch knows.
const ApprovalUnknown ApprovalState = "unknown"

// SearchReport is a cluster's search deployment.
type SearchReport struct {
	Cluster  string `json:"cluster"`
	Provider string `json:"provider"`
	State    string `json:"state"`
}

// KeyReport is a project's KMS key, in each of its regions.
type KeyReport struct {
	ARN         string          `json:"arn"`
	State       string          `json:"state"`
	MultiRegion bool            `json:"multiRegion"`
	Replicas    []ReplicaReport `json:"replicas"`
}

// ReplicaReport is the key in one region.
type ReplicaReport struct {
	Region string `json:"region"`
	ARN    string `json:"arn"`
	State  string `json:"state"`
}

// Findings of a project as it is now.
const (
	FindingKeyUnread         FindingCode = "KEY_UNREAD"
	FindingKeyMissing        FindingCode = "KEY_MISSING"
	FindingClusterWithoutKey FindingCode = "CLUSTER_WITHOUT_KEY"
	FindingSearchWithoutKey  FindingCode = "SEARCH_NODES_WITHOUT_KEY"
	FindingEndpointFailed    FindingCode = "ENDPOINT_FAILED"
	FindingEndpointRecreated FindingCode = "ENDPOINT_RECREATED"
)
