package main

import (
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	read := func(pairs ...string) (options, error) {
		return readOptions(func(name string) string {
			for _, p := range pairs {
				if n, v, _ := strings.Cut(p, "="); n == name {
					return v
				}
			}
			return ""
		})
	}
	o, err := read()
	require.NoError(t, err)
	require.Equal(t, options{}, o)
	o, err = read("KEEP=1", "KILL=1", "APPROVE=ask")
	require.NoError(t, err)
	require.Equal(t, options{keep: true, kill: true, ask: true}, o)
	o, err = read("KEEP=0")
	require.NoError(t, err)
	require.False(t, o.keep)
	_, err = read("APPROVE=never")
	require.ErrorContains(t, err, "APPROVE=never")
}

func TestTheRequestIsValid(t *testing.T) {
	t.Parallel()
	text, err := yaml.YAMLToJSON([]byte(request))
	require.NoError(t, err)
	r, err := cmk.DecodeEnable(text)
	require.NoError(t, err)
	require.Equal(t, sim.ProjectA, r.ProjectID)
	require.NotEqual(t, approver, r.Requester, "who asks cannot approve")
}

func TestTheWorldIsOne(t *testing.T) {
	t.Parallel()
	text, err := worldText()
	require.NoError(t, err)
	c, err := sim.ParseConfig(text)
	require.NoError(t, err)
	want := sim.DefaultConfig()
	require.Equal(t, want.Atlas.Projects, c.Atlas.Projects)
	require.Less(t, c.Atlas.Durations.ResyncGB.Min, want.Atlas.Durations.ResyncGB.Min)
	require.Equal(t, want.Atlas.Durations.EndpointCreate, c.Atlas.Durations.EndpointCreate)
}

func TestOnce(t *testing.T) {
	t.Parallel()
	create := journal.Entry{Seq: 1, System: "atlas", Operation: "create", Path: "/endpoints", Request: `{"region":"A"}`}
	other := journal.Entry{Seq: 2, System: "atlas", Operation: "create", Path: "/endpoints", Request: `{"region":"B"}`}
	again := create
	again.Seq = 3
	require.NoError(t, once([]journal.Entry{create, other}, make([]cmk.Write, 2)))
	require.ErrorContains(t, once([]journal.Entry{create, other, again}, make([]cmk.Write, 3)), "requests 1 and 3")
	require.ErrorContains(t, once([]journal.Entry{create, other}, make([]cmk.Write, 1)), "2 writes were applied, and 1 reported")
}

// terminal is a console whose output can be read back.
func terminal(t *testing.T, width int) (*console, func() string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "terminal")
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return &console{out: f, width: width, height: 40}, func() string {
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		return string(text)
	}
}

func drawing(text string) []byte { return []byte("\x1b[1A\r" + clearBelow + text) }

func TestWhatIsSaidGoesAboveTheLiveBlock(t *testing.T) {
	t.Parallel()
	c, written := terminal(t, 80)
	_, _ = c.Write([]byte("started\n"))
	_, _ = c.Write(drawing("one\ntwo\n"))
	c.say("hello")
	text := written()
	require.True(t, strings.HasPrefix(text, "started\n"))
	require.True(t, strings.HasSuffix(text, "\x1b[2A\r"+clearBelow+"hello\none\ntwo\n"), text)
}

func TestAQuestionKeepsTheBlockAway(t *testing.T) {
	t.Parallel()
	c, written := terminal(t, 80)
	_, _ = c.Write(drawing("one\n"))
	release := c.hold()
	before := written()
	_, _ = c.Write(drawing("two\n"))
	require.Equal(t, before, written())
	release()
	require.Equal(t, before+"two\n", written())
}

func TestWithoutATerminalLinesStayLines(t *testing.T) {
	t.Parallel()
	c, written := terminal(t, 0)
	_, _ = c.Write([]byte("one\n"))
	c.say("two")
	c.mute()
	_, _ = c.Write([]byte("three\n"))
	require.Equal(t, "one\ntwo\n", written())
}
