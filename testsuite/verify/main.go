// Command verify runs all by which the software is held to what it promises, part by part, and ends with a table of what
// was tried and what came of it. The output of each part is kept in dist/verify.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	schedules := flag.Int("schedules", 10000, "how many schedules the fault search tries")
	fuzzing := flag.Duration("fuzztime", 30*time.Second, "for how long each decoder and validator is fuzzed")
	only := flag.String("only", "", "run only the parts whose name matches this regular expression")
	logs := flag.String("logs", filepath.Join("dist", "verify"), "the directory in which the output of each part is kept")
	flag.Parse()
	if err := all(ctx, parts(*schedules, *fuzzing), *only, *logs, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		stop()
		os.Exit(1)
	}
}

// part is one of the ways in which the software is tried.
type part struct {
	name, cases string
	// packages and flags are those of go test; or command is another one.
	command []string
	env     []string
	// counting has the cases counted in what is printed, where they are not tests.
	counting *regexp.Regexp
}

func goTest(args ...string) []string {
	return append([]string{"go", "test", "-json", "-count=1", "-timeout=0"}, args...)
}

// parts are all of them, the quick ones first.
func parts(schedules int, fuzzing time.Duration) []part {
	all := []part{
		{name: "replay", cases: "histories, and upgrades with runs in flight", command: goTest("-run", "Replay|Incompatible|Upgrade", "./workflows", "./testsuite/e2e")},
		{name: "rules", cases: "verdicts of the simulated world", command: goTest("-run", "^TestRule|^TestVerdicts", "./testsuite/sim")},
		{name: "limits", cases: "limits", command: goTest("-tags", "limits", "-run", "TestLargeProject|TestTenThousandSignals|TestResetToAnyWorkflowTask", "./testsuite/e2e")},
		{name: "tctl", cases: "pages of commands", command: goTest("-run", "TestTheCommandsOfTheDocs/tctl.md", "./testsuite/docs"), env: []string{"ATLAS_CMK_TCTL=../../bin/tctl"}},
		{name: "browser", cases: "ways through the web UI", command: goTest("-tags", "browser", "-run", "TestWebUI|TestEveryWorkflowFromTheUI", "./testsuite/docs")},
		{name: "crashes", cases: "moments at which the worker or the server is killed", command: goTest("-run", "Crash|LostAnswer|Killed", "./testsuite/e2e"), env: []string{"ATLAS_CMK_EVERY_CELL=1"}},
	}
	for _, f := range []struct{ target, pkg string }{
		{"FuzzRequest", "./cmk"},
		{"FuzzMessage", "./workflows"},
		{"FuzzPolicyDocument", "./activities"},
		{"FuzzKeyPolicy", "./activities"},
		{"FuzzAtlasAnswer", "./activities"},
		{"FuzzAWSAnswer", "./activities"},
	} {
		all = append(all, part{
			name: f.target, cases: "inputs", counting: regexp.MustCompile(`execs: (\d+)`),
			command: goTest("-run", "^$", "-fuzz", "^"+f.target+"$", "-fuzztime", fuzzing.String(), "-fuzzminimizetime", "1s", f.pkg),
		})
	}
	return append(all,
		part{
			name: "mutants", cases: "deliberate bugs, caught", counting: regexp.MustCompile(`^caught (\d+) of`),
			command: []string{"go", "run", "./testsuite/mutants", "-expected"},
		},
		part{
			name: "refusals", cases: "writes and calls refused, and runs cancelled after a write",
			command: goTest("-run", "^TestRefusedAtEvery|^TestDocumentedRefusals$|^TestCancelledAfterEveryWrite$", "./testsuite/search"),
			env:     []string{fmt.Sprint("ATLAS_CMK_SCHEDULES=", schedules)},
		},
		part{
			name: "schedules", cases: "schedules of faults, decisions and foreign acts", counting: regexp.MustCompile(`passed (\d+) tests`),
			command: goTest("-run", "^TestSchedules$", "./testsuite/search"), env: []string{fmt.Sprint("ATLAS_CMK_SCHEDULES=", schedules)},
		},
	)
}

// result is what came of a part.
type result struct {
	part
	tally
	took time.Duration
	err  error
}

// held says whether there is nothing to complain of. A part that tried nothing, or left something out, does not hold.
func (r result) held() bool {
	return r.err == nil && r.cases() > 0 && r.failed == 0 && r.skipped == 0
}

func (r result) cases() int {
	if r.counting != nil {
		return r.counted
	}
	return r.passed + r.failed
}

// all runs the parts, prints the table, and fails if one does not hold.
func all(ctx context.Context, parts []part, only, logs string, out io.Writer) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(logs, 0o750); err != nil {
		return err
	}
	var results []result
	for _, p := range parts {
		if !pattern.MatchString(p.name) {
			continue
		}
		_, _ = fmt.Fprintf(out, "== %s: %s\n", p.name, strings.Join(append(p.env, p.command...), " "))
		r := p.run(ctx, filepath.Join(logs, p.name+".log"))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, name := range r.failures {
			_, _ = fmt.Fprintf(out, "   FAILED %s\n", name)
		}
		results = append(results, r)
	}
	return table(out, results, logs)
}

func table(out io.Writer, results []result, logs string) error {
	lost := 0
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "\nPART\tTRIED\tFAILED\tSKIPPED\tTOOK\tHOLDS\tWHAT")
	for _, r := range results {
		holds := "yes"
		if !r.held() {
			holds = "NO"
			lost++
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%s\n", r.name, r.cases(), r.failed, r.skipped, r.took.Round(time.Second), holds, r.part.cases)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if lost > 0 || len(results) == 0 {
		return fmt.Errorf("%d of %d parts do not hold: see %s", lost, len(results), logs)
	}
	return nil
}

// run runs the part, and keeps its output.
func (p part) run(ctx context.Context, logName string) (r result) {
	r.part = p
	began := time.Now()
	defer func() { r.took = time.Since(began) }()
	log, err := os.Create(logName)
	if err != nil {
		r.err = err
		return r
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stderr = log
	// What it has started in its turn ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	output, err := cmd.StdoutPipe()
	if err != nil {
		r.err = err
		return r
	}
	if err := cmd.Start(); err != nil {
		r.err = err
		return r
	}
	r.tally = count(io.TeeReader(output, log), p.counting)
	r.err = cmd.Wait()
	return r
}
