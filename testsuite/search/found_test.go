package search

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// The schedules that have found something, each as small as it would go.
func TestFound(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]schedule{
		// A read whose token had ended was refused for good: only what has a body was sent again with another token.
		"token ends during a read": {},
		// The role lost the key's replicas in regions that the project had left, which snapshots there may need.
		"regions grow fewer": {Start: startRole, Events: []event{{At: time.Second, Kind: atlassim.RemoveCluster, Cluster: sim.ClusterGlobal}}},
		// A cluster was switched although its nodes in one region could not use the key any more.
		"replica disabled after preflight": {Start: startReady, Calm: 30 * time.Minute, Events: []event{
			{At: 10 * time.Second, Kind: sim.DisableKey, Region: "US_WEST_2"},
			{At: time.Minute, Kind: signalRun, Detail: cmk.SignalApproveEndpoint, By: alice, Region: cmk.AllRegions},
		}},
		// Whoever asked, or decided, while a way out looked at the project once more, broke the run for good.
		"approved while it looks again": {Type: cmk.SafeDisableCMK, Start: startDone},
		// The private path to be kept is not there: people are told, and the run neither goes on nor hangs.
		"path to be kept is missing": {
			Type: cmk.SafeDisableCMK, Start: startNoPath, Order: cmk.OrderKeepPrivatePath, Calm: 2 * time.Hour, Wish: wishSkipped,
		},
		// Others have removed all clusters: there is no region to enable, which is what the run says.
		"no clusters left": {Start: startRole, Calm: 30 * time.Minute, Events: []event{
			{At: time.Second, Kind: atlassim.RemoveCluster, Cluster: sim.ClusterGlobal}, {At: time.Second, Kind: atlassim.RemoveCluster, Cluster: sim.ClusterEast},
		}},
		// A project without a path could not be enabled again where Atlas's validity takes in the nodes.
		"invalid for want of a path": {Start: startNoPath, Assume: `{"validSeesDataPlane":true}`},
		// A cluster that had lost its path in the midst of its switch was waited for without end, and nobody was told.
		"cluster that never comes to rest": {
			Seed: 0x8f48d208, Start: startSome, Assume: `{"providerShownAtOnce":false,"validSeesDataPlane":true}`, Mode: cmk.ApproveProvider,
			OnFailure: cmk.Stop, Calm: 6 * time.Hour, Wish: wishCancelled, Events: []event{
				{At: time.Minute, Kind: terminateRun}, {At: time.Minute, Kind: atlassim.RejectEndpoint, Region: "US_EAST_1"},
				{At: 15 * time.Minute, Kind: atlassim.FailEndpoint, Region: "US_EAST_1"},
			},
		},
		// Private networking stayed required after a change that was cancelled at once: the way back took the setting for as it
		// had been seen seconds before.
		"cancelled as networking is required": {Start: startKey, Mode: cmk.ApproveProvider, Calm: time.Minute, Events: []event{{Write: 1, Served: true, Kind: cancelRun}}},
		// What a change had made to cross a window was called taken back, and was not; the role's use of the key would have been.
		"cancelled in the window": {Start: startPublic, Mode: cmk.ApproveProvider, Calm: time.Minute, Events: []event{{Write: 1, Served: true, Kind: cancelRun}}},
		// A role stayed that IAM did not show yet when it was to be taken back.
		"cancelled as the role is made": {Start: startNothing, Mode: cmk.ApproveProvider, Calm: time.Minute, Events: []event{{Write: 2, Served: true, Kind: cancelRun}}},
		// What Atlas had put in place of an endpoint that other clusters relied on was relied on too, and nobody was asked.
		"relied on, and replaced": {
			Type: cmk.EncryptClusters, Start: startSome, Mode: cmk.ApproveUse, Calm: 2 * time.Hour, Events: []event{
				{At: time.Second, Served: true, Kind: atlassim.RemoveEndpoint, Region: "US_EAST_1"},
			},
		},
		// A cluster whose re-sync people had given up waiting for was held to be on the key by the next run, and verified in vain.
		"re-sync that does not end": {Start: startSome, Calm: 30 * time.Minute, Assume: `{"regionalArns":false}`},
		// A worker whose clock was ahead of a deadline looked a thousand times a second until the deadline had come.
		"clock ahead of the deadline": {Start: startNetworking, Calm: 2 * time.Hour, Events: []event{{Write: 1, Served: true, Kind: jumpClock, Detail: "26h"}}},
		// A role that waits for its authorization is taken back by the run that is rejected, and another is made.
		"pending role rejected": {Start: startPending, Mode: cmk.ApproveUse, Calm: 30 * time.Minute, Wish: wishRejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, perform(s))
		})
	}
}
