package cmk

import (
	"regexp"
	"slices"
	"strconv"
	"time"
)

// The phases of a retirement: the snapshots expire, disuse is proven, the access key is Inactive, and is deleted.
const (
	PhaseSnapshots Phase = "snapshots"
	PhaseDisuse    Phase = "disuse"
	PhaseInactive  Phase = "inactive"
	PhaseDeletion  Phase = "deletion"
)

// What a retirement can wait for, besides; a migration settles too.
const (
	AwaitingSnapshots        Awaiting = "snapshots"
	AwaitingDisuse           Awaiting = "disuse"
	AwaitingSettling         Awaiting = "settling"
	AwaitingDeletionApproval Awaiting = "deletion-approval"
)

// RetireRequest is the input of RetireAccess. This version retires access keys of IAM users; roles and grants stay.
type RetireRequest struct {
	// AccessKeyID is the id of the access key.
	AccessKeyID string `json:"accessKeyId"`
	// ProjectIDs are all Atlas projects that have used the access key. None of them may use it any more.
	ProjectIDs []string `json:"projectIds"`
	// SwitchedAt is when the last of them ceased to use it. Snapshots from before need the access key to be restored, and
	// a use after it is another's.
	SwitchedAt time.Time `json:"switchedAt"`
	// Approval says who must approve the deletion, and the loss of snapshots.
	Approval PlanPolicy `json:"approval,omitzero"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
	RetireOptions
	// Progress is where an earlier run left off that continued as this one. It is not to be given by hand.
	Progress *RetireProgress `json:"progress,omitempty"`
}

// RetireOptions say how an access key is retired.
type RetireOptions struct {
	// AcceptSnapshotLoss lets the access key be retired before the snapshots that need it have expired, once people have
	// approved the list of them. They cannot be restored from then on.
	AcceptSnapshotLoss bool `json:"acceptSnapshotLoss,omitempty"`
	// Disuse is for how long the access key must not have been used, 24h by default: AWS tells of a use hours late.
	Disuse Duration `json:"disuse,omitempty"`
	// SettleInactive is how long the access key stays Inactive, with the projects watched, before its deletion is asked
	// for; 24h by default.
	SettleInactive Duration `json:"settleInactive,omitempty"`
	// ApprovalDeadline bounds the wait for the approval of the deletion; 720h by default.
	ApprovalDeadline Duration `json:"approvalDeadline,omitempty"`
}

// RetireProgress is what a run of RetireAccess hands on when it continues as a new one.
type RetireProgress struct {
	Started time.Time `json:"started"`
	// UnusedSince is from when on disuse is counted, once a person has accepted an earlier use.
	UnusedSince time.Time `json:"unusedSince,omitzero"`
	// LossAccepted is true once people have approved the loss of snapshots.
	LossAccepted bool    `json:"lossAccepted,omitempty"`
	Votes        []Vote  `json:"votes,omitempty"`
	Writes       []Write `json:"writes,omitempty"`
}

// RetireID is the workflow id under which an access key is retired.
func RetireID(accessKeyID string) string { return "cmk-retire-" + accessKeyID }

var accessKeyIDForm = regexp.MustCompile(`^[A-Z0-9]{16,128}$`)

const maxRetireProjects = 100

// IsAccessKeyID says whether s is the id of an access key, rather than one that Atlas shows with parts of it hidden.
func IsAccessKeyID(s string) bool { return accessKeyIDForm.MatchString(s) }

// DecodeRetire reads, completes and validates a request, as DecodeEnable does.
func DecodeRetire(data []byte) (RetireRequest, error) {
	var r RetireRequest
	if err := decode(data, &r); err != nil {
		return RetireRequest{}, err
	}
	slices.Sort(r.ProjectIDs)
	r.Approval.complete()
	r.complete()
	if err := r.validate(); err != nil {
		return RetireRequest{}, err
	}
	return r, nil
}

func (o *RetireOptions) complete() {
	orElse(&o.Disuse, 24*time.Hour)
	orElse(&o.SettleInactive, 24*time.Hour)
	orElse(&o.ApprovalDeadline, 720*time.Hour)
}

func (r *RetireRequest) validate() error {
	var p problems
	if r.AccessKeyID == "" {
		p.add("accessKeyId", "", "is missing: name the access key to retire (roles and grants are not retired by this version)")
	} else {
		validateAccessKeyID(&p, "accessKeyId", r.AccessKeyID)
	}
	if len(r.ProjectIDs) == 0 {
		p.add("projectIds", "", "is missing: name every Atlas project that has used the access key")
	}
	if len(r.ProjectIDs) > maxRetireProjects {
		p.add("projectIds", strconv.Itoa(len(r.ProjectIDs)), "name at most %d projects", maxRetireProjects)
	}
	validateProjectIDs(&p, "projectIds", r.ProjectIDs)
	if r.SwitchedAt.IsZero() {
		p.add("switchedAt", "", "is missing: say when the last project ceased to use the access key, such as 2026-01-31T12:00:00Z")
	}
	r.Approval.validate(&p)
	r.RetireOptions.validate(&p, "")
	return p.err()
}

func (o RetireOptions) validate(p *problems, prefix string) {
	atLeastASecond(p, prefix+"disuse", o.Disuse)
	atLeastASecond(p, prefix+"settleInactive", o.SettleInactive)
	atLeastASecond(p, prefix+"approvalDeadline", o.ApprovalDeadline)
}

func validateAccessKeyID(p *problems, field, id string) {
	if !IsAccessKeyID(id) {
		p.add(field, id, "is not the id of an access key: give 16 to 128 capital letters and digits, such as AKIAIOSFODNN7EXAMPLE")
	}
}

func validateProjectIDs(p *problems, field string, ids []string) {
	for _, id := range ids {
		if !projectIDForm.MatchString(id) {
			p.add(field, id, "is not the id of an Atlas project: give 24 lower-case hexadecimal digits")
		}
	}
	sorted := slices.Sorted(slices.Values(ids))
	if dup := duplicate(sorted); dup != "" {
		p.add(field, dup, "is named twice")
	}
}
