package search

import (
	"sync"
	"time"
)

// clock is the time of a world and of all that acts in it: that of the test environment of the run that goes on, which
// skips what nobody waits for. Between two runs it stands.
type clock struct {
	mu  sync.Mutex
	now func() time.Time
}

func newClock(at time.Time) *clock { return &clock{now: func() time.Time { return at }} }

// Now tells the time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	now := c.now
	c.mu.Unlock()
	return now()
}

// After is over at once: while a step runs no time passes, and what it waits for comes with its next attempt.
func (c *clock) After(time.Duration) <-chan time.Time {
	over := make(chan time.Time, 1)
	over <- c.Now()
	return over
}

// wrongClock is a clock that may be wrong.
type wrongClock struct {
	*clock
	mu  sync.Mutex
	off time.Duration
}

// Now tells the time, give or take.
func (c *wrongClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock.Now().Add(c.off)
}

// jump has it be wrong by that much from now on.
func (c *wrongClock) jump(off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
}

// follow has the clock go by another from now on.
func (c *clock) follow(now func() time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}
