package search

import (
	"time"

	"pgregory.net/rapid"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// schedules draws schedules of a procedure in the world that it finds. What is simpler stands first everywhere, since rapid shrinks towards it.
func schedules(of scenario) *rapid.Generator[schedule] {
	assumptions := drawAssumptions()
	return rapid.Custom(func(t *rapid.T) schedule {
		return schedule{
			Seed:      rapid.Uint64().Draw(t, "seed"),
			Type:      of.workflowType,
			Start:     of.start,
			Assume:    assumptions(t),
			Key:       rapid.SampledFrom([]string{"", awssim.MultiRegionKeyID, awssim.MultiRegionKeyAlias}).Draw(t, "key"),
			Mode:      rapid.SampledFrom([]cmk.ApprovalMode{cmk.ApproveUse, cmk.ApproveCreate, cmk.ApproveProvider}).Draw(t, "mode"),
			Approvers: rapid.IntRange(1, 2).Draw(t, "approvers"),
			Parallel:  rapid.IntRange(1, 2).Draw(t, "parallel"),
			Plan:      rapid.Bool().Draw(t, "plan"),
			OnFailure: rapid.SampledFrom([]cmk.OnFailure{cmk.Compensate, cmk.Compensate, cmk.Stop}).Draw(t, "onFailure"),
			Order:     rapid.SampledFrom([]cmk.DisableOrder{cmk.OrderPage, cmk.OrderKeepPrivatePath}).Draw(t, "order"),
			Region:    rapid.SampledFrom([]string{"", "US_WEST_2"}).Draw(t, "region"),
			Faults:    rapid.SliceOfN(rapid.Custom(faultRule), 0, 4).Draw(t, "faults"),
			Events:    rapid.SliceOfN(rapid.Custom(drawEvent), 0, 8).Draw(t, "events"),
			Calm:      rapid.SampledFrom([]time.Duration{30 * time.Minute, 2 * time.Hour, 6 * time.Hour}).Draw(t, "calm"),
			Wish:      rapid.SampledFrom([]wish{wishDone, wishRejected, wishAborted, wishSkipped, wishCancelled, wishExpired}).Draw(t, "wish"),
		}
	})
}

func faultRule(t *rapid.T) fault.Rule {
	r := fault.Rule{Operation: rapid.SampledFrom(operations()).Draw(t, "operation")}
	r.System = "atlas"
	if len(r.Operation) > 4 && (r.Operation[:4] == "iam:" || r.Operation[:4] == "kms:") {
		r.System = "aws"
	}
	r.Kind = rapid.SampledFrom([]fault.Kind{fault.DropAfter, fault.DropBefore, fault.Status, fault.Truncate, fault.Garbage, fault.ExpiredToken}).Draw(t, "kind")
	if r.Kind == fault.Status {
		r.Status = rapid.SampledFrom([]int{503, 429, 500}).Draw(t, "status")
		r.RetryAfter = rapid.SampledFrom([]int{0, 30}).Draw(t, "retryAfter")
	}
	r.After = rapid.IntRange(0, 3).Draw(t, "after")
	// All of them for a while, or some, or by chance.
	r.Times = rapid.SampledFrom([]int{1, 2, 5, 40}).Draw(t, "times")
	r.Chance = rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "chance")
	return r
}

// operations are those that the procedure uses, by the names of the services.
func operations() []string {
	return []string{
		"*", "getGroup", "getGroupEncryptionAtRest", "updateGroupEncryptionAtRest", "listGroupCloudProviderAccess", "createGroupCloudProviderAccess",
		"authorizeGroupCloudProviderAccessRole", "deauthorizeGroupCloudProviderAccessRole", "listGroupEncryptionAtRestPrivateEndpoints",
		"createGroupEncryptionAtRestPrivateEndpoint", "requestGroupEncryptionAtRestPrivateEndpointDeletion", "listGroupClusters", "updateGroupCluster",
		"listGroupEvents", "getGroupMaintenanceWindow", "iam:*", "iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "kms:*",
		"listGroupClusterBackupSnapshots", "getGroupClusterSearchDeployment", "getGroupBackupCompliancePolicy", "iam:UpdateAccessKey", "iam:DeleteAccessKey",
		"iam:GetAccessKeyLastUsed",
	}
}

func drawEvent(t *rapid.T) event {
	e := event{Kind: rapid.SampledFrom([]string{
		signalRun, signalRun, signalRun, updateRun, cancelRun, cancelRun, terminateRun, terminateRun, renewRun, loseLease,
		atlassim.HoldEndpoint, atlassim.FailEndpoint, atlassim.RemoveEndpoint, atlassim.RejectEndpoint, atlassim.AddCluster, atlassim.RemoveCluster,
		atlassim.PauseCluster, atlassim.ResumeCluster, atlassim.ScaleCluster, atlassim.RestartNode, atlassim.StartMaintenance, atlassim.StopMaintenance,
		atlassim.LoseNetwork, atlassim.RestoreNetwork, atlassim.CheckKeys,
		sim.DisableKey, sim.EnableKey, sim.ScheduleKeyDeletion, changeKey, changeTrust, jumpClock,
	}).Draw(t, "event")}
	if rapid.Bool().Draw(t, "at a write") {
		e.Write = rapid.IntRange(1, 16).Draw(t, "write")
		e.Served = rapid.Bool().Draw(t, "served")
	} else {
		e.At = rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second, time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute, 40 * time.Minute, 90 * time.Minute, 4 * time.Hour}).Draw(t, "at")
	}
	switch e.Kind {
	case signalRun, updateRun, cancelRun, terminateRun, renewRun, loseLease, jumpClock:
	default:
		e.Served = true // what others do between our last look and our write nobody can see
	}
	switch e.Kind {
	case atlassim.AddCluster:
		e.Detail = rapid.SampledFrom([]string{"", "AZURE"}).Draw(t, "other cloud")
		e.Region = rapid.SampledFrom(regions()).Draw(t, "region")
	case signalRun, updateRun:
		e.Detail = rapid.SampledFrom([]string{
			cmk.SignalApproveEndpoint, cmk.SignalApproveEndpoint, cmk.SignalApprove, cmk.SignalRejectEndpoint, cmk.SignalReject, cmk.SignalRetry,
			cmk.SignalSkip, cmk.SignalAbort, cmk.SignalStop, cmk.SignalRestore,
		}).Draw(t, "signal")
		e.By = rapid.SampledFrom([]string{alice, bob, requester, ""}).Draw(t, "by")
		e.Region = rapid.SampledFrom(append([]string{cmk.AllRegions}, regions()...)).Draw(t, "region")
	case jumpClock:
		e.Detail = rapid.SampledFrom([]string{"5m", "-5m", "26h", "-3h", "0s"}).Draw(t, "off")
	case atlassim.HoldEndpoint:
		e.Detail = rapid.SampledFrom([]string{"PENDING_ACCEPTANCE", "INITIATING", "ACTIVE", "FAILED", "DELETING"}).Draw(t, "status")
		fallthrough
	case atlassim.FailEndpoint, atlassim.RemoveEndpoint, atlassim.RejectEndpoint, atlassim.LoseNetwork, sim.DisableKey, sim.EnableKey, sim.ScheduleKeyDeletion,
		changeKey:
		e.Region = rapid.SampledFrom(regions()).Draw(t, "region")
	case atlassim.RemoveCluster, atlassim.PauseCluster, atlassim.ResumeCluster, atlassim.ScaleCluster, atlassim.RestartNode:
		e.Cluster = rapid.SampledFrom(clusterNames()).Draw(t, "cluster")
	}
	return e
}
