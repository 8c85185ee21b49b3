package proc

import "syscall"

// dieWithParent covers the ends at which we run no code of ours, SIGKILL and a panic. Strictly the kernel watches the
// thread that started the child; Go ends a thread only with a goroutine that was locked to it.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
