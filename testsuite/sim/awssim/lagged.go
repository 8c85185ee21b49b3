package awssim

import (
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// lagged is a value of an eventually consistent service. A write is at once what later writes build on, but those who
// read it and those who enforce it learn of it late, each after a delay of their own. Values are never changed in
// place: a write puts a new one, nil for a thing that is no more.
type lagged[T any] struct {
	latest, read, enforced version[T]
}

type version[T any] struct {
	number uint64
	value  *T
}

// learn takes over v unless something newer is already known: news may overtake each other, knowledge does not go back.
func (known *version[T]) learn(v version[T]) {
	if v.number > known.number {
		*known = v
	}
}

// lag is how long a write takes to be seen; in simulated durations.
type lag struct{ read, enforce time.Duration }

func (l *lagged[T]) put(w *world.World, value *T, by lag) {
	l.latest = version[T]{number: l.latest.number + 1, value: value}
	v := l.latest
	soon(w, by.read, func() { l.read.learn(v) })
	soon(w, by.enforce, func() { l.enforced.learn(v) })
}

// soon has f happen after d, and at once if d is nothing.
func soon(w *world.World, d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	w.After(d, f)
}

// view is whose knowledge a value is looked up in.
type view int

const (
	atSource view = iota // what writes build on
	asRead
	asEnforced
)

// in is the value as known there, nil if it does not exist there.
func (l *lagged[T]) in(v view) *T {
	switch {
	case l == nil:
		return nil
	case v == asRead:
		return l.read.value
	case v == asEnforced:
		return l.enforced.value
	default:
		return l.latest.value
	}
}
