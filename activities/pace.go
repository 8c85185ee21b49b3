package activities

import (
	"context"
	"math"
	"time"

	"go.temporal.io/sdk/activity"
)

// Pace is how often a wait looks: hardly while it is too early, often when a change is due, and the less often the longer
// it is overdue. So a wait of minutes is noticed within seconds, and one of hours costs few calls.
type Pace struct {
	// Shortest and Longest bound the interval between two looks.
	Shortest, Longest time.Duration
	// Growth is the interval as a share of the time waited so far: 0.05 looks again after a twentieth of it.
	Growth float64
	// Endpoint, Cluster and Deletion are after how long the making of an endpoint, the re-sync of a cluster and the deletion
	// of an endpoint are due, at the earliest as a rule. Before that there is one look, half-way to it.
	Endpoint, Cluster, Deletion time.Duration
	// Idle is the interval while only a person can move things on, and the longest one until experience expects something.
	Idle time.Duration
	// Settle is how long a state must stand before it is believed to stay: a cluster has been seen IDLE just before it
	// began the change that was asked of it.
	Settle time.Duration
	// Experience is how long such changes have taken; nil learns nothing.
	Experience *Experience
	// Clock is the time by which all this counts; nil means the wall clock.
	Clock Clock
}

// DefaultPace suits Atlas: endpoints take minutes, clusters minutes to hours.
func DefaultPace() Pace {
	return Pace{
		Shortest: 5 * time.Second, Longest: 60 * time.Second, Growth: 0.02,
		Endpoint: 2 * time.Minute, Cluster: 90 * time.Second, Deletion: 60 * time.Second,
		Idle: 5 * time.Minute, Settle: 2 * time.Second, Experience: NewExperience(),
	}
}

func (p Pace) clock() Clock {
	if p.Clock == nil {
		return wallClock{}
	}
	return p.Clock
}

// wait is something waited for.
type wait struct {
	// since is when it began, until its deadline; zero means none.
	since, until time.Time
	// due is after how long its end is expected.
	due due
	// idle is true while only a person can move things on, urgent while nodes are without a path to their key.
	idle, urgent bool
}

// due is when the end of a change is expected, as time since its beginning.
type due struct {
	// from is the earliest, as a rule; zero expects it at any time. to, when set, is the latest, as a rule.
	from, to time.Duration
	// learned says that experience tells, rather than a setting.
	learned bool
	// sharp, when set, is until when the end is nearly certain: then looks come twice as often.
	sharp time.Duration
}

// expected is when a change of a kind is due.
func (p Pace) expected(k change) due {
	if from, to, known := p.Experience.span(k); known {
		return due{from: from, to: to, learned: true}
	}
	switch k {
	case endpointMade:
		return due{from: p.Endpoint}
	case endpointDeleted:
		return due{from: p.Deletion}
	case clusterChanged:
		return due{from: p.Cluster}
	}
	return due{}
}

// alike is when a change is due that is like one that took so long: in the same project, the same run. What it took was
// noticed late, so that the next may be somewhat sooner.
func alike(took time.Duration) due {
	const sooner, later = 0.98, 1.06
	return due{from: time.Duration(float64(took) * sooner), sharp: time.Duration(float64(took) * later), learned: true}
}

// next is the delay before the next look of a wait. It never reaches beyond the deadline: a retry that would is not made at
// all, and the wait would fail early.
func (p Pace) next(w wait, now time.Time) time.Duration {
	age := now.Sub(w.since)
	var d time.Duration
	switch early := w.due.from - age; {
	case w.idle:
		d = p.Idle
	case early > 0 && w.due.learned:
		d = min(max(early, p.Shortest), max(p.Idle, p.Longest))
	case early > w.due.from/2:
		d = min(max(early-w.due.from/2, p.Shortest), p.Longest)
	case early > 0:
		d = min(max(early, p.Shortest), p.Longest)
	case age < w.due.sharp:
		d = p.Shortest / 2
	case age < w.due.to:
		d = max(p.within(w.due, age), p.Shortest/2)
	default:
		d = p.overdue(age)
	}
	if w.urgent && age >= w.due.from {
		const share = 0.02 // however long it takes, it is noticed no later than by that
		d = min(d, max(time.Duration(float64(age)*share), p.Shortest/5))
	}
	switch left := w.until.Sub(now); {
	case w.until.IsZero() || d <= left:
	case left <= 0: // not by the server's clock, which counts: it would have ended the wait
		d = min(d, p.Shortest)
	default:
		d = max(left-100*time.Millisecond, time.Millisecond)
	}
	return d
}

// overdue is the interval between looks that come at even intervals, for what may end at any time.
func (p Pace) overdue(age time.Duration) time.Duration {
	return min(max(time.Duration(float64(age)*p.Growth), p.Shortest), p.Longest)
}

// within is the interval between looks from when a change is due until it is so at the latest: the longer it has not ended,
// the likelier it ends next, and looks that come the sooner for that notice it as early as more of them would at even
// intervals. With 1.5 for asEarly it would be noticed as early as at those, in the mean.
func (p Pace) within(d due, age time.Duration) time.Duration {
	const asEarly = 1.4
	left := float64(d.to-age) / float64(d.to-d.from)
	return min(time.Duration(asEarly*math.Sqrt(left)*float64(p.overdue(age))), p.Longest)
}

// wait is the delay until the next look of the activity that runs under ctx, for what may end at any time.
func (a *Atlas) wait(ctx context.Context, until time.Time) time.Duration {
	return a.next(ctx, wait{until: until})
}

// next is the delay until the next look for what began with the activity that runs under ctx, if nothing else is said.
func (a *Atlas) next(ctx context.Context, w wait) time.Duration {
	if w.since.IsZero() {
		w.since = activity.GetInfo(ctx).ScheduledTime
	}
	return a.pace.next(w, a.pace.clock().Now())
}

// firstAfter is true for the first attempt of a step that follows a look at once: nothing has been done by it yet, and to
// look again would be wasted.
func (a *Atlas) firstAfter(ctx context.Context, looked time.Time) bool {
	return a.seenJustNow(looked) && activity.IsActivity(ctx) && activity.GetInfo(ctx).Attempt == 1
}

// seenJustNow is true when what is waited for was looked at so lately that to look again would be wasted.
func (a *Atlas) seenJustNow(looked time.Time) bool {
	return !looked.IsZero() && a.pace.clock().Now().Sub(looked) < a.pace.Shortest
}
