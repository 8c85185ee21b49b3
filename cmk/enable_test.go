package cmk

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	projectID = "64b7f0c2a1d3e4f5a6b7c8d9"
	keyARN    = "arn:aws:kms:us-east-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
)

func minimal() map[string]any { return map[string]any{"projectId": projectID, "key": keyARN} }

func with(over map[string]any) []byte {
	m := minimal()
	for k, v := range over {
		if v == nil {
			delete(m, k)
			continue
		}
		m[k] = v
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func TestMinimalRequestIsCompleted(t *testing.T) {
	r, err := DecodeEnable(with(nil))
	require.NoError(t, err)
	require.Equal(t, EnableRequest{
		ProjectID: projectID, Key: keyARN, KeyRegion: "US_EAST_1",
		Role:     RoleRequest{Mode: RoleCreate, Name: "atlas-cmk-" + projectID},
		Parallel: 1, Replicas: ReplicasCheck, Approval: ApprovalPolicy{Mode: ApproveUse, Approvers: 1}, OnFailure: Compensate,
		Deadlines: defaultDeadlines(),
	}, r)
	require.True(t, r.Clusters.Selects("any"))
}

// What DecodeEnable returns, written out and read again, is itself: the starter sends what it has validated.
func TestCompletedRequestReadsBackAsItself(t *testing.T) {
	for _, clusters := range []any{"all", "none", []string{"b", "a"}} {
		r, err := DecodeEnable(with(map[string]any{
			"clusters": clusters, "regions": []string{"us-west-2", "EU_WEST_1"}, "deadlines": map[string]string{"endpoint": "90s"}, "dryRun": true,
		}))
		require.NoError(t, err)
		b, err := json.Marshal(r)
		require.NoError(t, err)
		again, err := DecodeEnable(b)
		require.NoError(t, err)
		require.Equal(t, r, again)
		require.Equal(t, []string{"EU_WEST_1", "US_WEST_2"}, r.Regions)
		require.Equal(t, Duration(90*time.Second), r.Deadlines.Endpoint)
	}
}

func TestEveryProblemIsNamedWithItsField(t *testing.T) {
	for name, c := range map[string]struct {
		input  []byte
		fields []string
	}{
		"nothing":             {[]byte(``), []string{"request"}},
		"null":                {[]byte(`null`), []string{"request"}},
		"cut short":           {[]byte(`{"projectId":`), []string{"request"}},
		"a list":              {[]byte(`[]`), []string{"request"}},
		"two values":          {[]byte(`{} {}`), []string{"request"}},
		"unknown field":       {with(map[string]any{"cluster": "x", "role": map[string]any{"arn": "x"}}), []string{"cluster", "role.arn"}},
		"empty":               {[]byte(`{}`), []string{"projectId", "key", "keyRegion"}},
		"wrong type":          {with(map[string]any{"parallel": "two"}), []string{"parallel"}},
		"wrong nested type":   {with(map[string]any{"approval": map[string]any{"approvers": true}}), []string{"approval.approvers"}},
		"project":             {with(map[string]any{"projectId": "nope"}), []string{"projectId"}},
		"key":                 {with(map[string]any{"key": "nope", "keyRegion": "us-east-1"}), []string{"key"}},
		"key id needs region": {with(map[string]any{"key": "mrk-0123456789abcdef0123456789abcdef"}), []string{"keyRegion"}},
		"region against ARN":  {with(map[string]any{"keyRegion": "eu-west-1"}), []string{"keyRegion"}},
		"region form":         {with(map[string]any{"regions": []string{"nowhere"}}), []string{"regions"}},
		"region twice":        {with(map[string]any{"regions": []string{"us-east-1", "US_EAST_1"}}), []string{"regions"}},
		"clusters":            {with(map[string]any{"clusters": "some"}), []string{"clusters"}},
		"clusters empty":      {with(map[string]any{"clusters": []string{}}), []string{"clusters"}},
		"cluster name":        {with(map[string]any{"clusters": []string{"-x"}}), []string{"clusters"}},
		"cluster twice":       {with(map[string]any{"clusters": []string{"a", "a"}}), []string{"clusters"}},
		"role to adopt":       {with(map[string]any{"role": map[string]any{"mode": "adopt"}}), []string{"role.name"}},
		"role ARN for name":   {with(map[string]any{"role": map[string]any{"name": "arn:aws:iam::1:role/x"}}), []string{"role.name"}},
		"boundary on adopt":   {with(map[string]any{"role": map[string]any{"mode": "adopt", "name": "x", "permissionsBoundary": "x"}}), []string{"role.permissionsBoundary", "role.permissionsBoundary"}},
		"modes":               {with(map[string]any{"role": map[string]any{"mode": "x"}, "approval": map[string]any{"mode": "x"}, "onFailure": "x", "replicas": "x"}), []string{"role.mode", "approval.mode", "onFailure", "replicas"}},
		"numbers":             {with(map[string]any{"parallel": -1, "approval": map[string]any{"approvers": 9}}), []string{"parallel", "approval.approvers"}},
		"duration as number":  {with(map[string]any{"deadlines": map[string]any{"cluster": 5}}), []string{"deadlines.cluster"}},
		"no duration":         {with(map[string]any{"deadlines": map[string]any{"cluster": "soon"}}), []string{"deadlines.cluster"}},
		"duration too short":  {with(map[string]any{"deadlines": map[string]any{"cluster": "5ms"}}), []string{"deadlines.cluster"}},
		"negative duration":   {with(map[string]any{"deadlines": map[string]any{"approval": "-5h"}}), []string{"deadlines.approval"}},
		"several at once":     {with(map[string]any{"projectId": "x", "parallel": 99, "regions": []string{"x"}}), []string{"projectId", "parallel", "regions"}},
		"unread and wrong":    {with(map[string]any{"planApproval": "yes", "projectId": "x", "parallel": 99}), []string{"planApproval", "projectId", "parallel"}},
		"unknown and wrong":   {with(map[string]any{"cluster": "x", "projectId": nil}), []string{"cluster", "projectId"}},
		"unnamed":             {with(map[string]any{"": "x"}), []string{"request"}},
		"not an object":       {with(map[string]any{"role": "x"}), []string{"role"}},
		"unread everywhere": {with(map[string]any{
			"clusters": "some", "deadlines": map[string]any{"cluster": "soon", "endpoint": 5, "approval": "1ms"}, "approval": map[string]any{"reminder": "x", "mode": 7},
			"regions": []any{1}, "projectId": "x", "unknown": 1,
		}), []string{"clusters", "deadlines.cluster", "deadlines.endpoint", "deadlines.approval", "approval.reminder", "approval.mode", "regions", "projectId", "unknown"}},
		"very long value": {with(map[string]any{"projectId": strings.Repeat("x", 10_000)}), []string{"projectId"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeEnable(c.input)
			var invalid *InvalidRequestError
			require.ErrorAs(t, err, &invalid)
			var fields []string
			for _, p := range invalid.Problems {
				fields = append(fields, p.Field)
				require.NotEmpty(t, p.Remedy)
			}
			require.ElementsMatch(t, c.fields, fields)
			require.Less(t, len(err.Error()), 1024)
		})
	}
}

// Whatever the request, a field that cannot be read, or is not known, keeps nothing else from being named.
func TestEveryRequestNamesAllProblemsAtOnce(t *testing.T) {
	wrong := map[string]any{
		"projectId": "x", "organizationId": "x", "requester": 7, "dryRun": "yes", "unknown": 1, "approval": map[string]any{"approvers": "two", "reminder": "soon"},
		"deadlines": map[string]any{"approval": "soon", "verification": 7}, "clusters": "some", "endpoints": "some", "switchedAt": "yesterday", "rest": 7, "interval": 7,
		"progress": 7, "retire": map[string]any{"disuse": "soon"},
	}
	input, err := json.Marshal(wrong)
	require.NoError(t, err)
	for _, r := range RequestTypes() {
		_, err := r.Decode(input)
		var invalid *InvalidRequestError
		require.ErrorAs(t, err, &invalid, r.Workflow)
		named := map[string]bool{}
		for _, p := range invalid.Problems {
			top, inner, _ := strings.Cut(p.Field, ".")
			named[top], named[p.Field] = true, true
			require.True(t, inner == "" || wrong[top].(map[string]any)[inner] != nil, "%s: %s", r.Workflow, p)
		}
		for field := range wrong {
			require.True(t, named[field], "%s: %s is not named: %s", r.Workflow, field, err)
		}
		require.Equal(t, named["deadlines.approval"], named["deadlines.verification"], r.Workflow)
		require.Equal(t, named["approval.approvers"], named["approval.reminder"], r.Workflow)
	}
}

func TestRegionSpellings(t *testing.T) {
	for _, s := range []string{"us-east-1", "US_EAST_1", " Us-East-1 "} {
		r, ok := ParseRegion(s)
		require.True(t, ok)
		require.Equal(t, Region("US_EAST_1"), r)
		require.Equal(t, "us-east-1", r.AWS())
	}
	gov, ok := ParseRegion("us-gov-west-1")
	require.True(t, ok)
	require.Equal(t, "us-gov-west-1", gov.AWS())
	_, ok = ParseRegion("GLOBAL")
	require.False(t, ok)
}

func TestKeyReferences(t *testing.T) {
	for in, want := range map[string]KeyReference{
		keyARN:                                       {Text: keyARN, Region: "US_EAST_1", Account: "111122223333"},
		"mrk-0123456789abcdef0123456789abcdef":       {Text: "mrk-0123456789abcdef0123456789abcdef"},
		"01234567-89ab-cdef-0123-456789abcdef":       {Text: "01234567-89ab-cdef-0123-456789abcdef"},
		"alias/team/key":                             {Text: "alias/team/key", Alias: true},
		"arn:aws:kms:eu-west-1:111122223333:alias/k": {Text: "arn:aws:kms:eu-west-1:111122223333:alias/k", Region: "EU_WEST_1", Account: "111122223333", Alias: true},
	} {
		got, err := ParseKey(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got)
	}
	for _, in := range []string{"", "key", "alias/", "arn:aws:s3:::b", "arn:aws:kms:us-east-1:1:key/x"} {
		_, err := ParseKey(in)
		require.Error(t, err, in)
	}
}

// The values of search attributes are a closed vocabulary, short enough for any store.
func TestVocabulariesFitSearchAttributes(t *testing.T) {
	for _, s := range []string{string(PhasePlanApproval), string(PhaseVerification), string(PhaseCompensation), string(AwaitingEndpointApproval)} {
		require.LessOrEqual(t, len(s), 64)
	}
}
