package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// approving approves each endpoint once it is ACTIVE, by signal from a process of its own; or asks the person first.
type approving struct {
	stage *stage
	ask   bool
	// decided are the endpoints for which a decision was sent.
	decided map[string]bool
	input   *bufio.Reader
}

func (a *approving) on(ctx context.Context, status cmk.Status) error {
	for _, e := range status.Endpoints {
		if e.Status != cmk.EndpointActive || e.Approval != cmk.ApprovalWaiting || a.decided[e.ID] {
			continue
		}
		a.decided[e.ID] = true
		if err := a.decide(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (a *approving) decide(ctx context.Context, e cmk.EndpointReport) error {
	a.stage.out.say("\nEndpoint %s in %s is ACTIVE. Once it is approved, clusters in %s may use it to reach the key.", e.ID, e.Region, e.Region)
	verb, reason := "approve", "reviewed in the demo"
	if a.ask {
		yes, err := a.question(ctx, "Approve it? [y/n] ")
		if err != nil {
			return err
		}
		if !yes {
			verb, reason = "reject", "declined in the demo"
		}
	}
	return a.stage.command(ctx, verb, cmk.WorkflowID(sim.ProjectA), "--endpoint", e.ID, "--by", approver, "--reason", reason, "--signal")
}

// question asks at the terminal until the answer is yes or no.
func (a *approving) question(ctx context.Context, text string) (bool, error) {
	defer a.stage.out.hold()()
	if a.input == nil {
		a.input = bufio.NewReader(os.Stdin)
	}
	for {
		fmt.Print(text)
		line, err := a.line(ctx)
		if errors.Is(err, io.EOF) {
			return false, errors.New("APPROVE=ask needs somebody to answer at the terminal")
		}
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

// line reads one line, unless ctx ends before somebody has written it.
func (a *approving) line(ctx context.Context) (string, error) {
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := a.input.ReadString('\n')
		done <- read{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
