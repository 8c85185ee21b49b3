package main

import (
	"time"

	"github.com/goccy/go-yaml"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// scale is how many times faster than life the demo's world is.
const scale = 10

// worldText is the default world with two differences. Its clusters hold little data: they re-sync one node after the
// other, which would be most of what there is to see. And IAM is slow, so that one sees the change wait for it. All else
// takes as long as in life, divided by scale.
func worldText() ([]byte, error) {
	c := sim.DefaultConfig()
	c.Atlas.Durations.ResyncNode = world.Distribution{Median: 20 * time.Second, P95: 30 * time.Second, Min: 10 * time.Second}
	c.Atlas.Durations.ResyncGB = world.Distribution{Median: 500 * time.Millisecond, P95: time.Second, Min: 100 * time.Millisecond}
	c.Atlas.Durations.SearchChange = world.Distribution{Median: time.Minute, P95: 2 * time.Minute, Min: 30 * time.Second}
	c.AWS.Delays.IAMEnforcement = world.Distribution{Median: time.Minute, P95: 90 * time.Second, Min: 50 * time.Second}
	return yaml.Marshal(c)
}
