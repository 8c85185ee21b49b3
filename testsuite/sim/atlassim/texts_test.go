package atlassim

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// What was found to be as described is known, and only that: an item is found wherever it stands, and so is what is wrong
// with its page.
func TestTextsAreCheckedOnce(t *testing.T) {
	item := openapi3.NewObjectSchema().WithProperty("status", openapi3.NewStringSchema().WithEnum("IDLE", "UPDATING"))
	page := openapi3.NewObjectSchema().WithProperty("totalCount", openapi3.NewIntegerSchema()).WithProperty("results", openapi3.NewArraySchema().WithItems(item))
	texts := newTexts()
	for range 2 {
		for text, problem := range map[string]string{
			`{"results":[{"status":"IDLE"},{"status":"UPDATING"}],"totalCount":2}`: "",
			`{"results":[],"totalCount":0}`:                                        "",
			`{"results":null,"totalCount":0}`:                                      "",
			`{"results":[{"status":"IDLE"},{"status":null}],"totalCount":2}`:       "",
			`{"results":[{"status":"IDLE"},{"status":"AWAY"}],"totalCount":2}`:     "results[1]",
			`{"results":[{"status":"IDLE"}],"totalCount":"two"}`:                   "totalCount",
			`{"results":{"status":"IDLE"},"totalCount":1}`:                         "results",
			`{"results":[`: "not JSON",
		} {
			err := texts.check(page, []byte(text))
			if problem == "" {
				require.NoError(t, err, text)
				continue
			}
			require.ErrorContains(t, err, problem, text)
		}
	}
	require.Len(t, texts.valid[page], 4)
	require.Len(t, texts.valid[item], 3)
}
