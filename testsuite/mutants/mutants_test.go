package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Every mutant can still be applied: its old text stands where it is to, once.
func TestMutantsApply(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, m := range mutants() {
		require.False(t, names[m.name], "two mutants are called %q", m.name)
		names[m.name] = true
		changed, err := m.apply("../..")
		require.NoError(t, err)
		require.NotEmpty(t, changed)
		require.NotEqual(t, m.old, m.new, m.name)
	}
	require.GreaterOrEqual(t, len(names), 40)
}

func TestMutantThatHasRotted(t *testing.T) {
	t.Parallel()
	for _, old := range []string{"no such text stands here", "err"} { // none, and many
		_, err := mutant{name: "rotten", file: "workflows/lease.go", old: old, new: "x"}.apply("../..")
		require.ErrorContains(t, err, `mutant "rotten": workflows/lease.go holds its old text`)
	}
}
