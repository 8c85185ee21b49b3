package atlassim

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Act is something that others, or the world itself, do behind the back of whoever uses Atlas.
type Act struct {
	// Kind is one of the kinds below.
	Kind string `json:"kind" yaml:"kind"`
	// Project is the id of the project; it may be left out where there is only one or nothing depends on it.
	Project string `json:"project,omitempty" yaml:"project,omitempty"`
	// Endpoint is the id of an endpoint; instead, Region names its region in Atlas's spelling.
	Endpoint string `json:"endpoint,omitempty" yaml:"endpoint,omitempty"`
	Region   string `json:"region,omitempty" yaml:"region,omitempty"`
	// Status is what an endpoint is held in; empty releases it.
	Status  string `json:"status,omitempty" yaml:"status,omitempty"`
	Message string `json:"message,omitempty" yaml:"message,omitempty"`
	// Cluster names a cluster, Node one of its nodes by id; without Node all are meant.
	Cluster string `json:"cluster,omitempty" yaml:"cluster,omitempty"`
	Node    string `json:"node,omitempty" yaml:"node,omitempty"`
	// Size is an instance size.
	Size string `json:"size,omitempty" yaml:"size,omitempty"`
	// Add is the cluster to add.
	Add *Cluster `json:"add,omitempty" yaml:"add,omitempty"`
	// Role names an IAM role.
	Role string `json:"role,omitempty" yaml:"role,omitempty"`
	// Settings are the assumptions to change.
	Settings json.RawMessage `json:"settings,omitempty" yaml:"settings,omitempty"`
}

// The kinds of Act that happen in Atlas.
const (
	// RejectEndpoint and RemoveEndpoint: its connection is rejected or removed on AWS's side. Atlas builds another.
	RejectEndpoint = "rejectEndpoint"
	RemoveEndpoint = "removeEndpoint"
	// FailEndpoint ends an endpoint as FAILED, with Message.
	FailEndpoint = "failEndpoint"
	// HoldEndpoint puts an endpoint into Status and keeps it there, until another with an empty Status releases it.
	HoldEndpoint = "holdEndpoint"
	AddCluster   = "addCluster"
	// RemoveCluster deletes a cluster at once.
	RemoveCluster = "removeCluster"
	PauseCluster  = "pauseCluster"
	// ScaleCluster has a cluster grow or shrink by itself to Size, which restarts its nodes one after another.
	ScaleCluster     = "scaleCluster"
	ResumeCluster    = "resumeCluster"
	RestartNode      = "restartNode"
	StartMaintenance = "startMaintenance"
	StopMaintenance  = "stopMaintenance"
	// LoseNetwork takes the network between nodes and KMS away in Region, in all of them if it is empty.
	LoseNetwork    = "loseNetwork"
	RestoreNetwork = "restoreNetwork"
	// FillRegion leaves no capacity for further nodes in Region; EmptyRegion gives it back.
	FillRegion  = "fillRegion"
	EmptyRegion = "emptyRegion"
	// TroubleProject puts the project into Status, StateInvalid or StateSuspended; an empty one ends it.
	TroubleProject = "troubleProject"
	// Assume changes assumptions.
	Assume = "assume"
	// Approve tells the oracle that a person has approved Endpoint, or the one in Region, or all.
	// RequireApprovals tells it that without that, no cluster may be switched.
	Approve          = "approve"
	RequireApprovals = "requireApprovals"
	// Own tells the oracle that the documents of Role were written by a client, at an earlier time: a client may edit them.
	Own = "own"
	// FinishChange tells the oracle that a change of the project has ended, to be judged by what it leaves behind.
	FinishChange = "finishChange"
	// CheckKeys has the periodic check of a project happen now.
	CheckKeys = "checkKeys"
)

// Act does what others would. It is called from within World.Do.
func (a *Atlas) Act(act Act) error {
	switch act.Kind {
	case Approve, RequireApprovals, Own, FinishChange, Assume, FillRegion, EmptyRegion:
	case LoseNetwork, RestoreNetwork:
		for _, p := range a.projects {
			a.Others(p.id)
		}
	default:
		a.Others(act.Project, act.Cluster)
	}
	switch act.Kind {
	case Assume:
		changed, err := a.assume.with(act.Settings)
		if err == nil {
			a.assume = changed
		}
		return err
	case LoseNetwork, RestoreNetwork:
		region := "*"
		if act.Region != "" {
			region = awsRegion(act.Region)
		}
		if act.Kind == LoseNetwork {
			a.unreachable[region] = true
		} else if delete(a.unreachable, region); act.Region == "" {
			clear(a.unreachable)
		}
		return nil
	}
	if act.Kind == FillRegion || act.Kind == EmptyRegion {
		return a.actCapacity(act)
	}
	p, err := a.actProject(act)
	if err != nil {
		return err
	}
	switch act.Kind {
	case TroubleProject:
		if !slices.Contains([]string{"", StateInvalid, StateSuspended}, act.Status) {
			return fmt.Errorf("act %s: status %q is none of a project", act.Kind, act.Status)
		}
		p.state = act.Status
	case RejectEndpoint, RemoveEndpoint, FailEndpoint, HoldEndpoint:
		return a.actEndpoint(p, act)
	case Approve:
		a.approve(p, act)
	case RequireApprovals:
		a.approvalsOf(p).required = true
	case Own:
		a.oracle.dirty = true
		a.observe()
		a.oracle.documents.release(act.Role)
	case FinishChange:
		a.oracle.dirty = true
		a.observe()
		a.finishChange(p)
	case StartMaintenance:
		a.maintain(p)
	case StopMaintenance:
		p.maintenance = false
	case CheckKeys:
		if p.kms != nil {
			a.validate(p)
			a.check(p)
		}
	case AddCluster:
		if act.Add == nil {
			return fmt.Errorf("act %s: add is missing", act.Kind)
		}
		if err := a.addCluster(p, *act.Add); err != nil {
			return fmt.Errorf("act %s: %w", act.Kind, err)
		}
		a.record(p, "CLUSTER_CREATED", nil)
	case RemoveCluster, PauseCluster, ResumeCluster, ScaleCluster, RestartNode:
		return a.actCluster(p, act)
	default:
		return fmt.Errorf("act %q is unknown", act.Kind)
	}
	return nil
}

func (a *Atlas) actCapacity(act Act) error {
	if act.Region == "" {
		return fmt.Errorf("act %s: region is missing", act.Kind)
	}
	if act.Kind == FillRegion {
		a.full[act.Region] = true
	} else {
		delete(a.full, act.Region)
	}
	return nil
}

func (a *Atlas) actProject(act Act) (*project, error) {
	if act.Project == "" && len(a.projects) == 1 {
		return a.projects[0], nil
	}
	if p := a.project(act.Project); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("act %s: no project %q", act.Kind, act.Project)
}

func (a *Atlas) actEndpoint(p *project, act Act) error {
	i := slices.IndexFunc(p.endpoints, func(e *endpoint) bool {
		return e.id == act.Endpoint || act.Endpoint == "" && e.region == act.Region && e.status != pendingRecreation
	})
	if i < 0 {
		return fmt.Errorf("act %s: no endpoint %s%s", act.Kind, act.Endpoint, act.Region)
	}
	e := p.endpoints[i]
	switch act.Kind {
	case RejectEndpoint:
		a.lose(e, "The private endpoint was rejected.")
	case RemoveEndpoint:
		a.lose(e, "The private endpoint was removed.")
	case FailEndpoint:
		message := act.Message
		if message == "" {
			message = "The private endpoint could not be created."
		}
		a.turnAtOnce(e, failed, message)
	case HoldEndpoint:
		if act.Status == "" {
			a.release(e)
			return nil
		}
		if !slices.Contains([]string{initiating, pendingAcceptance, active, failed, pendingRecreation, deletingEndpoint}, act.Status) {
			return fmt.Errorf("act %s: status %q is none of an endpoint", act.Kind, act.Status)
		}
		e.held = true
		a.turnAtOnce(e, act.Status, act.Message)
	}
	return nil
}

// release lets a held endpoint go on from where it is.
func (a *Atlas) release(e *endpoint) {
	e.held = false
	switch e.status {
	case initiating, pendingAcceptance:
		e.status = initiating
		a.provision(e)
	case deletingEndpoint:
		a.remove(e)
	case pendingRecreation:
		a.lose(e, e.message)
	}
}

func (a *Atlas) actCluster(p *project, act Act) error {
	c := p.cluster(act.Cluster)
	if c == nil {
		return fmt.Errorf("act %s: no cluster %q", act.Kind, act.Cluster)
	}
	switch act.Kind {
	case RemoveCluster:
		c.state = deleting
		p.clusters = slices.DeleteFunc(p.clusters, func(other *cluster) bool { return other == c })
		a.record(p, "CLUSTER_DELETED", nil)
	case PauseCluster:
		a.pause(c)
	case ResumeCluster:
		a.resume(c)
	case ScaleCluster:
		if act.Size == "" {
			return fmt.Errorf("act %s: size is missing", act.Kind)
		}
		a.scale(c, act.Size)
	case RestartNode:
		found := false
		for _, n := range c.all() {
			if act.Node == "" || n.id == act.Node {
				found = true
				a.restart(n)
			}
		}
		if !found {
			return fmt.Errorf("act %s: no node %q in cluster %s", act.Kind, act.Node, c.name)
		}
	}
	return nil
}
