package main

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/activities"
)

// config is what the environment says of this worker. The connection to Temporal is configured as for Temporal's own
// tools (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, ...), AWS by AWS's own chain.
type config struct {
	atlas activities.AtlasAccess
	pace  activities.Pace
	// health is the address that serves /livez, /readyz and /metrics.
	health string
	// searchAttributes is false where the namespace cannot be given them.
	searchAttributes bool
	// webhookURL is where watches tell what they find, with signatures under webhookSecret; empty means nowhere.
	webhookURL, webhookSecret string
	// deployment and build turn on worker versioning, when both are set.
	deployment, build string
	// nexus has the worker serve the Nexus service.
	nexus bool
}

const (
	defaultAtlasURL = "https://cloud.mongodb.com"
	defaultHealth   = "127.0.0.1:8090"
)

// configure reads the environment, and names everything that is wrong with it at once.
func configure(env func(string) string) (config, error) {
	var wrong []string
	pace := activities.DefaultPace()
	for name, field := range map[string]*time.Duration{
		"ATLAS_CMK_POLL_SHORTEST": &pace.Shortest,
		"ATLAS_CMK_POLL_LONGEST":  &pace.Longest,
		"ATLAS_CMK_POLL_IDLE":     &pace.Idle,
		"ATLAS_CMK_POLL_SETTLE":   &pace.Settle,
		"ATLAS_CMK_DUE_ENDPOINT":  &pace.Endpoint,
		"ATLAS_CMK_DUE_CLUSTER":   &pace.Cluster,
		"ATLAS_CMK_DUE_DELETION":  &pace.Deletion,
	} {
		text := env(name)
		if text == "" {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			wrong = append(wrong, fmt.Sprintf("%s=%q: give a duration such as 5s", name, text))
			continue
		}
		*field = d
	}
	c := config{
		atlas: activities.AtlasAccess{
			BaseURL:      strings.TrimSuffix(cmp.Or(env("MONGODB_ATLAS_BASE_URL"), defaultAtlasURL), "/"),
			ClientID:     env("MONGODB_ATLAS_CLIENT_ID"),
			ClientSecret: env("MONGODB_ATLAS_CLIENT_SECRET"),
			PublicKey:    env("MONGODB_ATLAS_PUBLIC_API_KEY"),
			PrivateKey:   env("MONGODB_ATLAS_PRIVATE_API_KEY"),
			AlsoKnownAs:  strings.FieldsFunc(env("ATLAS_CMK_ATLAS_ACTORS"), func(r rune) bool { return r == ',' || r == ' ' }),
		},
		pace:             pace,
		health:           cmp.Or(env("ATLAS_CMK_HEALTH_ADDRESS"), defaultHealth),
		searchAttributes: env("ATLAS_CMK_SEARCH_ATTRIBUTES") != "off",
		webhookURL:       env("ATLAS_CMK_WEBHOOK_URL"),
		webhookSecret:    env("ATLAS_CMK_WEBHOOK_SECRET"),
		deployment:       env("TEMPORAL_WORKER_DEPLOYMENT_NAME"),
		build:            env("TEMPORAL_WORKER_BUILD_ID"),
		nexus:            env("ATLAS_CMK_NEXUS") == "on",
	}
	if u, err := url.Parse(c.webhookURL); c.webhookURL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		wrong = append(wrong, "ATLAS_CMK_WEBHOOK_URL: give an http or https address") // not repeated: it may hold a token
	}
	const shortestSecret = 16
	if c.webhookURL != "" && len(c.webhookSecret) < shortestSecret {
		wrong = append(wrong, "ATLAS_CMK_WEBHOOK_SECRET: give at least 16 characters, by which receivers prove that a notification is from this worker")
	}
	if (c.deployment == "") != (c.build == "") {
		wrong = append(wrong, "TEMPORAL_WORKER_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID: set both, or neither")
	}
	if len(wrong) > 0 {
		return config{}, fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return c, nil
}

// debugging says whether to log more: ATLAS_CMK_LOG=debug.
func debugging() bool { return os.Getenv("ATLAS_CMK_LOG") == "debug" }
