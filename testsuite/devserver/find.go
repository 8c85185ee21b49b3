package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// EnvBin names the temporal command-line tool to use, before any other.
	EnvBin = "TEMPORAL_CLI"
	// MinServer is the oldest server that the worker is made for.
	MinServer = "1.29.1"
)

// ErrNoServer is returned by Find when the machine has no development server that is new enough.
var ErrNoServer = errors.New("no temporal command with a server of " + MinServer + " or newer: run `make bin/temporal`, or set " + EnvBin)

// Find returns the temporal command to use: what TEMPORAL_CLI names, else the one on PATH if its server is new enough,
// else the module's own bin/temporal.
func Find(ctx context.Context) (string, error) {
	if path := os.Getenv(EnvBin); path != "" {
		if err := check(ctx, path); err != nil {
			return "", fmt.Errorf("%s: %w", EnvBin, err)
		}
		return path, nil
	}
	why := []error{ErrNoServer}
	for _, path := range candidates() {
		err := check(ctx, path)
		if err == nil {
			return path, nil
		}
		why = append(why, err)
	}
	return "", errors.Join(why...)
}

func candidates() (paths []string) {
	if path, err := exec.LookPath("temporal"); err == nil {
		paths = append(paths, path)
	}
	if root, err := moduleRoot(); err == nil {
		own := filepath.Join(root, "bin", "temporal")
		if _, err := os.Stat(own); err == nil {
			paths = append(paths, own)
		}
	}
	return paths
}

// check runs `temporal --version`, which prints "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)".
func check(ctx context.Context, path string) error {
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput() //nolint:gosec // asking the tool its version
	if err != nil {
		return fmt.Errorf("%s --version: %w", path, err)
	}
	return newEnough(path, string(out))
}

func newEnough(path, version string) error {
	got := regexp.MustCompile(`Server (\d+\.\d+\.\d+)`).FindStringSubmatch(version)
	if got == nil {
		return fmt.Errorf("%s does not say which server it has: %q", path, version)
	}
	if slices.Compare(numbers(got[1]), numbers(MinServer)) < 0 {
		return fmt.Errorf("%s has server %s, older than %s", path, got[1], MinServer)
	}
	return nil
}

func numbers(version string) (n []int) {
	for part := range strings.SplitSeq(version, ".") {
		i, _ := strconv.Atoi(part)
		n = append(n, i)
	}
	return n
}

// moduleRoot is the nearest directory upwards with a go.mod: tests run in the directory of their package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", os.ErrNotExist
		}
		dir = parent
	}
}
