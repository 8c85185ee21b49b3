// Command mutants puts small deliberate bugs into our own code, one at a time, and runs the tests: each must be caught. One
// that survives is a test that is missing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "try only the mutants whose name matches this regular expression")
	expected := flag.Bool("expected", false, "run only the test that is expected to catch each")
	flag.Parse()
	if err := all(ctx, *only, *expected); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1)
	}
}

// all tries the mutants, and fails if one survives.
func all(ctx context.Context, only string, expected bool) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	known := map[test]error{}
	total, caught := 0, 0
	began := time.Now()
	for _, m := range mutants() {
		if !pattern.MatchString(m.name) {
			continue
		}
		total++
		start := time.Now()
		tests := []test{m.by}
		if !expected {
			tests = append(tests, quick()...)
		}
		by, err := "", sound(ctx, strings.TrimSpace(string(root)), m.by, known)
		if err == nil {
			by, err = try(ctx, strings.TrimSpace(string(root)), m, tests)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		verdict := "SURVIVES"
		switch {
		case err != nil:
			verdict, by = "BROKEN", err.Error()
		case by != "":
			verdict = "caught"
			caught++
		}
		fmt.Printf("%-8s %4.0fs  %s: %s\n", verdict, time.Since(start).Seconds(), m.name, by)
	}
	fmt.Printf("caught %d of %d in %s\n", caught, total, time.Since(began).Round(time.Second))
	if caught < total {
		return fmt.Errorf("%d are not caught", total-caught)
	}
	return nil
}

// sound makes sure that a test passes while no mutant is there: it could not catch any otherwise.
func sound(ctx context.Context, root string, t test, known map[test]error) error {
	if err, tried := known[t]; tried {
		return err
	}
	by, err := fails(ctx, root, "", t)
	if err == nil && by != "" {
		err = fmt.Errorf("%s fails without it too", by)
	}
	known[t] = err
	return err
}
