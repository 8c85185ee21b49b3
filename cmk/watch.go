package cmk

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// WatchProject watches a project for years: what changes, what is not well, and which endpoints people are to approve.
const WatchProject = "WatchProject"

// WatchRequest is the input of WatchProject.
type WatchRequest struct {
	// ProjectID is the Atlas project (group), 24 hexadecimal digits.
	ProjectID string `json:"projectId"`
	WatchOptions
	// Progress is where an earlier run left off that continued as this one. It is not to be given by hand.
	Progress *WatchProgress `json:"progress,omitempty"`
}

// WatchOptions are how a project is watched, and what about it may be repaired.
type WatchOptions struct {
	// Interval is how often the endpoints, the clusters and the alarms are looked at, 5m by default; at most 24h. Soon is how
	// often while an endpoint is not ACTIVE, 30s by default.
	Interval Duration `json:"interval,omitempty"`
	Soon     Duration `json:"soon,omitempty"`
	// SettingsInterval is how often the settings, the roles and the key are read, 6h by default, besides whenever something
	// else has changed; at most 168h. Atlas validates the key at every such read.
	SettingsInterval Duration `json:"settingsInterval,omitempty"`
	// Stuck is for how long an endpoint may be on its way to another status before that is a finding, 4h by default.
	Stuck Duration `json:"stuck,omitempty"`
	// Approval is the policy by which endpoints are approved that Atlas recreated, or somebody else created. Those that stand
	// when the watch begins, or that the worker itself creates, are not asked for.
	Approval ApprovalPolicy `json:"approval,omitzero"`
	// Repair lists what the watch may repair by itself; by default nothing.
	Repair []Repair `json:"repair,omitempty"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
}

// Repair is something that a watch may do by itself, under the project's lease.
type Repair string

// What can be repaired.
const (
	// RepairRemakeFailed deletes an endpoint that has FAILED and creates another in its place.
	RepairRemakeFailed Repair = "remake-failed"
	// RepairCreateMissing creates an endpoint in a region without one, where nodes of a cluster on the key run.
	RepairCreateMissing Repair = "create-missing"
)

// WatchProgress is what a run of WatchProject hands on when it continues as a new one.
type WatchProgress struct {
	Started   time.Time         `json:"started"`
	Baseline  *Baseline         `json:"baseline,omitempty"`
	Endpoints []WatchedEndpoint `json:"endpoints,omitempty"`
	// Acceptance is the vote on changed settings.
	Acceptance *WatchedGate   `json:"acceptance,omitempty"`
	Findings   []Finding      `json:"findings,omitempty"`
	Outbox     []Notification `json:"outbox,omitempty"`
	Sent       int            `json:"sent,omitempty"`
	Remakes    map[string]int `json:"remakes,omitempty"`
	Writes     []Write        `json:"writes,omitempty"`
	Refusals   []Refusal      `json:"refusals,omitempty"`
	Problem    string         `json:"problem,omitempty"`
	// RepairFailed is why the last repair failed, Unreadable why the project could not be read.
	RepairFailed string `json:"repairFailed,omitempty"`
	Unreadable   string `json:"unreadable,omitempty"`
	// Seen is the project as it was last seen, as the worker keeps it.
	Seen json.RawMessage `json:"seen,omitempty"`
}

// Baseline is what nobody may change unnoticed: the settings, and what the key's policies say, by region.
type Baseline struct {
	Enabled                  bool   `json:"enabled"`
	RequirePrivateNetworking bool   `json:"requirePrivateNetworking"`
	SearchNodes              bool   `json:"searchNodes"`
	Key                      string `json:"key,omitempty"`
	KeyRegion                string `json:"keyRegion,omitempty"`
	RoleID                   string `json:"roleId,omitempty"`
	// ChangedBy is who has changed the settings to what they are now, if that is something else.
	ChangedBy []string          `json:"changedBy,omitempty"`
	Policies  map[string]string `json:"policies"`
}

// WatchedEndpoint is an endpoint that is watched, and its approval.
type WatchedEndpoint struct {
	WatchedGate
	Region string    `json:"region"`
	ID     string    `json:"id"`
	Since  time.Time `json:"since,omitzero"`
	// Given is true of an endpoint that needs no approval of its own.
	Given bool `json:"given,omitempty"`
}

// WatchedGate is what people have said so far.
type WatchedGate struct {
	Hash     string `json:"hash,omitempty"`
	Votes    []Vote `json:"votes,omitempty"`
	Rejected bool   `json:"rejected,omitempty"`
}

// Notification is what the outside is told, as the body of a webhook: what a watch finds, and whom a change waits for.
type Notification struct {
	// ID is the same at every attempt to deliver it.
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	ProjectID  string    `json:"projectId"`
	WorkflowID string    `json:"workflowId"`
	// Opened and Closed are findings, errors and warnings, that are new or gone. Asked is what people are asked for from now on.
	Opened []Finding `json:"opened,omitempty"`
	Closed []Finding `json:"closed,omitempty"`
	Asked  []Wait    `json:"asked,omitempty"`
	// Reminder is true when people have been asked for the same before.
	Reminder bool `json:"reminder,omitempty"`
	// Repaired is what the watch has written.
	Repaired []Write `json:"repaired,omitempty"`
}

// The headers of a webhook. The signature is "sha256=" and the HMAC-SHA256, in hexadecimal digits, of the timestamp (in
// seconds since 1970), a full stop and the body, under the secret of the worker's configuration.
const (
	WebhookDelivery  = "Atlas-Cmk-Delivery"
	WebhookTimestamp = "Atlas-Cmk-Timestamp"
	WebhookSignature = "Atlas-Cmk-Signature"
)

// The phases of a watch: all is well, or something is not.
const (
	PhaseWatching  Phase = "watching"
	PhaseAttention Phase = "attention"
)

// Findings of a watch, besides those of a project as it is now.
const (
	FindingEndpointOverdue   FindingCode = "ENDPOINT_STUCK"
	FindingEndpointRejected  FindingCode = "ENDPOINT_REJECTED"
	FindingSettingsChanged   FindingCode = "SETTINGS_CHANGED"
	FindingKeyPolicyChanged  FindingCode = "KEY_POLICY_CHANGED"
	FindingKeyAlarm          FindingCode = "KEY_ALARM"
	FindingRoleUnused        FindingCode = "ROLE_UNUSED"
	FindingProjectUnreadable FindingCode = "PROJECT_UNREADABLE"
	FindingRepairFailed      FindingCode = "REPAIR_FAILED"
)

const (
	maxInterval         = 24 * time.Hour
	maxSettingsInterval = 168 * time.Hour
)

// DecodeWatch reads, completes and validates a request, as DecodeEnable does.
func DecodeWatch(data []byte) (WatchRequest, error) { return read[WatchRequest](data) }

func (r *WatchRequest) validate(p *problems) {
	validateProjectID(p, r.ProjectID)
	r.WatchOptions.validate(p)
}

func (r *WatchOptions) complete() {
	orElse(&r.Interval, 5*time.Minute)
	orElse(&r.Soon, min(30*time.Second, time.Duration(r.Interval)))
	orElse(&r.SettingsInterval, max(6*time.Hour, time.Duration(r.Interval)))
	orElse(&r.Stuck, 4*time.Hour)
	if r.Approval.Mode == "" {
		r.Approval.Mode = ApproveUse
	}
	if r.Approval.Approvers == 0 {
		r.Approval.Approvers = 1
	}
	slices.Sort(r.Repair)
}

func (r *WatchOptions) validate(p *problems) {
	for _, d := range []struct {
		field string
		value Duration
		most  time.Duration
	}{
		{"interval", r.Interval, maxInterval},
		{"soon", r.Soon, maxInterval},
		{"settingsInterval", r.SettingsInterval, maxSettingsInterval},
		{"stuck", r.Stuck, maxSettingsInterval},
	} {
		atLeastASecond(p, d.field, d.value)
		if time.Duration(d.value) > d.most {
			p.add(d.field, d.value.String(), "give at most %s", d.most)
		}
	}
	r.Approval.validate(p)
	if r.Approval.Mode == ApproveCreate {
		p.add("approval.mode", string(r.Approval.Mode), "give use or provider: a watch does not plan endpoints")
	}
	for i, repair := range r.Repair {
		if repair != RepairRemakeFailed && repair != RepairCreateMissing {
			p.add("repair", string(repair), "give %s", strings.Join([]string{string(RepairRemakeFailed), string(RepairCreateMissing)}, " or "))
		}
		if slices.Contains(r.Repair[:i], repair) {
			p.add("repair", string(repair), "is named twice")
		}
	}
}
