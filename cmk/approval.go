package cmk

import "time"

// Decision is the payload of approve, reject, approve-endpoint and reject-endpoint.
type Decision struct {
	// By is who decides. Names are shown as claimed: nothing here proves them.
	By string `json:"by"`
	// Reason is free text, kept in the record.
	Reason string `json:"reason,omitempty"`
	// Plan is the hash of the plan that is meant (approve, reject). Left out, it means the plan that is waiting.
	Plan string `json:"plan,omitempty"`
	// Endpoint or Region names the endpoint that is meant (approve-endpoint, reject-endpoint): an endpoint's id, a region
	// in either spelling, or "all" as the region.
	Endpoint string `json:"endpoint,omitempty"`
	Region   string `json:"region,omitempty"`
	// Token is reserved for signed approvals.
	Token string `json:"token,omitempty"`
}

// AllRegions is the region of a decision that is meant for every planned endpoint, once each.
const AllRegions = "all"

// Resolution is the payload of retry, skip and abort: what to do with a step that cannot go on by itself.
type Resolution struct {
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
	// Step names the step that is meant; left out, it means every step that waits.
	Step string `json:"step,omitempty"`
}

// Vote is a decision that was taken.
type Vote struct {
	By       string    `json:"by"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
	Approved bool      `json:"approved"`
}

// Refusal is a decision that was not taken, and why.
type Refusal struct {
	Signal string    `json:"signal"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
	Code   string    `json:"code"`
	Why    string    `json:"why"`
}

// Reasons for which a decision is not taken.
const (
	RefusedUnreadable   = "UNREADABLE"
	RefusedNameMissing  = "NAME_MISSING"
	RefusedRequester    = "REQUESTER"
	RefusedRepeated     = "REPEATED"
	RefusedUnknown      = "UNKNOWN_ENDPOINT"
	RefusedOtherPlan    = "OTHER_PLAN"
	RefusedNothingWaits = "NOTHING_WAITS"
	RefusedInUse        = "REJECTED_IN_USE"
	RefusedDecided      = "DECIDED"
)

// ApprovalState is where the approval of one endpoint, or of the plan, stands.
type ApprovalState string

// The states of an approval.
const (
	ApprovalNotNeeded ApprovalState = "not-needed"
	ApprovalWaiting   ApprovalState = "waiting"
	ApprovalApproved  ApprovalState = "approved"
	ApprovalRejected  ApprovalState = "rejected"
)
