package workflows

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// What the contract says can be started is what a worker serves, but for the lease, which only changes start.
func TestTheContractListsEveryWorkflow(t *testing.T) {
	t.Parallel()
	served := registry{options: map[string]workflow.RegisterOptions{}}
	Register(served)
	contract := []string{cmk.LeaseWorkflow}
	for _, r := range cmk.RequestTypes() {
		contract = append(contract, r.Workflow)
	}
	require.ElementsMatch(t, contract, slices.Collect(maps.Keys(served.options)), "cmk.RequestTypes")
}

// Every message that a change takes is listed with the form of its payload.
func TestTheContractListsEveryMessage(t *testing.T) {
	t.Parallel()
	for _, name := range cmk.DecisionSignals() {
		require.False(t, resolves(name), name)
	}
	for _, name := range cmk.ResolutionSignals() {
		require.True(t, resolves(name), name)
	}
	var handled []string
	for _, m := range messages() {
		handled = append(handled, m.name)
	}
	require.ElementsMatch(t, append(cmk.DecisionSignals(), cmk.ResolutionSignals()...), handled)
}
