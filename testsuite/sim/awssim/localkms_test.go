package awssim_test

import (
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// local-kms is honest about the states of single-Region keys, but that it lets keys be enabled and disabled that are
// pending import.
func TestTheSameKeyStatesAsLocalKMS(t *testing.T) {
	local := emulator(t, "local-kms", regexp.MustCompile(`started on 0\.0\.0\.0:(\d+)`), nil, []string{
		"PORT=" + freePort(t), "KMS_REGION=us-east-1", "KMS_ACCOUNT_ID=" + awssim.CustomerAccount, "KMS_DATA_PATH=" + t.TempDir(),
	})
	b := begin(t, nil)
	calls := []string{
		"DescribeKey", "GetKeyPolicy", "ListResourceTags", "Encrypt", "GenerateDataKey", "TagResource", "EnableKeyRotation",
		"GetKeyRotationStatus", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion",
	}
	for state, reach := range map[types.KeyState]func(*kms.Client, *string) error{
		types.KeyStateEnabled:       func(*kms.Client, *string) error { return nil },
		types.KeyStatePendingImport: func(*kms.Client, *string) error { return nil },
		types.KeyStateDisabled: func(c *kms.Client, id *string) error {
			_, err := c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: id})
			return err
		},
		types.KeyStatePendingDeletion: func(c *kms.Client, id *string) error {
			_, err := c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: id})
			return err
		},
	} {
		for _, call := range calls {
			if state == types.KeyStatePendingImport && (call == "EnableKey" || call == "DisableKey") {
				continue
			}
			told := map[string]string{}
			for _, url := range []string{b.url, local} {
				client := as{b.worker().provider, url}.kms("us-east-1")
				in := &kms.CreateKeyInput{}
				if state == types.KeyStatePendingImport {
					in.Origin = types.OriginTypeExternal
				}
				made, err := client.CreateKey(t.Context(), in)
				require.NoError(t, err)
				require.NoError(t, reach(client, made.KeyMetadata.KeyId))
				seen, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: made.KeyMetadata.Arn})
				require.NoError(t, err)
				require.Equal(t, state, seen.KeyMetadata.KeyState)
				told[url] = code(keyCalls(b, client, *made.KeyMetadata.KeyId)[call]())
			}
			assert.Equal(t, told[local], told[b.url], "%s of a key that is %s", call, state)
		}
	}
}
