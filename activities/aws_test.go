package activities_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

const (
	project  = "64b7f0c2a1d3e4f5a6b7c8d9"
	roleName = "atlas-cmk-role"
	roleARN  = "arn:aws:iam::" + awssim.CustomerAccount + ":role/" + roleName
	atlasARN = "arn:aws:iam::" + awssim.AtlasAccount + ":root"
)

// held is a lease that is always held; once lost is set, never again.
type held struct {
	lost error
	// only, if set, is the id of the only lease that is lost.
	only string
}

func (h *held) Check(_ context.Context, l activities.Lease) error {
	if h.only != "" && h.only != l.WorkflowID {
		return nil
	}
	return h.lost
}

// amazon is a simulated AWS and our activities on it.
type amazon struct {
	*awssim.AWS
	iam     *activities.IAM
	kms     *activities.KMS
	journal *journal.Journal
	faults  *fault.Plan
	world   *world.World
	leases  *held
}

func newAmazon(t *testing.T, change func(*awssim.Config)) *amazon {
	t.Helper()
	a := &amazon{journal: &journal.Journal{}, world: world.New(world.Options{}), leases: &held{}}
	a.faults = fault.NewPlan(a.world)
	config := awssim.DefaultConfig()
	config.Delays = awssim.NoDelays()
	if change != nil {
		change(&config)
	}
	var err error
	a.AWS, err = awssim.New(awssim.Options{World: a.world, Journal: a.journal, Faults: a.faults, Config: config})
	require.NoError(t, err)
	server := httptest.NewServer(a.AWS)
	t.Cleanup(server.Close)
	conf := aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(awssim.WorkerAccessKeyID, awssim.WorkerSecret, ""),
	}
	a.iam = activities.NewIAM(iam.NewFromConfig(conf), sts.NewFromConfig(conf), a.leases, activities.Pace{Shortest: time.Millisecond})
	a.kms = activities.NewKMS(kms.NewFromConfig(conf), a.leases, activities.Pace{Shortest: time.Millisecond})
	return a
}

// writes lists the operations that changed something, in order.
func (a *amazon) writes() []string {
	var ops []string
	for _, e := range a.journal.Entries() {
		if e.Applied {
			ops = append(ops, e.Operation)
		}
	}
	return ops
}

func ensureRole(projectID string) activities.EnsureIAMRoleInput {
	return activities.EnsureIAMRoleInput{
		RoleLease: activities.Lease{WorkflowID: "role"},
		ProjectID: projectID, Name: roleName, Create: true, AtlasARN: atlasARN, ExternalID: "external-" + projectID, KeyARNs: []string{awssim.MultiRegionKeyARN},
	}
}

func removeRole(projectID string, created bool) activities.RemoveIAMRoleInput {
	return activities.RemoveIAMRoleInput{ProjectID: projectID, Name: roleName, Delete: created}
}

func (a *amazon) mayUseKey(projectID string) error {
	var err error
	a.world.Do(func() {
		err = a.CheckKey(awssim.Identity{Principal: atlasARN, RoleARN: roleARN, ExternalID: "external-" + projectID}, []string{"kms:Decrypt"}, awssim.MultiRegionKeyARN, "us-east-1", awssim.Path{SourceIP: "1.2.3.4"})
	})
	return err
}

func TestIAMRoleIsMadeUsedAndTakenBack(t *testing.T) {
	a := newAmazon(t, nil)
	ctx := t.Context()
	seen, err := a.iam.ReadIAMRole(ctx, activities.IAMRoleInput{ProjectID: project, Name: roleName})
	require.NoError(t, err)
	require.Equal(t, &activities.IAMRole{ARN: roleARN}, seen)
	require.Error(t, a.mayUseKey(project))

	arn, err := a.iam.EnsureIAMRole(ctx, ensureRole(project))
	require.NoError(t, err)
	require.Equal(t, roleARN, arn)
	require.NoError(t, a.mayUseKey(project))
	require.Equal(t, []string{"iam:CreateRole", "iam:PutRolePolicy"}, a.writes())

	seen, err = a.iam.ReadIAMRole(ctx, activities.IAMRoleInput{ProjectID: project, Name: roleName})
	require.NoError(t, err)
	require.True(t, seen.Exists)
	require.Equal(t, "external-"+project, seen.ExternalID)
	require.Equal(t, atlasARN, seen.AtlasARN)
	require.Equal(t, []string{awssim.MultiRegionKeyARN}, seen.Keys)

	_, err = a.iam.EnsureIAMRole(ctx, ensureRole(project))
	require.NoError(t, err)
	require.Len(t, a.writes(), 2, "what is there is not written again")

	require.NoError(t, a.iam.RemoveIAMRole(ctx, removeRole(project, true)))
	require.NoError(t, a.iam.RemoveIAMRole(ctx, removeRole(project, true)))
	seen, err = a.iam.ReadIAMRole(ctx, activities.IAMRoleInput{ProjectID: project, Name: roleName})
	require.NoError(t, err)
	require.False(t, seen.Exists)
}

func TestRoleThatOthersUseIsNotDeleted(t *testing.T) {
	a := newAmazon(t, nil)
	ctx := t.Context()
	other := strings.Repeat("b", 24)
	for _, p := range []string{project, other} {
		_, err := a.iam.EnsureIAMRole(ctx, ensureRole(p))
		require.NoError(t, err)
	}
	require.NoError(t, a.iam.RemoveIAMRole(ctx, removeRole(project, true)))
	require.Error(t, a.mayUseKey(project))
	require.NoError(t, a.mayUseKey(other))
}

func TestRoleToAdoptMustExist(t *testing.T) {
	a := newAmazon(t, nil)
	in := ensureRole(project)
	in.Create = false
	_, err := a.iam.EnsureIAMRole(t.Context(), in)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, "NoSuchEntity", app.Type())
	require.True(t, app.NonRetryable())
	require.Empty(t, a.writes())
}

// However the answers get lost, trying again leads to one role, one statement and one policy.
func TestLostAnswersChangeNothing(t *testing.T) {
	for _, kind := range []fault.Kind{fault.DropBefore, fault.DropAfter, fault.Truncate, fault.Garbage} {
		for _, operation := range []string{"iam:GetRole", "iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:GetRolePolicy"} {
			for _, exists := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", kind, operation, exists), func(t *testing.T) {
					a := newAmazon(t, nil)
					want := 2
					if exists {
						_, err := a.iam.EnsureIAMRole(t.Context(), ensureRole(strings.Repeat("b", 24)))
						require.NoError(t, err)
						want += 2
					}
					require.NoError(t, a.faults.Add(fault.Rule{Operation: operation, Kind: kind, Times: 1}))
					arn := eventually(t, func() (string, error) { return a.iam.EnsureIAMRole(t.Context(), ensureRole(project)) })
					require.Equal(t, roleARN, arn)
					require.NoError(t, a.mayUseKey(project))
					require.Len(t, a.writes(), want)
				})
			}
		}
	}
}

// eventually tries again while what went wrong may pass.
func eventually[T any](t *testing.T, step func() (T, error)) T {
	t.Helper()
	for range 50 {
		v, err := step()
		if err == nil {
			return v
		}
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.False(t, app.NonRetryable(), "%v", err)
	}
	require.Fail(t, "never done")
	panic("unreachable")
}

// Projects that share a role edit it one after the other, each under the lease, and IAM's reads lag behind its writes.
func TestProjectsThatShareARoleLoseNoStatement(t *testing.T) {
	const projects = 20
	id := func(i int) string { return fmt.Sprintf("%024d", i) }
	a := newAmazon(t, func(c *awssim.Config) {
		c.Delays.IAMRead = world.Always(120 * time.Millisecond)
		c.Quotas.TrustPolicyLength = 8192
	})
	var lease sync.Mutex
	var all sync.WaitGroup
	for i := range projects {
		all.Go(func() {
			lease.Lock()
			defer lease.Unlock()
			eventually(t, func() (string, error) { return a.iam.EnsureIAMRole(t.Context(), ensureRole(id(i))) })
		})
	}
	all.Wait()
	for i := range projects {
		require.NoError(t, a.mayUseKey(id(i)))
	}

	// Half of them take their statements back while others join; none comes back from a read that lagged.
	for i := range projects {
		all.Go(func() {
			lease.Lock()
			defer lease.Unlock()
			if i%2 == 0 {
				eventually(t, func() (string, error) { return "", a.iam.RemoveIAMRole(t.Context(), removeRole(id(i), false)) })
				return
			}
			eventually(t, func() (string, error) { return a.iam.EnsureIAMRole(t.Context(), ensureRole(id(i+projects))) })
		})
	}
	all.Wait()
	for i := range projects {
		if i%2 == 0 {
			require.Error(t, a.mayUseKey(id(i)))
			continue
		}
		require.NoError(t, a.mayUseKey(id(i)))
		require.NoError(t, a.mayUseKey(id(i+projects)))
	}
	for _, role := range a.State().Roles {
		if role.ARN == roleARN {
			require.Equal(t, projects, strings.Count(role.Trust, "AtlasCmk"))
		}
	}
}

func TestNothingIsWrittenWithoutTheLease(t *testing.T) {
	a := newAmazon(t, nil)
	a.leases.lost = temporal.NewNonRetryableApplicationError("lost", cmk.ErrLeaseLost, nil)
	_, err := a.iam.EnsureIAMRole(t.Context(), ensureRole(project))
	require.ErrorIs(t, err, a.leases.lost)
	require.ErrorIs(t, a.iam.RemoveIAMRole(t.Context(), removeRole(project, true)), a.leases.lost)
	require.Zero(t, a.journal.Len())
}

// The documents of a role that others share are not edited without the lease on the role, whatever else is held.
func TestSharedRoleNeedsItsOwnLease(t *testing.T) {
	a := newAmazon(t, nil)
	_, err := a.iam.EnsureIAMRole(t.Context(), ensureRole(project))
	require.NoError(t, err)
	before := a.writes()
	a.leases.lost, a.leases.only = temporal.NewNonRetryableApplicationError("lost", cmk.ErrLeaseLost, nil), "role"
	role := activities.Lease{WorkflowID: "role"}
	_, err = a.iam.EnsureIAMRole(t.Context(), ensureRole("another"))
	require.ErrorIs(t, err, a.leases.lost)
	remove := removeRole(project, true)
	remove.RoleLease = role
	require.ErrorIs(t, a.iam.RemoveIAMRole(t.Context(), remove), a.leases.lost)
	grants := activities.GrantsInput{RoleLease: role, ProjectID: project, Name: roleName, KeyARNs: []string{awssim.SingleRegionKeyARN}}
	require.ErrorIs(t, a.iam.GrantKeys(t.Context(), grants), a.leases.lost)
	require.ErrorIs(t, a.iam.WithdrawKeys(t.Context(), grants), a.leases.lost)
	require.Equal(t, before, a.writes())
}

// A replica has the policy of the key that it is made of: with AWS's default it would admit whom the key does not.
func TestReplicaHasThePolicyOfItsKey(t *testing.T) {
	a := newAmazon(t, nil)
	const policy = `{"Version":"2012-10-17","Statement":[{"Sid":"Admin","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/` + awssim.WorkerUser + `"},"Action":"kms:*","Resource":"*"}]}`
	a.world.Do(func() { require.NoError(t, a.PutKeyPolicy("us-east-1", awssim.MultiRegionKeyID, policy)) })
	err := a.kms.EnsureReplicas(t.Context(), activities.ReplicasInput{Key: awssim.MultiRegionKeyID, Region: "US_EAST_1", Regions: []string{"EU_CENTRAL_1"}})
	require.Equal(t, cmk.ErrNotReady, typeOf(err))
	var made []string
	a.world.Do(func() {
		for _, k := range a.State().Keys {
			if k.Region == "eu-central-1" {
				made = append(made, k.Policy)
			}
		}
	})
	require.Len(t, made, 1)
	require.JSONEq(t, policy, made[0])
}

func TestKeyIsReadWithItsReplicas(t *testing.T) {
	a := newAmazon(t, nil)
	a.world.Do(func() {
		require.NoError(t, a.DisableKey("eu-west-1", awssim.MultiRegionKeyID))
		require.NoError(t, a.PutKeyPolicy("us-west-2", awssim.MultiRegionKeyID, `{"Version":"2012-10-17","Statement":[{"Sid":"Admin","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/`+awssim.WorkerUser+`"},"Action":"kms:*","Resource":"*"}]}`))
	})
	for _, ref := range []string{awssim.MultiRegionKeyARN, awssim.MultiRegionKeyID, awssim.MultiRegionKeyAlias} {
		key, err := a.kms.ReadKey(t.Context(), activities.KeyInput{Key: ref, Region: "US_EAST_1", RoleName: roleName})
		require.NoError(t, err)
		require.Equal(t, awssim.MultiRegionKeyARN, key.ARN)
		require.True(t, key.MultiRegion)
		require.Len(t, key.Replicas, 3)
		byRegion := map[string]activities.KeyReplica{}
		for _, r := range key.Replicas {
			byRegion[r.Region] = r
		}
		require.True(t, byRegion["US_EAST_1"].Policy.Admitted(roleARN))
		require.Equal(t, "Disabled", byRegion["EU_WEST_1"].State)
		require.False(t, byRegion["US_WEST_2"].Policy.Admitted(roleARN))
	}
	single, err := a.kms.ReadKey(t.Context(), activities.KeyInput{Key: awssim.SingleRegionKeyID, Region: "US_EAST_1", RoleName: roleName})
	require.NoError(t, err)
	require.False(t, single.MultiRegion)
	require.Len(t, single.Replicas, 1)

	_, err = a.kms.ReadKey(t.Context(), activities.KeyInput{Key: "alias/none", Region: "US_EAST_1", RoleName: roleName})
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, "NotFoundException", app.Type())
	require.True(t, app.NonRetryable())
}

// The default quota holds nine projects; the tenth is refused, with what to do about it, and the nine keep theirs.
func TestFullTrustPolicyIsRefusedAndKept(t *testing.T) {
	a := newAmazon(t, nil)
	var refused *temporal.ApplicationError
	fitted := 0
	for i := 0; refused == nil; i++ {
		_, err := a.iam.EnsureIAMRole(t.Context(), ensureRole(fmt.Sprintf("%024d", i)))
		if !errors.As(err, &refused) {
			require.NoError(t, err)
			fitted++
		}
	}
	require.Equal(t, "LimitExceeded", refused.Type())
	require.True(t, refused.NonRetryable())
	require.Contains(t, refused.Message(), "another IAM role")
	require.Equal(t, 9, fitted)
	for i := range fitted {
		require.NoError(t, a.mayUseKey(fmt.Sprintf("%024d", i)))
	}
}

// Without the lease on the role's documents it may be made, and what an earlier attempt made is completed. A role that
// somebody else has made meanwhile is left alone.
func TestRoleIsMadeWithoutItsLease(t *testing.T) {
	a := newAmazon(t, nil)
	in := ensureRole(project)
	in.RoleLease = activities.Lease{}
	for range 2 {
		_, err := a.iam.EnsureIAMRole(t.Context(), in)
		require.NoError(t, err)
		require.NoError(t, a.mayUseKey(project))
	}
	before := a.writes()
	other := ensureRole(strings.Repeat("b", 24))
	other.RoleLease = activities.Lease{}
	_, err := a.iam.EnsureIAMRole(t.Context(), other)
	require.Equal(t, cmk.ErrForeign, typeOf(err))
	require.Equal(t, before, a.writes())
}
