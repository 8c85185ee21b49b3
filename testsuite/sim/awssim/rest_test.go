package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

func TestRotation(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().kms("us-east-1")
	id := aws.String(awssim.SingleRegionKeyID)
	status := func() *kms.GetKeyRotationStatusOutput {
		out, err := c.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: id})
		require.NoError(t, err)
		return out
	}
	enable := func(days int32) string {
		_, err := c.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: id, RotationPeriodInDays: &days})
		return code(err)
	}
	require.False(t, status().KeyRotationEnabled)
	require.Equal(t, "ValidationException", enable(89))
	require.Empty(t, enable(90))
	first := *status().NextRotationDate
	require.Equal(t, b.clock.Now().Add(90*24*time.Hour), first)
	sealed, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: id, Plaintext: []byte("x")})
	require.NoError(t, err)
	b.clock.advance(100 * 24 * time.Hour)
	require.Equal(t, first.Add(90*24*time.Hour), *status().NextRotationDate)
	require.Equal(t, int32(90), *status().RotationPeriodInDays)
	opened, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	require.NoError(t, err)
	require.Equal(t, "x", string(opened.Plaintext))
	_, err = c.DisableKeyRotation(t.Context(), &kms.DisableKeyRotationInput{KeyId: id})
	require.NoError(t, err)
	require.False(t, status().KeyRotationEnabled)
	mac, err := c.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})
	require.NoError(t, err)
	id = mac.KeyMetadata.KeyId
	require.Equal(t, "UnsupportedOperationException", enable(90))
}

// Keys that AWS manages can be looked at, and neither used nor changed.
func TestAWSManagedKeys(t *testing.T) {
	const id = "aaaaaaaa-12ab-34cd-56ef-1234567890ab"
	b := begin(t, func(c *awssim.Config) {
		c.Accounts[0].Keys = append(c.Accounts[0].Keys, awssim.Key{ID: id, Region: "us-east-1", Manager: "AWS", Aliases: []string{"alias/aws/ebs"}})
	})
	calls := keyCalls(b, b.worker().kms("us-east-1"), id)
	for _, name := range []string{"DescribeKey", "GetKeyPolicy", "ListGrants"} {
		require.Empty(t, code(calls[name]()), name)
	}
	for _, name := range []string{"Encrypt", "GenerateDataKey", "PutKeyPolicy", "CreateGrant", "DisableKey", "ScheduleKeyDeletion", "EnableKeyRotation"} {
		require.Equal(t, "AccessDeniedException", code(calls[name]()), name)
	}
	require.Empty(t, code(keyCalls(b, b.worker().kms("us-east-1"), "alias/aws/ebs")["DescribeKey"]()))
}

func TestTagsAndDescriptionsOfKeys(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().kms("us-east-1")
	id := aws.String(awssim.SingleRegionKeyID)
	var want []kmstypes.Tag
	for _, name := range []string{"a", "b", "c"} {
		want = append(want, kmstypes.Tag{TagKey: aws.String(name), TagValue: aws.String("1")})
	}
	_, err := c.TagResource(t.Context(), &kms.TagResourceInput{KeyId: id, Tags: want})
	require.NoError(t, err)
	_, err = c.UntagResource(t.Context(), &kms.UntagResourceInput{KeyId: id, TagKeys: []string{"b"}})
	require.NoError(t, err)
	var got []kmstypes.Tag
	for p := kms.NewListResourceTagsPaginator(c, &kms.ListResourceTagsInput{KeyId: id, Limit: aws.Int32(1)}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		got = append(got, out.Tags...)
	}
	require.Equal(t, []kmstypes.Tag{want[0], want[2]}, got)
	_, err = c.UpdateKeyDescription(t.Context(), &kms.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("new")})
	require.NoError(t, err)
	out, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: id})
	require.NoError(t, err)
	require.Equal(t, "new", *out.KeyMetadata.Description)
}

func TestGrantsAreRetiredByTheirOwn(t *testing.T) {
	b := begin(t, nil)
	c, user := b.worker().kms("us-east-1"), b.as(awssim.AtlasUserAccessKeyID, awssim.AtlasUserSecret, "").kms("us-east-1")
	const ann = "arn:aws:iam::111122223333:user/atlas-kms"
	id := aws.String(awssim.MultiRegionKeyARN)
	for _, x := range []struct {
		retiring   *string
		operations []kmstypes.GrantOperation
		want       string
	}{
		{nil, []kmstypes.GrantOperation{"Encrypt"}, "AccessDeniedException"},
		{nil, []kmstypes.GrantOperation{"Encrypt", "RetireGrant"}, ""},
		{aws.String(ann), []kmstypes.GrantOperation{"Encrypt"}, ""},
	} {
		made, err := c.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: id, GranteePrincipal: aws.String(ann), RetiringPrincipal: x.retiring, Operations: x.operations})
		require.NoError(t, err)
		_, err = user.RetireGrant(t.Context(), &kms.RetireGrantInput{KeyId: id, GrantId: made.GrantId})
		require.Equal(t, x.want, code(err))
	}
}

func TestImportedMaterialIsDeleted(t *testing.T) {
	const id = "bbbbbbbb-12ab-34cd-56ef-1234567890ab"
	b := begin(t, func(c *awssim.Config) {
		for _, x := range []string{id, "mrk-bbbbbbbb12ab34cd56ef1234567890ab"} {
			c.Accounts[0].Keys = append(c.Accounts[0].Keys, awssim.Key{ID: x, Region: "us-east-1", Origin: "EXTERNAL"})
		}
	})
	c := b.worker().kms("us-east-1")
	state := func(id string) kmstypes.KeyState {
		out, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id})
		require.NoError(t, err)
		return out.KeyMetadata.KeyState
	}
	require.Equal(t, kmstypes.KeyStateEnabled, state(id))
	_, err := c.DeleteImportedKeyMaterial(t.Context(), &kms.DeleteImportedKeyMaterialInput{KeyId: aws.String(id)})
	require.NoError(t, err)
	require.Equal(t, kmstypes.KeyStatePendingImport, state(id))
	const multi = "mrk-bbbbbbbb12ab34cd56ef1234567890ab"
	require.NoError(t, b.do(func() error { return b.DeleteImportedKeyMaterial("us-east-1", multi) }))
	require.Equal(t, kmstypes.KeyStatePendingImport, state(multi))
}

func TestTheRestOfIAM(t *testing.T) {
	b := begin(t, withRole)
	c := b.worker().iam()
	ctx, role, user := t.Context(), aws.String("atlas-cmk"), aws.String(awssim.AtlasUser)
	_, err := c.TagRole(ctx, &iam.TagRoleInput{RoleName: role, Tags: []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}})
	require.NoError(t, err)
	_, err = c.UntagRole(ctx, &iam.UntagRoleInput{RoleName: role, TagKeys: []string{"a"}})
	require.NoError(t, err)
	tags, err := c.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: role})
	require.NoError(t, err)
	require.Equal(t, []iamtypes.Tag{{Key: aws.String("b"), Value: aws.String("2")}}, tags.Tags)
	profiles, err := c.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: role})
	require.NoError(t, err)
	require.Empty(t, profiles.InstanceProfiles)
	summary, err := c.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	require.NoError(t, err)
	require.Equal(t, int32(1), summary.SummaryMap["Roles"])
	require.Equal(t, int32(2), summary.SummaryMap["Users"])

	managed, err := c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(anyAction)})
	require.NoError(t, err)
	arn := managed.Policy.Arn
	_, err = c.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: arn})
	require.NoError(t, err)
	_, err = c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})
	require.Equal(t, "DeleteConflict", code(err))
	_, err = c.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: user})
	require.NoError(t, err)
	_, err = c.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: user})
	require.Equal(t, "NoSuchEntity", code(err))
	require.NoError(t, b.do(func() error { return b.PutManagedPolicy(*arn, use("*")) }))
	versions, err := c.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn})
	require.NoError(t, err)
	require.Equal(t, "v2", *versions.Versions[0].VersionId)
	local, err := c.ListPolicies(ctx, &iam.ListPoliciesInput{Scope: iamtypes.PolicyScopeTypeLocal})
	require.NoError(t, err)
	require.Len(t, local.Policies, 1)
	_, err = c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})
	require.NoError(t, err)
	_, err = c.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
	require.Equal(t, "NoSuchEntity", code(err))

	listed, err := c.ListUsers(ctx, &iam.ListUsersInput{})
	require.NoError(t, err)
	require.Len(t, listed.Users, 2)
	names, err := c.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: user})
	require.NoError(t, err)
	require.Equal(t, []string{"atlas-kms"}, names.PolicyNames)
	_, err = c.ListGroups(ctx, &iam.ListGroupsInput{})
	require.Equal(t, "InvalidAction", code(err), "what is not simulated says so")
	_, err = b.worker().kms("us-east-1").ListRetirableGrants(ctx, &kms.ListRetirableGrantsInput{RetiringPrincipal: role})
	require.Equal(t, "UnknownOperationException", code(err))
}
