package awssim_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

const (
	roleARN    = "arn:aws:iam::" + awssim.CustomerAccount + ":role/atlas-cmk"
	externalID = "0a1b2c3d-0000-4000-8000-000000000000"
	atlasRoot  = "arn:aws:iam::" + awssim.AtlasAccount + ":root"
)

func trust(principal, externalID string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":%q}}}]}`, principal, externalID)
}

func use(resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Decrypt","kms:Encrypt","kms:DescribeKey"],"Resource":%q}]}`, resource)
}

// The way to a key as a change walks it: role, trust, permissions, then Atlas's use of every replica.
func TestTheWayToAKey(t *testing.T) {
	b := begin(t, func(c *awssim.Config) {
		c.Delays.IAMEnforcement = world.Always(20 * time.Second)
		c.Delays.IAMRead = world.Always(5 * time.Second)
	})
	id := awssim.Identity{Principal: atlasRoot, RoleARN: roleARN, ExternalID: externalID}
	uses := func(region string) string {
		return code(b.do(func() error {
			return b.UseKey(id, []string{"kms:Encrypt"}, awssim.MultiRegionKeyID, region, awssim.Path{})
		}))
	}
	assumes := func() string { return code(b.do(func() error { return b.Assume(id) })) }
	w := b.worker()
	who, err := w.sts().GetCallerIdentity(b.t.Context(), &sts.GetCallerIdentityInput{})
	require.NoError(t, err)
	require.Equal(t, "arn:aws:iam::111122223333:user/atlas-cmk-worker", *who.Arn)

	made, err := w.iam().CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: aws.String("atlas-cmk"), AssumeRolePolicyDocument: aws.String(trust(atlasRoot, externalID))})
	require.NoError(t, err)
	require.Equal(t, roleARN, *made.Role.Arn)
	_, err = w.iam().GetRole(b.t.Context(), &iam.GetRoleInput{RoleName: aws.String("atlas-cmk")})
	require.Equal(t, "NoSuchEntity", code(err), "reads lag")
	_, err = w.iam().PutRolePolicy(b.t.Context(), &iam.PutRolePolicyInput{
		RoleName: aws.String("atlas-cmk"), PolicyName: aws.String("cmk"), PolicyDocument: aws.String(use("arn:aws:kms:*:111122223333:key/" + awssim.MultiRegionKeyID)),
	})
	require.NoError(t, err)
	require.Equal(t, "AccessDenied", assumes(), "enforcement lags")

	b.clock.advance(5 * time.Second)
	read, err := w.iam().GetRole(b.t.Context(), &iam.GetRoleInput{RoleName: aws.String("atlas-cmk")})
	require.NoError(t, err)
	text, err := url.QueryUnescape(*read.Role.AssumeRolePolicyDocument)
	require.NoError(t, err)
	require.JSONEq(t, trust(atlasRoot, externalID), text)
	require.Equal(t, "AccessDenied", assumes())

	b.clock.advance(15 * time.Second)
	require.Empty(t, assumes())
	id.ExternalID = "another"
	require.Equal(t, "AccessDenied", assumes())
	id.ExternalID = externalID
	for _, region := range []string{"us-east-1", "us-west-2", "eu-west-1"} {
		require.Empty(t, uses(region), region)
	}
	require.Equal(t, "NotFoundException", uses("ap-south-1"))
	require.NoError(t, b.do(func() error { return b.DisableKey("us-west-2", awssim.MultiRegionKeyID) }))
	require.Equal(t, "DisabledException", uses("us-west-2"))
	require.Empty(t, uses("us-east-1"))

	seen, err := w.kms("us-west-2").DescribeKey(b.t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(awssim.MultiRegionKeyAlias)})
	require.NoError(t, err)
	require.Equal(t, "Disabled", string(seen.KeyMetadata.KeyState))
	require.Len(t, seen.KeyMetadata.MultiRegionConfiguration.ReplicaKeys, 2)
	require.Equal(t, "us-east-1", *seen.KeyMetadata.MultiRegionConfiguration.PrimaryKey.Region)
	for _, e := range b.journal.Entries() {
		require.Equal(t, "aws", e.System)
		require.NotZero(t, e.Status)
	}
}
