package activities

import (
	"time"
)

// Pace is how often a wait looks: seldom while it is too early, often when a change is due, and the less often the longer
// it is overdue. So a wait of minutes is noticed within seconds, and one of hours costs few calls.
type Pace struct {
	// Shortest and Longest bound the interval between two looks.
	Shortest, Longest time.Duration
	// Growth is the interval as a share of the time waited so far: 0.05 looks again after a twentieth of it.
	Growth float64
	// Endpoint and Cluster are after how long a change of theirs is due, at the earliest as a rule. Before that, each look
	// comes half-way to it.
	Endpoint, Cluster time.Duration
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
	return Pace{
		Shortest: 5 * time.Second, Longest: 60 * time.Second, Growth: 0.02, Endpoint: 2 * time.Minute, Cluster: 90 * time.Second,
		Idle: 5 * time.Minute, Settle: 2 * time.Second,
	}
}

func (p Pace) clock() Clock {
	if p.Clock == nil {
		return wallClock{}
	}
	return p.Clock
}

// next is the delay before the next look of a wait that began at since, must end by until, and is due after some time. It
// never reaches beyond until: a retry that would is not made at all, and the wait would fail early.
func (p Pace) next(since, until, now time.Time, due time.Duration, idle bool) time.Duration {
	age := now.Sub(since)
	d := max(time.Duration(float64(age)*p.Growth), (due-age)/2)
	d = min(max(d, p.Shortest), p.Longest)
	if idle {
		d = p.Idle
	}
	if left := until.Sub(now); !until.IsZero() && d > left {
		d = max(left-100*time.Millisecond, time.Millisecond)
	}
	return d
}
