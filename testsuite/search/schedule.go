package search

import (
	"fmt"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// schedule is all that happens to a change, decided beforehand. Its zero value is a change to which nothing happens.
type schedule struct {
	// Type is the workflow type; empty is EnableWithPrivateEndpoints.
	Type string
	// Seed is the world's.
	Seed uint64
	// Start names the world that the change finds.
	Start string
	// Assume are the assumptions that are not as by default, as JSON.
	Assume string
	// Key is how EnableWithPrivateEndpoints is told of the key; empty is by its ARN.
	Key string
	// Mode, Approvers, Parallel, Plan and OnFailure are the request's.
	Mode      cmk.ApprovalMode
	Approvers int
	Parallel  int
	Plan      bool
	OnFailure cmk.OnFailure
	// Order is SafeDisableCMK's, Region the one whose endpoint RemovePrivateEndpoints removes; empty means all.
	Order  cmk.DisableOrder
	Region string
	// Faults are in force until Calm.
	Faults []fault.Rule
	Events []event
	// Calm is when all trouble ends, and people begin to answer what they are asked.
	Calm time.Duration
	// Wish is what they want then.
	Wish wish
}

// wish is what people want of a change in the end.
type wish string

const (
	wishDone      wish = "done"
	wishRejected  wish = "rejected"
	wishAborted   wish = "aborted"
	wishSkipped   wish = "skipped"
	wishCancelled wish = "cancelled"
	wishExpired   wish = "expired"
)

// event is one thing that happens: at a time after the first run began, or at its n-th write.
type event struct {
	At time.Duration
	// Write is the number of the write, from 1, or 0; Served says whether the event comes after it or before it.
	Write  int
	Served bool
	Kind   string
	// By is who decides.
	By string
	// Region and Cluster name what the event is about, Detail the rest.
	Region, Cluster, Detail string
}

// The kinds of event that are not acts of the world.
const (
	terminateRun = "terminate"
	cancelRun    = "cancel"
	loseLease    = "loseLease"
	signalRun    = "signal"
	updateRun    = "update"
	changeKey    = "editKeyPolicy"
	changeTrust  = "editTrust"
	// renewRun has the server find the run's history long enough.
	renewRun = "renew"
	// jumpClock has the worker's own clock go wrong, by Detail from then on.
	jumpClock = "jumpClock"
	// refuseWrite has the service refuse a write for good.
	refuseWrite = "refuseWrite"
)

// String is the schedule as a Go literal, to be kept as a test.
func (s schedule) String() string {
	text := fmt.Sprintf("%#v", s)
	return strings.ReplaceAll(text, "search.", "")
}

// foreign says whether others act on the world.
func (s schedule) foreign() bool {
	for _, e := range s.Events {
		switch e.Kind {
		case terminateRun, cancelRun, loseLease, signalRun, updateRun, jumpClock, refuseWrite, renewRun:
		default:
			return true
		}
	}
	return false
}

// has says whether an event of that kind is drawn.
func (s schedule) has(kind string) bool {
	for _, e := range s.Events {
		if e.Kind == kind {
			return true
		}
	}
	return false
}
