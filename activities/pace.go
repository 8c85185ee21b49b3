package activities

import (
	"time"
)

// Pace is how often a wait looks. The interval grows with the time that has passed, so that a wait of minutes is
// noticed within seconds and one of hours costs few calls.
type Pace struct {
	// Shortest and Longest bound the interval between two looks.
	Shortest, Longest time.Duration
	// Growth is the interval as a share of the time waited so far: 0.05 looks again after a twentieth of it.
	Growth float64
	// Idle is the interval while only a person can move things on.
	Idle time.Duration
	// Settle is how long a state must stand before it is believed to stay: a cluster has been seen IDLE just before it
	// began the change that was asked of it.
	Settle time.Duration
	// Clock is the time by which all this counts; nil means the wall clock.
	Clock Clock
}

// DefaultPace suits Atlas: endpoints take minutes, clusters minutes to hours.
func DefaultPace() Pace {
	return Pace{Shortest: 5 * time.Second, Longest: 60 * time.Second, Growth: 0.03, Idle: 5 * time.Minute, Settle: 5 * time.Second}
}

func (p Pace) clock() Clock {
	if p.Clock == nil {
		return wallClock{}
	}
	return p.Clock
}

// next is the delay before the next look of a wait that began at since and must end by until. It never reaches beyond
// until: a retry that would is not made at all, and the wait would fail early.
func (p Pace) next(since, until, now time.Time, idle bool) time.Duration {
	d := time.Duration(float64(now.Sub(since)) * p.Growth)
	d = min(max(d, p.Shortest), p.Longest)
	if idle {
		d = p.Idle
	}
	if left := until.Sub(now); !until.IsZero() && d > left {
		d = max(left-100*time.Millisecond, time.Millisecond)
	}
	return d
}
