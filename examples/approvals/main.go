// Approvals is an example of a service that brings decisions of people into changes: a chat's button or a ticket's hook posts
// who decided what, signed, and the service hands it to the change. It needs package cmk/client, and a connection to Temporal
// configured as for the temporal command line.
//
//	APPROVALS_SECRET_FILE  file with the secret that the senders sign with, 32 bytes or more
//	APPROVALS_ADDRESS      where to listen; 127.0.0.1:8095 by default
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "approvals:", err)
		os.Exit(1)
	}
}

// shortestSecret is as long as what HMAC-SHA-256 makes of it.
const shortestSecret = 32

func run(ctx context.Context, logger *slog.Logger) error {
	secret, err := os.ReadFile(os.Getenv("APPROVALS_SECRET_FILE")) //nolint:gosec // the path is that of whoever runs this
	if err != nil {
		return fmt.Errorf("APPROVALS_SECRET_FILE: %w", err)
	}
	if secret = bytes.TrimSpace(secret); len(secret) < shortestSecret {
		return fmt.Errorf("APPROVALS_SECRET_FILE: the secret has %d bytes: give %d or more", len(secret), shortestSecret)
	}
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return fmt.Errorf("configure Temporal: %w", err)
	}
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	temporal, err := sdk.DialContext(ctx, options)
	if err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	defer temporal.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cmp.Or(os.Getenv("APPROVALS_ADDRESS"), "127.0.0.1:8095"))
	if err != nil {
		return fmt.Errorf("APPROVALS_ADDRESS: %w", err)
	}
	server := &http.Server{
		Handler:           newService(newSignatures(secret, time.Now), client.New(temporal), logger),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
	}
	logger.Info("listening", "address", listener.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
