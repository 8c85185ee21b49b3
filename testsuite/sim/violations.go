package sim

import "github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"

// Violation is a rule that was broken, judged from the state of the world alone.
type Violation struct {
	// Rule is the number of the rule.
	Rule    int    `json:"rule"`
	Message string `json:"message"`
	// Journal are the requests that led to it, oldest first.
	Journal []journal.Entry `json:"journal,omitempty"`
}

// Violations are all that happened so far.
func (s *Sim) Violations() []Violation { return []Violation{} }
