package cmk_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Whatever is sent as a request is either refused with problems that each name a field and a remedy, briefly, or it is
// complete: written out and read again, it is the same.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{}`, `{}{}`, `{"projectId":null}`, `{"projectId":1e400}`, "{\"projectId\":\"\xff\"}",
		`{"projectId":"64b7f0c2a1b2c3d4e5f60718","key":"alias/x","keyRegion":"us-east-1","regions":["us-east-1","US_EAST_1"]}`,
		`{"projectId":"64b7f0c2a1b2c3d4e5f60718","key":"arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab","clusters":["a","a"],"parallel":-1}`,
		`{"projectId":"64b7f0c2a1b2c3d4e5f60718","clusters":{},"deadlines":{"endpoint":"9999999h","approval":3}}`,
		`{"projectId":"64b7f0c2a1b2c3d4e5f60718","role":{"name":"r"},"retire":{"acceptSnapshotLoss":true}}`,
		`{"projectId":"64b7f0c2a1b2c3d4e5f60718","endpoints":["all","us-east-1"],"order":"page","onFailure":"restore"}`,
		`{"projectId":"64b7f0c2a1b2c3d4e5f60718","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"u","since":"2026-01-01T00:00:00Z"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, r := range cmk.RequestTypes() {
			name, decode := r.Workflow, r.Decode
			request, err := decode(data)
			if err != nil {
				var invalid *cmk.InvalidRequestError
				require.ErrorAs(t, err, &invalid, name)
				require.NotEmpty(t, invalid.Problems)
				for _, p := range invalid.Problems {
					require.NotEmpty(t, p.Field, name)
					require.NotEmpty(t, p.Remedy, name)
				}
				require.True(t, utf8.ValidString(err.Error()), "%s: %q", name, err)
				continue
			}
			text, err := json.Marshal(request)
			require.NoError(t, err)
			again, err := decode(text)
			require.NoError(t, err, "%s: %s", name, text)
			written, err := json.Marshal(again)
			require.NoError(t, err)
			require.JSONEq(t, string(text), string(written), name)
		}
	})
}
