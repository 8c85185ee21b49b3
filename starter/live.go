package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// live shows a change as a block that is redrawn in place, for terminals.
type live struct {
	out        io.Writer
	screen     *screen
	workflowID string

	mu   sync.Mutex
	last *cmk.Status
	why  string
	// drawn is how many lines of the block stand above the cursor.
	drawn int

	stop, stopped chan struct{}
}

// redrawEvery keeps the elapsed times going between two answers.
const redrawEvery = time.Second

func newLive(out io.Writer, screen *screen, workflowID string) *live {
	l := &live{out: out, screen: screen, workflowID: workflowID, stop: make(chan struct{}), stopped: make(chan struct{})}
	go l.keepUp()
	return l
}

// keepUp redraws as time passes.
func (l *live) keepUp() {
	defer close(l.stopped)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.draw()
		}
	}
}

func (l *live) status(s cmk.Status) {
	l.mu.Lock()
	l.last, l.why = &s, ""
	l.mu.Unlock()
	l.draw()
}

func (l *live) silent(why string) {
	l.mu.Lock()
	l.why = why
	l.mu.Unlock()
	l.draw()
}

func (l *live) end() {
	close(l.stop)
	<-l.stopped
	l.draw()
}

func (l *live) draw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var now []string
	if l.last != nil {
		now = block(*l.last, l.workflowID, time.Now())
		if len(l.last.Documents) > 0 { // too long to be redrawn
			now = append(now, "documents: `starter status "+l.workflowID+"` shows them")
		}
	}
	if l.why != "" {
		now = append(now, l.why)
	}
	width, height := l.screen.size()
	// What has scrolled off the screen cannot be redrawn.
	if len(now) >= height {
		now = append(now[:height-2], "…")
	}
	var b bytes.Buffer
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	b.WriteString("\r\x1b[J")
	for _, line := range now {
		b.WriteString(cut(line, width-1) + "\n")
	}
	l.drawn = len(now)
	_, _ = l.out.Write(b.Bytes())
}
