// Package devserver runs a real Temporal development server as a child process, ready for the worker: its search
// attributes are registered, its ports are free ones, and it ends with us.
package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/proc"
)

// DefaultNamespace is the one that every development server has.
const DefaultNamespace = "default"

// Options says what server to start. The zero value is a server in memory, without UI, on the usual port if it is free.
type Options struct {
	Bin       string // the temporal command; found by Find if empty
	Port      int    // of the frontend; 0: 7233 if free, else a free one
	UIPort    int    // of the web UI; 0: the frontend's + 1000 if free, else a free one
	UI        bool
	HTTPPort  int    // of the HTTP API; 0: the frontend's + 10 if free, else a free one
	DBFile    string // SQLite file that outlives the server; in memory if empty
	Namespace string // DefaultNamespace if empty
	LogFile   string // appended to; none if empty
	// Fast takes away what makes a server of one shard slow: 20 task polls a second, timers rounded to a second, and task queues
	// in four parts, between which few tasks are handed to and fro.
	Fast bool
	// LongHistory is from how many events on a run is told to continue as a new one; the server's own choice, some thousands, if 0.
	LongHistory int
}

// Server is a development server that answers.
type Server struct {
	Address   string // host:port of the frontend
	UIURL     string // empty without UI
	HTTPURL   string // of the HTTP API
	Namespace string

	options Options // with every choice made, so that Restart makes the same
	process *proc.Process
	log     *os.File
}

// Start starts a server and returns when it serves its namespace. One that ends before gives its last words as error.
func Start(ctx context.Context, o Options) (*Server, error) {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		s, chosen, err := start(ctx, o, attempt == 1)
		// Between the choice of a port and its use by the server somebody else may take it, the usual one above all. The
		// server's last words do not always say so.
		if err != nil && chosen && attempt < attempts && (strings.Contains(err.Error(), "address already in use") || s.taken(ctx)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

func start(ctx context.Context, o Options, usual bool) (s *Server, chosen bool, err error) {
	if o.Bin == "" {
		if o.Bin, err = Find(ctx); err != nil {
			return nil, false, err
		}
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	var chosenUI, chosenHTTP bool
	if o.Port, chosen, err = choose(ctx, o.Port, usualPort, usual); err != nil {
		return nil, false, err
	}
	if o.UI {
		if o.UIPort, chosenUI, err = choose(ctx, o.UIPort, o.Port+usualUIOffset, usual); err != nil {
			return nil, false, err
		}
	}
	if o.HTTPPort, chosenHTTP, err = choose(ctx, o.HTTPPort, o.Port+usualHTTPOffset, usual); err != nil {
		return nil, false, err
	}
	chosen = chosen || chosenUI || chosenHTTP
	s = &Server{Address: address(o.Port), HTTPURL: "http://" + address(o.HTTPPort), Namespace: o.Namespace, options: o}
	if o.UI {
		s.UIURL = "http://" + address(o.UIPort)
	}
	return s, chosen, s.Restart(ctx)
}

// taken says whether somebody else listens on a port of the server, which has ended.
func (s *Server) taken(ctx context.Context) bool {
	return s != nil && slices.ContainsFunc([]int{s.options.Port, s.options.UIPort, s.options.HTTPPort}, func(port int) bool { return port != 0 && !free(ctx, port) })
}

// Restart starts an ended server again on its ports and its database, stopping it first if it runs. With a database in
// memory everything is new.
func (s *Server) Restart(ctx context.Context) error {
	if s.process != nil {
		if err := s.Stop(); err != nil {
			return err
		}
	}
	spec := proc.Spec{Name: "temporal server", Path: s.options.Bin, Args: s.options.args()}
	if s.options.LogFile != "" {
		log, err := os.OpenFile(s.options.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		s.log, spec.Output = log, log
	}
	process, err := proc.Start(spec)
	if err != nil {
		return err
	}
	s.process = process
	if err := s.ready(ctx); err != nil {
		s.Kill()
		return errors.Join(err, s.Stop())
	}
	return nil
}

// Wait returns when the server has ended, with its last words if it did so by itself, or when ctx ends.
func (s *Server) Wait(ctx context.Context) error { return s.process.Wait(ctx) }

// Stop ends the server in order.
func (s *Server) Stop() error {
	err := s.process.Stop()
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
		s.log = nil
	}
	return err
}

// Kill ends the server as a crash would.
func (s *Server) Kill() { s.process.Kill() }

func (o Options) args() []string {
	args := []string{
		"server", "start-dev", "--ip", host, "--port", strconv.Itoa(o.Port),
		"--http-port", strconv.Itoa(o.HTTPPort), "--namespace", o.Namespace,
	}
	if o.UI {
		args = append(args, "--ui-port", strconv.Itoa(o.UIPort))
	} else {
		args = append(args, "--headless")
	}
	if o.DBFile != "" {
		args = append(args, "--db-filename", o.DBFile)
	}
	for _, name := range cmk.SearchAttributes() {
		args = append(args, "--search-attribute", name+"=Keyword")
	}
	if o.Fast {
		for _, queue := range []string{"transfer", "timer", "visibility"} {
			args = append(args, "--dynamic-config-value", "history."+queue+"ProcessorMaxPollRPS=5000")
		}
		args = append(args, "--dynamic-config-value", `history.timerProcessorMaxTimeShift="10ms"`)
		for _, way := range []string{"Read", "Write"} {
			args = append(args, "--dynamic-config-value", "matching.numTaskqueue"+way+"Partitions=1")
		}
	}
	if o.LongHistory > 0 {
		args = append(args, "--dynamic-config-value", "limit.historyCount.suggestContinueAsNew="+strconv.Itoa(o.LongHistory))
	}
	return args
}

// ready waits until the server says that it has started, and then until it serves the namespace. The first keeps us from
// taking another's server on the same port for ours.
func (s *Server) ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("it has not said that it listens")
	for {
		if strings.Contains(s.process.Tail(100), ":"+strconv.Itoa(s.options.Port)) {
			if last = s.describe(ctx); last == nil {
				return nil
			}
		}
		select {
		case <-s.process.Done():
			// Many lines: one that loses a port says so, and then panics at length.
			return fmt.Errorf("the Temporal server ended before it was ready, with status %d:\n%s", s.process.ExitCode(), s.process.Tail(100))
		case <-ctx.Done():
			return fmt.Errorf("the Temporal server is not ready: %w: %w\n%s", ctx.Err(), last, s.process.Tail(20))
		case <-tick.C:
		}
	}
}

func (s *Server) describe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := s.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.Namespace})
	return err
}

// Dial connects a client to the server's namespace. It logs nothing.
func (s *Server) Dial(ctx context.Context) (client.Client, error) {
	return client.DialContext(ctx, client.Options{
		HostPort: s.Address, Namespace: s.Namespace, Logger: slog.New(slog.DiscardHandler),
	})
}
