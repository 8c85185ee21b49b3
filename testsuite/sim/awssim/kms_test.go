package awssim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// Which calls take a key by which of its names.
func TestKeysByName(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().kms("us-east-1")
	const aliasARN = "arn:aws:kms:us-east-1:111122223333:alias/atlas-cmk"
	names := map[string]string{
		"id": awssim.MultiRegionKeyID, "ARN": awssim.MultiRegionKeyARN, "alias": awssim.MultiRegionKeyAlias, "alias ARN": aliasARN,
	}
	for call, byAlias := range map[string]bool{
		"DescribeKey": true, "Encrypt": true, "GenerateDataKey": true,
		"GetKeyPolicy": false, "PutKeyPolicy": false, "GetKeyRotationStatus": false, "ListGrants": false, "ListResourceTags": false,
		"ListKeyPolicies": false, "EnableKey": false, "ReplicateKey": false, "TagResource": false,
	} {
		for name, ref := range names {
			want := ""
			if strings.HasPrefix(name, "alias") && !byAlias {
				want = "NotFoundException"
			}
			if call == "ReplicateKey" && want == "" {
				continue // once only
			}
			require.Equal(t, want, code(keyCalls(b, c, ref)[call]()), "%s by %s", call, name)
		}
	}
	for ref, want := range map[string]string{
		"mrk-ffffffffffffffffffffffffffffffff": "NotFoundException",
		"alias/nothing":                        "NotFoundException",
		"arn:aws:kms:us-west-2:111122223333:key/" + awssim.MultiRegionKeyID: "NotFoundException",
		"arn:aws:s3:::bucket":     "InvalidArnException",
		awssim.OtherAccountKeyARN: "AccessDeniedException",
		awssim.OtherAccountKeyID:  "NotFoundException",
	} {
		require.Equal(t, want, code(keyCalls(b, c, ref)["DescribeKey"]()), ref)
	}
	_, err := b.worker().kms("us-west-2").DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(awssim.SingleRegionKeyID)})
	require.Equal(t, "NotFoundException", code(err), "regions are apart")
}

func TestReplicasDecryptEachOther(t *testing.T) {
	b := begin(t, nil)
	regions := []string{"us-east-1", "us-west-2", "eu-west-1"}
	rapid.Check(t, func(r *rapid.T) {
		from, to := rapid.SampledFrom(regions).Draw(r, "from"), rapid.SampledFrom(regions).Draw(r, "to")
		plaintext := rapid.SliceOfN(rapid.Byte(), 1, 4096).Draw(r, "plaintext")
		given := rapid.MapOf(rapid.StringMatching("[a-z]{1,5}"), rapid.String()).Draw(r, "context")
		sealed, err := b.worker().kms(from).Encrypt(b.t.Context(), &kms.EncryptInput{
			KeyId: aws.String(awssim.MultiRegionKeyID), Plaintext: plaintext, EncryptionContext: given,
		})
		require.NoError(r, err)
		opened, err := b.worker().kms(to).Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: given})
		require.NoError(r, err)
		require.Equal(r, plaintext, opened.Plaintext)
		require.Contains(r, *opened.KeyId, to)
		broken := append([]byte(nil), sealed.CiphertextBlob...)
		broken[rapid.IntRange(0, len(broken)-1).Draw(r, "at")] ^= 1
		_, err = b.worker().kms(to).Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: broken, EncryptionContext: given})
		require.Contains(r, []string{"InvalidCiphertextException", "AccessDeniedException"}, code(err))
		_, err = b.worker().kms(to).Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"other": "x"}})
		require.Equal(r, "InvalidCiphertextException", code(err))
	})
}

func TestCryptography(t *testing.T) {
	b := begin(t, nil)
	east, west := b.worker().kms("us-east-1"), b.worker().kms("us-west-2")
	single, multi := aws.String(awssim.SingleRegionKeyID), aws.String(awssim.MultiRegionKeyID)
	sealed, err := east.Encrypt(b.t.Context(), &kms.EncryptInput{KeyId: single, Plaintext: []byte("secret")})
	require.NoError(t, err)
	_, err = west.Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	require.Equal(t, "AccessDeniedException", code(err), "a single-Region key's ciphertext means nothing elsewhere")
	_, err = east.Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, KeyId: multi})
	require.Equal(t, "IncorrectKeyException", code(err))

	again, err := east.ReEncrypt(b.t.Context(), &kms.ReEncryptInput{CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: multi})
	require.NoError(t, err)
	_, err = east.RotateKeyOnDemand(b.t.Context(), &kms.RotateKeyOnDemandInput{KeyId: multi})
	require.NoError(t, err)
	opened, err := west.Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: again.CiphertextBlob})
	require.NoError(t, err)
	require.Equal(t, "secret", string(opened.Plaintext), "rotation keeps old material")

	data, err := east.GenerateDataKey(b.t.Context(), &kms.GenerateDataKeyInput{KeyId: multi, NumberOfBytes: aws.Int32(24)})
	require.NoError(t, err)
	require.Len(t, data.Plaintext, 24)
	opened, err = west.Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: data.CiphertextBlob})
	require.NoError(t, err)
	require.Equal(t, data.Plaintext, opened.Plaintext)
	blind, err := east.GenerateDataKeyWithoutPlaintext(b.t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: multi, KeySpec: types.DataKeySpecAes128})
	require.NoError(t, err)
	opened, err = west.Decrypt(b.t.Context(), &kms.DecryptInput{CiphertextBlob: blind.CiphertextBlob})
	require.NoError(t, err)
	require.Len(t, opened.Plaintext, 16)

	_, err = east.Encrypt(b.t.Context(), &kms.EncryptInput{KeyId: multi, Plaintext: make([]byte, 4097)})
	require.Equal(t, "ValidationException", code(err))
	_, err = east.Encrypt(b.t.Context(), &kms.EncryptInput{KeyId: multi, Plaintext: []byte("x"), DryRun: aws.Bool(true)})
	require.Equal(t, "DryRunOperationException", code(err))
	mac, err := east.CreateKey(b.t.Context(), &kms.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac})
	require.NoError(t, err)
	_, err = east.Encrypt(b.t.Context(), &kms.EncryptInput{KeyId: mac.KeyMetadata.KeyId, Plaintext: []byte("x")})
	require.Equal(t, "InvalidKeyUsageException", code(err))
	id := awssim.Identity{AccessKeyID: awssim.WorkerAccessKeyID, SecretAccessKey: awssim.WorkerSecret}
	require.Equal(t, "InvalidKeyUsageException", code(b.do(func() error {
		return b.UseKey(id, []string{"kms:Encrypt"}, *mac.KeyMetadata.KeyId, "us-east-1", awssim.Path{})
	})))
}

func TestCreateKey(t *testing.T) {
	b := begin(t, func(c *awssim.Config) { c.Quotas.KeysPerRegion = 8 })
	c := b.worker().kms("ca-central-1")
	for _, x := range []struct {
		in   kms.CreateKeyInput
		want string
	}{
		{kms.CreateKeyInput{}, ""},
		{kms.CreateKeyInput{KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeEncryptDecrypt}, ""},
		{kms.CreateKeyInput{KeySpec: types.KeySpecRsa2048}, "ValidationException"},
		{kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify}, ""},
		{kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeEncryptDecrypt}, "ValidationException"},
		{kms.CreateKeyInput{KeyUsage: types.KeyUsageTypeSignVerify}, "ValidationException"},
		{kms.CreateKeyInput{KeySpec: "DES"}, "ValidationException"},
		{kms.CreateKeyInput{Origin: types.OriginTypeExternal, MultiRegion: aws.Bool(true)}, ""},
		{kms.CreateKeyInput{Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreId: aws.String("cks-1234567890abcdef0")}, "CustomKeyStoreNotFoundException"},
		{kms.CreateKeyInput{Tags: []types.Tag{{TagKey: aws.String("aws:x"), TagValue: aws.String("y")}}}, "TagException"},
		{kms.CreateKeyInput{Policy: aws.String("{")}, "MalformedPolicyDocumentException"},
	} {
		_, err := c.CreateKey(b.t.Context(), &x.in)
		require.Equal(t, x.want, code(err), "%+v", x.in)
	}
	for range 4 {
		_, err := c.CreateKey(b.t.Context(), &kms.CreateKeyInput{})
		require.NoError(t, err)
	}
	_, err := c.CreateKey(b.t.Context(), &kms.CreateKeyInput{})
	require.Equal(t, "LimitExceededException", code(err))
	var ids []string
	for p := kms.NewListKeysPaginator(c, &kms.ListKeysInput{Limit: aws.Int32(3)}); p.HasMorePages(); {
		out, err := p.NextPage(b.t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(out.Keys), 3)
		for _, k := range out.Keys {
			ids = append(ids, *k.KeyId)
		}
	}
	require.Len(t, ids, 8)
	require.IsIncreasing(t, ids)
	_, err = c.ListKeys(b.t.Context(), &kms.ListKeysInput{Marker: aws.String("!")})
	require.Equal(t, "InvalidMarkerException", code(err))
}

func TestReplicateKey(t *testing.T) {
	b := begin(t, func(c *awssim.Config) { c.Delays.ReplicaCreation = world.Always(30 * time.Second) })
	c := b.worker().kms("us-east-1")
	replicate := func(region, key, target string) string {
		_, err := b.worker().kms(region).ReplicateKey(b.t.Context(), &kms.ReplicateKeyInput{KeyId: aws.String(key), ReplicaRegion: aws.String(target)})
		return code(err)
	}
	require.Equal(t, "UnsupportedOperationException", replicate("us-east-1", awssim.SingleRegionKeyID, "us-west-2"))
	require.Equal(t, "UnsupportedOperationException", replicate("us-west-2", awssim.MultiRegionKeyID, "ap-south-1"), "only the primary")
	require.Equal(t, "AlreadyExistsException", replicate("us-east-1", awssim.MultiRegionKeyID, "us-west-2"))
	for _, region := range []string{"us-east-1", "cn-north-1", "us-gov-west-1", "US_EAST_2", "nowhere"} {
		require.Equal(t, "ValidationException", replicate("us-east-1", awssim.MultiRegionKeyID, region), region)
	}

	policy := keyPolicy(`"Principal":{"AWS":"arn:aws:iam::111122223333:user/atlas-cmk-worker"},"Action":"kms:*","Resource":"*"`)
	out, err := c.ReplicateKey(b.t.Context(), &kms.ReplicateKeyInput{
		KeyId: aws.String(awssim.MultiRegionKeyARN), ReplicaRegion: aws.String("ap-south-1"), Policy: &policy,
		Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}},
	})
	require.NoError(t, err)
	require.Equal(t, types.KeyStateCreating, out.ReplicaKeyMetadata.KeyState)
	require.Equal(t, policy, *out.ReplicaPolicy)
	require.Len(t, out.ReplicaTags, 1)
	b.clock.advance(30 * time.Second)
	seen, err := b.worker().kms("ap-south-1").DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: out.ReplicaKeyMetadata.Arn})
	require.NoError(t, err)
	require.Equal(t, types.KeyStateEnabled, seen.KeyMetadata.KeyState)
	require.Equal(t, types.MultiRegionKeyTypeReplica, seen.KeyMetadata.MultiRegionConfiguration.MultiRegionKeyType)
	require.Len(t, seen.KeyMetadata.MultiRegionConfiguration.ReplicaKeys, 3)

	_, err = c.UpdatePrimaryRegion(b.t.Context(), &kms.UpdatePrimaryRegionInput{KeyId: aws.String(awssim.MultiRegionKeyID), PrimaryRegion: aws.String("ap-south-1")})
	require.NoError(t, err)
	view := awssim.KeyView{}
	require.NoError(t, b.do(func() (err error) { view, err = b.ResolveKey(awssim.MultiRegionKeyAlias, "us-east-1"); return err }))
	require.Equal(t, "ap-south-1", view.PrimaryRegion)
	require.Equal(t, []string{"eu-west-1", "us-east-1", "us-west-2"}, view.ReplicaRegions)
	_, err = c.EnableKeyRotation(b.t.Context(), &kms.EnableKeyRotationInput{KeyId: aws.String(awssim.MultiRegionKeyID)})
	require.Equal(t, "UnsupportedOperationException", code(err), "rotation is the primary's")
}

func keyPolicy(allow ...string) string {
	var statements []string
	for i, s := range allow {
		statements = append(statements, fmt.Sprintf(`{"Sid":"s%d","Effect":"Allow",%s}`, i, s))
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func TestPutKeyPolicy(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().kms("us-east-1")
	const (
		worker = `"Principal":{"AWS":"arn:aws:iam::111122223333:user/atlas-cmk-worker"},"Action":"kms:*","Resource":"*"`
		root   = `"Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"`
		lost   = "MalformedPolicyDocumentException"
	)
	use := func(principal string) string {
		return fmt.Sprintf(`"Principal":{"AWS":%q},"Action":"kms:Decrypt","Resource":"*"`, principal)
	}
	for _, x := range []struct{ name, policy, want string }{
		{"delegation", keyPolicy(root), ""},
		{"by name", keyPolicy(worker), ""},
		{"of a policy by id of the account", keyPolicy(`"Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"`), ""},
		{"another account that exists", keyPolicy(root, use("arn:aws:iam::444455556666:root")), ""},
		{"no JSON", "{", lost},
		{"an unknown role", keyPolicy(root, use("arn:aws:iam::111122223333:role/nobody")), lost},
		{"an unknown account", keyPolicy(root, use("arn:aws:iam::999999999999:root")), lost},
		{"a unique id of nobody", keyPolicy(root, use("AROAAAAAAAAAAAAAAAAAA")), lost},
		{"no resource", keyPolicy(root, `"Principal":"*","Action":"kms:Decrypt"`), lost},
		{"an administrator locked out", keyPolicy(`"Principal":{"AWS":"arn:aws:iam::111122223333:user/atlas-kms"},"Action":"kms:*","Resource":"*"`), lost},
		{"32 KiB and more", keyPolicy(root, `"Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:userid":"`+strings.Repeat("x", 32<<10)+`"}}`), "LimitExceededException"},
	} {
		_, err := c.PutKeyPolicy(b.t.Context(), &kms.PutKeyPolicyInput{KeyId: aws.String(awssim.MultiRegionKeyID), Policy: &x.policy})
		require.Equal(t, x.want, code(err), x.name)
		if x.want == "" {
			out, err := c.GetKeyPolicy(b.t.Context(), &kms.GetKeyPolicyInput{KeyId: aws.String(awssim.MultiRegionKeyID)})
			require.NoError(t, err)
			require.Equal(t, x.policy, *out.Policy, "as it was put")
		}
	}
	_, err := c.PutKeyPolicy(b.t.Context(), &kms.PutKeyPolicyInput{
		KeyId: aws.String(awssim.MultiRegionKeyID), BypassPolicyLockoutSafetyCheck: true,
		Policy: aws.String(keyPolicy(`"Principal":{"AWS":"arn:aws:iam::111122223333:user/atlas-kms"},"Action":"kms:*","Resource":"*"`)),
	})
	require.NoError(t, err)
	require.Equal(t, "AccessDeniedException", code(keyCalls(b, c, awssim.MultiRegionKeyID)["GetKeyPolicy"]()), "locked out")
	require.Empty(t, code(keyCalls(b, b.worker().kms("us-west-2"), awssim.MultiRegionKeyID)["GetKeyPolicy"]()), "a replica has its own policy")
}

func TestAliases(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().kms("us-east-1")
	alias := func(name, key string) string {
		_, err := c.CreateAlias(b.t.Context(), &kms.CreateAliasInput{AliasName: &name, TargetKeyId: &key})
		return code(err)
	}
	require.Equal(t, "AlreadyExistsException", alias(awssim.MultiRegionKeyAlias, awssim.SingleRegionKeyID))
	require.Equal(t, "InvalidAliasNameException", alias("atlas", awssim.SingleRegionKeyID))
	require.Equal(t, "NotAuthorizedException", alias("alias/aws/ebs", awssim.SingleRegionKeyID))
	require.Equal(t, "NotFoundException", alias("alias/new", "1234abcd-12ab-34cd-56ef-000000000000"))
	require.Empty(t, alias("alias/new", awssim.SingleRegionKeyID))
	list := func(key *string) []string {
		var names []string
		for p := kms.NewListAliasesPaginator(c, &kms.ListAliasesInput{KeyId: key, Limit: aws.Int32(1)}); p.HasMorePages(); {
			out, err := p.NextPage(b.t.Context())
			require.NoError(t, err)
			for _, a := range out.Aliases {
				names = append(names, *a.AliasName)
			}
		}
		return names
	}
	require.Equal(t, []string{"alias/atlas-cmk", "alias/atlas-cmk-single", "alias/new"}, list(nil))
	require.Equal(t, []string{"alias/atlas-cmk-single", "alias/new"}, list(aws.String(awssim.SingleRegionKeyID)))
	_, err := c.UpdateAlias(b.t.Context(), &kms.UpdateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: aws.String(awssim.MultiRegionKeyID)})
	require.NoError(t, err)
	out, err := c.DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/new")})
	require.NoError(t, err)
	require.Equal(t, awssim.MultiRegionKeyID, *out.KeyMetadata.KeyId)
	_, err = c.DeleteAlias(b.t.Context(), &kms.DeleteAliasInput{AliasName: aws.String("alias/new")})
	require.NoError(t, err)
	_, err = c.DeleteAlias(b.t.Context(), &kms.DeleteAliasInput{AliasName: aws.String("alias/new")})
	require.Equal(t, "NotFoundException", code(err))
}

func TestGrants(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().kms("us-east-1")
	user := b.as(awssim.AtlasUserAccessKeyID, awssim.AtlasUserSecret, "").kms("us-east-1")
	encrypt := func(given map[string]string) string {
		_, err := user.Encrypt(b.t.Context(), &kms.EncryptInput{KeyId: aws.String(awssim.MultiRegionKeyID), Plaintext: []byte("x"), EncryptionContext: given})
		return code(err)
	}
	require.Equal(t, "AccessDeniedException", encrypt(nil))
	in := &kms.CreateGrantInput{
		KeyId: aws.String(awssim.MultiRegionKeyID), GranteePrincipal: aws.String("arn:aws:iam::111122223333:user/atlas-kms"), Name: aws.String("once"),
		Operations: []types.GrantOperation{"Encrypt"}, Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "1"}},
	}
	made, err := c.CreateGrant(b.t.Context(), in)
	require.NoError(t, err)
	again, err := c.CreateGrant(b.t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, *made.GrantId, *again.GrantId, "a name makes it the same grant")
	require.Equal(t, "AccessDeniedException", encrypt(nil))
	require.Empty(t, encrypt(map[string]string{"a": "1", "b": "2"}))
	listed, err := c.ListGrants(b.t.Context(), &kms.ListGrantsInput{KeyId: aws.String(awssim.MultiRegionKeyID)})
	require.NoError(t, err)
	require.Len(t, listed.Grants, 1)
	_, err = c.RevokeGrant(b.t.Context(), &kms.RevokeGrantInput{KeyId: aws.String(awssim.MultiRegionKeyID), GrantId: made.GrantId})
	require.NoError(t, err)
	require.Equal(t, "AccessDeniedException", encrypt(map[string]string{"a": "1"}))
	_, err = c.RetireGrant(b.t.Context(), &kms.RetireGrantInput{GrantToken: made.GrantToken})
	require.Equal(t, "NotFoundException", code(err))
	in.GranteePrincipal = aws.String("arn:aws:iam::111122223333:role/nobody")
	_, err = c.CreateGrant(b.t.Context(), in)
	require.Equal(t, "InvalidArnException", code(err))
}
