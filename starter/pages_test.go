package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each command line of ours that a page names within a sentence is one that the command line takes. Those in blocks are run by the tests of the docs.
func TestTheCommandsWithinSentencesExist(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`(?:bin/)?starter ([^`]+)`")
	found := 0
	for _, page := range append(pages, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, command := range named.FindAllStringSubmatch(string(text), -1) {
			found++
			if name, ok := strings.CutSuffix(command[1], "--help"); ok {
				_, _, err := (&app{}).root().Find(words(name))
				require.NoError(t, err, "%s: starter %s", page, command[1])
				continue
			}
			checkCommand(t, words(command[1]))
		}
	}
	require.Positive(t, found)
}
