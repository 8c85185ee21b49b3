package atlassim

import (
	"time"
)

// State is the state of the simulated Atlas, as it is and not as the API shows it.
type State struct {
	Time        time.Time      `json:"time"`
	Assumptions Assumptions    `json:"assumptions"`
	Projects    []ProjectState `json:"projects"`
}

// ProjectState is the state of a project.
type ProjectState struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Encryption  *KMSState       `json:"encryption,omitempty"`
	SearchNodes bool            `json:"enabledForSearchNodes"`
	Roles       []RoleState     `json:"roles"`
	Endpoints   []EndpointState `json:"endpoints"`
	Clusters    []ClusterState  `json:"clusters"`
}

// KMSState is a project's use of its key.
type KMSState struct {
	Key         string `json:"key"`
	Region      string `json:"region"`
	RoleID      string `json:"roleId,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"`
	Private     bool   `json:"requirePrivateNetworking"`
	Valid       bool   `json:"valid"`
}

// RoleState is a cloud provider access role; ARN is empty while it is pending.
type RoleState struct {
	ID         string `json:"id"`
	ExternalID string `json:"externalId"`
	ARN        string `json:"arn,omitempty"`
}

// EndpointState is a private endpoint: Shown is the status that the API still displays.
type EndpointState struct {
	ID      string `json:"id"`
	Region  string `json:"region"`
	Status  string `json:"status"`
	Shown   string `json:"shown"`
	Message string `json:"message,omitempty"`
	VPCE    string `json:"vpcEndpoint"`
}

// ClusterState is a cluster: Provider is what was asked for, its nodes tell what is so.
type ClusterState struct {
	Name      string      `json:"name"`
	State     string      `json:"state"`
	Paused    bool        `json:"paused"`
	Provider  string      `json:"encryptionAtRestProvider"`
	Nodes     []NodeState `json:"nodes"`
	Snapshots int         `json:"snapshots"`
}

// NodeState is a node: Encrypted ones need the key to start.
type NodeState struct {
	ID        string `json:"id"`
	Region    string `json:"region"`
	Kind      string `json:"kind"`
	IP        string `json:"ip"`
	Encrypted bool   `json:"encrypted"`
	Up        bool   `json:"up"`
	// Key says what keeps the node from its key, empty if nothing or if it needs none.
	Key string `json:"key,omitempty"`
	// Without is how long it has been without what it takes to use its key, in simulated time.
	Without Clock `json:"without"`
}

// State is a copy of the present state. It is called from within World.Do.
func (a *Atlas) State() State {
	s := State{Time: a.world.Now(), Assumptions: a.assume, Projects: []ProjectState{}}
	for _, p := range a.projects {
		s.Projects = append(s.Projects, a.projectState(p))
	}
	return s
}

func (a *Atlas) projectState(p *project) ProjectState {
	s := ProjectState{
		ID: p.id, Name: p.name, SearchNodes: p.search,
		Roles: []RoleState{}, Endpoints: []EndpointState{}, Clusters: []ClusterState{},
	}
	if k := p.kms; k != nil {
		s.Encryption = &KMSState{Key: k.key, Region: k.region, RoleID: k.roleID, AccessKeyID: k.accessKeyID, Private: k.private, Valid: k.valid}
	}
	for _, r := range p.roles {
		s.Roles = append(s.Roles, RoleState{ID: r.id, ExternalID: r.externalID, ARN: r.arn})
	}
	for _, e := range p.endpoints {
		s.Endpoints = append(s.Endpoints, EndpointState{ID: e.id, Region: e.region, Status: e.status, Shown: e.shown.status, Message: e.message, VPCE: e.vpce})
	}
	seen := map[question]error{}
	for _, c := range p.clusters {
		cs := ClusterState{Name: c.name, State: c.state, Paused: c.paused, Provider: c.provider, Snapshots: len(c.snapshots), Nodes: []NodeState{}}
		for _, n := range c.all() {
			ns := NodeState{ID: n.id, Region: n.region, Kind: n.kind, IP: n.ip, Encrypted: n.encrypted, Up: n.up}
			if clock := a.oracle.clocks[n]; clock != nil {
				ns.Without = *clock
			}
			if n.encrypted {
				region, key, path, err := a.route(n)
				if err == nil {
					err = a.couldUseOnce(question{p.kms.identity(p, a.config.AccountARN), key, region, path}, seen)
				}
				if err != nil {
					ns.Key = err.Error()
				}
			}
			cs.Nodes = append(cs.Nodes, ns)
		}
		s.Clusters = append(s.Clusters, cs)
	}
	return s
}
