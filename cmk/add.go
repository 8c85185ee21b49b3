package cmk

// AddRequest is the input of AddPrivateEndpoints. The key, its region and the IAM role stay as the project has them.
type AddRequest struct {
	// ProjectID is the Atlas project (group), 24 hexadecimal digits.
	ProjectID string `json:"projectId"`
	// Regions get a private endpoint each.
	Regions []string `json:"regions"`
	// RoleMode says what may be done to the project's IAM role, whose policy must admit the key's replica in each region:
	// "adopt" (default) edits our statements, "readOnly" writes nothing in IAM and waits for iam-ready.
	RoleMode RoleMode `json:"roleMode,omitempty"`
	// Replicas says what to do about regions in which a multi-Region key has no replica: "check" (default) refuses,
	// "create" makes one, which this software never takes back.
	Replicas Replicas `json:"replicas,omitempty"`
	// Approval is the policy by which endpoints are approved.
	Approval ApprovalPolicy `json:"approval,omitzero"`
	// PlanApproval asks for the plan to be approved before anything is written.
	PlanApproval bool `json:"planApproval,omitempty"`
	// OnFailure says what happens to what was added when the change fails or is cancelled: "compensate" (default) takes it
	// back, but for endpoints through which a cluster reaches its key by then, "stop" leaves it.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// Deadlines bound the waits.
	Deadlines Deadlines `json:"deadlines,omitzero"`
	// Requester is who asked; it can never approve.
	Requester string `json:"requester,omitempty"`
	// DryRun returns the plan and its findings, and writes nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// DecodeAdd reads, completes and validates a request, as DecodeEnable does.
func DecodeAdd(data []byte) (AddRequest, error) { return read[AddRequest](data) }

func (r *AddRequest) complete() {
	normalizeRegions(r.Regions)
	completeRoleMode(&r.RoleMode)
	if r.Replicas == "" {
		r.Replicas = ReplicasCheck
	}
	r.Approval.complete()
	if r.OnFailure == "" {
		r.OnFailure = Compensate
	}
	r.Deadlines.complete()
}

func (r *AddRequest) validate(p *problems) {
	validateProjectID(p, r.ProjectID)
	if len(r.Regions) == 0 {
		p.add("regions", "", "is missing: name the regions that get a private endpoint")
	}
	validateRegions(p, "regions", r.Regions)
	validateRoleMode(p, r.RoleMode)
	validateReplicas(p, r.Replicas)
	r.Approval.validate(p)
	validateOnFailure(p, r.OnFailure)
	r.Deadlines.validate(p)
}

// Enable is what is asked of a project that has its key as given, in the words of EnableWithPrivateEndpoints.
func (r AddRequest) Enable(key, keyRegion, roleName string) EnableRequest {
	return EnableRequest{
		ProjectID: r.ProjectID, Key: key, KeyRegion: keyRegion, Role: RoleRequest{Mode: r.RoleMode, Name: roleName},
		Regions: r.Regions, Clusters: ClusterSelection{None: true}, Parallel: 1, Replicas: r.Replicas, Approval: r.Approval, PlanApproval: r.PlanApproval,
		OnFailure: r.OnFailure, Deadlines: r.Deadlines, Requester: r.Requester, DryRun: r.DryRun,
	}
}

func completeRoleMode(m *RoleMode) {
	if *m == "" {
		*m = RoleAdopt
	}
}

func validateRoleMode(p *problems, m RoleMode) {
	if m != RoleAdopt && m != RoleReadOnly {
		p.add("roleMode", string(m), `give "adopt" or "readOnly"`)
	}
}
