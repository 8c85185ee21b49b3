package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// console is where the demo and the command line that it runs both write. On a terminal, the command line's live block
// stays at the bottom, and what the demo says goes above it.
type console struct {
	out *os.File
	// width and height are the terminal's, 0 if it is none.
	width, height int

	mu sync.Mutex
	// block is the live block that stands at the bottom.
	block []byte
	// held is true while a question stands at the bottom instead.
	held bool
	// muted is true once the command line has nothing more to say that anybody wants to read.
	muted bool
}

func newConsole(out *os.File) *console {
	c := &console{out: out}
	if term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb" {
		c.width, c.height, _ = term.GetSize(int(out.Fd()))
	}
	return c
}

// live says whether there is a terminal to redraw.
func (c *console) live() bool { return c.width > 0 }

// clearBelow erases the terminal from the cursor on. The command line writes it before each drawing of its block.
const clearBelow = "\x1b[J"

// escape begins every control sequence.
const escape = 0x1b

// Write takes what the command line writes. A drawing of its block replaces the one before.
func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.muted:
		return len(b), nil
	case !c.live():
		return c.out.Write(b)
	}
	first := bytes.IndexByte(b, escape)
	if first < 0 {
		// No drawing: it stays, and the next drawing begins below it.
		if c.held {
			c.block = append(c.block, b...)
			return len(b), nil
		}
		_, _ = c.out.Write(b)
		c.block = nil
		return len(b), nil
	}
	c.erase()
	_, _ = c.out.Write(b[:first])
	c.block = bytes.Clone(b[bytes.LastIndex(b, []byte(clearBelow))+len(clearBelow):])
	if !c.held {
		_, _ = c.out.Write(c.block)
	}
	return len(b), nil
}

// erase takes the block off the terminal.
func (c *console) erase() {
	if n := bytes.Count(c.block, []byte("\n")); n > 0 && !c.held {
		_, _ = fmt.Fprintf(c.out, "\x1b[%dA\r%s", n, clearBelow)
	}
}

// say writes lines of the demo's own.
func (c *console) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	_, _ = fmt.Fprintln(c.out, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
	if !c.held {
		_, _ = c.out.Write(c.block)
	}
}

// hold keeps the block away until the returned function is called, so that a question can be asked.
func (c *console) hold() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.held = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.held = false
		_, _ = c.out.Write(c.block)
	}
}

// mute drops what the command line writes from now on.
func (c *console) mute() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.muted, c.block = true, nil
}

// settle leaves the block where it is; what comes now goes below it.
func (c *console) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.block = nil
}
