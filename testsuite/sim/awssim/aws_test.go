package awssim_test

import (
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// handClock is a clock that a test winds.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a simulated AWS behind a server, with real clients for it.
type bench struct {
	*awssim.AWS
	t       testing.TB
	clock   *handClock
	world   *world.World
	journal *journal.Journal
	faults  *fault.Plan
	url     string
}

// begin starts the default AWS without delays, changed as edit says.
func begin(t testing.TB, edit func(*awssim.Config)) *bench {
	t.Helper()
	c := awssim.DefaultConfig()
	c.Delays = awssim.NoDelays()
	if edit != nil {
		edit(&c)
	}
	b := &bench{t: t, clock: &handClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, journal: &journal.Journal{}}
	b.world = world.New(world.Options{Clock: b.clock, Seed: 1})
	b.faults = fault.NewPlan(b.world)
	var err error
	b.AWS, err = awssim.New(awssim.Options{World: b.world, Journal: b.journal, Faults: b.faults, Config: c})
	require.NoError(t, err)
	server := httptest.NewServer(b.AWS)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// as are clients of one caller.
type as struct {
	provider aws.CredentialsProvider
	url      string
}

func (b *bench) worker() as { return b.as(awssim.WorkerAccessKeyID, awssim.WorkerSecret, "") }

func (b *bench) as(id, secret, token string) as {
	return as{credentials.NewStaticCredentialsProvider(id, secret, token), b.url}
}

func (a as) kms(region string) *kms.Client {
	return kms.New(kms.Options{Region: region, Credentials: a.provider, BaseEndpoint: &a.url, RetryMaxAttempts: 1})
}

func (a as) iam() *iam.Client {
	return iam.New(iam.Options{Region: "us-east-1", Credentials: a.provider, BaseEndpoint: &a.url, RetryMaxAttempts: 1})
}

func (a as) sts() *sts.Client {
	return sts.New(sts.Options{Region: "us-east-1", Credentials: a.provider, BaseEndpoint: &a.url, RetryMaxAttempts: 1})
}

// code is the AWS error code of err, empty if there is none.
func code(err error) string {
	var refusal smithy.APIError
	if err == nil {
		return ""
	}
	var ours *awssim.Error
	switch {
	case errors.As(err, &ours):
		return ours.Code
	case errors.As(err, &refusal):
		return refusal.ErrorCode()
	}
	return "not an AWS error: " + err.Error()
}

// do runs f on the world and returns its error.
func (b *bench) do(f func() error) error {
	var err error
	b.world.Do(func() { err = f() })
	return err
}
