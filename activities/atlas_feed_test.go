package activities_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// A write is refused when somebody else has touched the project's encryption since the change looked, once, and not for
// what the worker itself has done.
func TestWriteHeedsWhatOthersDo(t *testing.T) {
	s, atlas := legacyWorld(t, nil)
	project, err := atlas.ReadProject(t.Context(), activities.ProjectInput{ProjectID: sim.ProjectB})
	require.NoError(t, err)
	require.NotNil(t, project.Feed)

	// The worker's own failure is no news.
	in := switchTo(uselessRole, 0)
	in.Lease.Feed = project.Feed
	_, err = atlas.SwitchToRole(t.Context(), in)
	require.Equal(t, "NO_PERMISSION_TO_ENCRYPT_DECRYPT", typeOf(err))
	in = switchTo(usableRole, time.Minute)
	in.Lease.Feed = project.Feed

	// Somebody else's is, though the setting is as it was.
	others, err := activities.AtlasAccess{BaseURL: s.AtlasURL, PublicKey: sim.APIPublicKey, PrivateKey: sim.APIPrivateKey}.Client("others")
	require.NoError(t, err)
	_, _, err = others.EncryptionAtRestUsingCustomerKeyManagementApi.UpdateEncryptionAtRest(t.Context(), sim.ProjectB, &admin.EncryptionAtRest{
		AwsKms: &admin.AWSKMSConfiguration{
			Enabled: new(true), CustomerMasterKeyID: new(awssim.SingleRegionKeyID), Region: new("US_EAST_1"), RoleId: new(uselessRole),
		},
	}).Execute()
	require.Error(t, err)
	_, err = atlas.SwitchToRole(t.Context(), in)
	require.Equal(t, cmk.ErrDisturbed, typeOf(err))
	require.ErrorContains(t, err, "ENCRYPTION_AT_REST_CONFIGURATION_VALIDATION_FAILED by "+sim.APIPublicKey)
	require.Zero(t, patches(s))

	// Once a person has seen it, it is not held against the change any more.
	var refused *temporal.ApplicationError
	require.True(t, errors.As(err, &refused) && refused.NonRetryable())
	var shown activities.Feed
	require.NoError(t, refused.Details(&shown))
	in.Lease.Feed = &shown
	_, err = atlas.SwitchToRole(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, 1, patches(s))
}
