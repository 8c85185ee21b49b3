package schema_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/docs/reference"
)

// writeReference is the environment variable by which `make reference` has the page written anew.
const writeReference = "ATLAS_CMK_WRITE_REFERENCE"

func TestTheReferenceIsWhatTheCodeSays(t *testing.T) {
	t.Parallel()
	const page = "../../docs/reference.md"
	want, err := reference.Page("../..")
	require.NoError(t, err)
	if os.Getenv(writeReference) != "" {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o600))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run `make reference`")
}
