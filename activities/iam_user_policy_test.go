package activities_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// What an IAM user may do with the projects' keys alone goes, and nothing else of its policies does: statements that allow
// more, or on other keys, that deny, or that say what they do not mean, stay to the letter.
func TestUserStatementsOfTheKeyAloneAreRemoved(t *testing.T) {
	statement := func(effect, action, resource string) string {
		return `{"Effect":"` + effect + `","Action":` + action + `,"Resource":` + resource + `}`
	}
	const decrypt, other = `["kms:Decrypt","KMS:Encrypt"]`, `"arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"`
	ours := `"` + awssim.SingleRegionKeyARN + `"`
	theirs := []string{
		statement("Allow", `["kms:Decrypt","s3:GetObject"]`, ours), statement("Allow", decrypt, "["+ours+","+other+"]"), statement("Allow", decrypt, `"*"`),
		statement("Deny", decrypt, ours), `{"Effect":"Allow","NotAction":"kms:Decrypt","Resource":` + ours + `}`, `{"Effect":"Allow","Action":"kms:Decrypt","NotResource":` + ours + `}`,
	}
	mixed := []string{theirs[0], statement("Allow", decrypt, ours)}
	mixed = append(mixed, theirs[1:]...)
	document := func(statements []string) string {
		text := `{"Version":"2012-10-17","Statement":[`
		for i, s := range statements {
			if i > 0 {
				text += ","
			}
			text += s
		}
		return text + "]}"
	}
	w := newPastWorld(t, true)
	at := w.switched(t)
	user, accessKey := awssim.AtlasUser, awssim.AtlasUserAccessKeyID
	for name, statements := range map[string][]string{"mixed": mixed, "others": theirs[3:4]} {
		text := document(statements)
		_, err := w.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &user, PolicyName: &name, PolicyDocument: &text})
		require.NoError(t, err)
	}
	policies := func() map[string]string {
		state := w.State().AWS.Users
		return state[slices.IndexFunc(state, func(u awssim.EntityState) bool { return strings.HasSuffix(u.ARN, "/"+user) })].Inline
	}
	before := policies()
	in := activities.WithdrawUserStatementsInput{
		Justification:       activities.Justification{Leases: []activities.Lease{{}}, ProjectIDs: []string{sim.ProjectB}, Before: at},
		UserStatementsInput: activities.UserStatementsInput{User: user, AccessKeyID: accessKey, KeyIDs: []string{awssim.SingleRegionKeyID}},
	}
	found, err := w.users.ReadUserStatements(t.Context(), in.UserStatementsInput)
	require.NoError(t, err)
	require.Equal(t, &activities.UserStatements{Policies: []string{"atlas-kms", "mixed"}}, found)

	require.Equal(t, cmk.ErrForeign, typeOf(w.access.RemoveUserStatements(t.Context(), in)), "a backup needs them")
	require.Equal(t, before, policies())
	in.AccessKeyID = "AKIAANOTHERONEEXAMPL"
	kept, err := w.users.ReadUserStatements(t.Context(), in.UserStatementsInput)
	require.NoError(t, err)
	require.Contains(t, kept.Left, accessKey)
	in.AccessKeyID = accessKey

	w.clock.wind(time.Duration(windowDays+1) * 24 * time.Hour)
	_, err = w.iam.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: &user, AccessKeyId: &accessKey})
	require.NoError(t, err)
	for range 2 { // as after an answer that was lost
		require.NoError(t, w.access.RemoveUserStatements(t.Context(), in))
	}
	left := policies()
	require.Len(t, left, 2)
	require.JSONEq(t, document(theirs), left["mixed"])
	require.JSONEq(t, document(theirs[3:4]), left["others"])
	again, err := w.users.ReadUserStatements(t.Context(), in.UserStatementsInput)
	require.NoError(t, err)
	require.Empty(t, again)

	in.User = "nobody"
	gone, err := w.users.ReadUserStatements(t.Context(), in.UserStatementsInput)
	require.NoError(t, err)
	require.Equal(t, "it is gone", gone.Left)
	require.NotContains(t, fmt.Sprint(w.Violations()), user)
}
