package docs

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var shared *theatre

func TestMain(m *testing.M) {
	// Pages wait most of the time; by default only as many are read at once as there are cores.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	th, err := openTheatre(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = th.close() }()
	shared = th
	return m.Run()
}

// pages are the README and all of docs/.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	return append([]string{"../../README.md"}, found...)
}

// The demonstration is run as the README has it. It waits for most of its time, and so has a test of its own, which others may
// run beside.
func TestTheDemo(t *testing.T) {
	t.Parallel()
	blocks, err := read("../../README.md")
	require.NoError(t, err)
	all := scenes(blocks)
	at := slices.IndexFunc(all, func(scene []block) bool { return slices.ContainsFunc(scene, isDemo) })
	require.GreaterOrEqual(t, at, 0)
	begin(t, shared).run(all[at])
}

func isDemo(b block) bool { return b.runs() && strings.Contains(b.text, "make demo") }

// Every other command is run as it is written, in the order of its scene, or the page says why it is not.
func TestTheCommandsOfTheDocs(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		blocks, err := read(page)
		require.NoError(t, err)
		if filepath.Base(page) == "tctl.md" && os.Getenv(tctl) == "" {
			continue
		}
		for _, b := range blocks {
			require.True(t, b.marked || !b.shell(), "%s: say how to run it, as package docs describes, or why not", b)
		}
		for i, scene := range scenes(blocks) {
			if !slices.ContainsFunc(scene, block.runs) || slices.ContainsFunc(scene, isDemo) {
				continue
			}
			t.Run(fmt.Sprintf("%s-%d", filepath.Base(page), i), func(t *testing.T) {
				t.Parallel()
				begin(t, shared).run(scene)
			})
		}
	}
}
