package search

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// The ways out, in calm weather, whatever Atlas does where nobody outside knows: what holds of every calm run holds of them.
func TestWaysOutUnderEveryAssumption(t *testing.T) {
	t.Parallel()
	ways := map[string]schedule{
		"SafeDisableCMK/page":            {Type: cmk.SafeDisableCMK, Start: startDone},
		"SafeDisableCMK/keepPrivatePath": {Type: cmk.SafeDisableCMK, Start: startDone, Order: cmk.OrderKeepPrivatePath},
		"DisablePrivateNetworking":       {Type: cmk.DisablePrivateNetworking, Start: startDone},
		"RemovePrivateEndpoints":         {Type: cmk.RemovePrivateEndpoints, Start: startReady},
	}
	for _, assume := range everyAssumption(toggles()) {
		for name, s := range ways {
			t.Run(name+"/"+assume, func(t *testing.T) {
				t.Parallel()
				s.Assume = assume
				require.NoError(t, perform(s))
			})
		}
	}
}

// Any two values of any two switches of the world stand together in what is drawn of a nightly search, for each procedure in
// each world that it finds.
func TestAssumptionsAreDrawnInPairs(t *testing.T) {
	t.Parallel()
	const nightly = 10_000
	switches := toggles()
	require.Len(t, switches, reflect.TypeFor[atlassim.Assumptions]().NumField())
	wanted, rows := map[pair]bool{}, map[string]row{}
	for _, r := range pairwise(switches) {
		rows[r.assumptions(switches)] = r
		for _, p := range r.pairs() {
			wanted[p] = true
		}
	}
	all := 0
	for j := range switches {
		for i := range j {
			all += len(switches[i].values) * len(switches[j].values)
		}
	}
	require.Len(t, wanted, all)
	require.Less(t, len(rows), 25)

	drawn := map[pair]bool{}
	of := schedules(scenarios()[0])
	for i := range nightly / len(scenarios()) {
		for _, p := range rows[of.Example(i).Assume].pairs() {
			drawn[p] = true
		}
	}
	require.Equal(t, wanted, drawn)
}
