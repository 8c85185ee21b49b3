package main

// awsMutants break the edits of documents in AWS, and what is tried again.
func awsMutants() []mutant {
	const (
		documents = "activities/policy.go"
		roles     = "activities/iam.go"
		withdraw  = "activities/iam_withdraw.go"
		errs      = "activities/errors.go"
	)
	shared := inActivities("TestProjectsThatShareARoleLoseNoStatement")
	return []mutant{
		{"replace a policy document", documents, "d.statements = append(d.statements, raw)\n", "d.statements = []json.RawMessage{raw}\n", shared},
		{"drop the statements that follow ours", documents, "append(d.statements[:at:at], d.statements[at+1:]...)", "d.statements[:at:at]", shared},
		{"lose a statement without a list around it", documents, "d.statements = []json.RawMessage{raw}\n\t}\n\treturn d, nil", "d.statements = nil\n\t}\n\treturn d, nil", inActivities("TestEditsLeaveTheRestOfADocumentAlone")},
		{"delete a role that others use", roles, "if in.Delete && len(trust.statements) == 0 {", "if in.Delete {", inActivities("TestRoleThatOthersUseIsNotDeleted")},
		{"edit a shared role without its lease", roles, "if !in.alone() {", "if false {", inActivities("TestSharedRoleNeedsItsOwnLease")},
		{"edit a role that others have made meanwhile", roles, "if in.alone() {\n\t\treturn \"\", final(", "if false {\n\t\treturn \"\", final(", inActivities("TestRoleIsMadeWithoutItsLease")},
		{"do not wait until IAM shows a write", roles, "if ok {\n\t\t\treturn nil", "if ok || true {\n\t\t\treturn nil", inActivities("TestProjectsThatShareARoleLoseNoStatement")},
		{"swap a grant for another", "activities/iam_grants.go", "return set(slices.Concat(keys, in.KeyARNs))", "return set(in.KeyARNs)", inActivities("TestGrantsAreAddedAndNeverSwapped")},
		{"grant without the lease on the role", "activities/iam_grants.go", "range []Lease{in.Lease, in.RoleLease} {", "range []Lease{in.Lease} {", inActivities("TestSharedRoleNeedsItsOwnLease")},
		{"delete a role that others have made", withdraw, "case !made:", "case false:", inActivities("TestRoleIsWithdrawn")},
		{"retry a non-retryable", errs, "return status == 0 || status ==", "return true || status ==", inActivities("TestAnswersOfAtlasBecomeTypedErrors")},
		{"give up while IAM propagates", errs, `case "CANNOT_ASSUME_ROLE", "INVALID_AWS_CREDENTIALS",`, `case "INVALID_AWS_CREDENTIALS",`, inActivities("TestAnswersOfAtlasBecomeTypedErrors")},
		{"repeat writes within a step", "activities/reread.go", "if r.Method != http.MethodGet {", "if r.Method == http.MethodHead {", inActivities("TestReadsAreRepeated")},
		{"send the policy of no key to a replica", "activities/kms.go", "ReplicaRegion: &away, Policy: policy.Policy}", "ReplicaRegion: &away, Description: policy.Policy}", inActivities("TestReplicaHasThePolicyOfItsKey")},
	}
}

// accessMutants take away what something still needs, or own what is not ours.
func accessMutants() []mutant {
	const (
		atlasRole = "activities/atlas_role.go"
		access    = "activities/access.go"
		user      = "activities/iam_user.go"
	)
	owned := inActivities("TestAccessRolesAreOwned")
	needed := inActivities("TestNothingThatIsNeededIsWithdrawn")
	return []mutant{
		{"take anybody's pending role", atlasRole, `case r.ARN == "" && !slices.Contains(in.Known, r.ID):`, `case r.ARN == "":`, owned},
		{"own by last attempt", atlasRole, `ours = r.ARN == "" && !slices.Contains(in.Known, r.ID)`, "ours = false", owned},
		{"deauthorize a role in use", atlasRole, "if !ours || len(r.UsedBy) > 0 ||", "if !ours ||", owned},
		{"retire the access before the snapshots", access, "if b.Count > 0 {", "if false {", needed},
		{"retire an access key that a project uses", access, `if now.Enabled && now.RoleID == "" {`, "if false {", inActivities("TestAccessKeyIsSpared")},
		{"narrow a role in use", access, `if p.InUse != "" {`, "if false {", needed},
		{"withdraw what other projects live on", access, "if len(now.Reliant) > 0 {", "if false {", needed},
		{"delete an access key that is Active", user, "if key.Active {", "if false {", inActivities("TestAccessKey")},
		{"retire an access key that was used", user, "if key.UsedAt.After(in.UnusedSince) {", "if false {", inActivities("TestAccessKey")},
		{"take back a role that is in use", "activities/atlas_migrate.go", "if now.Enabled && now.RoleID == in.RoleID {", "if !now.Enabled && now.RoleID == in.RoleID {", inActivities("TestSwitchToRole")},
		{"take back the use of a key in use", "activities/atlas_rotate.go", "if now.Enabled && bare(now.KeyID) == bare(in.KeyID) &&", "if now.Enabled && bare(now.KeyID) != bare(in.KeyID) &&", inActivities("TestKeyIsUnused")},
	}
}
