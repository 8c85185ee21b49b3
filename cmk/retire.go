package cmk

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// RetireRequest is the input of RetireAccess. It retires an access key of an IAM user; or what projects may do through an
// IAM role; or, with KeyARNs, no more than the use of some keys through that role, which is a grant.
type RetireRequest struct {
	// AccessKeyID is the id of the access key.
	AccessKeyID string `json:"accessKeyId,omitempty"`
	// RoleARN is the IAM role, in place of an access key. Only the statement and the inline policy that this software keeps
	// in it for the projects are withdrawn, and Atlas's authorization of it in them.
	RoleARN string `json:"roleArn,omitempty"`
	// KeyARNs are keys that the projects have ceased to use while they go on using the role. Given, nothing else is withdrawn.
	KeyARNs []string `json:"keyArns,omitempty"`
	// ProjectIDs are all Atlas projects that have used the access key, or those whose access through the role is meant.
	// None of them may use it any more.
	ProjectIDs []string `json:"projectIds"`
	// SwitchedAt is when the last of them ceased to use it. Snapshots from before need it to be restored, and a use of an
	// access key after it is another's.
	SwitchedAt time.Time `json:"switchedAt"`
	// Approval says who must approve the withdrawal, and the loss of snapshots.
	Approval PlanPolicy `json:"approval,omitzero"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
	RetireOptions
	// Progress is where an earlier run left off that continued as this one. It is not to be given by hand.
	Progress *RetireProgress `json:"progress,omitempty"`
}

// RetireOptions say how access is retired.
type RetireOptions struct {
	// AcceptSnapshotLoss lets access be retired before the snapshots that need it have expired, once people have approved
	// the list of them. They cannot be restored from then on.
	AcceptSnapshotLoss bool `json:"acceptSnapshotLoss,omitempty"`
	// Disuse is for how long the access key must not have been used, 24h by default: AWS tells of a use hours late.
	Disuse Duration `json:"disuse,omitempty"`
	// SettleInactive is how long the access key stays Inactive, with the projects watched, before its deletion is asked
	// for; of a role, how long it has lost its use of the keys before the rest is withdrawn. 24h by default.
	SettleInactive Duration `json:"settleInactive,omitempty"`
	// ApprovalDeadline bounds the wait for the approval of the withdrawal; 720h by default.
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

const retireIDPrefix = "cmk-retire-"

// RetireID is the workflow id under which an access key is retired.
func RetireID(accessKeyID string) string { return retireIDPrefix + accessKeyID }

// ID is the recommended workflow id of the retirement. Projects that share an access key share its retirement, since it is
// retired once; those that share a role do not, since each has a statement of its own in it.
func (r RetireRequest) ID() string {
	switch {
	case r.RoleARN == "":
		return RetireID(r.AccessKeyID)
	case len(r.ProjectIDs) == 0:
		return retireIDPrefix + r.RoleARN
	case len(r.KeyARNs) == 0:
		return retireIDPrefix + r.ProjectIDs[0] + "-" + r.RoleARN
	}
	return retireIDPrefix + r.ProjectIDs[0] + "-" + r.RoleARN + "-" + r.KeyARNs[0]
}

// What names what is retired.
func (r RetireRequest) What() string {
	switch {
	case r.RoleARN == "":
		return "access key " + r.AccessKeyID
	case len(r.KeyARNs) == 0:
		return "access through IAM role " + r.RoleARN
	}
	return "the use of " + strings.Join(r.KeyARNs, ", ") + " through IAM role " + r.RoleARN
}

var (
	accessKeyIDForm = regexp.MustCompile(`^[A-Z0-9]{16,128}$`)
	roleARNForm     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^\s]+$`)
)

const maxRetireProjects = 100

// IsAccessKeyID says whether s is the id of an access key, rather than one that Atlas shows with parts of it hidden.
func IsAccessKeyID(s string) bool { return accessKeyIDForm.MatchString(s) }

// DecodeRetire reads, completes and validates a request, as DecodeEnable does.
func DecodeRetire(data []byte) (RetireRequest, error) { return read[RetireRequest](data) }

func (r *RetireRequest) complete() {
	slices.Sort(r.ProjectIDs)
	slices.Sort(r.KeyARNs)
	r.Approval.complete()
	r.RetireOptions.complete()
}

func (o *RetireOptions) complete() {
	orElse(&o.Disuse, 24*time.Hour)
	orElse(&o.SettleInactive, 24*time.Hour)
	orElse(&o.ApprovalDeadline, 720*time.Hour)
}

func (r *RetireRequest) validate(p *problems) {
	r.validateSubject(p)
	if len(r.ProjectIDs) == 0 {
		p.add("projectIds", "", "is missing: name every Atlas project that has used it")
	}
	if len(r.ProjectIDs) > maxRetireProjects {
		p.add("projectIds", strconv.Itoa(len(r.ProjectIDs)), "name at most %d projects", maxRetireProjects)
	}
	validateProjectIDs(p, "projectIds", r.ProjectIDs)
	if r.SwitchedAt.IsZero() {
		p.add("switchedAt", "", "is missing: say when the last project ceased to use it, such as 2026-01-31T12:00:00Z")
	}
	r.Approval.validate(p)
	r.RetireOptions.validate(p, "")
}

// validateSubject checks what is to be retired: one thing.
func (r *RetireRequest) validateSubject(p *problems) {
	switch {
	case r.AccessKeyID == "" && r.RoleARN == "":
		p.add("accessKeyId", "", "is missing: name the access key to retire, or in its place a role (roleArn)")
	case r.AccessKeyID != "" && r.RoleARN != "":
		p.add("roleArn", r.RoleARN, "leave it out, or accessKeyId: one retirement is of the one or of the other")
	case r.AccessKeyID != "":
		validateAccessKeyID(p, "accessKeyId", r.AccessKeyID)
	case !roleARNForm.MatchString(r.RoleARN):
		p.add("roleArn", r.RoleARN, "is not the ARN of an IAM role: give one such as arn:aws:iam::111122223333:role/atlas-cmk")
	}
	if len(r.KeyARNs) > 0 && r.RoleARN == "" {
		p.add("keyArns", r.KeyARNs[0], "name the role that these keys are to be taken from (roleArn)")
	}
	for _, arn := range r.KeyARNs {
		if key, err := ParseKey(arn); err != nil || key.Account == "" || key.Alias {
			p.add("keyArns", arn, "is not the ARN of a KMS key: give one such as arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab")
		}
	}
	if dup := duplicate(r.KeyARNs); dup != "" {
		p.add("keyArns", dup, "is named twice")
	}
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
