// Package search looks for the schedule of faults, foreign acts, decisions, cancellations and terminations that breaks
// us: the procedures run with their real activities and clients against the simulated world, in the SDK's test
// environment, which skips the time in which nothing happens. The world's oracle judges every run.
package search

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// stage is one world, with the worker's clients of it.
type stage struct {
	world *sim.Sim
	clock *clock
	// worker is the worker's own clock.
	worker *wrongClock
	// leases are those of the run that goes on.
	leases *leases
	censor *censor
	// onWrite is told of every write, before it is served and after.
	onWrite func(served bool)

	atlas *activities.Atlas
	iam   *activities.IAM
	kms   *activities.KMS
	// notifier tells nobody unless somebody is there to be told.
	notifier *activities.Notifier
}

// beginning is when every world begins: a Monday.
func beginning() time.Time { return time.Date(2026, time.January, 5, 8, 0, 0, 0, time.UTC) }

// fewLooks is a pace of fewer looks than in life, since each costs a millisecond and finds the same.
func fewLooks() activities.Pace {
	return activities.Pace{Shortest: 10 * time.Second, Longest: 20 * time.Minute, Growth: 0.6, Idle: 20 * time.Minute, Settle: 5 * time.Second}
}

func newStage(config *sim.Config, seed uint64, pace activities.Pace) (*stage, error) {
	s := &stage{clock: newClock(beginning()), leases: newLeases(), censor: newCensor(), onWrite: func(bool) {}, notifier: activities.NewNotifier("", "", nil)}
	var err error
	if s.world, err = sim.New(sim.Options{Clock: s.clock, Wire: s.clock, Seed: seed, World: config}); err != nil {
		return nil, err
	}
	watch := func(served bool) { s.onWrite(served) }
	const agent = activities.Agent("search")
	api, err := activities.AtlasAccess{
		BaseURL: "http://atlas.sim", ClientID: sim.ClientID, ClientSecret: sim.ClientSecret, Transport: &wire{s.world.Atlas(), watch}, RereadAfter: time.Nanosecond,
	}.Client(agent)
	if err != nil {
		return nil, err
	}
	endpoint := "http://aws.sim"
	account := aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint, HTTPClient: &http.Client{Transport: &wire{s.world.AWS(), watch}},
		Credentials: credentials.NewStaticCredentialsProvider(awssim.WorkerAccessKeyID, awssim.WorkerSecret, ""),
		APIOptions:  []func(*middleware.Stack) error{agent.AWS},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.Backoff = 3, retry.BackoffDelayerFunc(atOnce) })
		},
	}
	s.worker = &wrongClock{clock: s.clock}
	pace.Clock = s.worker
	s.iam = activities.NewIAM(awsiam.NewFromConfig(account), sts.NewFromConfig(account), &checker{s}, pace)
	s.kms = activities.NewKMS(awskms.NewFromConfig(account), &checker{s}, pace)
	s.atlas = activities.NewAtlas(api, s.kms, &checker{s}, pace, sim.ClientID)
	return s, nil
}

func atOnce(int, error) (time.Duration, error) { return 0, nil }

// act has something happen in project A, or tells the oracle something about it. What cannot happen now does not.
func (s *stage) act(a sim.Act) {
	a.Project = sim.ProjectA
	_ = s.world.Act(a) // a schedule is drawn before it is known what there will be to act on
}

// tell is act for what only concerns Atlas and the oracle.
func (s *stage) tell(a atlassim.Act) { s.act(sim.Act{Act: a}) }

// writes lists what has changed the world, by operation and object.
func (s *stage) writes() []string {
	var out []string
	for _, e := range s.world.Journal.Entries() {
		if e.Applied && e.Write && !strings.Contains(strings.ToLower(e.Operation), "token") {
			out = append(out, strings.TrimSpace(e.Operation+" "+e.Object))
		}
	}
	return out
}

// judged is what the oracle and the censor have found, but for what is excused.
func (s *stage) judged(excused func(sim.Violation) bool) error {
	var found []error
	for _, v := range s.world.Violations() {
		if excused(v) {
			continue
		}
		found = append(found, fmt.Errorf("at %s, %s", v.Time.Format("15:04:05"), v))
	}
	for _, secret := range s.censor.found() {
		found = append(found, fmt.Errorf("secret recorded: %s", secret))
	}
	return errors.Join(found...)
}
