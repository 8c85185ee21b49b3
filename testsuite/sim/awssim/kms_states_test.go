package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// keyCalls are calls about one key, by name.
func keyCalls(b *bench, c *kms.Client, key string) map[string]func() error {
	k := aws.String(key)
	ctx := b.t.Context()
	return map[string]func() error{
		"DescribeKey": func() error { _, err := c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: k}); return err },
		"GetKeyPolicy": func() error {
			_, err := c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: k, PolicyName: aws.String("default")})
			return err
		},
		"GetKeyRotationStatus": func() error {
			_, err := c.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: k})
			return err
		},
		"ListGrants":       func() error { _, err := c.ListGrants(ctx, &kms.ListGrantsInput{KeyId: k}); return err },
		"ListResourceTags": func() error { _, err := c.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: k}); return err },
		"ListKeyPolicies":  func() error { _, err := c.ListKeyPolicies(ctx, &kms.ListKeyPoliciesInput{KeyId: k}); return err },
		"Encrypt": func() error {
			_, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: k, Plaintext: []byte("x")})
			return err
		},
		"GenerateDataKey": func() error {
			_, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: k, KeySpec: types.DataKeySpecAes256})
			return err
		},
		"PutKeyPolicy": func() error {
			p, err := c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: k, PolicyName: aws.String("default")})
			if err == nil {
				_, err = c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: k, Policy: p.Policy})
			}
			return err
		},
		"CreateGrant": func() error {
			_, err := c.CreateGrant(ctx, &kms.CreateGrantInput{
				KeyId: k, GranteePrincipal: aws.String("arn:aws:iam::111122223333:user/atlas-kms"), Operations: []types.GrantOperation{"Encrypt"},
			})
			return err
		},
		"TagResource": func() error {
			_, err := c.TagResource(ctx, &kms.TagResourceInput{KeyId: k, Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}})
			return err
		},
		"EnableKeyRotation": func() error { _, err := c.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: k}); return err },
		"EnableKey":         func() error { _, err := c.EnableKey(ctx, &kms.EnableKeyInput{KeyId: k}); return err },
		"DisableKey":        func() error { _, err := c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: k}); return err },
		"ScheduleKeyDeletion": func() error {
			_, err := c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: k})
			return err
		},
		"CancelKeyDeletion": func() error { _, err := c.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: k}); return err },
		"ReplicateKey": func() error {
			_, err := c.ReplicateKey(ctx, &kms.ReplicateKeyInput{KeyId: k, ReplicaRegion: aws.String("ap-south-1")})
			return err
		},
		"UpdatePrimaryRegion": func() error {
			_, err := c.UpdatePrimaryRegion(ctx, &kms.UpdatePrimaryRegionInput{KeyId: k, PrimaryRegion: aws.String("us-west-2")})
			return err
		},
	}
}

// What each call answers in each key state, from AWS's table of key states; "ok", or AWS's error code. A call that a
// state's row does not name is not possible for the type of key that has this state.
func TestKeyStates(t *testing.T) {
	const (
		ok          = "ok"
		disabled    = "DisabledException"
		invalid     = "KMSInvalidStateException"
		unsupported = "UnsupportedOperationException"
	)
	primary := func(*bench) (string, string) { return "us-east-1", awssim.MultiRegionKeyID }
	reads := map[string]string{"DescribeKey": ok, "GetKeyPolicy": ok, "ListGrants": ok, "ListResourceTags": ok, "ListKeyPolicies": ok}
	for _, row := range []struct {
		state types.KeyState
		// reach brings a key into the state and tells where it is.
		reach func(*bench) (region, key string)
		want  map[string]string
	}{
		{types.KeyStateEnabled, primary, map[string]string{
			"GetKeyRotationStatus": ok, "Encrypt": ok, "GenerateDataKey": ok, "PutKeyPolicy": ok, "CreateGrant": ok, "TagResource": ok,
			"EnableKeyRotation": ok, "EnableKey": ok, "DisableKey": ok, "ScheduleKeyDeletion": ok, "CancelKeyDeletion": invalid,
			"ReplicateKey": ok, "UpdatePrimaryRegion": ok,
		}},
		{types.KeyStateDisabled, func(b *bench) (string, string) {
			require.NoError(t, b.do(func() error { return b.DisableKey("us-east-1", awssim.MultiRegionKeyID) }))
			return primary(b)
		}, map[string]string{
			"GetKeyRotationStatus": ok, "Encrypt": disabled, "GenerateDataKey": disabled, "PutKeyPolicy": ok, "CreateGrant": disabled,
			"TagResource": ok, "EnableKeyRotation": disabled, "EnableKey": ok, "DisableKey": ok, "ScheduleKeyDeletion": ok,
			"CancelKeyDeletion": invalid, "ReplicateKey": disabled, "UpdatePrimaryRegion": disabled,
		}},
		{types.KeyStatePendingDeletion, func(b *bench) (string, string) {
			require.NoError(t, b.do(func() error { return b.ScheduleKeyDeletion("us-west-2", awssim.MultiRegionKeyID, 7) }))
			return "us-west-2", awssim.MultiRegionKeyID
		}, map[string]string{
			"GetKeyRotationStatus": ok, "Encrypt": invalid, "GenerateDataKey": invalid, "PutKeyPolicy": ok, "CreateGrant": invalid,
			"TagResource": invalid, "EnableKeyRotation": invalid, "EnableKey": invalid, "DisableKey": invalid,
			"ScheduleKeyDeletion": invalid, "CancelKeyDeletion": ok, "ReplicateKey": invalid, "UpdatePrimaryRegion": invalid,
		}},
		{types.KeyStatePendingReplicaDeletion, func(b *bench) (string, string) {
			require.NoError(t, b.do(func() error { return b.ScheduleKeyDeletion("us-east-1", awssim.MultiRegionKeyID, 7) }))
			return primary(b)
		}, map[string]string{
			"GetKeyRotationStatus": ok, "Encrypt": invalid, "GenerateDataKey": invalid, "PutKeyPolicy": ok, "CreateGrant": invalid,
			"TagResource": invalid, "EnableKeyRotation": invalid, "EnableKey": invalid, "DisableKey": invalid,
			"ScheduleKeyDeletion": invalid, "CancelKeyDeletion": ok, "ReplicateKey": invalid, "UpdatePrimaryRegion": invalid,
		}},
		{types.KeyStatePendingImport, func(b *bench) (string, string) {
			out, err := b.worker().kms("us-east-1").CreateKey(b.t.Context(), &kms.CreateKeyInput{Origin: types.OriginTypeExternal})
			require.NoError(t, err)
			return "us-east-1", *out.KeyMetadata.KeyId
		}, map[string]string{
			"GetKeyRotationStatus": unsupported, "Encrypt": invalid, "GenerateDataKey": invalid, "PutKeyPolicy": ok, "CreateGrant": invalid,
			"TagResource": ok, "EnableKeyRotation": unsupported, "EnableKey": invalid, "DisableKey": invalid, "ScheduleKeyDeletion": ok, "CancelKeyDeletion": invalid,
		}},
		{types.KeyStateUnavailable, func(b *bench) (string, string) {
			require.NoError(t, b.do(func() error { return b.DisconnectKey("us-east-1", awssim.SingleRegionKeyID) }))
			return "us-east-1", awssim.SingleRegionKeyID
		}, map[string]string{
			"Encrypt": invalid, "GenerateDataKey": invalid, "PutKeyPolicy": ok, "CreateGrant": ok, "TagResource": ok,
			"EnableKey": ok, "DisableKey": ok, "ScheduleKeyDeletion": ok, "CancelKeyDeletion": invalid,
		}},
		{types.KeyStateCreating, func(b *bench) (string, string) {
			require.NoError(t, b.do(func() error { return b.ReplicateKey("us-east-1", awssim.MultiRegionKeyID, "sa-east-1") }))
			return "sa-east-1", awssim.MultiRegionKeyID
		}, map[string]string{
			"Encrypt": invalid, "GenerateDataKey": invalid, "PutKeyPolicy": invalid, "CreateGrant": invalid, "TagResource": invalid,
			"EnableKey": invalid, "DisableKey": invalid, "ScheduleKeyDeletion": invalid, "CancelKeyDeletion": invalid, "ReplicateKey": invalid,
		}},
		{types.KeyStateUpdating, func(b *bench) (string, string) {
			_, err := b.worker().kms("us-east-1").UpdatePrimaryRegion(b.t.Context(), &kms.UpdatePrimaryRegionInput{
				KeyId: aws.String(awssim.MultiRegionKeyID), PrimaryRegion: aws.String("eu-west-1"),
			})
			require.NoError(t, err)
			return primary(b)
		}, map[string]string{
			"Encrypt": ok, "GenerateDataKey": ok, "PutKeyPolicy": ok, "CreateGrant": ok, "EnableKey": invalid, "DisableKey": invalid,
			"ScheduleKeyDeletion": invalid, "CancelKeyDeletion": invalid, "ReplicateKey": invalid, "UpdatePrimaryRegion": invalid,
		}},
	} {
		for name, want := range reads {
			row.want[name] = want
		}
		for name, want := range row.want {
			b := begin(t, func(c *awssim.Config) {
				c.Delays.ReplicaCreation, c.Delays.PrimaryUpdate = world.Always(time.Minute), world.Always(time.Minute)
			})
			region, key := row.reach(b)
			client := b.worker().kms(region)
			seen, err := client.DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(key)})
			require.NoError(t, err)
			require.Equal(t, row.state, seen.KeyMetadata.KeyState)
			got := code(keyCalls(b, client, key)[name]())
			if got == "" {
				got = ok
			}
			require.Equal(t, want, got, "%s of a key that is %s", name, row.state)
		}
	}
}

func TestAKeyEndsWhenItsTimeHasCome(t *testing.T) {
	b := begin(t, nil)
	describe := func(region string) string {
		out, err := b.worker().kms(region).DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(awssim.MultiRegionKeyID)})
		if err != nil {
			return code(err)
		}
		return string(out.KeyMetadata.KeyState)
	}
	end := func(region string, days int32) {
		_, err := b.worker().kms(region).ScheduleKeyDeletion(b.t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: aws.String(awssim.MultiRegionKeyID), PendingWindowInDays: &days})
		require.NoError(t, err)
	}
	const day = 24 * time.Hour
	end("us-east-1", 10)
	require.Equal(t, "PendingReplicaDeletion", describe("us-east-1"))
	end("us-west-2", 7)
	end("eu-west-1", 8)
	b.clock.advance(7 * day)
	require.Equal(t, "NotFoundException", describe("us-west-2"))
	require.Equal(t, "PendingDeletion", describe("eu-west-1"))
	require.Equal(t, "PendingReplicaDeletion", describe("us-east-1"))
	b.clock.advance(day)
	require.Equal(t, "NotFoundException", describe("eu-west-1"))
	require.Equal(t, "PendingDeletion", describe("us-east-1"), "its own wait begins when the last replica is gone")
	aliases, err := b.worker().kms("eu-west-1").ListAliases(b.t.Context(), &kms.ListAliasesInput{})
	require.NoError(t, err)
	require.Empty(t, aliases.Aliases)
	b.clock.advance(10 * day)
	require.Equal(t, "NotFoundException", describe("us-east-1"))
}

func TestImportedMaterialComesAndExpires(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().kms("us-east-1")
	made, err := c.CreateKey(b.t.Context(), &kms.CreateKeyInput{Origin: types.OriginTypeExternal})
	require.NoError(t, err)
	id := made.KeyMetadata.KeyId
	state := func() types.KeyState {
		out, err := c.DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: id})
		require.NoError(t, err)
		return out.KeyMetadata.KeyState
	}
	parameters, err := c.GetParametersForImport(b.t.Context(), &kms.GetParametersForImportInput{
		KeyId: id, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	require.NoError(t, err)
	_, err = c.ImportKeyMaterial(b.t.Context(), &kms.ImportKeyMaterialInput{
		KeyId: id, ImportToken: parameters.ImportToken, EncryptedKeyMaterial: []byte("wrapped"),
		ExpirationModel: types.ExpirationModelTypeKeyMaterialExpires, ValidTo: aws.Time(b.clock.Now().Add(time.Hour)),
	})
	require.NoError(t, err)
	require.Equal(t, types.KeyStateEnabled, state())
	b.clock.advance(time.Hour)
	require.Equal(t, types.KeyStatePendingImport, state())
	_, err = c.GetParametersForImport(b.t.Context(), &kms.GetParametersForImportInput{
		KeyId: aws.String(awssim.SingleRegionKeyID), WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	require.Equal(t, "UnsupportedOperationException", code(err))
}
