package atlassim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

// The rules that the oracle judges clients by, from the state of the world and from nothing that they say.
const (
	// RuleKey: nothing that needs a key, snapshots included, loses it or its access to it by a client's hand.
	RuleKey = 1
	// RuleOff: the project's key is not switched off while anything in the project is on it, or in the midst of a change.
	RuleOff = 2
	// RulePath: every node can reach its key; a cluster is switched only when its nodes will; a window without a path
	// is entered with all checked, and left.
	RulePath = 3
	// RuleOnce: nothing is done twice, and nothing is left over.
	RuleOnce = 4
	// RuleOthers: nothing of others is touched.
	RuleOthers = 5
	// RulePivot: a change ends in a state that has a name and is valid.
	RulePivot = 8
)

// How much of the journal goes with a violation, in entries.
const evidence = 30

// Violation is a rule that was broken.
type Violation struct {
	Rule    int       `json:"rule"`
	Time    time.Time `json:"time"`
	Project string    `json:"project,omitempty"`
	Message string    `json:"message"`
	// Journal are the writes that led to it, oldest first.
	Journal []journal.Entry `json:"journal"`
}

func (v Violation) String() string { return fmt.Sprintf("rule %d: %s", v.Rule, v.Message) }

// Clock is how long a node that needs its key has been without something that it takes to use it.
type Clock struct {
	Path  time.Duration `json:"path"`
	Grant time.Duration `json:"grant"`
	Key   time.Duration `json:"key"`
}

// lack is what keeps something from its key.
type lack int

const (
	lacksNothing lack = iota
	lacksPath
	lacksGrant
	lacksKey
)

// oracle watches the world and judges what clients do to it.
type oracle struct {
	violations []Violation
	told       map[string]bool
	clocks     map[*node]*Clock
	lacks      map[any]lack // of nodes, of snapshots, of the past, and of clusters that still need a former key
	last       time.Time
	happened   uint64
	dirty      bool
	// others are what was done behind the clients' backs, each at a place in the journal.
	others    []otherAct
	windows   map[*project]*window
	approvals map[*project]*approvals
	documents documents
	foreign   map[*role]bool // pending roles that are not a client's
}

type otherAct struct {
	after int // the number of the last journal entry before it
	words []string
}

func (a *Atlas) newOracle() *oracle {
	return &oracle{
		told: map[string]bool{}, clocks: map[*node]*Clock{}, lacks: map[any]lack{}, last: a.world.Now(), dirty: true,
		windows: map[*project]*window{}, approvals: map[*project]*approvals{}, foreign: map[*role]bool{},
	}
}

// Violations are all that the oracle has found. It is called from within World.Do.
func (a *Atlas) Violations() []Violation { return append([]Violation{}, a.oracle.violations...) }

// Others tells the oracle that somebody other than a client has done something about what the words name, such as the
// id of a key. It is called from within World.Do.
func (a *Atlas) Others(words ...string) {
	a.oracle.others = append(a.oracle.others, otherAct{after: a.journal.Len(), words: words})
	a.oracle.dirty = true
}

// observe is called whenever the world may have changed. Since the last time it has stood still.
func (a *Atlas) observe() {
	o := a.oracle
	if o == nil {
		return
	}
	now := a.world.Now()
	elapsed := now.Sub(o.last)
	touched := a.touched()
	if !o.dirty && len(touched) == 0 && o.happened == a.world.Happened() && elapsed < a.world.Scaled(time.Second) {
		return
	}
	unscaled := time.Duration(float64(elapsed) * float64(time.Second) / float64(max(a.world.Scaled(time.Second), 1)))
	for n, clock := range o.clocks {
		switch o.lacks[n] {
		case lacksNothing:
		case lacksPath:
			clock.Path += unscaled
		case lacksGrant:
			clock.Grant += unscaled
		case lacksKey:
			clock.Key += unscaled
		}
	}
	o.last, o.happened, o.dirty = now, a.world.Happened(), false
	a.judgeNeeds()
	a.judgeWindows()
	a.judgeDocuments(touched)
}

// judgeNeeds finds what everything that needs a key lacks by now, and whose doing it is.
func (a *Atlas) judgeNeeds() {
	o := a.oracle
	seen := map[question]error{}
	present := map[any]bool{}
	for _, p := range a.projects {
		for _, n := range p.encryptedNodes() {
			present[n] = true
			if o.clocks[n] == nil {
				o.clocks[n] = &Clock{}
			}
			a.need(p, n, p.kms, a.lackOf(n, seen), fmt.Sprintf("the %s node %s of cluster %s in %s", n.kind, n.id, n.cluster.name, n.region))
		}
		for _, c := range p.clusters {
			if c.former != nil {
				present[c] = true
				a.need(p, c, c.former, a.lackOfFormer(p, c.former, seen), fmt.Sprintf("cluster %s, not yet wrapped with another key,", c.name))
			}
			for _, s := range c.spans {
				present[s] = true
				a.need(p, s, s.kms, a.lackOfFormer(p, s.kms, seen), fmt.Sprintf("the point-in-time window of cluster %s from before %s", c.name, stamp(s.until)))
			}
			for _, s := range c.snapshots {
				if s.kms != nil {
					present[s] = true
					a.need(p, s, s.kms, a.lackOfFormer(p, s.kms, seen), fmt.Sprintf("the snapshot %s of cluster %s", s.id, c.name))
				}
			}
		}
	}
	for thing := range o.lacks {
		if !present[thing] {
			delete(o.lacks, thing)
			if n, ok := thing.(*node); ok {
				delete(o.clocks, n)
			}
		}
	}
}

// need keeps what something lacks, and judges who took it away.
func (a *Atlas) need(p *project, thing any, k *kms, now lack, what string) {
	before := a.oracle.lacks[thing]
	a.oracle.lacks[thing] = now
	if now == before {
		return
	}
	switch now {
	case lacksNothing:
	case lacksGrant, lacksKey:
		if k == nil {
			return // switched off under it: judged where it happened
		}
		words := []string{keyID(k.key), p.id + "/encryptionAtRest"}
		if k.roleID == "" {
			words = append(words, k.accessKeyID)
		} else if words = append(words, k.roleID); p.role(k.roleID) != nil {
			arn := p.role(k.roleID).arn
			words = append(words, arn[strings.LastIndex(arn, "/")+1:])
		}
		if a.clientDid(words) {
			lost := "access to its key"
			if now == lacksKey {
				lost = "its enabled key"
			}
			a.violate(RuleKey, p, fmt.Sprintf("%s has lost %s", what, lost))
		}
	case lacksPath:
		if a.oracle.windows[p] == nil && a.clientDid([]string{p.id}) {
			a.violate(RulePath, p, what+" has no path to its key, outside of any window")
		}
	}
}

// lackOf is what keeps a node from its key. The same question is asked of AWS once.
func (a *Atlas) lackOf(n *node, seen map[question]error) lack {
	region, key, path, err := a.route(n)
	switch {
	case errors.Is(err, errNoPath):
		return lacksPath
	case err != nil:
		return lacksKey
	}
	p := n.cluster.project
	return lackBy(a.couldUseOnce(question{p.kms.identity(p, a.config.AccountARN), key, region, path}, seen))
}

// lackOfFormer is what keeps the control plane from the key of a former configuration, as a restore needs it.
func (a *Atlas) lackOfFormer(p *project, k *kms, seen map[question]error) lack {
	region := awsRegion(k.region)
	return lackBy(a.couldUseOnce(question{k.identity(p, a.config.AccountARN), a.keyIn(k.key, region), region, awssim.Path{SourceIP: a.controlPlaneIP()}}, seen))
}

func lackBy(err error) lack {
	var refused *awssim.Error
	switch {
	case err == nil:
		return lacksNothing
	case errors.As(err, &refused):
		switch refused.Code {
		case "DisabledException", "KMSInvalidStateException", "NotFoundException", "KeyUnavailableException":
			return lacksKey
		}
	}
	return lacksGrant
}

// clientDid is whether the latest that was done about any of the words was done by a client.
func (a *Atlas) clientDid(words []string) bool {
	about := func(text string) bool {
		for _, w := range words {
			if w != "" && strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	byOthers := -1
	for _, act := range a.oracle.others {
		for _, w := range act.words {
			if about(w) {
				byOthers = act.after
			}
		}
	}
	for _, e := range a.journal.Since(max(byOthers, 0)) {
		if e.Write && (e.Applied || e.Status == 0) && about(e.Object+" "+e.Path+" "+e.Request) {
			return true
		}
	}
	return false
}

func (a *Atlas) violate(rule int, p *project, message string) {
	o := a.oracle
	v := Violation{Rule: rule, Time: a.world.Now(), Message: message, Journal: []journal.Entry{}}
	if p != nil {
		v.Project = p.id
	}
	if o.told[v.String()] {
		return
	}
	o.told[v.String()] = true
	for _, e := range a.journal.Since(0) {
		if e.Write && (e.Applied || e.Status == 0) {
			v.Journal = append(v.Journal, e)
		}
	}
	v.Journal = v.Journal[max(0, len(v.Journal)-evidence):]
	o.violations = append(o.violations, v)
}
