// Command simulator serves a simulated MongoDB Atlas and a simulated AWS to any client.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "simulator:", err)
		}
		os.Exit(1)
	}
}

// run serves until ctx is done. It prints one line to out when it is ready.
func run(ctx context.Context, args []string, out, notes io.Writer) error {
	flags := flag.NewFlagSet("simulator", flag.ContinueOnError)
	flags.SetOutput(notes)
	atlasAddress := flags.String("atlas", "127.0.0.1:8080", "address of the simulated Atlas; port 0 takes any")
	awsAddress := flags.String("aws", "127.0.0.1:8081", "address of the simulated AWS; port 0 takes any")
	worldFile := flags.String("world", "", "YAML file that describes the world (default: the one built in)")
	scale := flags.Float64("scale", 60, "divides every simulated duration")
	seed := flags.Uint64("seed", 1, "decides all that is left to chance")
	anywhere := flags.Bool("listen-anywhere", false, "allow addresses beyond the loopback interface")
	validate := flags.Bool("validate", true, "check requests and answers against the API description in the Atlas SDK's module")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *scale <= 0 {
		return fmt.Errorf("-scale %g: give a positive number", *scale)
	}
	options := sim.Options{Scale: *scale, Seed: *seed}
	if *worldFile != "" {
		text, err := os.ReadFile(*worldFile)
		if err != nil {
			return err
		}
		config, err := sim.ParseConfig(text)
		if err != nil {
			return fmt.Errorf("%s: %w", *worldFile, err)
		}
		options.World = &config
	}
	if *validate {
		schema, err := atlassim.LoadSchema()
		if err != nil {
			fmt.Fprintln(notes, "simulator: not checking against the API description:", err)
		}
		options.Schema = schema
	}
	s, err := sim.New(options)
	if err != nil {
		return err
	}
	atlas, err := listen(*atlasAddress, *anywhere)
	if err != nil {
		return err
	}
	aws, err := listen(*awsAddress, *anywhere)
	if err != nil {
		return errors.Join(err, atlas.Close())
	}
	fmt.Fprintf(out, "ready atlas=http://%s aws=http://%s\n", atlas.Addr(), aws.Addr())
	return serve(ctx, map[net.Listener]http.Handler{atlas: s.Atlas(), aws: s.AWS()})
}

// listen refuses addresses beyond the loopback interface unless they are asked for.
func listen(address string, anywhere bool) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", address, err)
	}
	if !anywhere && !resolved.IP.IsLoopback() {
		return nil, fmt.Errorf("address %s is beyond the loopback interface: give -listen-anywhere to allow it", address)
	}
	return net.ListenTCP("tcp", resolved)
}

// serve serves all until ctx is done or one fails, then stops them.
func serve(ctx context.Context, handlers map[net.Listener]http.Handler) error {
	failed := make(chan error, len(handlers))
	var servers []*http.Server
	for l, h := range handlers {
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, server)
		go func() { failed <- server.Serve(l) }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, server := range servers {
		err = errors.Join(err, server.Shutdown(grace))
	}
	return err
}
