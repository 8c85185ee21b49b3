package main

import (
	"fmt"
	"os"
	"strings"
)

// options are what the person who runs the demo asked for.
type options struct{ keep, kill, ask bool }

func readOptions(env func(string) string) (options, error) {
	o := options{keep: on(env("KEEP")), kill: on(env("KILL"))}
	switch how := env("APPROVE"); how {
	case "", "auto":
	case "ask":
		o.ask = true
	default:
		return options{}, fmt.Errorf("APPROVE=%s: give ask, or leave it out", how)
	}
	return o, nil
}

func on(value string) bool { return value != "" && value != "0" }

// isolate keeps the machine's own Temporal profile, AWS credentials and Atlas keys out of the demo: nothing of it may
// reach anything real.
func isolate() {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		for _, prefix := range []string{"TEMPORAL_", "AWS_", "MONGODB_ATLAS_", "ATLAS_CMK_"} {
			if strings.HasPrefix(name, prefix) && name != keptVariable {
				_ = os.Unsetenv(name)
			}
		}
	}
}

// keptVariable names the temporal command to use.
const keptVariable = "TEMPORAL_CLI"
