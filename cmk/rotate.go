package cmk

import (
	"time"
)

// PhaseRotation is a rotation's own: Atlas goes over to the other key, or to the key in another region.
const PhaseRotation Phase = "rotation"

// RotateRequest is the input of RotateKey. The role and the networking stay as the project has them.
type RotateRequest struct {
	// ProjectID is the Atlas project (group), 24 hexadecimal digits.
	ProjectID string `json:"projectId"`
	// Key is the KMS key to go over to: an ARN, an id, or an alias. Left out, the project keeps its key, and goes over to
	// KeyRegion with it, which takes a multi-Region key.
	Key string `json:"key,omitempty"`
	// KeyRegion is the region in which Key is looked up and which Atlas is told. It may be left out when Key is an ARN.
	KeyRegion string `json:"keyRegion,omitempty"`
	// RoleMode says what may be done to the IAM role that the project uses: "adopt" (default) adds the key to our inline
	// policy in it, "readOnly" shows the policy that is needed, and awaits the signal iam-ready.
	RoleMode RoleMode `json:"roleMode,omitempty"`
	// Replicas says what to do about regions with nodes in which a multi-Region key has no replica: "check" (default)
	// refuses, "create" makes one, which this software never takes back.
	Replicas Replicas `json:"replicas,omitempty"`
	// ResumePaused resumes paused clusters that use the key, which stay running; without it they are an error, since what
	// they hold stays wrapped with the former key until they run again.
	ResumePaused bool `json:"resumePaused,omitempty"`
	// Approval says who must approve the plan. It is always asked for.
	Approval PlanPolicy `json:"approval,omitzero"`
	// Rest is how long the role's permissions stand before Atlas is told of the key, 2m by default: IAM shows new ones
	// everywhere only after a while.
	Rest Duration `json:"rest,omitempty"`
	// Settle is how long after the rotation the key must be seen to stay valid before the change counts as verified, 30m
	// by default: two of the validations that Atlas makes every 15 minutes.
	Settle Duration `json:"settle,omitempty"`
	// Retire is about the role's use of the former key.
	Retire RetireAfter `json:"retire,omitzero"`
	// OnFailure says what happens to what was done when the change fails or is cancelled before Atlas is told of the key.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// Deadlines bound the waits.
	Deadlines RotateDeadlines `json:"deadlines,omitzero"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
	// DryRun returns the plan and its findings, and writes nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// RotateDeadlines bound the waits of a rotation. Each is counted from the moment its wait begins.
type RotateDeadlines struct {
	// Propagation bounds the wait until IAM shows Atlas the role's permissions; 10m by default.
	Propagation Duration `json:"propagation,omitempty"`
	// Approval bounds the wait for the approval of the plan, and for a role that others prepare; 168h by default.
	Approval Duration `json:"approval,omitempty"`
	// Clusters bounds the wait for the clusters to be at rest, before the rotation and after it; 24h by default.
	Clusters Duration `json:"clusters,omitempty"`
	// Verification bounds the final look, beyond the time that it has to last; 30m by default.
	Verification Duration `json:"verification,omitempty"`
}

// Rotation is what became of a project's key: what a retirement of the former key's grants has to know.
type Rotation struct {
	// At is when the project was seen to use the key in place of the former one.
	At time.Time `json:"at"`
	// Key and KeyRegion are the project's now, FormerKey and FormerRegion those it had, in Atlas's spelling.
	Key          string `json:"key"`
	KeyRegion    string `json:"keyRegion"`
	FormerKey    string `json:"formerKey"`
	FormerRegion string `json:"formerRegion"`
	// RoleARN is the IAM role that is granted the use of both, FormerKeyARNs what it is granted of the former one: that can
	// be retired in time. It is empty where the key is the same, and only its region another.
	RoleARN       string   `json:"roleArn"`
	FormerKeyARNs []string `json:"formerKeyArns,omitempty"`
}

// DecodeRotate reads, completes and validates a request, as DecodeEnable does.
func DecodeRotate(data []byte) (RotateRequest, error) { return read[RotateRequest](data) }

func (r *RotateRequest) complete() {
	r.KeyRegion = keyRegion(r.Key, r.KeyRegion)
	if r.RoleMode == "" {
		r.RoleMode = RoleAdopt
	}
	if r.Replicas == "" {
		r.Replicas = ReplicasCheck
	}
	if r.OnFailure == "" {
		r.OnFailure = Compensate
	}
	r.Approval.complete()
	r.Retire.complete()
	orElse(&r.Rest, 2*time.Minute)
	orElse(&r.Settle, 30*time.Minute)
	orElse(&r.Deadlines.Propagation, 10*time.Minute)
	orElse(&r.Deadlines.Approval, 168*time.Hour)
	orElse(&r.Deadlines.Clusters, 24*time.Hour)
	orElse(&r.Deadlines.Verification, 30*time.Minute)
}

func (r *RotateRequest) validate(p *problems) {
	validateProjectID(p, r.ProjectID)
	if r.Key == "" && r.KeyRegion == "" {
		p.add("key", "", "is missing: name another KMS key, or with keyRegion another region of the project's multi-Region key")
	} else {
		validateKey(p, r.Key, r.KeyRegion)
	}
	if r.RoleMode != RoleAdopt && r.RoleMode != RoleReadOnly {
		p.add("roleMode", string(r.RoleMode), `give "adopt" or "readOnly": the role is the one that the project uses`)
	}
	validateReplicas(p, r.Replicas)
	r.Approval.validate(p)
	validateOnFailure(p, r.OnFailure)
	r.Retire.validate(p, "retire.")
	atLeastASecond(p, "rest", r.Rest)
	atLeastASecond(p, "settle", r.Settle)
	atLeastASecond(p, "deadlines.propagation", r.Deadlines.Propagation)
	atLeastASecond(p, "deadlines.approval", r.Deadlines.Approval)
	atLeastASecond(p, "deadlines.clusters", r.Deadlines.Clusters)
	atLeastASecond(p, "deadlines.verification", r.Deadlines.Verification)
}
