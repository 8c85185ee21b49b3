package main

import "github.com/atlas-cmk/atlas-cmk/cmk"

// orderMutants swap steps, forget undos, and give up what is held.
func orderMutants() []mutant {
	const (
		enabling = "workflows/enable.go"
		changing = "workflows/change.go"
		window   = "workflows/window.go"
		leasing  = "workflows/lease.go"
		retiring = "workflows/retire.go"
	)
	enable, replayed := searching(cmk.EnableWithPrivateEndpoints), inWorkflows("TestRecordedHistoriesReplay")
	return []mutant{
		{"switch clusters before their path stands", enabling, "e.goPrivate,\n\t\te.putOnKey,", "e.putOnKey,\n\t\te.goPrivate,", enable},
		{"give the project its key before the role", enabling, "e.grantAccess,\n\t\te.enableEncryption,", "e.enableEncryption,\n\t\te.grantAccess,", enable},
		{"forget to turn encryption off again", enabling, "if !before.Enabled {\n\t\te.saga.arm(", "if false {\n\t\te.saga.arm(", enable},
		{"take back after the pivot", "workflows/saga.go", "func (s *saga) pass() { s.undos = nil }", "func (s *saga) pass() { _ = s.undos }\n", inWorkflows("TestSaga")},
		{"take back the first step first", changing, "for _, u := range slices.Backward(c.saga.undos) {", "for _, u := range slices.All(c.saga.undos) {", inWorkflows("TestCompensationGoesBackwards")},
		{"compensate under the cancelled context", changing, "ctx, _ = workflow.NewDisconnectedContext(ctx)\n\tc.status.Problem = reason(because)", "c.status.Problem = reason(because)", inWorkflows("TestCompensationGoesBackwards")},
		{"forget to delete the endpoints again", "workflows/endpoints.go", "Regions: unused, Except: before}", "Regions: nil, Except: before}", enable},
		{"forget to arm the way back from a window", "workflows/leave.go", `x.saga.arm("put private networking back", x.returnToNetworking)`, `x.saga.arm("put private networking back", func(workflow.Context) error { return nil })`, endToEnd("TestDisableRestored")},
		{"leave a window when cancelled", window, "apart, _ := workflow.NewDisconnectedContext(ctx)\n\te.openWindow(apart)", "apart := ctx\n\te.openWindow(apart)", enable},
		{"enter a window while clusters change", window, "if err := e.awaitCalm(ctx); err != nil {", "if err := ctx.Err(); err != nil {", replayed},
		{"turn off before the clusters", "workflows/disable.go", "return inOrder(ctx, d.leaveNetworking, d.releaseSearchNodes, d.resumeClusters, d.releaseClusters, d.turnOff, d.verify)", "return inOrder(ctx, d.leaveNetworking, d.releaseSearchNodes, d.resumeClusters, d.turnOff, d.releaseClusters, d.verify)", replayed},
		{"let endpoints go before the search nodes", "workflows/disable.go", "SearchLast: page}", "SearchLast: true}", test{searchTests, "^TestSearchNodesAreStillOnTheKey$"}},
		{"turn off with a cluster left out", "workflows/turnoff.go", "if c.skipped && slices.Contains(on, c.cluster.Name) {", "if c.skipped && !slices.Contains(on, c.cluster.Name) {", replayed},
		{"switch all clusters without a canary", "workflows/clusters.go", "room = 1\n", "room = s.parallel + 1\n", replayed},
		{"take a cluster that re-syncs for one that is on the key", enabling, "e.clusters.follow(ctx)\n", "\n", test{searchTests, "^TestReSyncOfAnEarlierRun$"}},
		{"retire the key before the snapshots", retiring, "if err := r.awaitSnapshots(ctx); err != nil {", "if err := ctx.Err(); err != nil {", inWorkflows("TestRetirementWaitsForTheSnapshots")},
		{"release the lease early", leasing, "err := child.GetChildWorkflowExecution().Get(apart, &run)", "err := child.GetChildWorkflowExecution().Get(apart, &run)\n\t\tchild.SignalChildWorkflow(apart, signalRelease, nil)", inWorkflows("TestLeaseIsHeldUntilItsRelease")},
		{"leave the lease behind", leasing, "PARENT_CLOSE_POLICY_TERMINATE", "PARENT_CLOSE_POLICY_ABANDON", endToEnd("TestLeaseEndsWithItsChange")},
		{"lose the lease when cancelled", leasing, "workflow.GetSignalChannel(ctx, signalRelease).Receive(ctx, nil)", "workflow.NewSelector(ctx).AddReceive(workflow.GetSignalChannel(ctx, signalRelease), func(workflow.ReceiveChannel, bool) {}).AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {}).Select(ctx)", inWorkflows("TestLeaseOutlastsCancellation")},
	}
}

// decisionMutants take decisions that do not count.
func decisionMutants() []mutant {
	const approving = "workflows/approvals.go"
	decisions := inWorkflows("TestDecisions")
	return []mutant{
		{"let who asked approve", approving, "case approving && samePerson(d.By, a.requester):", "case approving && false:", decisions},
		{"count a vote twice", approving, "func(v cmk.Vote) bool { return samePerson(v.By, by) })", "func(v cmk.Vote) bool { return false })", decisions},
		{"approve what Atlas has recreated", approving, `if e.endpoint != "" && e.endpoint != id && !remade {`, "if false {", inWorkflows("TestRecreatedEndpointIsAskedForAnew")},
		{"reject an endpoint in use", approving, "case open && signal == cmk.SignalRejectEndpoint && a.inUse(d):", "case false:", decisions},
		{"approve another plan", approving, `if a.plan == nil || d.Plan != "" && d.Plan != a.plan.hash {`, "if a.plan == nil {", inWorkflows("TestPlanIsApprovedByItsHash")},
		{"keep refusals without end", approving, "if n := len(a.refusals); n > maxRefusals {", "if n := len(a.refusals); n < 0 {", inWorkflows("TestLastRefusalsAreKept")},
		{"go on without approval", "workflows/endpoints.go", "if e.allApproved() && e.undisputed() {\n\t\t\t\treturn nil", "if true {\n\t\t\t\treturn nil", test{searchTests, "^TestApprovalsAfterMonths$"}},
		{"count the time for approvals anew", "workflows/endpoints.go", "return !slices.Contains(asked, id)", "return true || !slices.Contains(asked, id)", test{searchTests, "^TestApprovalDeadlineOutlasts"}},
		{"go on though rejected", "workflows/change.go", "if gate.rejected {", "if false {", inWorkflows("TestPlanThatIsNotApproved")},
		{"follow a plan that has changed", "workflows/agree.go", "if c.status.Plan.Hash == hash {", "if true {", inWorkflows("TestPlanThatHasChangedIsAskedForAnew")},
		{"do what preflight refuses", "workflows/change.go", "if len(errs) == 0 || dryRun {", "if true {", inWorkflows("TestErrorsOfPreflightEndAChange")},
	}
}
