//go:build browser

package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
)

// person is somebody at a browser.
type person struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // the browser itself: chromedp keeps it there
	reader *reading
	// ui is where the namespace is, id the run in question.
	ui, id string
	shots  string
	number int
}

// A person drives a change through Temporal's web UI alone: starts it from the form, reads what it waits for, approves by the
// signal dialog and by an update, and sees it complete. Screenshots are kept in dist/browser.
func TestWebUI(t *testing.T) {
	th := withUI(t)
	p := newPerson(t, th)
	p.goTo("new")

	const summary = "Enable customer-managed keys for payments"
	p.start(cmk.EnableWithPrivateEndpoints, cmk.WorkflowID(project), requestOf(t, "../../docs/temporal.md"), summary)
	asked := p.asked()
	p.details()
	p.sees(summary)
	p.sees("approve-endpoint with " + asked.Example)
	p.sees("payments\tNONE\tIDLE")
	p.sees("switch cluster to the key payments")
	p.shoot("waits")
	p.signal(asked.Signal, strings.Replace(asked.Example, "your name", "alex@security", 1))
	p.details()
	p.sees("approved")
	p.shoot("one-approved")
	p.update("approve-endpoint", `{"by": "alex@security", "region": "all"}`)
	p.completed()
	p.open("/workflows")
	p.sees("cmk-" + project)
	p.columns("AtlasProjectId", "CmkPhase", "CmkAwaiting")
	for _, value := range []string{cmk.EnableWithPrivateEndpoints, project, string(cmk.PhaseDone), string(cmk.AwaitingNothing)} {
		p.until("find it in the list", fmt.Sprintf(`[...document.querySelectorAll('td')].some(cell => cell.innerText.trim() === %q)`, value))
	}
	p.until("turn to the columns", `[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth).every(e => (e.scrollLeft = e.scrollWidth, true))`)
	p.shoot("list")
}

// Each workflow type is started from the form with the very example of the reference, shows what it waits for, and goes on by
// the signal that it names.
func TestEveryWorkflowFromTheUI(t *testing.T) {
	examples := examplesOf(t, "../../docs/reference.md")
	p := newPerson(t, withUI(t))
	for _, s := range []struct {
		workflow, world, id string
		// sees is what the details say, unless the run ends by itself; signal, with its payload, is what they ask for.
		sees, signal, payload string
		// goesOn is true of a run that does not end.
		goesOn bool
	}{
		{workflow: cmk.WatchProject, world: "enabled", id: cmk.WatchID(project), sees: cmk.WatchProject + " of project " + project, goesOn: true},
		{workflow: cmk.WatchOrganization, id: "cmk-watch-" + organization, sees: cmk.WatchOrganization + " of", goesOn: true},
		{workflow: cmk.ReadProject, id: "cmk-read-" + project},
		{workflow: cmk.AddPrivateEndpoints, sees: cmk.SignalApproveEndpoint, signal: cmk.SignalApproveEndpoint, payload: `{"by": "alex@security", "region": "all"}`},
		{workflow: cmk.EncryptClusters},
		{workflow: cmk.RemovePrivateEndpoints, sees: "approval of plan", signal: cmk.SignalApprove, payload: `{"by": "alex@security"}`},
		{workflow: cmk.RotateKey, sees: "approval of plan", signal: cmk.SignalReject, payload: `{"by": "alex@security"}`},
		{workflow: cmk.DisablePrivateNetworking, sees: "approval of plan", signal: cmk.SignalApprove, payload: `{"by": "alex@security"}`},
		{workflow: cmk.SafeDisableCMK, sees: "approval of plan", signal: cmk.SignalApprove, payload: `{"by": "alex@security"}`},
		{workflow: cmk.EnableWithPrivateEndpoints, world: "new", sees: cmk.SignalApproveEndpoint, signal: cmk.SignalApproveEndpoint, payload: `{"by": "alex@security", "region": "all"}`},
		{workflow: cmk.MigrateUserToRole, world: "legacy", sees: "approval of plan", signal: cmk.SignalReject, payload: `{"by": "alex@security"}`},
		{workflow: cmk.RetireAccess, id: cmk.RetireID("AKIAATLASUSEREXAMPLE")},
	} {
		if s.world != "" {
			p.goTo(s.world)
		}
		if s.id == "" {
			s.id = cmk.WorkflowID(project)
		}
		require.Contains(t, examples, s.workflow)
		p.start(s.workflow, s.id, examples[s.workflow], "")
		delete(examples, s.workflow)
		if s.sees != "" {
			p.details()
			p.sees(s.sees)
			p.shoot(s.workflow)
		}
		if s.signal != "" {
			p.signal(s.signal, s.payload)
		}
		switch {
		case s.goesOn:
		case s.signal == cmk.SignalReject || s.workflow == cmk.RetireAccess: // refused, by a person or by preflight
			p.open("/workflows/" + s.id)
			p.sees("Failed")
		default:
			p.completed()
		}
	}
	require.Empty(t, examples, "workflow types that were not started")
}

// withUI is the theatre with a server of its own that has a web UI.
func withUI(t *testing.T) *theatre {
	t.Helper()
	th := *shared
	server, err := devserver.Start(t.Context(), devserver.Options{Fast: true, UI: true, LogFile: filepath.Join(t.TempDir(), "server.log")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	th.server = server
	return &th
}

// examplesOf are the requests that the reference shows, by workflow type.
func examplesOf(t *testing.T, page string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	examples := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)\n### ([A-Za-z]+)\n\n```json\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, []byte(m[2])))
		examples[m[1]] = compact.String()
	}
	return examples
}

// requestOf is the request that a page shows.
func requestOf(t *testing.T, page string) string {
	t.Helper()
	blocks, err := read(page)
	require.NoError(t, err)
	at := slices.IndexFunc(blocks, func(b block) bool { return b.file == "request.json" })
	require.GreaterOrEqual(t, at, 0)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, []byte(blocks[at].text)))
	return compact.String()
}

func newPerson(t *testing.T, th *theatre) *person {
	t.Helper()
	shots := filepath.Join(th.root, "dist", "browser", t.Name())
	require.NoError(t, os.MkdirAll(shots, 0o755))
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1500, 1400),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &person{t: t, ctx: ctx, reader: begin(t, th), shots: shots}
	_, err := chromedp.Run(ctx, chromedp.Navigate(th.server.UIURL)) // the first call begins the browser, and must not have a deadline
	require.NoError(t, err)
	return p
}

// goTo turns to a world and a namespace of their own.
func (p *person) goTo(world string) {
	p.t.Helper()
	p.reader.enter(world)
	p.ui = fmt.Sprintf("%s/namespaces/%s", p.reader.theatre.server.UIURL, p.reader.env["TEMPORAL_NAMESPACE"])
}

// until does something again until it gives true.
func (p *person) until(what, script string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	poll := chromedp.Poll[bool](script, chromedp.WithPollingInterval(100*time.Millisecond), chromedp.WithPollingTimeout(patience))
	_, err := chromedp.Run(ctx, poll)
	for err != nil && strings.Contains(err.Error(), "Cannot find context") { // the page that was looked at has just been left
		_, err = chromedp.Run(ctx, poll)
	}
	if err != nil {
		p.shoot("failed")
		if html, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.outerHTML")); err == nil {
			_ = os.WriteFile(filepath.Join(p.shots, "failed.html"), []byte(html), 0o600)
		}
		p.t.Fatalf("%s: %s", what, err)
	}
}

func (p *person) open(path string) {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Navigate(p.ui+path))
	require.NoError(p.t, err)
}

// sees waits until the page shows a text, its frames included: Markdown is drawn in one.
func (p *person) sees(text string) {
	p.t.Helper()
	p.until("see "+text, fmt.Sprintf(`[document, ...[...document.querySelectorAll('iframe')].map(f => f.contentDocument)].some(d => d?.body?.innerText.includes(%q))`, text))
}

func (p *person) shoot(name string) {
	p.number++
	if png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100)); err == nil {
		_ = os.WriteFile(filepath.Join(p.shots, fmt.Sprintf("%02d-%s.png", p.number, name)), png, 0o600)
	}
}

// press clicks what has a label, the last of them if there are several: that of a dialog.
func (p *person) press(label string) {
	p.t.Helper()
	p.until("press "+label, fmt.Sprintf(`(() => {
		const all = [...document.querySelectorAll('button,[role=menuitem],[role=option]')].filter(b => b.innerText.trim().split('\n')[0] === %q && !b.disabled && b.offsetParent);
		if (!all.length) return false;
		all[all.length-1].click();
		return true;
	})()`, label))
}

// types puts text into the editor that is shown last.
func (p *person) types(text string) {
	p.t.Helper()
	p.typesInto(`[...document.querySelectorAll('.cm-content[contenteditable=true]')].filter(e => e.offsetParent).at(-1)`, text)
}

// typesInto puts text into an editor. A page that is still being drawn may lose it: then again.
func (p *person) typesInto(editor, text string) {
	p.t.Helper()
	insert := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
	require.Eventually(p.t, func() bool {
		if !p.is(`(e => e && (e.focus(), document.execCommand('selectAll'), true))(` + editor + `)`) {
			return false
		}
		if _, err := chromedp.Run(p.ctx, insert); err != nil {
			return false
		}
		return p.is(fmt.Sprintf(`%s.innerText.replace(/\s/g, '') == %q.replace(/\s/g, '')`, editor, text))
	}, patience, time.Second, "type %s", text)
}

// is says whether something is so on the page.
func (p *person) is(script string) bool {
	so, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean("+script+")"))
	return err == nil && so
}

// start starts a workflow by the form, with a summary if one is given.
func (p *person) start(workflow, id, input, summary string) {
	p.t.Helper()
	p.id = id
	p.open("/workflows/start-workflow?workflowId=" + id + "&taskQueue=atlas-cmk&workflowType=" + workflow)
	p.sees("Task Queue is Active") // from then on the form is not drawn anew
	p.types(input)
	if summary != "" {
		p.press("More options")
		p.typesInto(`document.querySelector('.cm-content[data-language=markdown]')`, summary)
	}
	p.shoot("start")
	p.press("Start Workflow")
	p.until("start it", `[...document.querySelectorAll('a')].some(a => a.href.includes('/workflows/cmk-'))`)
	p.shoot("started")
}

// asked is what the run asks for once it waits for the approval of an endpoint that is there.
func (p *person) asked() cmk.Wait {
	p.t.Helper()
	var asked cmk.Wait
	require.Eventually(p.t, func() bool {
		out, code := p.reader.bash("bin/starter status -o json " + p.id)
		var status cmk.Status
		if code != 0 || json.Unmarshal([]byte(out), &status) != nil {
			return false
		}
		at := slices.IndexFunc(status.Awaiting, func(w cmk.Wait) bool { return strings.Contains(w.Example, `"endpoint"`) })
		if at >= 0 {
			asked = status.Awaiting[at]
		}
		return at >= 0
	}, patience, pause)
	return asked
}

// columns adds columns to the list of workflows, as its gear does.
func (p *person) columns(names ...string) {
	p.t.Helper()
	click := func(what, selector string) {
		p.until(what, fmt.Sprintf(`(b => b && (b.click(), true))(document.querySelector(%q))`, selector))
	}
	click("configure the list", `[data-testid=workflows-summary-table-configuration-button]`)
	for _, name := range names {
		click("add "+name, fmt.Sprintf(`[data-testid=orderable-list-item-%s-add-button]`, name))
	}
	click("close the configuration", `[data-testid=drawer-close-button]`)
}

// completed sees the run end well.
func (p *person) completed() {
	p.t.Helper()
	p.open("/workflows/" + p.id)
	p.sees("Completed")
	p.sees(`"phase": "done"`)
	p.shoot("completed")
}

// details shows the current details of a run, as the run's own page has them.
func (p *person) details() {
	p.t.Helper()
	p.open("/workflows/" + p.id)
	p.until("open the run", `location.pathname.endsWith('/history')`)
	p.until("turn to the details", `(() => {
		const tab = document.querySelector('a[href*="/user-metadata"], a[href*="/metadata"]');
		if (!tab) return false;
		tab.click();
		return true;
	})()`)
	p.until("see the details", `location.pathname.endsWith('metadata')`)
}

// message sends a signal or an update by the dialog of a run's page.
func (p *person) message(kind, title, name, payload string) {
	p.t.Helper()
	p.press("More Actions")
	p.press(title)
	p.until("choose the "+kind, fmt.Sprintf(`(() => {
		const list = [...document.querySelectorAll('[aria-controls=%s-select-select]')].find(b => b.offsetParent);
		if (!list) return false;
		list.click();
		return true;
	})()`, kind))
	p.press(name)
	p.types(payload)
	p.shoot(kind)
	p.press("Submit")
	p.until("send it", `![...document.querySelectorAll('dialog')].some(d => d.open)`)
}

func (p *person) signal(name, payload string) { p.message("signal", "Send a Signal", name, payload) }
func (p *person) update(name, payload string) { p.message("update", "Send an Update", name, payload) }
