package cmk

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const exitProject = `"projectId":"6a00000000000000000000aa"`

func TestDecodeDisable(t *testing.T) {
	t.Parallel()
	r, err := DecodeDisable([]byte(`{` + exitProject + `}`))
	require.NoError(t, err)
	require.Equal(t, OrderPage, r.Order)
	require.Equal(t, 1, r.Parallel)
	require.Equal(t, Stop, r.OnFailure)
	require.Equal(t, 1, r.Approval.Approvers)
	require.Equal(t, Duration(time.Hour), r.Deadlines.Window)

	// What is completed stays as it is, written and read again.
	text, err := json.Marshal(r)
	require.NoError(t, err)
	again, err := DecodeDisable(text)
	require.NoError(t, err)
	require.Equal(t, r, again)

	for text, field := range map[string]string{
		``:                                     "request",
		`{"projectId":"aa"}`:                   "projectId",
		`{` + exitProject + `,"order":"fast"}`: "order",
		`{` + exitProject + `,"parallel":51}`:  "parallel",
		`{` + exitProject + `,"onFailure":"compensate"}`:     "onFailure",
		`{` + exitProject + `,"approval":{"approvers":9}}`:   "approval.approvers",
		`{` + exitProject + `,"deadlines":{"window":"1ms"}}`: "deadlines.window",
		`{` + exitProject + `,"deadlines":{"window":7}}`:     "deadlines.window",
		`{` + exitProject + `,"retireAccess":true}`:          "retireAccess",
		`{` + exitProject + `,"approval":{"mode":"use"}}`:    "approval.mode",
	} {
		_, err := DecodeDisable([]byte(text))
		var invalid *InvalidRequestError
		require.ErrorAs(t, err, &invalid, text)
		require.Equal(t, field, invalid.Problems[0].Field, "%s: %v", text, err)
	}
}

func TestDecodeRemove(t *testing.T) {
	t.Parallel()
	r, err := DecodeRemove([]byte(`{` + exitProject + `,"endpoints":["us-east-1","6a00000000000000000000e1"]}`))
	require.NoError(t, err)
	require.True(t, r.Endpoints.Selects("other", "US_EAST_1"))
	require.True(t, r.Endpoints.Selects("6a00000000000000000000e1", "EU_WEST_1"))
	require.False(t, r.Endpoints.Selects("other", "EU_WEST_1"))
	text, err := json.Marshal(r)
	require.NoError(t, err)
	again, err := DecodeRemove(text)
	require.NoError(t, err)
	require.Equal(t, r, again)

	for _, text := range []string{
		`{` + exitProject + `}`, `{` + exitProject + `,"endpoints":[]}`, `{` + exitProject + `,"endpoints":"some"}`,
		`{` + exitProject + `,"endpoints":["nowhere"]}`, `{` + exitProject + `,"endpoints":"all","onFailure":"restore"}`,
	} {
		_, err := DecodeRemove([]byte(text))
		require.Error(t, err, text)
	}
}

func TestDecodeNetworking(t *testing.T) {
	t.Parallel()
	r, err := DecodeNetworking([]byte(`{` + exitProject + `,"onFailure":"restore","approval":{"approvers":2}}`))
	require.NoError(t, err)
	require.Equal(t, Restore, r.OnFailure)
	require.Equal(t, 2, r.Approval.Approvers)
}
