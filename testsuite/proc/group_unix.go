//go:build unix

package proc

import (
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(a)
	return a
}

// A child that cannot be signalled is gone already: both errors are of no interest.

func terminate(p *os.Process) { _ = p.Signal(syscall.SIGTERM) }

// kill reaches the whole group, since a child such as `go run` has children of its own.
func kill(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	_ = p.Kill()
}
