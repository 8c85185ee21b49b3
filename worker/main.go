// Worker runs the procedures of atlas-cmk: it polls the task queue "atlas-cmk" of a Temporal server, and acts on MongoDB
// Atlas and AWS. Everything is configured by the environment; see the README.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/workflows"
)

// version is set by the build; without it, the module's version is used.
var version string

// stopTimeout is how long steps in flight may go on after the worker was told to stop.
const stopTimeout = 25 * time.Second

// mostCached is how many runs the worker keeps in memory. Most of them wait, for hours or years: one that is not kept is
// replayed when something happens to it, from a history of some hundred events.
const mostCached = 64

// mostAtOnce is how many steps the worker takes at once. A step that waits ends between its looks, so that thousands wait while
// few are under way; without a bound, all the watches that begin together are, each with its connections.
const mostAtOnce = 50

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "atlas-cmk worker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c, err := configure(os.Getenv)
	if err != nil {
		return err
	}
	logger := newLogger()
	agent := activities.Agent(versionName())
	atlas, err := c.atlas.Client(agent)
	if err != nil {
		return err
	}
	aws, err := activities.AWSConfig(ctx, agent)
	if err != nil {
		return fmt.Errorf("configure AWS: %w", err)
	}
	if aws.Region == "" {
		return errors.New("no AWS region: set AWS_REGION")
	}
	health := newHealth()
	metrics, err := health.metrics()
	if err != nil {
		return err
	}
	temporal, namespace, err := dial(ctx, logger, metrics)
	if err != nil {
		return err
	}
	defer temporal.Close()
	if err := health.serve(ctx, c.health); err != nil {
		return err
	}
	defer health.close()
	logger.Info("started", "version", versionName(), "health", health.address(), "atlas", c.atlas.BaseURL)

	checks := []check{
		searchAttributesCheck(temporal, namespace, c.searchAttributes),
		atlasCheck(atlas),
		awsCheck(sts.NewFromConfig(aws)),
	}
	if err := awaitReady(ctx, logger, health, checks); err != nil {
		return err
	}
	w := newWorker(temporal, c)
	workflows.Register(w)
	leases := activities.NewLeases(temporal)
	keys := activities.NewKMS(kms.NewFromConfig(aws), leases, c.pace)
	activities.Register(w,
		activities.NewAtlas(atlas, keys, leases, c.pace, c.atlas.Names()...),
		activities.NewIAM(iam.NewFromConfig(aws), sts.NewFromConfig(aws), leases, c.pace),
		keys,
		activities.NewTemporal(temporal),
		activities.NewNotifier(c.webhookURL, c.webhookSecret, agent.Transport(http.DefaultTransport)),
	)
	if c.nexus {
		service, err := nexusService()
		if err != nil {
			return fmt.Errorf("set up the Nexus service: %w", err)
		}
		w.RegisterNexusService(service)
	}
	return work(ctx, logger, health, w)
}

func newLogger() *slog.Logger {
	level := slog.LevelInfo
	if debugging() {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func versionName() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// dial connects to Temporal as its own tools do, and says in which namespace.
func dial(ctx context.Context, logger *slog.Logger, metrics client.MetricsHandler) (client.Client, string, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, "", fmt.Errorf("configure Temporal: %w", err)
	}
	options.Logger = sdklog.NewStructuredLogger(logger)
	options.MetricsHandler = metrics
	options.HostPort = cmp.Or(options.HostPort, client.DefaultHostPort)
	options.Namespace = cmp.Or(options.Namespace, client.DefaultNamespace)
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, "", fmt.Errorf("cannot reach Temporal at %s: check TEMPORAL_ADDRESS, and that the server runs (%w)", options.HostPort, err)
	}
	return c, options.Namespace, nil
}

func newWorker(temporal client.Client, c config) worker.Worker {
	options := worker.Options{
		WorkerStopTimeout:                  stopTimeout,
		MaxConcurrentActivityExecutionSize: mostAtOnce,
		// A worker that was killed keeps its workflows to itself for this long; ours replay in milliseconds.
		StickyScheduleToStartTimeout: 2 * time.Second,
		Interceptors:                 []interceptor.WorkerInterceptor{activities.Heartbeats()},
	}
	if !c.searchAttributes {
		options.Interceptors = append(options.Interceptors, &withoutSearchAttributes{})
	}
	if c.build != "" {
		options.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning:             true,
			Version:                   worker.WorkerDeploymentVersion{DeploymentName: c.deployment, BuildID: c.build},
			DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
		}
	}
	// Else the SDK reads the whole program to make a name of it, which takes longer than all the rest of the start.
	worker.SetBinaryChecksum(versionName())
	worker.SetStickyWorkflowCacheSize(mostCached)
	return worker.New(temporal, cmk.TaskQueue, options)
}

// work serves the task queue until ctx ends, then lets what is in flight finish.
func work(ctx context.Context, logger *slog.Logger, health *health, w worker.Worker) error {
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	health.ready()
	logger.Info("ready", "taskQueue", cmk.TaskQueue)
	<-ctx.Done()
	health.notReady("stopping")
	logger.Info("stopping")
	w.Stop()
	return nil
}
