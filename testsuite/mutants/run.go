package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// longest is for how long one run of tests may go on. What has not ended by then has caught nothing: the machine may be busy.
const longest = 15 * time.Minute

// try applies a mutant and says which test has caught it; empty when none has. The sources are not touched: the compiler
// is given another file in place of the one that is changed.
func try(ctx context.Context, root string, m mutant, tests []test) (caughtBy string, err error) {
	text, err := m.apply(root)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	changed, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, m.file): changed}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(changed, []byte(text), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	for _, t := range tests {
		by, err := fails(ctx, root, overlay, t)
		if err != nil || by != "" {
			return by, err
		}
	}
	return "", nil
}

// told is a line of what go test -json prints.
type told struct{ Action, Package, Test, Output string }

// fails runs tests, with the overlay if there is one, and names the first that fails. The others are not waited for.
func fails(ctx context.Context, root, overlay string, t test) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	args := []string{"test", "-json", "-vet=off", "-failfast", "-count=1", "-timeout=0"}
	if t.run != "" {
		args = append(args, "-run", t.run)
	}
	args = append(args, t.pkg)
	if t.pkg == searchTests { // that it fails is enough, how is not asked; and it is to fail the next time too
		args = append(args, "-rapid.shrinktime=1ns", "-rapid.nofailfile", "-rapid.seed=1", "-rapid.checks=45")
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if overlay != "" { // in the environment, for the worker too that end-to-end tests build
		cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	by, unbuilt := "", ""
	ran := 0
	for lines := bufio.NewScanner(out); by == "" && lines.Scan(); {
		var l told
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue
		}
		switch {
		case l.Action == "build-output":
			unbuilt += l.Output
		case l.Action == "run":
			ran++
		case l.Action == "fail" && l.Test != "":
			by = filepath.Base(l.Package) + " " + l.Test
		}
	}
	late := ctx.Err() != nil
	cancel()
	err = cmd.Wait()
	switch {
	case by != "":
		return by, nil
	case late:
		return "", fmt.Errorf("%s has not ended after %s", t, longest)
	case unbuilt != "":
		return "", fmt.Errorf("does not compile: %s", unbuilt)
	case ran == 0:
		return "", fmt.Errorf("no test ran by %s: %w", t, errors.Join(err, errors.New(complaints.String())))
	}
	return "", nil
}
