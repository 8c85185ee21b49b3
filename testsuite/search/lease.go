package search

import (
	"context"
	"sync"

	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// leases are the leases of one run, which a server would be asked about.
type leases struct {
	mu sync.Mutex
	// open says of each lease that has begun whether it goes on.
	open map[activities.Lease]bool
}

func newLeases() *leases { return &leases{open: map[activities.Lease]bool{}} }

// held says whether a lease goes on. One that is not known yet is about to begin: its workflow has been started.
func (l *leases) held(lease activities.Lease) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lease.Feed = nil // it is no part of the lease's identity
	open, known := l.open[lease]
	return open || !known
}

func (l *leases) begin(lease activities.Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[lease] = true
}

func (l *leases) end(lease activities.Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[lease] = false
}

// endAll ends every lease, as somebody does who terminates their workflows.
func (l *leases) endAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for lease := range l.open {
		l.open[lease] = false
	}
}

// checker asks about the leases of the run that goes on.
type checker struct{ stage *stage }

// Check refuses a write whose lease has ended.
func (c *checker) Check(_ context.Context, lease activities.Lease) error {
	if c.stage.leases.held(lease) {
		return nil
	}
	return temporal.NewNonRetryableApplicationError("the lease "+lease.WorkflowID+" has ended", cmk.ErrLeaseLost, nil)
}
