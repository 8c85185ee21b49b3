// Command cmd runs a Temporal development server with the search attributes of atlas-cmk until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o devserver.Options
	flag.IntVar(&o.Port, "port", 0, "port of the frontend (7233, or a free one)")
	flag.IntVar(&o.UIPort, "ui-port", 0, "port of the web UI (8233, or a free one)")
	flag.BoolVar(&o.UI, "ui", true, "serve the web UI")
	flag.StringVar(&o.DBFile, "db", "", "database file (in memory)")
	flag.StringVar(&o.Namespace, "namespace", devserver.DefaultNamespace, "namespace")
	flag.StringVar(&o.LogFile, "log", "", "file to append the server's log to")
	flag.BoolVar(&o.Fast, "fast", true, "timers of a millisecond's granularity and fast queues")
	find := flag.Bool("find", false, "print the path of the temporal command that would be used, and end")
	flag.Parse()
	if *find {
		path, err := devserver.Find(ctx)
		if err == nil {
			fmt.Println(path)
		}
		return err
	}

	starting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s, err := devserver.Start(starting, o)
	if err != nil {
		return err
	}
	fmt.Printf("Temporal  %s  namespace %s\n", s.Address, s.Namespace)
	fmt.Printf("HTTP API  %s\n", s.HTTPURL)
	if s.UIURL != "" {
		fmt.Printf("Web UI    %s\n", s.UIURL)
	}
	if err := s.Wait(ctx); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the server ended by itself: %w", errors.Join(err, s.Stop()))
	}
	return s.Stop()
}
