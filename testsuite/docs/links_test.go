package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

var (
	linkForm    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingForm = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor = regexp.MustCompile("[^a-z0-9 _-]")
)

// Every link to a file of ours leads somewhere, and so does its anchor.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, link := range linkForm.FindAllStringSubmatch(string(text), -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(file); !assert.NoError(t, err, page) || anchor == "" {
				continue
			}
			there, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Contains(t, anchors(string(there)), anchor, "%s: %s", page, link[1])
		}
	}
}

// Every test that a page names is there.
func TestTestsThatAreNamed(t *testing.T) {
	t.Parallel()
	named, declared := regexp.MustCompile("`(Test[A-Z]\\w+)`"), regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	there := map[string]bool{}
	require.NoError(t, filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range declared.FindAllStringSubmatch(string(text), -1) {
			there[name[1]] = true
		}
		return err
	}))
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range named.FindAllStringSubmatch(string(text), -1) {
			assert.True(t, there[name[1]], "%s names %s, which is not there", page, name[1])
		}
	}
}

// Every target of make that a page names within a sentence is there, and so is every variable that it is given.
func TestTargetsThatAreNamed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	makefile := string(text)
	named := regexp.MustCompile("`make ([^`]+)`")
	for _, page := range append(pages(t), "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, command := range named.FindAllStringSubmatch(string(text), -1) {
			for _, word := range strings.Fields(command[1]) {
				if variable, _, ok := strings.Cut(word, "="); ok {
					assert.Contains(t, makefile, "$("+variable+")", "%s: make %s: no target takes %s", page, command[1], variable)
				} else {
					assert.Contains(t, makefile, "\n"+word+":", "%s: make %s: there is no such target", page, command[1])
				}
			}
		}
	}
}

// Every request that a page shows is one that some workflow type takes. Those that are files are used as well.
func TestRequestsThatAreShown(t *testing.T) {
	t.Parallel()
	shown := 0
	for _, page := range pages(t) {
		blocks, err := read(page)
		require.NoError(t, err)
		for _, b := range blocks {
			if b.language != "json" {
				continue
			}
			for each := json.NewDecoder(strings.NewReader(b.text)); each.More(); shown++ {
				var request json.RawMessage
				require.NoError(t, each.Decode(&request), b)
				assert.True(t, slices.ContainsFunc(cmk.RequestTypes(), func(r cmk.RequestType) bool {
					_, err := r.Decode(request)
					return err == nil
				}), "%s: no workflow type takes %s", b, request)
			}
		}
	}
	require.Positive(t, shown)
}

// Every page is found from the index.
func TestIndex(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile("../../docs/README.md")
	require.NoError(t, err)
	for _, page := range pages(t) {
		if name := filepath.Base(page); name != "README.md" {
			assert.Contains(t, string(index), "]("+name+")", "docs/README.md does not lead to %s", name)
		}
	}
}

// anchors are those that a page's headings get.
func anchors(text string) []string {
	var out []string
	for _, h := range headingForm.FindAllStringSubmatch(text, -1) {
		out = append(out, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return out
}
