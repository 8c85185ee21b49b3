package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// A key is granted beside those that the role may use already, and taken back alone.
func TestGrantsAreAddedAndNeverSwapped(t *testing.T) {
	a := newAmazon(t, nil)
	ctx := t.Context()
	keys := func() []string {
		seen, err := a.iam.ReadIAMRole(ctx, activities.IAMRoleInput{ProjectID: project, Name: roleName})
		require.NoError(t, err)
		return seen.Keys
	}
	_, err := a.iam.EnsureIAMRole(ctx, ensureRole(project))
	require.NoError(t, err)
	before := len(a.writes())

	in := activities.GrantsInput{ProjectID: project, Name: roleName, KeyARNs: []string{awssim.SingleRegionKeyARN}}
	require.NoError(t, a.iam.GrantKeys(ctx, in))
	require.NoError(t, a.iam.GrantKeys(ctx, in))
	require.ElementsMatch(t, []string{awssim.MultiRegionKeyARN, awssim.SingleRegionKeyARN}, keys())
	require.NoError(t, a.mayUseKey(project))
	require.Len(t, a.writes(), before+1, "what is there is not written again")

	require.NoError(t, a.iam.WithdrawKeys(ctx, in))
	require.NoError(t, a.iam.WithdrawKeys(ctx, in))
	require.Equal(t, []string{awssim.MultiRegionKeyARN}, keys())
	require.NoError(t, a.mayUseKey(project))
	require.Len(t, a.writes(), before+2)

	// With nothing left, the policy goes; a role without one is left alone.
	in.KeyARNs = []string{awssim.MultiRegionKeyARN}
	require.NoError(t, a.iam.WithdrawKeys(ctx, in))
	require.Empty(t, keys())
	require.NoError(t, a.iam.WithdrawKeys(ctx, in))
	require.Len(t, a.writes(), before+3)
	require.Error(t, a.mayUseKey(project))
}

func TestGrantsNeedTheirLease(t *testing.T) {
	a := newAmazon(t, nil)
	_, err := a.iam.EnsureIAMRole(t.Context(), ensureRole(project))
	require.NoError(t, err)
	before := a.writes()
	a.leases.lost = temporal.NewNonRetryableApplicationError("lost", cmk.ErrLeaseLost, nil)
	in := activities.GrantsInput{ProjectID: project, Name: roleName, KeyARNs: []string{awssim.SingleRegionKeyARN}}
	require.ErrorIs(t, a.iam.GrantKeys(t.Context(), in), a.leases.lost)
	require.ErrorIs(t, a.iam.WithdrawKeys(t.Context(), in), a.leases.lost)
	require.Equal(t, before, a.writes())
}
