package cmk

import "slices"

// EncryptRequest is the input of EncryptClusters. The key, its region and the IAM role stay as the project has them.
type EncryptRequest struct {
	// ProjectID is the Atlas project (group), 24 hexadecimal digits.
	ProjectID string `json:"projectId"`
	// Clusters are switched to the key, one by one: "all" (default) that are not on it, "none", or a list of names.
	Clusters ClusterSelection `json:"clusters,omitzero"`
	// Parallel is how many clusters may be re-encrypting at once, 1 by default. With more, the cluster that covers the
	// most regions goes first, alone.
	Parallel int `json:"parallel,omitempty"`
	// ResumePaused resumes paused clusters that are selected, which stay running; without it they are an error.
	ResumePaused bool `json:"resumePaused,omitempty"`
	// SearchNodes puts search nodes on the key too. Atlas replaces them, and they rebuild their indexes.
	SearchNodes bool `json:"searchNodes,omitempty"`
	// SnapshotDays, if positive, has an on-demand snapshot taken of every cluster with cloud backup once it is on the key,
	// which Atlas keeps for that many days: snapshots from before cannot be restored into it any more.
	SnapshotDays int `json:"snapshotDays,omitempty"`
	// PlannedRegions are those of a cluster that does not exist yet: a finding says whether they are covered, and with which
	// encryptionAtRestProvider to create it. To ask this alone, set dryRun, and clusters to "none".
	PlannedRegions []string `json:"plannedRegions,omitempty"`
	// RoleMode says what may be done to the project's IAM role, whose policy must admit the key's replica in each region:
	// "adopt" (default) edits our statements, "readOnly" writes nothing in IAM and waits for iam-ready.
	RoleMode RoleMode `json:"roleMode,omitempty"`
	// Approval is the policy by which endpoints are approved through which no cluster reaches the key yet.
	Approval ApprovalPolicy `json:"approval,omitzero"`
	// PlanApproval asks for the plan to be approved before anything is written.
	PlanApproval bool `json:"planApproval,omitempty"`
	// Deadlines bound the waits.
	Deadlines Deadlines `json:"deadlines,omitzero"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
	// DryRun returns the plan and its findings, and writes nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// DecodeEncrypt reads, completes and validates a request, as DecodeEnable does.
func DecodeEncrypt(data []byte) (EncryptRequest, error) { return read[EncryptRequest](data) }

func (r *EncryptRequest) complete() {
	slices.Sort(r.Clusters.Names)
	normalizeRegions(r.PlannedRegions)
	if r.Parallel == 0 {
		r.Parallel = 1
	}
	completeRoleMode(&r.RoleMode)
	r.Approval.complete()
	r.Deadlines.complete()
}

func (r *EncryptRequest) validate(p *problems) {
	validateProjectID(p, r.ProjectID)
	validateClusters(p, r.Clusters)
	validateParallel(p, r.Parallel)
	validateSnapshotDays(p, r.SnapshotDays)
	validateRegions(p, "plannedRegions", r.PlannedRegions)
	validateRoleMode(p, r.RoleMode)
	if r.Approval.Mode == ApproveCreate {
		p.add("approval.mode", string(r.Approval.Mode), `give "use" or "provider": this change creates no endpoint`)
	}
	r.Approval.validate(p)
	r.Deadlines.validate(p)
}

// Enable is what is asked of a project that has its key as given, in the words of EnableWithPrivateEndpoints.
func (r EncryptRequest) Enable(key, keyRegion, roleName string) EnableRequest {
	return EnableRequest{
		ProjectID: r.ProjectID, Key: key, KeyRegion: keyRegion, Role: RoleRequest{Mode: r.RoleMode, Name: roleName},
		Clusters: r.Clusters, Parallel: r.Parallel, ResumePaused: r.ResumePaused, SearchNodes: r.SearchNodes, SnapshotDays: r.SnapshotDays, Replicas: ReplicasCheck,
		Approval: r.Approval, PlanApproval: r.PlanApproval, OnFailure: Compensate, Deadlines: r.Deadlines, Requester: r.Requester, DryRun: r.DryRun,
	}
}
