package awssim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// probe calls one harmless operation of each service.
func (b *bench) probe(a as) map[string]string {
	_, errKMS := a.kms("us-east-1").DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(awssim.SingleRegionKeyID)})
	_, errIAM := a.iam().ListRoles(b.t.Context(), &iam.ListRolesInput{})
	_, errSTS := a.sts().GetCallerIdentity(b.t.Context(), &sts.GetCallerIdentityInput{})
	return map[string]string{"kms": code(errKMS), "iam": code(errIAM), "sts": code(errSTS)}
}

func TestSignatures(t *testing.T) {
	good := map[string]string{"kms": "", "iam": "", "sts": ""}
	invalid := map[string]string{"kms": "UnrecognizedClientException", "iam": "InvalidClientTokenId", "sts": "InvalidClientTokenId"}
	for _, checked := range []bool{true, false} {
		b := begin(t, func(c *awssim.Config) { c.CheckSignatures = checked })
		or := func(want map[string]string) map[string]string {
			if checked {
				return want
			}
			return good
		}
		require.Equal(t, good, b.probe(b.worker()))
		require.Equal(t, or(invalid), b.probe(b.as("AKIANOBODY0000000000", "x", "")))
		require.Equal(t, or(invalid), b.probe(b.as(awssim.WorkerAccessKeyID, awssim.WorkerSecret, "token")))
		require.Equal(t, or(map[string]string{"kms": "InvalidSignatureException", "iam": "SignatureDoesNotMatch", "sts": "SignatureDoesNotMatch"}),
			b.probe(b.as(awssim.WorkerAccessKeyID, "wrong", "")))
		require.NoError(t, b.do(func() error { return b.SetAccessKeyActive(awssim.WorkerAccessKeyID, false) }))
		require.Equal(t, or(invalid), b.probe(b.worker()))
		require.NoError(t, b.do(func() error { return b.DeleteAccessKey(awssim.WorkerAccessKeyID) }))
		require.Equal(t, invalid, b.probe(b.worker()), "a key that is deleted is never taken for another's")

		response, err := http.Post(b.url, "application/x-www-form-urlencoded", strings.NewReader("Action=ListRoles&Version=2010-05-08"))
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusForbidden, response.StatusCode)
		require.Contains(t, string(body), "<Code>MissingAuthenticationToken</Code>")
	}
}

func TestSessions(t *testing.T) {
	b := begin(t, func(c *awssim.Config) { c.CheckSignatures = true })
	w := b.worker()
	const worker = "arn:aws:iam::111122223333:user/atlas-cmk-worker"
	_, err := w.iam().CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: aws.String("atlas-cmk"), AssumeRolePolicyDocument: aws.String(trust(worker, externalID))})
	require.NoError(t, err)
	_, err = w.iam().PutRolePolicy(b.t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("atlas-cmk"), PolicyName: aws.String("cmk"), PolicyDocument: aws.String(use("*"))})
	require.NoError(t, err)
	in := sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("me")}
	assume := func(in sts.AssumeRoleInput) string {
		_, err := w.sts().AssumeRole(b.t.Context(), &in)
		return code(err)
	}
	require.Equal(t, "AccessDenied", assume(in), "no external id")
	in.ExternalId = aws.String("another")
	require.Equal(t, "AccessDenied", assume(in))
	in.ExternalId = aws.String(externalID)
	in.DurationSeconds = aws.Int32(7200)
	require.Equal(t, "ValidationError", assume(in), "longer than the role allows")
	in.DurationSeconds = nil
	other := in
	other.RoleArn = aws.String("arn:aws:iam::111122223333:role/nobody")
	require.Equal(t, "AccessDenied", assume(other))
	out, err := w.sts().AssumeRole(b.t.Context(), &in)
	require.NoError(t, err)
	session := b.as(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	who, err := session.sts().GetCallerIdentity(b.t.Context(), &sts.GetCallerIdentityInput{})
	require.NoError(t, err)
	require.Equal(t, "arn:aws:sts::111122223333:assumed-role/atlas-cmk/me", *who.Arn)
	require.Equal(t, map[string]string{"kms": "", "iam": "AccessDenied", "sts": ""}, b.probe(session))

	in.Policy = aws.String(use(awssim.MultiRegionKeyARN))
	out, err = w.sts().AssumeRole(b.t.Context(), &in)
	require.NoError(t, err)
	narrowed := b.as(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	require.Equal(t, "AccessDeniedException", b.probe(narrowed)["kms"], "a session policy narrows")

	b.clock.advance(time.Hour)
	require.Equal(t, map[string]string{"kms": "ExpiredTokenException", "iam": "ExpiredToken", "sts": "ExpiredToken"}, b.probe(session))
}

func TestThrottling(t *testing.T) {
	b := begin(t, func(c *awssim.Config) { c.Throttle = awssim.Throttle{KMS: 2, IAM: 1, STS: 1} })
	count := func() map[string]int {
		n := map[string]int{}
		for range 5 {
			for service, code := range b.probe(b.worker()) {
				if code == "" {
					n[service]++
				} else {
					require.Contains(t, []string{"ThrottlingException", "Throttling"}, code)
				}
			}
		}
		return n
	}
	require.Equal(t, map[string]int{"kms": 2, "iam": 1, "sts": 1}, count())
	b.clock.advance(time.Second)
	require.Equal(t, map[string]int{"kms": 2, "iam": 1, "sts": 1}, count())
}

// Every kind of fault as the SDK sees it, and whether the write behind it happened.
func TestFaults(t *testing.T) {
	for _, x := range []struct {
		rule          fault.Rule
		kms, iam      string
		status, wrote int
	}{
		{fault.Rule{Kind: fault.Status, Status: 429}, "ThrottlingException", "Throttling", 400, 0},
		{fault.Rule{Kind: fault.Status, Status: 500}, "KMSInternalException", "InternalFailure", 500, 0},
		{fault.Rule{Kind: fault.Status, Status: 503}, "ServiceUnavailableException", "ServiceUnavailable", 503, 0},
		{fault.Rule{Kind: fault.ExpiredToken}, "ExpiredTokenException", "ExpiredToken", 0, 0},
		{fault.Rule{Kind: fault.DropBefore}, "not an AWS error", "not an AWS error", 0, 0},
		{fault.Rule{Kind: fault.DropAfter}, "not an AWS error", "not an AWS error", 0, 1},
		{fault.Rule{Kind: fault.Truncate}, "not an AWS error", "not an AWS error", 200, 1},
		{fault.Rule{Kind: fault.Garbage}, "not an AWS error", "not an AWS error", 200, 1},
		{fault.Rule{Kind: fault.Slow, Delay: time.Millisecond}, "", "", 200, 1},
	} {
		t.Run(string(x.rule.Kind), func(t *testing.T) {
			b := begin(t, nil)
			require.NoError(t, b.faults.Add(x.rule))
			_, errKMS := b.worker().kms("ap-south-1").CreateKey(b.t.Context(), &kms.CreateKeyInput{})
			_, errIAM := b.worker().iam().CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: aws.String("a"), AssumeRolePolicyDocument: aws.String(trust(atlasRoot, "x"))})
			// A client can not always tell a broken answer from none: what counts is that it is an error.
			if strings.HasPrefix(x.kms, "not") {
				require.Error(t, errKMS)
				require.Error(t, errIAM)
			} else {
				require.Equal(t, x.kms, code(errKMS))
				require.Equal(t, x.iam, code(errIAM))
			}
			entries := b.journal.Entries()
			require.Len(t, entries, 2)
			for _, e := range entries {
				require.Equal(t, string(x.rule.Kind), e.Fault)
				require.True(t, e.Write)
				require.Equal(t, x.wrote == 1, e.Applied)
				if x.status != 0 || strings.HasPrefix(x.kms, "not") {
					require.Equal(t, x.status, e.Status)
				}
			}
			b.faults.Clear()
			keys, err := b.worker().kms("ap-south-1").ListKeys(b.t.Context(), &kms.ListKeysInput{})
			require.NoError(t, err)
			require.Len(t, keys.Keys, x.wrote)
		})
	}
}

// The SDK's own retries get over faults that pass.
func TestTheSDKRetries(t *testing.T) {
	b := begin(t, nil)
	require.NoError(t, b.faults.Add(fault.Rule{Kind: fault.Status, Status: 429, Times: 1}, fault.Rule{Kind: fault.Status, Status: 503, Times: 1}))
	c := kms.New(kms.Options{
		Region: "us-east-1", Credentials: b.worker().provider, BaseEndpoint: &b.url,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			o.RateLimiter = ratelimit.None
		}),
	})
	_, err := c.DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(awssim.SingleRegionKeyID)})
	require.NoError(t, err)
	require.Equal(t, 3, b.journal.Len())
}

func TestTheJournalTellsEverythingButSecrets(t *testing.T) {
	b := begin(t, nil)
	w := b.worker()
	sealed, err := w.kms("eu-west-1").Encrypt(b.t.Context(), &kms.EncryptInput{KeyId: aws.String(awssim.MultiRegionKeyAlias), Plaintext: []byte("plaintext-secret")})
	require.NoError(t, err)
	opened, err := w.kms("eu-west-1").Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	require.NoError(t, err)
	made, err := w.iam().CreateAccessKey(b.t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String(awssim.AtlasUser)})
	require.NoError(t, err)
	_, err = w.iam().GetRole(b.t.Context(), &iam.GetRoleInput{RoleName: aws.String("nobody")})
	require.Error(t, err)
	entries := b.journal.Entries()
	require.Len(t, entries, 4)
	text, err := json.Marshal(entries)
	require.NoError(t, err)
	var state []byte
	require.NoError(t, b.do(func() (err error) { state, err = json.Marshal(b.State()); return err }))
	for _, secret := range []string{
		"cGxhaW50ZXh0LXNlY3JldA", "plaintext-secret", *made.AccessKey.SecretAccessKey, awssim.WorkerSecret, awssim.AtlasUserSecret,
		string(sealed.CiphertextBlob), string(opened.Plaintext), "Signature=",
	} {
		require.NotContains(t, string(text), secret)
		require.NotContains(t, string(state), secret)
	}
	e := entries[0]
	require.Equal(t, "kms:Encrypt", e.Operation)
	require.Equal(t, "eu-west-1", e.Region)
	require.Equal(t, "arn:aws:kms:eu-west-1:111122223333:key/"+awssim.MultiRegionKeyID, e.Object)
	require.Contains(t, e.Who, "aws-sdk-go-v2")
	require.False(t, e.Write)
	require.True(t, entries[2].Write && entries[2].Applied)
	require.Contains(t, entries[2].Response, *made.AccessKey.AccessKeyId, "an id is no secret")
	require.Equal(t, 404, entries[3].Status)
	require.Equal(t, "NoSuchEntity", entries[3].ErrorCode)
}

// The same requests with the same seed give the same run.
func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	run := func() string {
		b := begin(t, func(c *awssim.Config) { c.Delays = awssim.DefaultDelays() })
		w := b.worker()
		for i := range 20 {
			name := fmt.Sprintf("r%d", i%7)
			_, _ = w.iam().CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust(atlasRoot, name))})
			_, _ = w.kms("us-east-1").CreateKey(b.t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(i%2 == 0)})
			_, _ = w.iam().GetRole(b.t.Context(), &iam.GetRoleInput{RoleName: &name})
			b.clock.advance(700 * time.Millisecond)
		}
		var out []byte
		entries := b.journal.Entries()
		for i := range entries {
			entries[i].Who = "" // the SDK's own part of it varies
		}
		require.NoError(t, b.do(func() (err error) { out, err = json.Marshal([]any{b.State(), entries}); return err }))
		return string(out)
	}
	first := run()
	require.Equal(t, first, run())
}

func TestManyAtOnce(t *testing.T) {
	b := begin(t, func(c *awssim.Config) {
		c.CheckSignatures = true
		c.Delays = awssim.Delays{IAMRead: world.Always(time.Millisecond), KMSRead: world.Always(time.Millisecond)}
	})
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			name := fmt.Sprintf("role-%d", i)
			for range 5 {
				b.probe(b.worker())
				_, err := b.worker().iam().CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust(atlasRoot, "x"))})
				if code(err) != "EntityAlreadyExists" {
					require.NoError(t, err)
				}
				b.clock.advance(time.Millisecond)
				b.world.Do(func() { b.State() })
			}
		})
	}
	wait.Wait()
	require.NoError(t, b.Reset())
	b.world.Do(func() { require.Empty(t, b.State().Roles) })
}
