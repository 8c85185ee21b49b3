package search

import (
	"encoding/json"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// toggle is a switch of the simulated world with the values that it may have, its default first.
type toggle struct {
	name   string
	values []any
}

// toggles are all switches, in order.
func toggles() []toggle {
	text, err := json.Marshal(atlassim.DefaultAssumptions())
	if err != nil {
		panic(err) // our own types always marshal
	}
	var defaults map[string]any
	if err := json.Unmarshal(text, &defaults); err != nil {
		panic(err)
	}
	var all []toggle
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		t := toggle{name: name, values: []any{defaults[name]}}
		if on, ok := defaults[name].(bool); ok {
			t.values = append(t.values, !on)
		} else { // the only one that is not a boolean
			t.values = append(t.values, string(atlassim.AccessKeyMasked), string(atlassim.AccessKeyKept))
		}
		all = append(all, t)
	}
	return all
}

// row says of each switch which of its values it has; -1 while that is open.
type row []int

// pair is a value each of two switches.
type pair struct{ one, of, other, its int }

// pairs are those that stand in a row, as far as it is filled.
func (r row) pairs() []pair {
	var all []pair
	for i, v := range r {
		for j := range i {
			if v >= 0 && r[j] >= 0 {
				all = append(all, pair{j, r[j], i, v})
			}
		}
	}
	return all
}

// assumptions is a row as the world takes it: what is not as by default, as JSON; empty when all is.
func (r row) assumptions(of []toggle) string {
	settings := map[string]any{}
	for i, v := range r {
		if v > 0 {
			settings[of[i].name] = of[i].values[v]
		}
	}
	if len(settings) == 0 {
		return ""
	}
	text, err := json.Marshal(settings)
	if err != nil {
		panic(err) // names and plain values always marshal
	}
	return string(text)
}

// pairwise are rows in which any two values of any two switches stand together, few of them: each is filled, greedily, with
// what adds most pairs that no other has. In the first all is as by default.
func pairwise(of []toggle) []row {
	missing := map[pair]bool{}
	var order []pair
	for j := range of {
		for i := range j {
			for v := range of[i].values {
				for w := range of[j].values {
					p := pair{i, v, j, w}
					missing[p], order = true, append(order, p)
				}
			}
		}
	}
	var rows []row
	for next := make(row, len(of)); ; next = blank(len(of)) {
		if rows != nil {
			at := slices.IndexFunc(order, func(p pair) bool { return missing[p] })
			if at < 0 {
				return rows
			}
			next[order[at].one], next[order[at].other] = order[at].of, order[at].its
		}
		for i := range next {
			if next[i] < 0 {
				next[i] = best(next, i, len(of[i].values), missing)
			}
		}
		for _, p := range next.pairs() {
			delete(missing, p)
		}
		rows = append(rows, next)
	}
}

func blank(n int) row {
	r := make(row, n)
	for i := range r {
		r[i] = -1
	}
	return r
}

// best is the value of a switch that adds most missing pairs to a row.
func best(r row, at, values int, missing map[pair]bool) int {
	most, value := -1, 0
	for v := range values {
		tried := slices.Clone(r)
		tried[at] = v
		n := 0
		for _, p := range tried.pairs() {
			if (p.one == at || p.other == at) && missing[p] {
				n++
			}
		}
		if n > most {
			most, value = n, v
		}
	}
	return value
}

// drawAssumptions draws a row in which many are not as by default; or, simpler, one or none that is not.
func drawAssumptions() func(*rapid.T) string {
	switches := toggles()
	var many []string
	for _, r := range pairwise(switches) {
		many = append(many, r.assumptions(switches))
	}
	few := everyAssumption(switches)
	return func(t *rapid.T) string {
		const seldom = 3
		if rapid.IntRange(0, seldom).Draw(t, "many assumptions") == 0 {
			return rapid.SampledFrom(few).Draw(t, "assumption")
		}
		return rapid.SampledFrom(many).Draw(t, "assumptions")
	}
}

// everyAssumption is each value of each switch, one at a time: the rest is as it is by default, which comes first.
func everyAssumption(of []toggle) []string {
	all := []string{""}
	for i, t := range of {
		for v := range t.values[1:] {
			r := make(row, len(of))
			r[i] = v + 1
			all = append(all, r.assumptions(of))
		}
	}
	return all
}
