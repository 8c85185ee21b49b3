package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// What a simulated Atlas pays for a node's look at its key.
func BenchmarkCheckKey(b *testing.B) {
	x := begin(b, withRole)
	id := awssim.Identity{Principal: atlasRoot, RoleARN: roleARN, ExternalID: externalID}
	for b.Loop() {
		require.NoError(b, x.do(func() error {
			return x.CheckKey(id, []string{"kms:Encrypt"}, awssim.MultiRegionKeyID, "us-west-2", awssim.Path{VPCEndpoint: "vpce-1"})
		}))
	}
}

// A request over HTTP, the client's work included.
func BenchmarkDescribeKey(b *testing.B) {
	x := begin(b, nil)
	c := x.worker().kms("us-east-1")
	for b.Loop() {
		_, err := c.DescribeKey(b.Context(), &kms.DescribeKeyInput{KeyId: aws.String(awssim.MultiRegionKeyID)})
		require.NoError(b, err)
	}
}
