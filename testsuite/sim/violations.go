package sim

import "github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"

// Violation is a rule that was broken, judged from the state of the world alone.
type Violation = atlassim.Violation

// Violations are all that happened so far.
func (s *Sim) Violations() []Violation {
	var all []Violation
	s.World.Do(func() { all = s.atlas.Violations() })
	return all
}
