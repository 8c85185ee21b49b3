package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
)

var shared *theatre

func TestMain(m *testing.M) {
	// These tests wait most of the time; by default only as many run at once as there are cores.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	th, closeTheatre, err := openTheatre(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer closeTheatre()
	shared = th
	return m.Run()
}
