package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// health tells the outside whether the worker lives (/livez) and is ready (/readyz), and serves its metrics (/metrics).
type health struct {
	registry *prometheus.Registry
	server   *http.Server
	listener net.Listener

	mu  sync.Mutex
	why string
}

func newHealth() *health {
	return &health{registry: prometheus.NewRegistry(), why: "starting"}
}

// metrics is where the Temporal SDK reports to.
func (h *health) metrics() (client.MetricsHandler, error) {
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(h.registry))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	meter := metric.NewMeterProvider(metric.WithReader(exporter)).Meter("atlas-cmk")
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: meter}), nil
}

func (h *health) serve(ctx context.Context, address string) error {
	var err error
	if h.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
		return fmt.Errorf("serve health: ATLAS_CMK_HEALTH_ADDRESS=%q: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", h.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = h.server.Serve(h.listener) }()
	return nil
}

func (h *health) address() string { return h.listener.Addr().String() }

func (h *health) readyz(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	why := h.why
	h.mu.Unlock()
	if why != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": why == "", "why": why})
}

func (h *health) ready() { h.notReady("") }

// notReady says why the worker takes no work; empty means that it does.
func (h *health) notReady(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.why = why
}

func (h *health) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = h.server.Shutdown(ctx)
}
