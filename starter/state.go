package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// stateText is a project's state in words.
func stateText(s cmk.ProjectState) string {
	words := map[cmk.ProjectState]string{
		cmk.StateOn:      "clusters are on the key, over private endpoints",
		cmk.StateWindow:  "clusters are on the key, and may have no path to it",
		cmk.StatePublic:  "clusters are on the key, over the public path",
		cmk.StateSomeOff: "some clusters are not on the key",
		cmk.StateAllOff:  "no cluster is on the key, the project has it",
		cmk.StateOff:     "the project has no key of its own",
	}
	return fmt.Sprintf("%s, %s", s, words[s])
}

// stateLines are a project's state, and the windows in which clusters may have had no path to their key.
func stateLines(s cmk.Status, now time.Time) []string {
	var out []string
	if s.State != "" {
		out = append(out, "state "+stateText(s.State))
	}
	for _, w := range s.Windows {
		out = append(out, windowText(w, now))
	}
	return out
}

func windowText(w cmk.Window, now time.Time) string {
	from := w.From.Local().Format(time.TimeOnly)
	if w.Until.IsZero() {
		return fmt.Sprintf("window: since %s, for %s, clusters may have no path to the key", from, age(w.From, now))
	}
	return fmt.Sprintf("window: from %s to %s, for %s, clusters may have had no path to the key", from, w.Until.Local().Format(time.TimeOnly), age(w.From, w.Until))
}

// documentLines are the policies that somebody else is to put in place, to be copied.
func documentLines(documents []cmk.Document) []string {
	var out []string
	for _, d := range documents {
		out = append(out, d.Place)
		out = append(out, indent(strings.Split(pretty(d.Text), "\n"))...)
	}
	return out
}

// pretty is JSON over several lines; other text stays as it is.
func pretty(text string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		return strings.TrimSpace(text)
	}
	return b.String()
}

// plans says whether it is a plan that is to be approved.
func plans(w cmk.Wait) bool {
	return w.For == cmk.AwaitingPlanApproval || w.For == cmk.AwaitingDeletionApproval || w.For == cmk.AwaitingSnapshots && w.Signal != ""
}

// wayBackText is the command line that would bring a project back.
func wayBackText(b cmk.WayBack) string {
	text, err := json.Marshal(b.Request)
	if err != nil {
		return err.Error()
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		return err.Error()
	}
	line := "starter enable"
	for _, f := range enableFields() {
		if value := at(document, f.path); value != nil {
			line += " --" + f.flag + " " + flagText(value)
		}
	}
	return line
}

// at is the value that stands at a path, with dots, in a document.
func at(document map[string]any, path string) any {
	object, rest, nested := strings.Cut(path, ".")
	if !nested {
		return document[path]
	}
	inner, _ := document[object].(map[string]any)
	return at(inner, rest)
}

func flagText(value any) string {
	values, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ",")
}
