package activities

import (
	"slices"
	"sync"
	"time"
)

// change is a kind of change that Atlas takes its time for.
type change string

const (
	endpointMade    change = "endpoint made"
	endpointDeleted change = "endpoint deleted"
	clusterChanged  change = "cluster changed"
)

// Experience is how long changes of each kind have taken of late, as this worker has noticed. It is kept in memory alone:
// without it waits cost a few looks more, and nothing depends on it.
type Experience struct {
	mu   sync.Mutex
	took map[change][]time.Duration
}

const (
	// remembered is how many changes of a kind are remembered, the last ones.
	remembered = 20
	// telling is how many it takes to tell anything from.
	telling = 5
)

// NewExperience has seen nothing yet.
func NewExperience() *Experience { return &Experience{took: map[change][]time.Duration{}} }

// learn remembers how long a change took.
func (e *Experience) learn(k change, took time.Duration) {
	if e == nil || took <= 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.took[k] = append(e.took[k], took)
	e.took[k] = e.took[k][max(0, len(e.took[k])-remembered):]
}

// span is after how long changes of a kind end at the earliest and at the latest, as a rule; false until there is enough
// experience. The fewer there were, the likelier the next is faster than all of them: by as much as they lie apart, in the mean.
func (e *Experience) span(k change) (from, to time.Duration, known bool) {
	if e == nil {
		return 0, 0, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.took[k])
	if n < telling {
		return 0, 0, false
	}
	const margin = 0.97 // what was noticed was late
	fastest, slowest := slices.Min(e.took[k]), slices.Max(e.took[k])
	apart := (slowest - fastest) / time.Duration(n-1)
	return min(time.Duration(float64(fastest)*margin), max(fastest-apart, fastest/2)), slowest, true
}
