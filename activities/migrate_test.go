package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

const (
	usableRole   = "6a0000000000000000000d01"
	uselessRole  = "6a0000000000000000000d02"
	usableARN    = "arn:aws:iam::" + awssim.CustomerAccount + ":role/usable"
	uselessARN   = "arn:aws:iam::" + awssim.CustomerAccount + ":role/useless"
	roleExternal = "3b1f6a52-0000-4000-8000-00000000f00d"
)

// legacyWorld is project B on an access key, with one role that may use the key and one that may not.
func legacyWorld(t *testing.T, change func(*sim.Config)) (*sim.Running, *activities.Atlas) {
	t.Helper()
	config := sim.DefaultConfig()
	config.AWS.Delays = awssim.NoDelays()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + atlasARN + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"` + roleExternal + `"}}}]}`
	config.AWS.Accounts[0].Roles = []awssim.Role{
		{Name: "usable", Trust: trust, Inline: map[string]string{"kms": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Decrypt","kms:DescribeKey","kms:Encrypt"],"Resource":"*"}]}`}},
		{Name: "useless", Trust: trust},
	}
	for i := range config.Atlas.Projects {
		if p := &config.Atlas.Projects[i]; p.ID == sim.ProjectB {
			p.Roles = []atlassim.AccessRole{{ID: usableRole, ExternalID: roleExternal, ARN: usableARN}, {ID: uselessRole, ExternalID: roleExternal, ARN: uselessARN}}
		}
	}
	if change != nil {
		change(&config)
	}
	s := sim.Start(t, sim.Options{World: &config})
	api, err := activities.AtlasAccess{BaseURL: s.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	return s, activities.NewAtlas(api, nil, &held{}, activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond}, sim.ClientID)
}

func switchTo(roleID string, until time.Duration) activities.SwitchInput {
	return activities.SwitchInput{
		ProjectID: sim.ProjectB, RoleID: roleID, Until: time.Now().Add(until),
		Before: activities.Encryption{Enabled: true, Valid: true, KeyID: awssim.SingleRegionKeyID, Region: "US_EAST_1", AccessKeyID: awssim.AtlasUserAccessKeyID},
	}
}

// patches counts the switches that were carried out.
func patches(s *sim.Running) (n int) {
	for _, e := range s.Journal.Entries() {
		if e.Applied && e.Operation == "updateGroupEncryptionAtRest" {
			n++
		}
	}
	return n
}

func TestSwitchToRole(t *testing.T) {
	s, atlas := legacyWorld(t, nil)
	require.NoError(t, atlas.ConfirmRoleUnused(t.Context(), activities.RoleUseInput{ProjectID: sim.ProjectB, RoleID: usableRole}))
	now, err := atlas.SwitchToRole(t.Context(), switchTo(usableRole, time.Minute))
	require.NoError(t, err)
	require.Equal(t, activities.Encryption{Enabled: true, Valid: true, KeyID: awssim.SingleRegionKeyID, Region: "US_EAST_1", RoleID: usableRole}, *now)

	_, err = atlas.SwitchToRole(t.Context(), switchTo(usableRole, time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, patches(s), "done once")
	require.Equal(t, cmk.ErrForeign, typeOf(atlas.ConfirmRoleUnused(t.Context(), activities.RoleUseInput{ProjectID: sim.ProjectB, RoleID: usableRole})))
}

func TestSwitchWhoseAnswerIsLost(t *testing.T) {
	s, atlas := legacyWorld(t, nil)
	require.NoError(t, s.Faults.Add(fault.Rule{Operation: "updateGroupEncryptionAtRest", Kind: fault.DropAfter, Times: 1}))
	_, err := atlas.SwitchToRole(t.Context(), switchTo(usableRole, time.Minute))
	require.Equal(t, cmk.ErrUnreachable, typeOf(err))
	now, err := atlas.SwitchToRole(t.Context(), switchTo(usableRole, time.Minute))
	require.NoError(t, err)
	require.Equal(t, usableRole, now.RoleID)
	require.Equal(t, 1, patches(s))

	// Even if it was lost past the deadline, it is not called a failure.
	s, atlas = legacyWorld(t, nil)
	require.NoError(t, s.Faults.Add(fault.Rule{Operation: "updateGroupEncryptionAtRest", Kind: fault.DropAfter, Times: 1}))
	now, err = atlas.SwitchToRole(t.Context(), switchTo(usableRole, 0))
	require.NoError(t, err)
	require.Equal(t, usableRole, now.RoleID)
}

func TestSwitchThatIsRefused(t *testing.T) {
	s, atlas := legacyWorld(t, nil)
	_, err := atlas.SwitchToRole(t.Context(), switchTo(uselessRole, time.Minute))
	require.Equal(t, "NO_PERMISSION_TO_ENCRYPT_DECRYPT", typeOf(err))
	require.False(t, isFinal(err), "IAM may not have shown it yet")
	_, err = atlas.SwitchToRole(t.Context(), switchTo(uselessRole, 0))
	require.Equal(t, "NO_PERMISSION_TO_ENCRYPT_DECRYPT", typeOf(err))
	require.True(t, isFinal(err), "past the deadline it is believed")

	// Where Atlas keeps what it refuses, the project is on the role: that is no failure, there is no way back from it.
	require.NoError(t, s.Act(sim.Act{Act: atlassim.Act{Kind: atlassim.Assume, Settings: []byte(`{"failedPatchKeeps":false}`)}}))
	now, err := atlas.SwitchToRole(t.Context(), switchTo(uselessRole, 0))
	require.NoError(t, err)
	require.Equal(t, uselessRole, now.RoleID)
	require.False(t, now.Valid)
}

func TestSwitchOfWhatSomebodyElseHasSet(t *testing.T) {
	s, atlas := legacyWorld(t, nil)
	in := switchTo(usableRole, time.Minute)
	in.Before.Region = "US_WEST_2"
	_, err := atlas.SwitchToRole(t.Context(), in)
	require.Equal(t, cmk.ErrForeign, typeOf(err))

	_, err = atlas.SwitchToRole(t.Context(), switchTo(usableRole, time.Minute))
	require.NoError(t, err)
	_, err = atlas.SwitchToRole(t.Context(), switchTo(uselessRole, time.Minute))
	require.Equal(t, cmk.ErrForeign, typeOf(err), "another role is never replaced")
	require.Equal(t, 1, patches(s))

	s, atlas = legacyWorld(t, nil)
	require.NoError(t, s.Act(sim.Act{Act: atlassim.Act{Kind: sim.DeactivateAccessKey}, AccessKey: awssim.AtlasUserAccessKeyID}))
	_, err = atlas.SwitchToRole(t.Context(), switchTo(usableRole, time.Minute))
	require.Equal(t, cmk.ErrForeign, typeOf(err), "credentials that have become invalid")
	require.Zero(t, patches(s))
}

// The key is watched in an activity environment, since what an attempt has seen is kept between attempts.
func TestWatchKey(t *testing.T) {
	s, atlas := legacyWorld(t, nil)
	watch := func(seen *time.Time, in activities.WatchKeyInput) error {
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		env.RegisterActivity(atlas)
		if seen != nil {
			env.SetHeartbeatDetails(*seen)
		}
		in.ProjectID = sim.ProjectB
		_, err := env.ExecuteActivity(atlas.WatchKey, in)
		return err
	}
	long := cmk.Duration(time.Minute)
	require.Equal(t, cmk.ErrForeign, typeOf(watch(nil, activities.WatchKeyInput{For: long})), "it is on an access key")
	_, err := atlas.SwitchToRole(t.Context(), switchTo(usableRole, time.Minute))
	require.NoError(t, err)
	key := activities.WatchKeyInput{For: long, RoleID: usableRole, KeyID: awssim.SingleRegionKeyID}
	require.Equal(t, cmk.ErrNotReady, typeOf(watch(nil, key)), "one look is not enough")
	early, late := time.Now().Add(-time.Second), time.Now().Add(-time.Hour)
	require.Equal(t, cmk.ErrNotReady, typeOf(watch(&early, key)))
	require.NoError(t, watch(&late, key))
	require.Equal(t, cmk.ErrForeign, typeOf(watch(&late, activities.WatchKeyInput{For: long, RoleID: uselessRole, KeyID: awssim.SingleRegionKeyID})))

	require.NoError(t, s.Act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "us-east-1"}, Key: awssim.SingleRegionKeyID}))
	require.Equal(t, cmk.ErrNotReady, typeOf(watch(&late, key)), "not valid")
	key.Alarm = true
	require.Equal(t, cmk.ErrNotVerified, typeOf(watch(&late, key)))
	require.NoError(t, s.Act(sim.Act{Act: atlassim.Act{Kind: sim.EnableKey, Region: "us-east-1"}, Key: awssim.SingleRegionKeyID}))
	require.Equal(t, cmk.ErrNotVerified, typeOf(watch(&late, key)), "Atlas told of it meanwhile")
}

func TestBackups(t *testing.T) {
	_, atlas := legacyWorld(t, nil)
	read := func(before time.Time) *activities.Backups {
		var b activities.Backups
		require.NoError(t, steps(atlas.ReadBackups, activities.BackupsInput{ProjectID: sim.ProjectB, Before: before}, &b))
		return &b
	}
	all := read(time.Now())
	require.Equal(t, 1, all.Count)
	require.WithinDuration(t, time.Now().Add(144*time.Hour), all.Until, time.Minute)
	require.Equal(t, sim.ClusterLegacy, all.Some[0].Cluster)
	require.Zero(t, read(time.Now().Add(-48*time.Hour)).Count)
}

func TestAccessKey(t *testing.T) {
	a := newAmazon(t, nil)
	ctx := t.Context()
	in := activities.AccessKeyInput{AccessKeyID: awssim.AtlasUserAccessKeyID}
	key, err := a.iam.ReadAccessKey(ctx, in)
	require.NoError(t, err)
	require.True(t, key.Exists && key.Active)
	require.Equal(t, awssim.AtlasUser, key.User)
	require.True(t, key.UsedAt.IsZero())

	switched := time.Now().Add(-time.Hour)
	access := activities.NewAccess(activities.NewAtlas(nil, nil, a.leases, activities.Pace{}), a.iam)
	withdraw := activities.WithdrawAccessKeyInput{Justification: activities.Justification{Leases: []activities.Lease{{}}}, AccessKeyID: key.ID, UnusedSince: switched}
	require.Equal(t, cmk.ErrForeign, typeOf(access.DeleteAccessKey(ctx, withdraw)), "an Active one is never deleted")
	for range 2 {
		require.NoError(t, access.DeactivateAccessKey(ctx, withdraw))
	}
	key, err = a.iam.ReadAccessKey(ctx, in)
	require.NoError(t, err)
	require.False(t, key.Active)
	for range 2 {
		require.NoError(t, a.iam.ReactivateAccessKey(ctx, in))
	}

	// Somebody has used it since.
	a.world.Do(func() {
		require.NoError(t, a.UseKey(awssim.Identity{AccessKeyID: key.ID, SecretAccessKey: awssim.AtlasUserSecret}, []string{"kms:Encrypt"}, awssim.SingleRegionKeyARN, "us-east-1", awssim.Path{SourceIP: "1.2.3.4"}))
	})
	err = access.DeactivateAccessKey(ctx, withdraw)
	require.Equal(t, cmk.ErrForeign, typeOf(err))
	require.ErrorContains(t, err, "kms in us-east-1")
	require.Equal(t, []string{"iam:UpdateAccessKey", "iam:UpdateAccessKey"}, a.writes())

	withdraw.UnusedSince = time.Now().Add(time.Minute)
	require.NoError(t, access.DeactivateAccessKey(ctx, withdraw))
	a.leases.lost = temporal.NewNonRetryableApplicationError("", cmk.ErrLeaseLost, nil)
	require.Equal(t, cmk.ErrLeaseLost, typeOf(access.DeleteAccessKey(ctx, withdraw)))
	a.leases.lost = nil
	for range 2 {
		require.NoError(t, access.DeleteAccessKey(ctx, withdraw))
	}
	key, err = a.iam.ReadAccessKey(ctx, in)
	require.NoError(t, err)
	require.False(t, key.Exists)
	require.Equal(t, "NoSuchEntity", typeOf(a.iam.ReactivateAccessKey(ctx, in)))
}

func TestRoleIsEvaluated(t *testing.T) {
	none := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	a := newAmazon(t, func(c *awssim.Config) {
		c.Accounts[0].Policies = []awssim.ManagedPolicy{{Name: "boundary", Document: none}}
		trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + atlasARN + `"},"Action":"sts:AssumeRole"}]}`
		c.Accounts[0].Roles = []awssim.Role{
			{Name: "plain", Trust: trust}, {Name: "bounded", Trust: trust, Boundary: "arn:aws:iam::" + awssim.CustomerAccount + ":policy/boundary"},
		}
	})
	evaluate := func(name string, granted bool) *activities.RoleEvaluation {
		e, err := a.iam.EvaluateRole(context.Background(), activities.EvaluateRoleInput{
			ProjectID: project, RoleARN: "arn:aws:iam::" + awssim.CustomerAccount + ":role/" + name, KeyARNs: []string{awssim.SingleRegionKeyARN}, AsGranted: granted,
		})
		require.NoError(t, err)
		return e
	}
	require.Equal(t, &activities.RoleEvaluation{}, evaluate("plain", true))
	require.Len(t, evaluate("plain", false).Denied, 3)
	require.Contains(t, evaluate("bounded", true).Denied[0], "boundary")
	require.NotEmpty(t, evaluate("none", true).Unevaluated)
	err := a.iam.ConfirmRole(t.Context(), activities.EvaluateRoleInput{ProjectID: project, RoleARN: "arn:aws:iam::" + awssim.CustomerAccount + ":role/plain", KeyARNs: []string{awssim.SingleRegionKeyARN}})
	require.Equal(t, cmk.ErrRoleDenied, typeOf(err))
	require.False(t, isFinal(err))
}

func typeOf(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type()
	}
	return ""
}

func isFinal(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.NonRetryable()
}
