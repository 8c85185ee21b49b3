// Package world is the discrete-event core that the simulated Atlas and the simulated AWS share: one lock, one
// clock, one queue of things that are due, and chance that a seed decides.
//
// Nothing runs in the background. Whatever touches the world first settles it: every event that has become due is
// applied, in the order of its due time, with Now standing at that time. A world that nobody looks at costs nothing,
// and the same requests at the same times with the same seed give the same run, whatever the clock is made of.
package world

import (
	"container/heap"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Clock tells the time of the world. The time-skipping test environment of the Temporal SDK satisfies it, and so does
// a hand-wound clock in a unit test.
type Clock interface {
	Now() time.Time
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

// Options make a World. The zero value is the wall clock, no scaling, seed 0.
type Options struct {
	// Clock is the source of time; nil means the wall clock.
	Clock Clock
	// Scale divides every simulated duration: 60 turns a minute of Atlas into a second. 0 means 1. Durations of the
	// wire protocol (token lifetimes, Retry-After, rate limits) are the client's to count and are not scaled.
	Scale float64
	// Seed decides every draw of chance.
	Seed uint64
}

// World is the shared state of time. All its methods but Do and Toss must be called from within Do, from an event or from
// an observer: they rely on the lock that Do holds.
type World struct {
	mu        sync.Mutex
	clock     Clock
	scale     float64
	seed      uint64
	now       time.Time
	queue     events
	scheduled uint64
	happened  uint64
	ids       map[string]uint64
	draws     map[string]uint64
	observers []func()
}

// New makes an empty world whose time starts at the clock's.
func New(o Options) *World {
	w := &World{clock: o.Clock, scale: o.Scale, seed: o.Seed, ids: map[string]uint64{}, draws: map[string]uint64{}}
	if w.clock == nil {
		w.clock = wallClock{}
	}
	if w.scale <= 0 {
		w.scale = 1
	}
	w.now = w.clock.Now()
	return w
}

// Do settles the world to the present and runs f on it, alone. Observers are told before Do returns.
func (w *World) Do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	f()
	w.observed()
}

// Now is the time the world stands at: the present, or within an event the time at which it was due.
func (w *World) Now() time.Time { return w.now }

// Scaled is how long d of the simulated world takes on its clock.
func (w *World) Scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / w.scale)
}

// After has f happen when d, a simulated duration, has passed. The returned function calls it off.
func (w *World) After(d time.Duration, f func()) (cancel func()) {
	return w.At(w.now.Add(w.Scaled(d)), f)
}

// At has f happen at t, or at once when t has passed. The returned function calls it off.
func (w *World) At(t time.Time, f func()) (cancel func()) {
	w.scheduled++
	e := &event{due: t, order: w.scheduled, run: f}
	heap.Push(&w.queue, e)
	return func() { e.run = nil }
}

// Happened counts the events that have been applied, so that an observer knows whether it sees anything new.
func (w *World) Happened() uint64 { return w.happened }

// Observe has f called whenever the world may have changed: after every event, at the event's time, and after every
// Do. Between two calls the world has stood still, so what f adds up over time is exact.
func (w *World) Observe(f func()) { w.observers = append(w.observers, f) }

// Reset calls off everything that is due and forgets what was drawn, so that the world runs as from the start, with
// its clock and observers as they are.
func (w *World) Reset() {
	w.queue = nil
	w.scheduled = 0
	clear(w.ids)
	clear(w.draws)
}

func (w *World) settle() {
	present := w.clock.Now()
	for len(w.queue) > 0 && !w.queue[0].due.After(present) {
		e := heap.Pop(&w.queue).(*event)
		if e.run == nil {
			continue
		}
		if e.due.After(w.now) {
			w.now = e.due
		}
		w.happened++
		e.run()
		w.observed()
	}
	if present.After(w.now) {
		w.now = present
	}
}

func (w *World) observed() {
	for _, f := range w.observers {
		f()
	}
}

// ID makes a new object id of 24 lower-case hexadecimal digits, as Atlas has. The n-th id of a kind depends on the
// seed alone, not on what else was made meanwhile.
func (w *World) ID(kind string) string {
	return hex.EncodeToString(w.bytes("id", kind, 12))
}

// UUID makes a new random UUID (version 4 in form), with the same promise as ID.
func (w *World) UUID(kind string) string {
	b := w.bytes("uuid", kind, 16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func (w *World) bytes(form, kind string, n int) []byte {
	key := name(form, []string{kind})
	w.ids[key]++
	r := w.random(key, w.ids[key])
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// Chance draws whether something of probability p happens. what names the question: its n-th answer depends on the
// seed alone.
func (w *World) Chance(p float64, what ...string) bool {
	return p > 0 && w.draw("chance", what).Float64() < p
}

// Toss is Chance for who counts the draws itself: the answer to its n-th, counted from 1. It takes no lock.
func (w *World) Toss(p float64, n uint64, what ...string) bool {
	return p > 0 && w.random(name("chance", what), n).Float64() < p
}

// Duration draws how long something takes, as simulated duration. what names it as in Chance.
func (w *World) Duration(d Distribution, what ...string) time.Duration {
	return d.sample(w.draw("duration", what))
}

func (w *World) draw(form string, what []string) *rand.Rand {
	key := name(form, what)
	w.draws[key]++
	return w.random(key, w.draws[key])
}

func name(form string, what []string) string { return form + "/" + strings.Join(what, "/") }

func (w *World) random(key string, n uint64) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s#%d", key, n)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// Distribution is how long something takes: log-normal with the given median and 95th percentile, never below Min.
// With P95 zero or not above the median it is always the median.
type Distribution struct {
	Median time.Duration `yaml:"median" json:"median"`
	P95    time.Duration `yaml:"p95,omitempty" json:"p95,omitempty"`
	Min    time.Duration `yaml:"min,omitempty" json:"min,omitempty"`
}

// Always is the distribution that is always d.
func Always(d time.Duration) Distribution { return Distribution{Median: d} }

func (d Distribution) sample(r *rand.Rand) time.Duration {
	if d.P95 <= d.Median || d.Median <= 0 {
		return max(d.Median, d.Min)
	}
	const z95 = 1.6448536269514722
	sigma := math.Log(float64(d.P95)/float64(d.Median)) / z95
	return max(time.Duration(float64(d.Median)*math.Exp(sigma*r.NormFloat64())), d.Min)
}

type event struct {
	due   time.Time
	order uint64
	run   func()
}

type events []*event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].order < q[j].order
	}
	return q[i].due.Before(q[j].due)
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
