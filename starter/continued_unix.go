//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyContinued tells when the process was stopped and goes on.
func notifyContinued(c chan<- os.Signal) (stop func()) {
	signal.Notify(c, syscall.SIGCONT)
	return func() { signal.Stop(c) }
}
