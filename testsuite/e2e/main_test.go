package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
)

//nolint:gochecknoglobals // TestMain has no other way to hand it to the tests
var shared *theatre

func TestMain(m *testing.M) {
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
