//go:build browser

package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
)

// person is somebody at a browser.
type person struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // the browser itself: chromedp keeps it there
	ui     string
	shots  string
	number int
}

// A person drives a change through Temporal's web UI alone: starts it from the form, reads what it waits for, approves by the
// signal dialog and by an update, and sees it complete. Screenshots are kept in dist/browser.
func TestWebUI(t *testing.T) {
	th := *shared
	server, err := devserver.Start(t.Context(), devserver.Options{Fast: true, UI: true, LogFile: filepath.Join(t.TempDir(), "server.log")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	th.server = server
	r := begin(t, &th)
	r.enter("new")
	p := newPerson(t, fmt.Sprintf("%s/namespaces/%s", server.UIURL, r.env["TEMPORAL_NAMESPACE"]), filepath.Join(th.root, "dist", "browser"))

	p.start("EnableWithPrivateEndpoints", requestOf(t, "../../docs/temporal.md"))
	p.details()
	p.sees("approve-endpoint")
	p.shoot("waits")
	p.signal("approve-endpoint", `{"by": "alex@security", "region": "us-east-1"}`)
	p.details()
	p.sees("approved")
	p.shoot("one-approved")
	p.update("approve-endpoint", `{"by": "alex@security", "region": "all"}`)
	p.open("/workflows/cmk-" + project)
	p.sees("Completed")
	p.sees(`"phase": "done"`)
	p.shoot("completed")
	p.open("/workflows")
	p.sees("cmk-" + project)
	p.shoot("list")
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

func newPerson(t *testing.T, ui, shots string) *person {
	t.Helper()
	require.NoError(t, os.MkdirAll(shots, 0o755))
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1500, 1400),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &person{t: t, ctx: ctx, ui: ui, shots: shots}
	_, err := chromedp.Run(ctx, chromedp.Navigate(ui)) // the first call begins the browser, and must not have a deadline
	require.NoError(t, err)
	return p
}

// until does something again until it gives true.
func (p *person) until(what, script string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingInterval(100*time.Millisecond), chromedp.WithPollingTimeout(patience))); err != nil {
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

// types puts text into the editor for JSON that is shown last. A page that is still being drawn may lose it: then again.
func (p *person) types(text string) {
	p.t.Helper()
	const editor = `[...document.querySelectorAll('.cm-content[contenteditable=true]')].filter(e => e.offsetParent).at(-1)`
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

func (p *person) start(workflow, input string) {
	p.t.Helper()
	p.open("/workflows/start-workflow?workflowId=cmk-" + project + "&taskQueue=atlas-cmk&workflowType=" + workflow)
	p.sees("Task Queue is Active") // from then on the form is not drawn anew
	p.types(input)
	p.shoot("start")
	p.press("Start Workflow")
	p.until("start it", `[...document.querySelectorAll('a')].some(a => a.href.includes('/workflows/cmk-'))`)
	p.shoot("started")
}

// details shows the current details of a run, as the run's own page has them.
func (p *person) details() {
	p.t.Helper()
	p.open("/workflows/cmk-" + project)
	p.until("open the run", `location.pathname.endsWith('/history')`)
	p.until("turn to the details", `(() => {
		const tab = document.querySelector('a[href*="/user-metadata"], a[href*="/metadata"]');
		if (!tab) return false;
		tab.click();
		return true;
	})()`)
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
