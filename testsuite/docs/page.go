// Package docs runs the commands of the README and of docs/ as they are written there, against a real Temporal server, the
// worker and a simulated Atlas and AWS.
//
// A comment before a fenced block says what to do with it:
//
//	<!-- run -->                    run it with bash; it must succeed
//	<!-- run: exit 4 -->            it must end with that exit code
//	<!-- run: until TEXT -->        run it again until it prints TEXT; for commands that only look
//	<!-- run: background until TEXT -->  leave it running once it has printed TEXT, as in a terminal of its own
//	<!-- run: world NAME -->        first, a namespace, a worker and a world of their own; the options above may follow
//	<!-- file: NAME -->             it is a file of that name, in the directory where the commands run
//	<!-- not run: WHY -->           leave it out
//	<!-- ci:STEP -->                it is what continuous integration runs
//
// What comes from a world to the next is a scene: a page's scenes are played side by side, and have only its files in common.
//
// A block that is indented instead is refused: nothing can be said of it.
//
// The worlds are "new" (no key yet), "enabled" (all on), "legacy" (on an IAM user's access key) and "refusing" (no key yet, and once a cluster
// has been switched to it Atlas refuses three times to switch another). The command aws, of which there is "aws iam" alone,
// reaches the account of the worker.
package docs

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// block is a fenced block and what to do with it.
type block struct {
	page     string
	line     int
	language string
	text     string
	// marked is true when a comment says what to do.
	marked bool
	// file is the name under which it is saved, if it is a file; skip, why it is not run.
	file, skip string
	world      string
	exit       int
	until      string
	background bool
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// shell says whether a block is made of commands.
func (b block) shell() bool { return b.language == "sh" || b.language == "bash" }

// runs says whether it is run.
func (b block) runs() bool { return b.shell() && b.marked && b.file == "" && b.skip == "" }

// scenes are the blocks up to the first world, and from each on; all with the files that were shown before.
func scenes(blocks []block) [][]block {
	var files []block
	out := [][]block{nil}
	for _, b := range blocks {
		if b.world != "" {
			out = append(out, slices.Clone(files))
		}
		if b.file != "" {
			files = append(files, b)
		}
		out[len(out)-1] = append(out[len(out)-1], b)
	}
	return out
}

var (
	fenceForm  = regexp.MustCompile("^```([a-z]*)$")
	markerForm = regexp.MustCompile(`^<!-- (run|file|not run|ci)(?:: ?(.*))? -->$`)
	exitForm   = regexp.MustCompile(`^exit ([0-9]+)\b ?`)
	worldForm  = regexp.MustCompile(`^world ([a-z]+)\b ?`)
)

// read reads the fenced blocks of a page.
func read(path string) ([]block, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []block
	var open *block
	var marker []string
	for i, line := range strings.Split(string(text), "\n") {
		switch fence := fenceForm.FindStringSubmatch(line); {
		case open != nil && line == "```":
			out = append(out, *open)
			open, marker = nil, nil
		case open != nil:
			open.text += line + "\n"
		case fence != nil:
			open = &block{page: path, line: i + 1, language: fence[1]}
			if err := open.mark(marker); err != nil {
				return nil, fmt.Errorf("%s: %w", open, err)
			}
		case strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t"):
			return nil, fmt.Errorf("%s:%d: %q is indented: fence it", path, i+1, strings.TrimSpace(line))
		case strings.TrimSpace(line) != "":
			marker = markerForm.FindStringSubmatch(line)
		}
	}
	return out, nil
}

func (b *block) mark(marker []string) error {
	if marker == nil {
		return nil
	}
	b.marked = true
	kind, rest := marker[1], marker[2]
	switch kind {
	case "file":
		b.file = rest
		return nil
	case "not run":
		b.skip = rest
		return nil
	case "ci":
		b.skip = "by continuous integration"
		return nil
	}
	if m := worldForm.FindStringSubmatch(rest); m != nil {
		b.world, rest = m[1], rest[len(m[0]):]
	}
	if m := exitForm.FindStringSubmatch(rest); m != nil {
		b.exit, _ = strconv.Atoi(m[1])
		rest = rest[len(m[0]):]
	}
	if after, ok := strings.CutPrefix(rest, "background "); ok {
		b.background, rest = true, after
	}
	if after, ok := strings.CutPrefix(rest, "until "); ok {
		b.until, rest = after, ""
	}
	if rest != "" || b.background && b.until == "" {
		return fmt.Errorf("marker %q is not understood", marker[0])
	}
	return nil
}
