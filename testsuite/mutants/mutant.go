package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is a small deliberate bug in our own code: one text in one file that stands for another.
type mutant struct {
	name     string
	file     string
	old, new string
	// by is the test that is expected to catch it.
	by test
}

// test is what is run of a package.
type test struct{ pkg, run string }

func (t test) String() string { return strings.TrimSpace(t.pkg + " " + t.run) }

const (
	workflowTests = "./workflows"
	activityTests = "./activities"
	searchTests   = "./testsuite/search"
	endToEndTests = "./testsuite/e2e"
)

// quick are the tests that every mutant has to face, whoever is expected to catch it.
func quick() []test { return []test{{pkg: workflowTests}, {pkg: activityTests}, {pkg: searchTests}} }

func inWorkflows(run string) test  { return test{workflowTests, "^" + run + "$"} }
func inActivities(run string) test { return test{activityTests, "^" + run + "$"} }
func endToEnd(run string) test     { return test{endToEndTests, "^" + run + "$"} }

// searching names scenarios of the search by how they begin.
func searching(scenario string) test {
	return test{searchTests, "^TestFound$|^TestCalm$/^" + scenario + "|^TestCancelledAfterEveryWrite$/^" + scenario + "|^TestSchedules$/^" + scenario}
}

// mutants are all of them.
func mutants() []mutant {
	return slices.Concat(atlasMutants(), accessMutants(), awsMutants(), orderMutants(), decisionMutants())
}

// apply is the file with the bug in it. The old text must stand there exactly once.
func (m mutant) apply(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("mutant %q: %s holds its old text %d times, not once", m.name, m.file, n)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}
