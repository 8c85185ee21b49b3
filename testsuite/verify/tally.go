package main

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tally is what a part has told: how its tests ended, those that have no tests of their own; and what was counted in the
// lines that it has printed.
type tally struct {
	passed, failed, skipped int
	counted                 int
	failures                []string
}

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output string }

// count reads what a part prints: events of go test, or plain lines. Where a pattern is given, the numbers that it finds
// are counted; of several for the same test, which tells them as it goes on, the last.
func count(lines io.Reader, pattern *regexp.Regexp) tally {
	var t tally
	ended, numbers := map[string]string{}, map[string]int{}
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		e := event{Output: scanner.Text()}
		if line := scanner.Bytes(); len(line) > 0 && line[0] == '{' {
			if json.Unmarshal(line, &e) != nil {
				continue
			}
		}
		name := e.Package + " " + e.Test
		if pattern != nil {
			if found := pattern.FindStringSubmatch(e.Output); found != nil {
				numbers[name], _ = strconv.Atoi(found[1]) // the pattern finds digits
			}
		}
		if slices.Contains([]string{"pass", "fail", "skip"}, e.Action) {
			ended[name] = e.Action
		}
	}
	for _, n := range numbers {
		t.counted += n
	}
	for _, name := range slices.Sorted(maps.Keys(ended)) {
		if hasSubtests(ended, name) || strings.HasSuffix(name, " ") && ended[name] != "fail" { // a package
			continue
		}
		switch ended[name] {
		case "pass":
			t.passed++
		case "skip":
			t.skipped++
		case "fail":
			t.failed++
			t.failures = append(t.failures, name)
		}
	}
	return t
}

func hasSubtests(ended map[string]string, name string) bool {
	for other := range ended {
		if strings.HasPrefix(other, name+"/") || strings.HasSuffix(name, " ") && other != name && strings.HasPrefix(other, name) {
			return true
		}
	}
	return false
}
