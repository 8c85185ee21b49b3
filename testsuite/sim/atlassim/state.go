package atlassim

import (
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// What follows is the state of the simulated Atlas. It is read and changed from within World.Do only.

// state is everything that Reset makes anew.
type state struct {
	projects []*project
	assume   Assumptions
	nonces   map[string]time.Time
	tokens   map[string]token
	buckets  map[string]*bucket
	// unreachable are the AWS regions ("*" for all) whose KMS Atlas has lost the network to.
	unreachable map[string]bool
	// full are the regions, in Atlas's spelling, that have no capacity left.
	full      map[string]bool
	addresses int
}

// project is Atlas's "group".
type project struct {
	id, name   string
	created    time.Time
	tags       map[string]string
	roles      []*role
	kms        *kms // nil while no customer key is configured
	search     bool // enabledForSearchNodes
	endpoints  []*endpoint
	clusters   []*cluster
	compliance *compliance
	window     *MaintenanceWindow
	events     []event
	noKMSAlert bool
	state      string
	// settled is until when disabling is still refused although the list of endpoints is empty.
	settled time.Time
	// generation counts changes of kms, so that the periodic check of an older one ends itself.
	generation  int
	maintenance bool
	alertIDs    []string
	// networks are the ids of the project's containers, by region.
	networks map[string]string
}

// role is a cloud provider access role of a project.
type role struct {
	id, externalID      string
	arn                 string // of the IAM role, empty while pending
	created, authorized time.Time
}

// kms is a project's configuration of its customer-managed key on AWS.
type kms struct {
	key, region string
	roleID      string
	accessKeyID string // shown as Assumptions.AccessKeyAfterSwitch has it once roleID is set
	secret      string
	private     bool
	valid       bool
	// networkDenied: the alert that nodes cannot reach the key is open.
	networkDenied bool
}

// identity is as whom Atlas, whose AWS account that is, acts through a role.
func (r *role) identity(account string) awssim.Identity {
	return awssim.Identity{Principal: account, RoleARN: r.arn, ExternalID: r.externalID}
}

// identity is as whom a configuration uses its key. A role that has been deauthorized is nobody.
func (k *kms) identity(p *project, account string) awssim.Identity {
	if k.roleID == "" {
		return awssim.Identity{AccessKeyID: k.accessKeyID, SecretAccessKey: k.secret}
	}
	if r := p.role(k.roleID); r != nil {
		return r.identity(account)
	}
	return awssim.Identity{Principal: account}
}

func (p *project) role(id string) *role {
	for _, r := range p.roles {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (p *project) cluster(name string) *cluster {
	for _, c := range p.clusters {
		if c.name == name {
			return c
		}
	}
	return nil
}

// cluster is a cluster with all its nodes.
type cluster struct {
	project *project
	id      string
	name    string
	created time.Time
	// doc holds the members that clients set, as they set them, but for those below.
	doc    map[string]any
	specs  []replicationSpec
	state  string
	paused bool
	// provider is what was asked for, shown what is displayed, encrypted what holds: NONE or AWS.
	provider, shown string
	dataGB          float64
	nodes           []*node
	search          *searchDeployment
	// former is the key that the master keys are still wrapped with while, or until, they are wrapped with another.
	former *kms
	// flex clusters are of another API, which is all that is known of them here.
	flex bool
	// work are the changes under way; the cluster is IDLE again when none is left.
	work      int
	resyncing bool
	// outage of a region is being simulated
	outage bool
	// spans are what of the past can be restored to any moment, and windowDays how far that goes back.
	spans       []*span
	windowDays  int
	snapshots   []*snapshot
	restores    []*restoreJob
	processArgs map[string]any
}

// node is one process with data on a disk of its own.
type node struct {
	id      string
	cluster *cluster
	shard   int
	cloud   string
	region  string // in Atlas's spelling
	kind    string // electable, readOnly, analytics or search
	ip      string
	// encrypted: its data is encrypted with the customer's key, without which it cannot start.
	encrypted bool
	up        bool
	starting  bool
	// refused: the last check found the key denied or disabled. unreached: it was not to be reached.
	refused, unreached bool
}

// The kinds of node.
const (
	electable = "electable"
	readOnly  = "readOnly"
	analytics = "analytics"
	search    = "search"
)

// The states of a cluster.
const (
	idle     = "IDLE"
	creating = "CREATING"
	updating = "UPDATING"
	deleting = "DELETING"
)

// The encryption providers of a cluster that the simulation knows.
const (
	providerNone = "NONE"
	providerAWS  = "AWS"
)

// endpoint is a private endpoint to KMS.
type endpoint struct {
	project   *project
	id        string
	region    string // in Atlas's spelling
	status    string
	message   string
	shown     view // what the API displays, which lags
	shownFrom time.Time
	epoch     int  // counts statuses shown at once, which overtake those still to be shown
	held      bool // status changes by act alone
	vpce, vpc string
	gone      bool
	successor bool  // Atlas recreated it after another was lost
	deleter   *call // who asked for its deletion, if somebody did
}

type view struct{ status, message string }

// The statuses of an endpoint.
const (
	initiating        = "INITIATING"
	pendingAcceptance = "PENDING_ACCEPTANCE"
	active            = "ACTIVE"
	failed            = "FAILED"
	pendingRecreation = "PENDING_RECREATION"
	deletingEndpoint  = "DELETING"
)

// event is an entry of a project's activity feed.
type event struct {
	id      string
	kind    string
	created time.Time
	actor   *account
	address string
}
