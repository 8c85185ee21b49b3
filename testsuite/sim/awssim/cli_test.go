package awssim_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// AWS's own command line takes it for AWS, and its signatures for right.
func TestTheAWSCommandLine(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("no aws on PATH")
	}
	b := begin(t, func(c *awssim.Config) {
		c.CheckSignatures = true
		withRole(c)
	})
	for _, x := range []struct {
		want      string
		arguments []string
	}{
		{`"Arn": "arn:aws:iam::111122223333:user/atlas-cmk-worker"`, []string{"sts", "get-caller-identity"}},
		{`"sts:ExternalId": "` + externalID + `"`, []string{"iam", "get-role", "--role-name", "atlas-cmk"}},
		{`"KeyState": "Enabled"`, []string{"kms", "describe-key", "--key-id", awssim.MultiRegionKeyAlias, "--region", "eu-west-1"}},
		{`"CiphertextBlob"`, []string{"kms", "encrypt", "--key-id", awssim.MultiRegionKeyAlias, "--plaintext", "aGVsbG8="}},
		{`"RoleName": "made"`, []string{"iam", "create-role", "--role-name", "made", "--assume-role-policy-document",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}`}},
	} {
		command := exec.CommandContext(t.Context(), cli, append(x.arguments, "--output", "json")...)
		command.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+b.url,
			"AWS_ACCESS_KEY_ID="+awssim.WorkerAccessKeyID, "AWS_SECRET_ACCESS_KEY="+awssim.WorkerSecret, "AWS_DEFAULT_REGION=us-east-1",
			"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), x.want)
	}
}
