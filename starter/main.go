// Starter is the command line of atlas-cmk: it starts changes, plans them, watches them, and delivers what people decide.
// It talks to Temporal alone, as any other client can.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{out: os.Stdout, errors: os.Stderr, in: os.Stdin, env: os.Getenv, dial: dial, screen: terminalOf(os.Stdout)}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
