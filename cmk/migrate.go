package cmk

import (
	"strconv"
	"time"
)

// PhaseSwitch is a migration's own: Atlas goes over from the access key to the role.
const PhaseSwitch Phase = "switch"

// MigrateRequest is the input of MigrateUserToRole. The key, its region and the networking stay as the project has them.
type MigrateRequest struct {
	// ProjectID is the Atlas project (group), 24 hexadecimal digits.
	ProjectID string `json:"projectId"`
	// Role is the IAM role through which Atlas is to use the key. By default a role atlas-cmk-<projectId> is created.
	Role RoleRequest `json:"role,omitzero"`
	// Approval says who must approve the plan. It is always asked for: the switch cannot be taken back.
	Approval PlanPolicy `json:"approval,omitzero"`
	// Rest is how long the role's documents stand before Atlas is switched to the role, 2m by default. IAM shows a new
	// document everywhere only after a while, and a switch that comes too early may leave Atlas without access until then.
	Rest Duration `json:"rest,omitempty"`
	// Settle is how long after the switch the key must be seen to stay valid before the change counts as verified, 30m by
	// default: two of the validations that Atlas makes every 15 minutes.
	Settle Duration `json:"settle,omitempty"`
	// OnFailure says what happens to what was done when the change fails or is cancelled before the switch.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// Deadlines bound the waits.
	Deadlines MigrateDeadlines `json:"deadlines,omitzero"`
	// Retire is what becomes of the IAM user's access key, by RetireAccess, once the switch is verified.
	Retire MigrateRetirement `json:"retire,omitzero"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
	// DryRun returns the plan and its findings, and writes nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// MigrateDeadlines bound the waits of a migration. Each is counted from the moment its wait begins.
type MigrateDeadlines struct {
	// Propagation bounds the wait until IAM shows Atlas the role and its permissions; 10m by default.
	Propagation Duration `json:"propagation,omitempty"`
	// Approval bounds the wait for the approval of the plan; 168h by default.
	Approval Duration `json:"approval,omitempty"`
	// Verification bounds the final look, beyond the time that it has to last; 30m by default.
	Verification Duration `json:"verification,omitempty"`
}

// MigrateRetirement says how the access key is retired that the project no longer uses.
type MigrateRetirement struct {
	// None leaves the access key alone. Its retirement can be started by hand at any time.
	None bool `json:"none,omitempty"`
	// AccessKeyID names the access key that the project used before, where Atlas no longer tells.
	AccessKeyID string `json:"accessKeyId,omitempty"`
	// AlsoProjects are the other projects that have used the same access key.
	AlsoProjects []string `json:"alsoProjects,omitempty"`
	RetireOptions
}

// DecodeMigrate reads, completes and validates a request, as DecodeEnable does.
func DecodeMigrate(data []byte) (MigrateRequest, error) { return read[MigrateRequest](data) }

func (r *MigrateRequest) complete() {
	if r.Role.Mode == "" {
		r.Role.Mode = RoleCreate
	}
	if r.Role.Name == "" && r.Role.Mode == RoleCreate && projectIDForm.MatchString(r.ProjectID) {
		r.Role.Name = OwnRoleName(r.ProjectID)
	}
	if r.OnFailure == "" {
		r.OnFailure = Compensate
	}
	r.Approval.complete()
	orElse(&r.Rest, 2*time.Minute)
	orElse(&r.Settle, 30*time.Minute)
	orElse(&r.Deadlines.Propagation, 10*time.Minute)
	orElse(&r.Deadlines.Approval, 168*time.Hour)
	orElse(&r.Deadlines.Verification, 30*time.Minute)
	r.Retire.complete()
}

func (r *MigrateRequest) validate(p *problems) {
	validateProjectID(p, r.ProjectID)
	r.Role.validate(p)
	r.Approval.validate(p)
	validateOnFailure(p, r.OnFailure)
	atLeastASecond(p, "rest", r.Rest)
	atLeastASecond(p, "settle", r.Settle)
	atLeastASecond(p, "deadlines.propagation", r.Deadlines.Propagation)
	atLeastASecond(p, "deadlines.approval", r.Deadlines.Approval)
	atLeastASecond(p, "deadlines.verification", r.Deadlines.Verification)
	if r.Retire.AccessKeyID != "" {
		validateAccessKeyID(p, "retire.accessKeyId", r.Retire.AccessKeyID)
	}
	validateProjectIDs(p, "retire.alsoProjects", r.Retire.AlsoProjects)
	r.Retire.validate(p, "retire.")
}

func (a *PlanPolicy) complete() {
	if a.Approvers == 0 {
		a.Approvers = 1
	}
}

func (a PlanPolicy) validate(p *problems) {
	if a.Approvers < 1 || a.Approvers > maxApprovers {
		p.add("approval.approvers", strconv.Itoa(a.Approvers), "give a number from 1 to %d", maxApprovers)
	}
	if a.Reminder != 0 {
		atLeastASecond(p, "approval.reminder", a.Reminder)
	}
}

// orElse fills in a duration that was left out.
func orElse(d *Duration, value time.Duration) {
	if *d == 0 {
		*d = Duration(value)
	}
}

func atLeastASecond(p *problems, field string, d Duration) {
	if d < Duration(time.Second) {
		p.add(field, d.String(), "give at least 1s")
	}
}
