package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines   string
		pattern string
		want    tally
	}{
		"tests without their parents": {
			lines: `{"Action":"run","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"A/one"}
{"Action":"fail","Package":"p","Test":"A/two"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"skip","Package":"p","Test":"AB"}
{"Action":"fail","Package":"p"}`,
			want: tally{passed: 1, failed: 1, skipped: 1, failures: []string{"p A/two"}},
		},
		"a package that does not build": {
			lines: `{"Action":"fail","Package":"p"}`,
			want:  tally{failed: 1, failures: []string{"p "}},
		},
		"the last of several numbers": {
			lines: `{"Action":"output","Package":"p","Test":"F","Output":"fuzz: execs: 10 (5/sec)\n"}
{"Action":"output","Package":"p","Test":"F","Output":"fuzz: execs: 25 (5/sec)\n"}
{"Action":"output","Package":"p","Test":"G","Output":"fuzz: execs: 5 (5/sec)\n"}
{"Action":"pass","Package":"p","Test":"F"}
{"Action":"pass","Package":"p","Test":"G"}`,
			pattern: `execs: (\d+)`,
			want:    tally{passed: 2, counted: 30},
		},
		"plain lines": {
			lines:   "caught by x: fine\ncaught 53 of 56 in 9m",
			pattern: `^caught (\d+) of`,
			want:    tally{counted: 53},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pattern *regexp.Regexp
			if c.pattern != "" {
				pattern = regexp.MustCompile(c.pattern)
			}
			require.Equal(t, c.want, count(strings.NewReader(c.lines), pattern))
		})
	}
}

// A part holds only if it has tried something, and nothing of it failed or was left out.
func TestTable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		part  part
		holds bool
	}{
		"fine":               {part{name: "fine", command: []string{"echo", `{"Action":"pass","Package":"p","Test":"A"}`}}, true},
		"nothing was tried":  {part{name: "nothing", command: []string{"true"}}, false},
		"something skipped":  {part{name: "skipped", command: []string{"printf", `{"Action":"pass","Package":"p","Test":"A"}\n{"Action":"skip","Package":"p","Test":"B"}`}}, false},
		"it failed":          {part{name: "failed", command: []string{"sh", "-c", `echo '{"Action":"pass","Package":"p","Test":"A"}'; exit 1`}}, false},
		"it cannot be run":   {part{name: "absent", command: []string{"no-such-program"}}, false},
		"its numbers are 0":  {part{name: "zero", command: []string{"echo", "caught 0 of 3"}, counting: regexp.MustCompile(`caught (\d+)`)}, false},
		"its number is fine": {part{name: "some", command: []string{"echo", "caught 3 of 3"}, counting: regexp.MustCompile(`caught (\d+)`)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := filepath.Join(t.TempDir(), "logs")
			var out strings.Builder
			err := all(t.Context(), []part{c.part}, "", logs, &out)
			if c.holds {
				require.NoError(t, err)
				require.Contains(t, out.String(), "yes")
			} else {
				require.ErrorContains(t, err, "1 of 1 parts do not hold")
				require.Contains(t, out.String(), "NO")
			}
			_, err = os.Stat(filepath.Join(logs, c.part.name+".log"))
			require.NoError(t, err)
		})
	}
}

func TestPartsAreTimed(t *testing.T) {
	t.Parallel()
	r := part{command: []string{"true"}}.run(t.Context(), filepath.Join(t.TempDir(), "log"))
	require.NoError(t, r.err)
	require.Positive(t, r.took)
}

// Every fuzz target of the module is run.
func TestEveryFuzzTargetIsRun(t *testing.T) {
	t.Parallel()
	run := map[string]bool{}
	for _, p := range parts(1, time.Second) {
		run[p.name] = true
	}
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	found := 0
	for _, dir := range []string{"cmk", "workflows", "activities"} {
		files, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
		require.NoError(t, err)
		for _, name := range files {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			for _, target := range declared.FindAllStringSubmatch(string(text), -1) {
				require.True(t, run[target[1]], "%s of %s is not run", target[1], name)
				found++
			}
		}
	}
	require.Positive(t, found)
}

// Tests that a build tag keeps from everybody's run are run, and so is the page that needs a tool of its own.
func TestWhatIsKeptFromEverybodyIsRun(t *testing.T) {
	t.Parallel()
	var run strings.Builder
	for _, p := range parts(1, time.Second) {
		run.WriteString(strings.Join(append(p.env, p.command...), " ") + "\n")
	}
	require.Regexp(t, `ATLAS_CMK_TCTL=\S+ .*/tctl\.md`, run.String())
	tagged, declared := regexp.MustCompile(`(?m)^//go:build (\w+)$`), regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	found := 0
	require.NoError(t, filepath.WalkDir("../..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if tag := tagged.FindStringSubmatch(string(text)); tag != nil && tag[1] != "unix" {
			for _, test := range declared.FindAllStringSubmatch(string(text), -1) {
				require.Regexp(t, "-tags "+tag[1]+` .*\b`+test[1]+`\b.* \./`+filepath.ToSlash(filepath.Dir(path))[len("../../"):], run.String())
				found++
			}
		}
		return err
	}))
	require.Positive(t, found)
}
