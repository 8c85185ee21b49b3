package awssim_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// withRole is the default AWS with a role that Atlas may assume and that may use the customer's keys.
func withRole(c *awssim.Config) {
	c.Accounts[0].Roles = []awssim.Role{{
		Name: "atlas-cmk", Trust: trust(atlasRoot, externalID),
		Inline: map[string]string{"cmk": use("arn:aws:kms:*:" + awssim.CustomerAccount + ":key/*")},
	}}
}

// statementOf is a key policy that lets the worker administer, and that adds one statement.
func statementOf(effect, rest string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},{"Sid":"it","Effect":%q,%s}]}`, effect, rest)
}

// What stands between Atlas's role and a key, and what does not.
func TestWhatBlocksAtlas(t *testing.T) {
	public := awssim.Path{SourceIP: "198.51.100.7"}
	private := awssim.Path{VPCEndpoint: "vpce-1", VPC: "vpc-1"}
	const denied = "AccessDeniedException"
	key := func(text string) func(*bench) error {
		return func(b *bench) error { return b.PutKeyPolicy("us-east-1", awssim.MultiRegionKeyID, text) }
	}
	deny := func(condition string) func(*bench) error {
		return key(statementOf("Deny", `"Principal":"*","Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*","Condition":{`+condition+`}`))
	}
	role := func(text string) func(*bench) error {
		return func(b *bench) error { return b.PutRolePolicy(roleARN, "cmk", text) }
	}
	roleWith := func(condition string) func(*bench) error {
		return role(strings.TrimSuffix(use("*"), "}]}") + `,"Condition":{` + condition + `}}]}`)
	}
	for _, x := range []struct {
		name            string
		act             func(*bench) error
		public, private string
	}{
		{"nothing", func(*bench) error { return nil }, "", ""},
		{"no delegation to IAM", key(keyPolicy(`"Principal":{"AWS":"arn:aws:iam::111122223333:user/atlas-cmk-worker"},"Action":"kms:*","Resource":"*"`)), denied, denied},
		{"no delegation, but the role by name", key(keyPolicy(`"Principal":{"AWS":"` + roleARN + `"},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"`)), "", ""},
		{"a denial for all but one endpoint", deny(`"StringNotEquals":{"aws:SourceVpce":"vpce-1"}`), denied, ""},
		{"a denial for all but another endpoint", deny(`"StringNotEquals":{"aws:SourceVpce":"vpce-2"}`), denied, denied},
		{"a denial for all but one VPC", deny(`"StringNotEqualsIfExists":{"aws:SourceVpc":"vpc-1"}`), denied, ""},
		{"a denial for all but some addresses", deny(`"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}`), "", denied},
		{"a denial of the address within a VPC", deny(`"IpAddress":{"aws:VpcSourceIp":"192.168.0.0/16"}`), "", denied},
		{"a denial unless through a service", deny(`"StringNotEquals":{"kms:ViaService":"ec2.us-east-1.amazonaws.com"}`), denied, denied},
		{"a denial without an encryption context", deny(`"Null":{"kms:EncryptionContext:app":"true"}`), denied, denied},
		{"a denial of other principals", deny(`"ArnNotEquals":{"aws:PrincipalArn":"` + roleARN + `"}`), "", ""},
		{"a denial of other accounts", deny(`"StringNotEquals":{"kms:CallerAccount":"111122223333"}`), "", ""},
		{"NotPrincipal without the session", key(statementOf("Deny", `"NotPrincipal":{"AWS":["arn:aws:iam::111122223333:root","`+roleARN+`"]},"Action":"kms:Encrypt","Resource":"*"`)), denied, denied},
		{"a role policy for some addresses", roleWith(`"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}`), "", denied},
		{"a role policy for one endpoint", roleWith(`"StringEquals":{"aws:SourceVpce":"vpce-1"}`), denied, ""},
		{"a role policy for another key", role(use(awssim.SingleRegionKeyARN)), denied, denied},
		{"a role policy by alias", role(use("arn:aws:kms:us-east-1:111122223333:alias/atlas-cmk")), denied, denied},
		{"no role policy", func(b *bench) error { return b.DeleteRolePolicy(roleARN, "cmk") }, denied, denied},
		{"no external id any more", func(b *bench) error { return b.SetTrust(roleARN, trust(atlasRoot, "another")) }, "AccessDenied", "AccessDenied"},
		{"another Atlas", func(b *bench) error {
			return b.SetTrust(roleARN, trust("arn:aws:iam::"+awssim.AtlasDevAccount+":root", externalID))
		}, "AccessDenied", "AccessDenied"},
		{"no role", func(b *bench) error { return b.DeleteRole(roleARN) }, "AccessDenied", "AccessDenied"},
		{"a disabled key", func(b *bench) error { return b.DisableKey("us-east-1", awssim.MultiRegionKeyID) }, "DisabledException", "DisabledException"},
		{"another replica disabled", func(b *bench) error { return b.DisableKey("us-west-2", awssim.MultiRegionKeyID) }, "", ""},
		{"a key that will end", func(b *bench) error {
			return b.ScheduleKeyDeletion("us-east-1", awssim.MultiRegionKeyID, 7)
		}, "KMSInvalidStateException", "KMSInvalidStateException"},
		{"a boundary", func(b *bench) error {
			return errors.Join(
				b.PutManagedPolicy("arn:aws:iam::111122223333:policy/limit", use(awssim.SingleRegionKeyARN)),
				b.SetBoundary(roleARN, "arn:aws:iam::111122223333:policy/limit"),
			)
		}, denied, denied},
		{"a boundary taken away again", func(b *bench) error {
			return errors.Join(
				b.PutManagedPolicy("arn:aws:iam::111122223333:policy/limit", use(awssim.SingleRegionKeyARN)),
				b.SetBoundary(roleARN, "arn:aws:iam::111122223333:policy/limit"), b.SetBoundary(roleARN, ""),
			)
		}, "", ""},
		{"a managed policy that denies", func(b *bench) error {
			return errors.Join(
				b.PutManagedPolicy("arn:aws:iam::111122223333:policy/no", strings.Replace(use("*"), "Allow", "Deny", 1)),
				b.AttachRolePolicy(roleARN, "arn:aws:iam::111122223333:policy/no"),
			)
		}, denied, denied},
	} {
		b := begin(t, withRole)
		require.NoError(t, b.do(func() error { return x.act(b) }), x.name)
		id := awssim.Identity{Principal: atlasRoot, RoleARN: roleARN, ExternalID: externalID}
		for path, want := range map[awssim.Path]string{public: x.public, private: x.private} {
			err := b.do(func() error { return b.UseKey(id, []string{"kms:Encrypt"}, awssim.MultiRegionKeyID, "us-east-1", path) })
			require.Equal(t, want, code(err), "%s: %+v: %v", x.name, path, err)
			var refusal *awssim.Error
			if errors.As(err, &refusal) && strings.HasPrefix(x.name, "a denial") {
				require.Equal(t, "it", refusal.Statement)
				require.Contains(t, refusal.Message, "with an explicit deny in a resource-based policy")
			}
		}
	}
}

// Between accounts both sides must consent, and the key must be given in full.
func TestAKeyOfAnotherAccount(t *testing.T) {
	b := begin(t, withRole)
	id := awssim.Identity{Principal: atlasRoot, RoleARN: roleARN, ExternalID: externalID}
	uses := func(ref string) string {
		return code(b.do(func() error { return b.UseKey(id, []string{"kms:Decrypt"}, ref, "us-east-1", awssim.Path{}) }))
	}
	require.Equal(t, "NotFoundException", uses(awssim.OtherAccountKeyID))
	require.Equal(t, "AccessDeniedException", uses(awssim.OtherAccountKeyARN))
	require.NoError(t, b.do(func() error { return b.PutRolePolicy(roleARN, "cmk", use(awssim.OtherAccountKeyARN)) }))
	require.Equal(t, "AccessDeniedException", uses(awssim.OtherAccountKeyARN))
	root := `"Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"kms:*","Resource":"*"`
	for _, principal := range []string{roleARN, "arn:aws:iam::111122223333:root", "111122223333", "*"} {
		admit := keyPolicy(root, `"Principal":{"AWS":"`+principal+`"},"Action":"kms:Decrypt","Resource":"*"`)
		require.NoError(t, b.do(func() error { return b.PutKeyPolicy("us-east-1", awssim.OtherAccountKeyARN, admit) }))
		require.Empty(t, uses(awssim.OtherAccountKeyARN), principal)
	}
	require.NoError(t, b.do(func() error { return b.DeleteRolePolicy(roleARN, "cmk") }))
	require.Equal(t, "AccessDeniedException", uses(awssim.OtherAccountKeyARN))
}

// What was written is seen late, in order, and for good: a later write that is known sooner is not undone by an earlier.
func TestKnowledgeDoesNotGoBack(t *testing.T) {
	b := begin(t, func(c *awssim.Config) {
		withRole(c)
		c.Delays.IAMRead = world.Distribution{Median: 5 * time.Second, P95: 30 * time.Second}
		c.Delays.IAMEnforcement = world.Distribution{Median: 10 * time.Second, P95: time.Minute}
	})
	c := b.worker().iam()
	last, lastEnforced := -1, -1
	for i := range 300 {
		if i < 100 {
			_, err := c.UpdateAssumeRolePolicy(b.t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("atlas-cmk"), PolicyDocument: aws.String(trust(atlasRoot, fmt.Sprintf("id-%03d", i)))})
			require.NoError(t, err)
		}
		out, err := c.GetRole(b.t.Context(), &iam.GetRoleInput{RoleName: aws.String("atlas-cmk")})
		require.NoError(t, err)
		seen := -1
		if at := strings.Index(*out.Role.AssumeRolePolicyDocument, "id-"); at >= 0 {
			_, err = fmt.Sscanf((*out.Role.AssumeRolePolicyDocument)[at:], "id-%d", &seen)
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, seen, last)
		last = seen
		for j := range 100 {
			id := awssim.Identity{Principal: atlasRoot, RoleARN: roleARN, ExternalID: fmt.Sprintf("id-%03d", j)}
			if b.do(func() error { return b.Assume(id) }) == nil {
				require.GreaterOrEqual(t, j, lastEnforced)
				lastEnforced = j
			}
		}
		b.clock.advance(2 * time.Second)
	}
	require.Equal(t, 99, last)
	require.Equal(t, 99, lastEnforced)
}

func TestAccessKeyOfAUserProject(t *testing.T) {
	b := begin(t, nil)
	id := awssim.Identity{AccessKeyID: awssim.AtlasUserAccessKeyID, SecretAccessKey: awssim.AtlasUserSecret}
	for _, action := range []string{"kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"} {
		require.NoError(t, b.do(func() error {
			return b.UseKey(id, []string{action}, awssim.SingleRegionKeyID, "us-east-1", awssim.Path{})
		}))
	}
	require.Equal(t, "AccessDeniedException", code(b.do(func() error {
		return b.UseKey(id, []string{"kms:Encrypt"}, awssim.MultiRegionKeyID, "us-east-1", awssim.Path{})
	})))
	id.AccessKeyID = "AKIANOBODY0000000000"
	require.Equal(t, "InvalidClientTokenId", code(b.do(func() error { return b.Assume(id) })))
}

func TestActsOfOthersAreCheckedToo(t *testing.T) {
	b := begin(t, withRole)
	const nobody = "arn:aws:iam::111122223333:role/nobody"
	for name, x := range map[string]struct {
		act  func() error
		want string
	}{
		"DisableKey of none":          {func() error { return b.DisableKey("ap-south-1", awssim.MultiRegionKeyID) }, "NotFoundException"},
		"EnableKey":                   {func() error { return b.EnableKey("us-east-1", awssim.MultiRegionKeyAlias) }, ""},
		"CancelKeyDeletion":           {func() error { return b.CancelKeyDeletion("us-east-1", awssim.MultiRegionKeyID) }, "KMSInvalidStateException"},
		"ScheduleKeyDeletion":         {func() error { return b.ScheduleKeyDeletion("us-east-1", awssim.MultiRegionKeyID, 1) }, "ValidationException"},
		"DeleteImportedKeyMaterial":   {func() error { return b.DeleteImportedKeyMaterial("us-east-1", awssim.MultiRegionKeyID) }, "UnsupportedOperationException"},
		"PutKeyPolicy of no JSON":     {func() error { return b.PutKeyPolicy("us-east-1", awssim.MultiRegionKeyID, "") }, "MalformedPolicyDocumentException"},
		"ReplicateKey twice":          {func() error { return b.ReplicateKey("us-east-1", awssim.MultiRegionKeyID, "us-west-2") }, "AlreadyExistsException"},
		"ReplicateKey of one region":  {func() error { return b.ReplicateKey("us-east-1", awssim.SingleRegionKeyID, "us-west-2") }, "UnsupportedOperationException"},
		"UpdateAlias":                 {func() error { return b.UpdateAlias("us-east-1", awssim.MultiRegionKeyAlias, awssim.SingleRegionKeyID) }, ""},
		"CreateRole":                  {func() error { return b.CreateRole(nobody+"2", trust(atlasRoot, "x")) }, ""},
		"CreateRole twice":            {func() error { return b.CreateRole(roleARN, trust(atlasRoot, "x")) }, "EntityAlreadyExists"},
		"CreateRole of a user":        {func() error { return b.CreateRole("arn:aws:iam::111122223333:user/x", trust(atlasRoot, "x")) }, "ValidationError"},
		"DeleteRole of nobody":        {func() error { return b.DeleteRole(nobody) }, "NoSuchEntity"},
		"SetTrust of nobody":          {func() error { return b.SetTrust(nobody, trust(atlasRoot, "x")) }, "NoSuchEntity"},
		"SetTrust too long":           {func() error { return b.SetTrust(roleARN, trust(atlasRoot, strings.Repeat("x", 2048))) }, "LimitExceeded"},
		"DeleteRolePolicy of none":    {func() error { return b.DeleteRolePolicy(roleARN, "none") }, "NoSuchEntity"},
		"AttachRolePolicy of none":    {func() error { return b.AttachRolePolicy(roleARN, "arn:aws:iam::111122223333:policy/none") }, "NoSuchEntity"},
		"SetBoundary of none":         {func() error { return b.SetBoundary(roleARN, "arn:aws:iam::111122223333:policy/none") }, "NoSuchEntity"},
		"PutManagedPolicy of AWS":     {func() error { return b.PutManagedPolicy("arn:aws:iam::aws:policy/AdministratorAccess", use("*")) }, "ValidationError"},
		"SetAccessKeyActive of none":  {func() error { return b.SetAccessKeyActive("AKIA", true) }, "NoSuchEntity"},
		"DeleteAccessKey of none":     {func() error { return b.DeleteAccessKey("AKIA") }, "NoSuchEntity"},
		"PutRolePolicy of a user too": {func() error { return b.PutRolePolicy("arn:aws:iam::111122223333:user/atlas-kms", "p", use("*")) }, ""},
	} {
		require.Equal(t, x.want, code(b.do(x.act)), name)
	}
	require.NoError(t, b.Reset())
	require.Equal(t, "NoSuchEntity", code(b.do(func() error { return b.DeleteRole(nobody + "2") })), "reset")
}

func TestConfigurationAsYAML(t *testing.T) {
	c := awssim.DefaultConfig()
	withRole(&c)
	text, err := yaml.Marshal(c)
	require.NoError(t, err)
	var again awssim.Config
	require.NoError(t, yaml.UnmarshalWithOptions(text, &again, yaml.Strict()))
	require.Equal(t, c, again)
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for want, edit := range map[string]func(*awssim.Config){
		`account "1": an account id has 12 digits`:  func(c *awssim.Config) { c.Accounts[0].ID = "1" },
		"there are two of this name":                func(c *awssim.Config) { c.Accounts[0].Users = append(c.Accounts[0].Users, c.Accounts[0].Users[0]) },
		"there are two of this id":                  func(c *awssim.Config) { c.Accounts[0].Keys = append(c.Accounts[0].Keys, c.Accounts[0].Keys[0]) },
		"replicas of a key whose id does not begin": func(c *awssim.Config) { c.Accounts[0].Keys[1].Replicas = []awssim.Replica{{Region: "us-west-2"}} },
		"an alias begins with alias/":               func(c *awssim.Config) { c.Accounts[0].Keys[1].Aliases = []string{"x"} },
		"key policy: syntax errors in policy":       func(c *awssim.Config) { c.Accounts[0].Keys[1].Policy = "{" },
		"policy arn:aws:iam::aws:policy/No: not found": func(c *awssim.Config) {
			c.Accounts[0].Users[0].Attached = []string{"arn:aws:iam::aws:policy/No"}
		},
		"trust policy: Invalid principal in policy": func(c *awssim.Config) {
			withRole(c)
			c.Accounts[0].Roles[0].Trust = trust("arn:aws:iam::999999999999:root", "x")
		},
	} {
		c := awssim.DefaultConfig()
		edit(&c)
		_, err := awssim.New(awssim.Options{World: world.New(world.Options{}), Journal: begin(t, nil).journal, Config: c})
		require.ErrorContains(t, err, want)
	}
}
