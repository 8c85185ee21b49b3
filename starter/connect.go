package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

// connection is what the flags say of Temporal; the rest is its own configuration's.
type connection struct{ profile, address, namespace string }

// dialTimeout is how long an unreachable server keeps anybody waiting.
const dialTimeout = 5 * time.Second

func dial(ctx context.Context, c connection) (changes, func(), error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: c.profile})
	if err != nil {
		return nil, nil, &misuseError{fmt.Errorf("configure Temporal: %w", err)}
	}
	options.HostPort = cmp.Or(c.address, options.HostPort, sdk.DefaultHostPort)
	options.Namespace = cmp.Or(c.namespace, options.Namespace, sdk.DefaultNamespace)
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	temporal, err := sdk.DialContext(ctx, options)
	if err != nil {
		return nil, nil, &unreachableError{address: options.HostPort, cause: err}
	}
	return client.New(temporal), temporal.Close, nil
}
