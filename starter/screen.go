package main

import (
	"os"
	"strconv"

	"golang.org/x/term"
)

// screen is the terminal that output goes to, or something else of a fixed size.
type screen struct {
	fd            int
	width, height int
}

// What is assumed of a terminal that does not tell its size.
const (
	defaultWidth  = 120
	defaultHeight = 40
)

// terminalOf is the terminal behind a file, or nil.
func terminalOf(f *os.File) *screen {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &screen{fd: fd, width: defaultWidth, height: defaultHeight}
}

// screenOf is what the environment says of the size, for output that reaches a terminal through another process.
func screenOf(env func(string) string) *screen {
	s := &screen{fd: -1, width: defaultWidth, height: defaultHeight}
	if n, err := strconv.Atoi(env("COLUMNS")); err == nil {
		s.width = n
	}
	if n, err := strconv.Atoi(env("LINES")); err == nil {
		s.height = n
	}
	return s
}

// size is the present one: a terminal's window may change.
func (s *screen) size() (width, height int) {
	const narrowest, lowest = 20, 5
	width, height = s.width, s.height
	if s.fd >= 0 {
		if w, h, err := term.GetSize(s.fd); err == nil {
			width, height = w, h
		}
	}
	return max(width, narrowest), max(height, lowest)
}
