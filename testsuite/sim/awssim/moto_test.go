package awssim_test

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// motoAccount is the one account that moto has.
const motoAccount = "123456789012"

// outcome is what a call came to: an error code, or what it told that does not differ from one AWS to the next.
type outcome struct{ call, told string }

// program is a program of calls that any AWS can run, of what moto is right about. Left out, for there AWS documents
// otherwise than moto does: key policies and key states that refuse, roles whose trust is no policy, reserved aliases,
// aliases of AWS's in the list of a key's, windows of deletion out of range, users deleted with their access keys.
type program struct {
	b        *bench
	as       as
	outcomes []outcome
	// names stand for what every AWS calls otherwise.
	names map[string]string
}

func (p *program) note(call string, err error, told ...any) {
	text := code(err)
	if err == nil {
		text = strings.TrimSpace(fmt.Sprintln(told...))
		var ids []string
		for id := range p.names {
			ids = append(ids, id)
		}
		sort.Slice(ids, func(i, j int) bool { return len(ids[i]) > len(ids[j]) })
		for _, id := range ids {
			text = strings.ReplaceAll(text, id, p.names[id])
		}
	}
	p.outcomes = append(p.outcomes, outcome{call, text})
}

// describe leaves out KeyUsage, which moto leaves empty unless it was given.
func describe(m *kmstypes.KeyMetadata) string {
	out := fmt.Sprint(*m.Arn, *m.KeyId, m.KeyState, m.Enabled, m.KeySpec, m.Origin, m.KeyManager, aws.ToBool(m.MultiRegion), m.EncryptionAlgorithms, aws.ToString(m.Description))
	if c := m.MultiRegionConfiguration; c != nil {
		out += fmt.Sprint(*c.PrimaryKey.Arn, *c.PrimaryKey.Region)
		for _, r := range c.ReplicaKeys {
			out += fmt.Sprint(*r.Arn, *r.Region)
		}
	}
	return out
}

func (p *program) kms() {
	ctx, east, west := p.b.t.Context(), p.as.kms("us-east-1"), p.as.kms("us-west-2")
	one := func(call string, c *kms.Client, key string) {
		out, err := c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
		if err != nil {
			p.note(call, err)
			return
		}
		p.note(call, nil, describe(out.KeyMetadata))
	}
	single, err := east.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("single"), Tags: []kmstypes.Tag{{TagKey: aws.String("a"), TagValue: aws.String("1")}}})
	require.NoError(p.b.t, err)
	multi, err := east.CreateKey(ctx, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	require.NoError(p.b.t, err)
	s, m := *single.KeyMetadata.KeyId, *multi.KeyMetadata.KeyId
	p.names[s], p.names[m] = "<single>", "<multi>"
	one("DescribeKey", east, s)
	one("DescribeKey by ARN", east, *single.KeyMetadata.Arn)
	one("DescribeKey elsewhere", west, s)
	one("DescribeKey of nothing", east, "1234abcd-12ab-34cd-56ef-000000000000")
	one("DescribeKey of no alias", east, "alias/nothing")
	_, err = east.ReplicateKey(ctx, &kms.ReplicateKeyInput{KeyId: &m, ReplicaRegion: aws.String("us-west-2")})
	p.note("ReplicateKey", err)
	one("DescribeKey of the primary", east, m)
	one("DescribeKey of the replica", west, m)
	_, err = east.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/x"), TargetKeyId: &s})
	p.note("CreateAlias", err)
	_, err = east.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/x"), TargetKeyId: &s})
	p.note("CreateAlias again", err)
	one("DescribeKey by alias", east, "alias/x")
	aliases, err := east.ListAliases(ctx, &kms.ListAliasesInput{KeyId: &s})
	require.NoError(p.b.t, err)
	p.note("ListAliases", nil, *aliases.Aliases[0].AliasArn, *aliases.Aliases[0].TargetKeyId)
	_, err = east.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: aws.String("alias/x"), TargetKeyId: &m})
	p.note("UpdateAlias", err)
	one("DescribeKey by the alias moved", east, "alias/x")
	_, err = east.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/x")})
	p.note("DeleteAlias", err)
	policy, err := east.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &s, PolicyName: aws.String("default")})
	require.NoError(p.b.t, err)
	p.note("GetKeyPolicy", err, strings.Join(strings.Fields(*policy.Policy), ""))
	names, err := east.ListKeyPolicies(ctx, &kms.ListKeyPoliciesInput{KeyId: &s})
	require.NoError(p.b.t, err)
	p.note("ListKeyPolicies", err, names.PolicyNames)
	rotation := func(call string) {
		out, err := east.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &s})
		require.NoError(p.b.t, err)
		p.note(call, nil, out.KeyRotationEnabled)
	}
	rotation("GetKeyRotationStatus")
	_, err = east.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &s})
	p.note("EnableKeyRotation", err)
	rotation("GetKeyRotationStatus when enabled")
	tags, err := east.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &s})
	require.NoError(p.b.t, err)
	p.note("ListResourceTags", nil, len(tags.Tags), *tags.Tags[0].TagKey, *tags.Tags[0].TagValue)
	sealed, err := east.Encrypt(ctx, &kms.EncryptInput{KeyId: &s, Plaintext: []byte("x"), EncryptionContext: map[string]string{"a": "b"}})
	require.NoError(p.b.t, err)
	opened, err := east.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"a": "b"}})
	require.NoError(p.b.t, err)
	p.note("Decrypt", nil, *opened.KeyId, string(opened.Plaintext))
	_, err = east.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	p.note("Decrypt in another context", err)
	_, err = west.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"a": "b"}})
	p.note("Decrypt elsewhere", err)
	_, err = east.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &s})
	p.note("DisableKey", err)
	one("DescribeKey when disabled", east, s)
	_, err = east.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &s})
	p.note("EnableKey", err)
	_, err = east.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &s, PendingWindowInDays: aws.Int32(7)})
	p.note("ScheduleKeyDeletion", err)
	one("DescribeKey when pending deletion", east, s)
	_, err = east.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &s})
	p.note("CancelKeyDeletion", err)
	one("DescribeKey when called off", east, s)
}

func (p *program) iam() {
	ctx, c := p.b.t.Context(), p.as.iam()
	role, user := aws.String("role"), aws.String("user")
	trusted := trust("arn:aws:iam::"+motoAccount+":root", "e")
	create := func(call, trust string) {
		out, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: &trust, Path: aws.String("/p/"), Description: aws.String("d")})
		if err != nil {
			p.note(call, err)
			return
		}
		p.names[*out.Role.RoleId] = "<role>"
		p.note(call, nil, *out.Role.Arn, (*out.Role.RoleId), *out.Role.Path, aws.ToString(out.Role.Description))
	}
	create("CreateRole", trusted)
	create("CreateRole again", trusted)
	_, err := c.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("nobody")})
	p.note("GetRole of nobody", err)
	put := func(call, text string) {
		_, err := c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("p"), PolicyDocument: &text})
		p.note(call, err)
	}
	put("PutRolePolicy", use("*"))
	put("PutRolePolicy without JSON", "{")
	put("PutRolePolicy without a resource", strings.Replace(use("*"), `,"Resource":"*"`, "", 1))
	put("PutRolePolicy with an action of nobody", strings.Replace(use("*"), "kms:Encrypt", "Encrypt", 1))
	put("PutRolePolicy of a strange version", strings.Replace(use("*"), "2012-10-17", "2020-03-17", 1))
	inline, err := c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: role, PolicyName: aws.String("p")})
	require.NoError(p.b.t, err)
	p.note("GetRolePolicy", nil, *inline.PolicyDocument)
	_, err = c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: role, PolicyName: aws.String("none")})
	p.note("GetRolePolicy of none", err)
	names, err := c.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: role})
	require.NoError(p.b.t, err)
	p.note("ListRolePolicies", nil, names.PolicyNames, names.IsTruncated)
	_, err = c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: aws.String(trust("arn:aws:iam::"+motoAccount+":root", "f"))})
	p.note("UpdateAssumeRolePolicy", err)
	_, err = c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: aws.String(use("*"))})
	p.note("UpdateAssumeRolePolicy with a resource", err)
	_, err = c.TagRole(ctx, &iam.TagRoleInput{RoleName: role, Tags: []iamtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	p.note("TagRole", err)
	got, err := c.GetRole(ctx, &iam.GetRoleInput{RoleName: role})
	require.NoError(p.b.t, err)
	p.note("GetRole", nil, *got.Role.Arn, *got.Role.AssumeRolePolicyDocument, *got.Role.Tags[0].Value, *got.Role.MaxSessionDuration)
	managed, err := c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("m"), PolicyDocument: aws.String(use("*"))})
	require.NoError(p.b.t, err)
	p.note("CreatePolicy", nil, *managed.Policy.Arn, *managed.Policy.DefaultVersionId, *managed.Policy.AttachmentCount)
	_, err = c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("m"), PolicyDocument: aws.String(use("*"))})
	p.note("CreatePolicy again", err)
	_, err = c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: managed.Policy.Arn})
	p.note("AttachRolePolicy", err)
	_, err = c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: aws.String("arn:aws:iam::" + motoAccount + ":policy/none")})
	p.note("AttachRolePolicy of none", err)
	attached, err := c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: role})
	require.NoError(p.b.t, err)
	p.note("ListAttachedRolePolicies", nil, *attached.AttachedPolicies[0].PolicyArn, *attached.AttachedPolicies[0].PolicyName)
	version, err := c.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: managed.Policy.Arn, VersionId: aws.String("v1")})
	require.NoError(p.b.t, err)
	p.note("GetPolicyVersion", nil, version.PolicyVersion.IsDefaultVersion)
	_, err = c.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: managed.Policy.Arn, VersionId: aws.String("v9")})
	p.note("GetPolicyVersion of none", err)
	_, err = c.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: role, PermissionsBoundary: managed.Policy.Arn})
	p.note("PutRolePermissionsBoundary", err)
	remove := func(call string) {
		_, err := c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role})
		p.note(call, err)
	}
	remove("DeleteRole with policies attached")
	_, err = c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: managed.Policy.Arn})
	p.note("DetachRolePolicy", err)
	_, err = c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: managed.Policy.Arn})
	p.note("DetachRolePolicy again", err)
	remove("DeleteRole with inline policies")
	_, err = c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: aws.String("p")})
	p.note("DeleteRolePolicy", err)
	remove("DeleteRole")
	remove("DeleteRole again")

	_, err = c.CreateUser(ctx, &iam.CreateUserInput{UserName: user})
	p.note("CreateUser", err)
	_, err = c.CreateUser(ctx, &iam.CreateUserInput{UserName: user})
	p.note("CreateUser again", err)
	key, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
	require.NoError(p.b.t, err)
	id := key.AccessKey.AccessKeyId
	p.names[*id] = "<access key>"
	used, err := c.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: id})
	require.NoError(p.b.t, err)
	p.note("GetAccessKeyLastUsed", nil, *used.UserName, *used.AccessKeyLastUsed.ServiceName, *used.AccessKeyLastUsed.Region)
	_, err = c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: id, Status: iamtypes.StatusTypeInactive})
	p.note("UpdateAccessKey", err)
	keys, err := c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: user})
	require.NoError(p.b.t, err)
	p.note("ListAccessKeys", nil, len(keys.AccessKeyMetadata), *keys.AccessKeyMetadata[0].AccessKeyId, keys.AccessKeyMetadata[0].Status)
	_, err = c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: id})
	p.note("DeleteAccessKey", err)
	_, err = c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: id})
	p.note("DeleteAccessKey again", err)
	_, err = c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user})
	p.note("DeleteUser", err)
	_, err = c.GetUser(ctx, &iam.GetUserInput{UserName: user})
	p.note("GetUser of nobody", err)
	who, err := p.as.sts().GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	require.NoError(p.b.t, err)
	p.note("GetCallerIdentity", nil, *who.Account)
}

func TestTheSameProgramAgainstMoto(t *testing.T) {
	moto := emulator(t, "moto_server", regexp.MustCompile(`Running on http://127\.0\.0\.1:(\d+)`), []string{"-H", "127.0.0.1", "-p", "0"}, nil)
	b := begin(t, func(c *awssim.Config) {
		c.Accounts, c.DefaultAccount = []awssim.Account{{ID: motoAccount}}, motoAccount
	})
	run := func(url string) []outcome {
		p := &program{b: b, as: b.as("AKIANOBODY0000000000", "secret", ""), names: map[string]string{}}
		p.as.url = url
		p.kms()
		p.iam()
		return p.outcomes
	}
	ours, theirs := run(b.url), run(moto)
	require.Greater(t, len(ours), 60)
	require.Equal(t, theirs, ours)
}
