package cmk

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// ExitOptions are what the requests of the ways out have in common: RemovePrivateEndpoints, DisablePrivateNetworking and
// SafeDisableCMK.
type ExitOptions struct {
	// ProjectID is the Atlas project (group), 24 hexadecimal digits.
	ProjectID string `json:"projectId"`
	// Approval is who must approve the plan, before anything is written.
	Approval PlanPolicy `json:"approval,omitzero"`
	// OnFailure says what happens to what was done when the change fails or is cancelled before its point of no return:
	// "stop" (default) leaves it, in a state that the report names; "restore" puts the private endpoints back in the same
	// regions, and networking as it was.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// Deadlines bound the waits.
	Deadlines ExitDeadlines `json:"deadlines,omitzero"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
	// DryRun returns the plan and its findings, and writes nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// Restore puts back what a way out has taken away.
const Restore OnFailure = "restore"

// ErrNotEnterable means that something has begun that would hold a window open, so that it was not entered; nothing was
// deleted.
const ErrNotEnterable = "NotEnterable"

// RefusedPastPivot means that what was asked to be put back cannot be any more.
const RefusedPastPivot = "PAST_PIVOT"

// PlanPolicy is who must approve a plan.
type PlanPolicy struct {
	// Approvers is how many distinct people must approve, 1 by default. The requester does not count.
	Approvers int `json:"approvers,omitempty"`
	// Reminder is how long people are waited for before they are asked again, and again each time that long, at most 50
	// times for the same; never by default. It reaches them as a notification of the webhook, a log line and a metric.
	Reminder Duration `json:"reminder,omitempty"`
}

// Approval is the policy of a procedure with that mode of approving endpoints.
func (a PlanPolicy) Approval(mode ApprovalMode) ApprovalPolicy {
	return ApprovalPolicy{Mode: mode, Approvers: a.Approvers, Reminder: a.Reminder}
}

// ExitDeadlines bound the waits of a way out. Each is counted from the moment its wait begins.
type ExitDeadlines struct {
	// Approval bounds the wait for an approval; 168h by default.
	Approval Duration `json:"approval,omitempty"`
	// Endpoint bounds the wait until the endpoints can be deleted, and until they are gone; 6h by default, since Atlas has
	// kept endpoints from being deleted for more than three.
	Endpoint Duration `json:"endpoint,omitempty"`
	// Window bounds the time in which clusters on the key have no path to it; past it the endpoints are put back. 1h by
	// default.
	Window Duration `json:"window,omitempty"`
	// Cluster bounds the re-encryption of one cluster, which re-syncs all its data; 72h by default.
	Cluster Duration `json:"cluster,omitempty"`
	// Search bounds the wait until the search nodes are off the key; 24h by default.
	Search Duration `json:"search,omitempty"`
	// Verification bounds the final look; 30m by default.
	Verification Duration `json:"verification,omitempty"`
}

// DisableOrder is the order in which SafeDisableCMK takes things away.
type DisableOrder string

// The orders.
const (
	// OrderPage: endpoints, private networking, search nodes, clusters, the project. Clusters use the public path to the
	// key while they leave it, and between the first endpoint's deletion and the end of private networking they have none.
	OrderPage DisableOrder = "page"
	// OrderKeepPrivatePath: search nodes and clusters over the private endpoints, which go afterwards. Whether Atlas allows
	// it is not documented; if it does not, the page's order is proposed, and needs an approval of its own.
	OrderKeepPrivatePath DisableOrder = "keepPrivatePath"
)

// DisableRequest is the input of SafeDisableCMK.
type DisableRequest struct {
	ExitOptions
	// Order is "page" (default) or "keepPrivatePath".
	Order DisableOrder `json:"order,omitempty"`
	// Parallel is how many clusters may be leaving the key at once, 1 by default. With more, the cluster that covers the most
	// regions still goes first, alone.
	Parallel int `json:"parallel,omitempty"`
	// ResumePaused resumes paused clusters that are on the key, since a paused cluster cannot be changed. They stay
	// running. Without it, such a cluster is a finding that ends the change before it begins.
	ResumePaused bool `json:"resumePaused,omitempty"`
	// Retire is about what the project used its key through: the role, or where it used one, the access key.
	Retire RetireAfter `json:"retire,omitzero"`
}

// RetireAfter says what becomes of what a project used its key through, once it is off the key or has another.
type RetireAfter struct {
	// Start has it retired, by a RetireAccess of its own. Without it, it stays as it is.
	Start bool `json:"start,omitempty"`
	RetireOptions
}

// NetworkingRequest is the input of DisablePrivateNetworking.
type NetworkingRequest struct {
	ExitOptions
}

// RemoveRequest is the input of RemovePrivateEndpoints.
type RemoveRequest struct {
	ExitOptions
	// Endpoints are those to remove: "all", or a list of ids and regions.
	Endpoints EndpointSelection `json:"endpoints,omitzero"`
}

// EndpointSelection selects private endpoints: all of them, or some by id or region.
type EndpointSelection struct {
	All     bool
	IDs     []string
	Regions []string
}

// MarshalJSON writes "all" or the list.
func (s EndpointSelection) MarshalJSON() ([]byte, error) {
	if s.All {
		return []byte(`"all"`), nil
	}
	return json.Marshal(slices.Concat(s.IDs, s.Regions))
}

// UnmarshalJSON reads "all", or a list of ids and regions.
func (s *EndpointSelection) UnmarshalJSON(b []byte) error {
	*s = EndpointSelection{}
	if string(b) == `"all"` {
		s.All = true
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil || len(list) == 0 {
		return &InvalidRequestError{Problems: []Problem{{Field: "endpoints", Value: string(b), Remedy: `give "all", or a list of endpoint ids and regions`}}}
	}
	for _, text := range list {
		if region, ok := ParseRegion(text); ok {
			s.Regions = append(s.Regions, string(region))
		} else {
			s.IDs = append(s.IDs, strings.TrimSpace(text))
		}
	}
	slices.Sort(s.IDs)
	slices.Sort(s.Regions)
	return nil
}

// Selects says whether the endpoint of that id and region is selected.
func (s EndpointSelection) Selects(id, region string) bool {
	return s.All || slices.Contains(s.IDs, id) || slices.Contains(s.Regions, region)
}

// DecodeDisable reads, completes and validates the input of SafeDisableCMK. The error, an *InvalidRequestError, names
// every problem at once.
func DecodeDisable(data []byte) (DisableRequest, error) { return read[DisableRequest](data) }

func (r *DisableRequest) complete() {
	r.ExitOptions.complete()
	if r.Order == "" {
		r.Order = OrderPage
	}
	if r.Parallel == 0 {
		r.Parallel = 1
	}
	r.Retire.complete()
}

func (r *DisableRequest) validate(p *problems) {
	r.ExitOptions.validate(p)
	validateParallel(p, r.Parallel)
	r.Retire.validate(p, "retire.")
	if r.Order != OrderPage && r.Order != OrderKeepPrivatePath {
		p.add("order", string(r.Order), `give "page" or "keepPrivatePath"`)
	}
}

// DecodeNetworking does the same for DisablePrivateNetworking.
func DecodeNetworking(data []byte) (NetworkingRequest, error) { return read[NetworkingRequest](data) }

// DecodeRemove does the same for RemovePrivateEndpoints.
func DecodeRemove(data []byte) (RemoveRequest, error) { return read[RemoveRequest](data) }

func (r *RemoveRequest) validate(p *problems) {
	r.ExitOptions.validate(p)
	if !r.Endpoints.All && len(r.Endpoints.IDs)+len(r.Endpoints.Regions) == 0 {
		p.add("endpoints", "", `is missing: give "all", or a list of endpoint ids and regions`)
	}
	for _, id := range r.Endpoints.IDs {
		if !projectIDForm.MatchString(id) {
			p.add("endpoints", id, "is neither the id of an endpoint, 24 lower-case hexadecimal digits, nor an AWS region")
		}
	}
	if r.OnFailure == Restore {
		p.add("onFailure", string(r.OnFailure), `leave it out: an endpoint whose deletion has begun cannot be kept, and nothing else is written`)
	}
}

func (o *ExitOptions) complete() {
	o.Approval.complete()
	if o.OnFailure == "" {
		o.OnFailure = Stop
	}
	for _, d := range o.Deadlines.all() {
		if *d.value == 0 {
			*d.value = Duration(d.byDefault)
		}
	}
}

type deadline struct {
	name      string
	value     *Duration
	byDefault time.Duration
}

func (d *ExitDeadlines) all() []deadline {
	return []deadline{
		{"approval", &d.Approval, 168 * time.Hour},
		{"endpoint", &d.Endpoint, 6 * time.Hour},
		{"window", &d.Window, time.Hour},
		{"cluster", &d.Cluster, 72 * time.Hour},
		{"search", &d.Search, 24 * time.Hour},
		{"verification", &d.Verification, 30 * time.Minute},
	}
}

func (o *ExitOptions) validate(p *problems) {
	validateProjectID(p, o.ProjectID)
	o.Approval.validate(p)
	if o.OnFailure != Stop && o.OnFailure != Restore {
		p.add("onFailure", string(o.OnFailure), `give "stop" or "restore"`)
	}
	for _, d := range o.Deadlines.all() {
		if *d.value < Duration(time.Second) {
			p.add("deadlines."+d.name, d.value.String(), "give at least 1s")
		}
	}
}
