package awssim_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

const anyAction = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func TestRoles(t *testing.T) {
	b := begin(t, func(c *awssim.Config) { c.Quotas.RolesPerAccount = 3 })
	c := b.worker().iam()
	create := func(name, trust string) string {
		_, err := c.CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust, Path: aws.String("/apps/")})
		return code(err)
	}
	good := trust(atlasRoot, externalID)
	for _, x := range []struct{ name, trust, want string }{
		{"a", good, ""},
		{"a", good, "EntityAlreadyExists"},
		{"b", "{", "MalformedPolicyDocument"},
		{"b", strings.Replace(good, "2012-10-17", "2020-03-17", 1), "MalformedPolicyDocument"},
		{"b", trust("arn:aws:iam::111122223333:role/nobody", externalID), "MalformedPolicyDocument"},
		{"b", trust("arn:aws:iam::999999999999:root", externalID), "MalformedPolicyDocument"},
		{"b", use("*"), "MalformedPolicyDocument"},
		{"b", trust(atlasRoot, strings.Repeat("x", 2048)), "LimitExceeded"},
		{"b c", good, "ValidationError"},
		{strings.Repeat("b", 65), good, "ValidationError"},
		{"b", good + strings.Repeat(" ", 3000), ""},
		{"c", good, ""},
		{"d", good, "LimitExceeded"},
	} {
		require.Equal(t, x.want, create(x.name, x.trust), "%s: %.60s", x.name, x.trust)
	}
	_, err := c.GetRole(b.t.Context(), &iam.GetRoleInput{RoleName: aws.String("nobody")})
	require.Equal(t, "NoSuchEntity", code(err))
	require.ErrorContains(t, err, "The role with name nobody cannot be found.")

	var names []string
	for p := iam.NewListRolesPaginator(c, &iam.ListRolesInput{MaxItems: aws.Int32(2)}); p.HasMorePages(); {
		out, err := p.NextPage(b.t.Context())
		require.NoError(t, err)
		for _, r := range out.Roles {
			names = append(names, *r.RoleName)
		}
	}
	require.Equal(t, []string{"a", "b", "c"}, names)

	_, err = c.UpdateRole(b.t.Context(), &iam.UpdateRoleInput{RoleName: aws.String("a"), MaxSessionDuration: aws.Int32(7200), Description: aws.String("d")})
	require.NoError(t, err)
	_, err = c.TagRole(b.t.Context(), &iam.TagRoleInput{RoleName: aws.String("a"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	require.NoError(t, err)
	_, err = c.UpdateAssumeRolePolicy(b.t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("a"), PolicyDocument: aws.String(trust(atlasRoot, "another"))})
	require.NoError(t, err)
	got, err := c.GetRole(b.t.Context(), &iam.GetRoleInput{RoleName: aws.String("a")})
	require.NoError(t, err)
	require.Equal(t, "arn:aws:iam::111122223333:role/apps/a", *got.Role.Arn)
	require.Regexp(t, "^AROA[A-Z0-9]{16}$", *got.Role.RoleId)
	require.Equal(t, int32(7200), *got.Role.MaxSessionDuration)
	require.Equal(t, []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, got.Role.Tags)
	require.Contains(t, *got.Role.AssumeRolePolicyDocument, "%22another%22")
}

func TestRolePolicies(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().iam()
	role := aws.String("a")
	_, err := c.CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(trust(atlasRoot, externalID))})
	require.NoError(t, err)
	put := func(name, text string) string {
		_, err := c.PutRolePolicy(b.t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: &name, PolicyDocument: &text})
		return code(err)
	}
	long := func(n int) string { return use("arn:aws:kms:::key/" + strings.Repeat("x", n)) }
	require.Empty(t, put("one", long(5000)))
	require.Empty(t, put("two", long(4500)))
	require.Equal(t, "LimitExceeded", put("three", long(1000)), "the limit is for all together")
	require.Empty(t, put("two", use("*")))
	require.Equal(t, "MalformedPolicyDocument", put("three", trust(atlasRoot, "x")))
	require.Equal(t, "MalformedPolicyDocument", put("three", "no"))
	listed, err := c.ListRolePolicies(b.t.Context(), &iam.ListRolePoliciesInput{RoleName: role})
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, listed.PolicyNames)
	got, err := c.GetRolePolicy(b.t.Context(), &iam.GetRolePolicyInput{RoleName: role, PolicyName: aws.String("two")})
	require.NoError(t, err)
	text, err := url.PathUnescape(*got.PolicyDocument)
	require.NoError(t, err)
	require.Equal(t, use("*"), text)
	_, err = c.GetRolePolicy(b.t.Context(), &iam.GetRolePolicyInput{RoleName: role, PolicyName: aws.String("none")})
	require.Equal(t, "NoSuchEntity", code(err))

	managed, err := c.CreatePolicy(b.t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(anyAction)})
	require.NoError(t, err)
	arn := managed.Policy.Arn
	_, err = c.AttachRolePolicy(b.t.Context(), &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: arn})
	require.NoError(t, err)
	_, err = c.AttachRolePolicy(b.t.Context(), &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: aws.String("arn:aws:iam::111122223333:policy/none")})
	require.Equal(t, "NoSuchEntity", code(err))
	attached, err := c.ListAttachedRolePolicies(b.t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: role})
	require.NoError(t, err)
	require.Equal(t, []types.AttachedPolicy{{PolicyArn: arn, PolicyName: aws.String("p")}}, attached.AttachedPolicies)
	shown, err := c.GetPolicy(b.t.Context(), &iam.GetPolicyInput{PolicyArn: arn})
	require.NoError(t, err)
	require.Equal(t, int32(1), *shown.Policy.AttachmentCount)
	version, err := c.GetPolicyVersion(b.t.Context(), &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: shown.Policy.DefaultVersionId})
	require.NoError(t, err)
	text, err = url.PathUnescape(*version.PolicyVersion.Document)
	require.NoError(t, err)
	require.JSONEq(t, anyAction, text)

	remove := func() string {
		_, err := c.DeleteRole(b.t.Context(), &iam.DeleteRoleInput{RoleName: role})
		return code(err)
	}
	require.Equal(t, "DeleteConflict", remove())
	_, err = c.DetachRolePolicy(b.t.Context(), &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: arn})
	require.NoError(t, err)
	require.Equal(t, "DeleteConflict", remove())
	for _, name := range listed.PolicyNames {
		_, err = c.DeleteRolePolicy(b.t.Context(), &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: &name})
		require.NoError(t, err)
	}
	require.Empty(t, remove())
	require.Equal(t, "NoSuchEntity", remove())
}

func TestUsersAndAccessKeys(t *testing.T) {
	b := begin(t, func(c *awssim.Config) { c.Delays.LastUsed = world.Always(time.Hour) })
	c := b.worker().iam()
	user := aws.String("ann")
	_, err := c.CreateUser(b.t.Context(), &iam.CreateUserInput{UserName: user})
	require.NoError(t, err)
	_, err = c.PutUserPolicy(b.t.Context(), &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("p"), PolicyDocument: aws.String(use(awssim.SingleRegionKeyARN))})
	require.NoError(t, err)
	made, err := c.CreateAccessKey(b.t.Context(), &iam.CreateAccessKeyInput{UserName: user})
	require.NoError(t, err)
	id := made.AccessKey.AccessKeyId
	require.Regexp(t, "^AKIA[A-Z0-9]{16}$", *id)
	require.Len(t, *made.AccessKey.SecretAccessKey, 40)
	_, err = c.CreateAccessKey(b.t.Context(), &iam.CreateAccessKeyInput{UserName: user})
	require.NoError(t, err)
	_, err = c.CreateAccessKey(b.t.Context(), &iam.CreateAccessKeyInput{UserName: user})
	require.Equal(t, "LimitExceeded", code(err))

	identity := awssim.Identity{AccessKeyID: *id, SecretAccessKey: *made.AccessKey.SecretAccessKey}
	uses := func() string {
		return code(b.do(func() error {
			return b.UseKey(identity, []string{"kms:Decrypt"}, awssim.SingleRegionKeyID, "us-east-1", awssim.Path{})
		}))
	}
	lastUsed := func() string {
		out, err := c.GetAccessKeyLastUsed(b.t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: id})
		require.NoError(t, err)
		return *out.AccessKeyLastUsed.ServiceName + " in " + *out.AccessKeyLastUsed.Region
	}
	require.Empty(t, uses())
	require.Equal(t, "N/A in N/A", lastUsed(), "it lags")
	b.clock.advance(time.Hour)
	require.Equal(t, "kms in us-east-1", lastUsed())
	require.Empty(t, uses())
	b.clock.advance(30 * time.Minute)
	require.Empty(t, uses())
	used := b.clock.Now()
	b.clock.advance(90 * time.Minute)
	told, err := c.GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: id})
	require.NoError(t, err)
	require.Equal(t, used, *told.AccessKeyLastUsed.LastUsedDate, "the last use is known in the end")

	_, err = c.UpdateAccessKey(b.t.Context(), &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: id, Status: types.StatusTypeInactive})
	require.NoError(t, err)
	require.Equal(t, "InvalidClientTokenId", uses())
	_, err = c.UpdateAccessKey(b.t.Context(), &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: id, Status: types.StatusTypeActive})
	require.NoError(t, err)
	require.Empty(t, uses())
	identity.SecretAccessKey = "wrong"
	require.Equal(t, "SignatureDoesNotMatch", uses())

	_, err = c.DeleteUser(b.t.Context(), &iam.DeleteUserInput{UserName: user})
	require.Equal(t, "DeleteConflict", code(err))
	listed, err := c.ListAccessKeys(b.t.Context(), &iam.ListAccessKeysInput{UserName: user})
	require.NoError(t, err)
	require.Len(t, listed.AccessKeyMetadata, 2)
	_, err = c.DeleteAccessKey(b.t.Context(), &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: id})
	require.NoError(t, err)
	require.Equal(t, "InvalidClientTokenId", uses())
	_, err = c.GetAccessKeyLastUsed(b.t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: id})
	require.Equal(t, "NoSuchEntity", code(err))
	self, err := c.GetUser(b.t.Context(), &iam.GetUserInput{})
	require.NoError(t, err)
	require.Equal(t, awssim.WorkerUser, *self.User.UserName)
}

func TestBoundariesLimit(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().iam()
	_, err := c.CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: aws.String("atlas-cmk"), AssumeRolePolicyDocument: aws.String(trust(atlasRoot, externalID))})
	require.NoError(t, err)
	_, err = c.PutRolePolicy(b.t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("atlas-cmk"), PolicyName: aws.String("cmk"), PolicyDocument: aws.String(use("*"))})
	require.NoError(t, err)
	id := awssim.Identity{Principal: atlasRoot, RoleARN: roleARN, ExternalID: externalID}
	uses := func() error {
		return b.do(func() error {
			return b.UseKey(id, []string{"kms:Encrypt"}, awssim.MultiRegionKeyARN, "us-east-1", awssim.Path{})
		})
	}
	require.NoError(t, uses())
	managed, err := c.CreatePolicy(b.t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("limit"), PolicyDocument: aws.String(strings.ReplaceAll(anyAction, `"Action":"*"`, `"Action":"s3:*"`))})
	require.NoError(t, err)
	_, err = c.PutRolePermissionsBoundary(b.t.Context(), &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("atlas-cmk"), PermissionsBoundary: managed.Policy.Arn})
	require.NoError(t, err)
	require.ErrorContains(t, uses(), "because no permissions boundary allows the kms:Encrypt action")
	got, err := c.GetRole(b.t.Context(), &iam.GetRoleInput{RoleName: aws.String("atlas-cmk")})
	require.NoError(t, err)
	require.Equal(t, *managed.Policy.Arn, *got.Role.PermissionsBoundary.PermissionsBoundaryArn)
}

// A role that is made again under its name is another: it stays outside of policies that named the old one, which show
// the old one's unique id, and can not be written back as they are.
func TestARoleMadeAgainIsAnother(t *testing.T) {
	b := begin(t, nil)
	w := b.worker()
	remake := func() string {
		out, err := w.iam().CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: aws.String("atlas-cmk"), AssumeRolePolicyDocument: aws.String(trust(atlasRoot, externalID))})
		require.NoError(t, err)
		return *out.Role.RoleId
	}
	old := remake()
	policy := keyPolicy(
		`"Principal":{"AWS":"arn:aws:iam::111122223333:user/atlas-cmk-worker"},"Action":"kms:*","Resource":"*"`,
		fmt.Sprintf(`"Principal":{"AWS":%q},"Action":["kms:Encrypt","kms:Decrypt","kms:DescribeKey"],"Resource":"*"`, roleARN),
	)
	c := w.kms("us-east-1")
	write := func(text string) string {
		_, err := c.PutKeyPolicy(b.t.Context(), &kms.PutKeyPolicyInput{KeyId: aws.String(awssim.MultiRegionKeyID), Policy: &text})
		return code(err)
	}
	read := func() string {
		out, err := c.GetKeyPolicy(b.t.Context(), &kms.GetKeyPolicyInput{KeyId: aws.String(awssim.MultiRegionKeyID)})
		require.NoError(t, err)
		return *out.Policy
	}
	id := awssim.Identity{Principal: atlasRoot, RoleARN: roleARN, ExternalID: externalID}
	uses := func() string {
		return code(b.do(func() error {
			return b.UseKey(id, []string{"kms:Encrypt"}, awssim.MultiRegionKeyID, "us-east-1", awssim.Path{})
		}))
	}
	require.Empty(t, write(policy))
	require.Empty(t, uses())
	_, err := w.iam().DeleteRole(b.t.Context(), &iam.DeleteRoleInput{RoleName: aws.String("atlas-cmk")})
	require.NoError(t, err)
	require.Equal(t, "AccessDenied", uses())
	again := remake()
	require.NotEqual(t, old, again)
	require.JSONEq(t, strings.ReplaceAll(policy, roleARN, old), read())
	require.Equal(t, "AccessDeniedException", uses())
	require.Equal(t, "MalformedPolicyDocumentException", write(read()))
	require.Empty(t, write(policy))
	require.Empty(t, uses())
	require.Equal(t, policy, read())
	require.Empty(t, write(strings.ReplaceAll(policy, roleARN, again)))
	require.JSONEq(t, policy, read(), "a unique id of somebody is as good as the ARN, and shows as that")
	require.Empty(t, write(strings.ReplaceAll(policy, roleARN, "arn:aws:sts::111122223333:assumed-role/atlas-cmk/atlas")))
	require.Empty(t, uses(), "by session")
	require.Empty(t, write(strings.ReplaceAll(policy, roleARN, "arn:aws:sts::111122223333:assumed-role/atlas-cmk/another")))
	require.Equal(t, "AccessDeniedException", uses())
}

// A principal that was made a moment ago is as good as unknown to other policies.
func TestANewPrincipalIsUnknownForAWhile(t *testing.T) {
	b := begin(t, func(c *awssim.Config) { c.Delays.IAMEnforcement = world.Always(10 * time.Second) })
	w := b.worker()
	_, err := w.iam().CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: aws.String("atlas-cmk"), AssumeRolePolicyDocument: aws.String(trust(atlasRoot, externalID))})
	require.NoError(t, err)
	write := func() string {
		_, err := w.kms("us-east-1").PutKeyPolicy(b.t.Context(), &kms.PutKeyPolicyInput{KeyId: aws.String(awssim.MultiRegionKeyID), Policy: aws.String(keyPolicy(
			`"Principal":{"AWS":["arn:aws:iam::111122223333:root","` + roleARN + `"]},"Action":"kms:*","Resource":"*"`,
		))})
		return code(err)
	}
	require.Equal(t, "MalformedPolicyDocumentException", write())
	b.clock.advance(10 * time.Second)
	require.Empty(t, write())
}

func TestSimulatePolicies(t *testing.T) {
	b := begin(t, nil)
	c := b.worker().iam()
	out, err := c.SimulatePrincipalPolicy(b.t.Context(), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::111122223333:user/atlas-kms"),
		ActionNames:     []string{"kms:Encrypt", "kms:DisableKey"}, ResourceArns: []string{awssim.SingleRegionKeyARN, awssim.MultiRegionKeyARN},
	})
	require.NoError(t, err)
	got := map[string]types.PolicyEvaluationDecisionType{}
	for _, r := range out.EvaluationResults {
		got[*r.EvalActionName+" "+*r.EvalResourceName] = r.EvalDecision
	}
	require.Equal(t, map[string]types.PolicyEvaluationDecisionType{
		"kms:Encrypt " + awssim.SingleRegionKeyARN: "allowed", "kms:Encrypt " + awssim.MultiRegionKeyARN: "implicitDeny",
		"kms:DisableKey " + awssim.SingleRegionKeyARN: "implicitDeny", "kms:DisableKey " + awssim.MultiRegionKeyARN: "implicitDeny",
	}, got)
	require.NoError(t, b.do(func() error {
		const limit = "arn:aws:iam::111122223333:policy/limit"
		return errors.Join(b.PutManagedPolicy(limit, use("arn:aws:kms:eu-west-1:*:key/*")), b.SetBoundary("arn:aws:iam::111122223333:user/atlas-kms", limit))
	}))
	out, err = c.SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::111122223333:user/atlas-kms"), ActionNames: []string{"kms:Encrypt"}, ResourceArns: []string{awssim.SingleRegionKeyARN},
	})
	require.NoError(t, err)
	require.Equal(t, types.PolicyEvaluationDecisionTypeImplicitDeny, out.EvaluationResults[0].EvalDecision)
	require.False(t, out.EvaluationResults[0].PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary)
	_, err = c.SimulatePrincipalPolicy(b.t.Context(), &iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(roleARN), ActionNames: []string{"kms:Encrypt"}})
	require.Equal(t, "NoSuchEntity", code(err))
	deny := strings.Replace(anyAction, "Allow", "Deny", 1)
	deny = strings.Replace(deny, `"Resource":"*"`, `"Resource":"*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`, 1)
	for vpce, want := range map[string]types.PolicyEvaluationDecisionType{"vpce-1": "explicitDeny", "vpce-2": "allowed"} {
		out, err := c.SimulateCustomPolicy(b.t.Context(), &iam.SimulateCustomPolicyInput{
			PolicyInputList: []string{anyAction, deny}, ActionNames: []string{"kms:Encrypt"},
			ContextEntries: []types.ContextEntry{{
				ContextKeyName: aws.String("aws:SourceVpce"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{vpce},
			}},
		})
		require.NoError(t, err)
		require.Equal(t, want, out.EvaluationResults[0].EvalDecision)
	}
}
