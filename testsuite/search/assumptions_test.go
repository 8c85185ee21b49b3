package search

import (
	"encoding/json"
	"fmt"
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
	for _, assume := range everyAssumption(t) {
		for name, s := range ways {
			t.Run(name+"/"+assume, func(t *testing.T) {
				t.Parallel()
				s.Assume = assume
				require.NoError(t, perform(s))
			})
		}
	}
}

// everyAssumption is each value of each switch, one at a time: the rest is as it is by default.
func everyAssumption(t *testing.T) []string {
	t.Helper()
	text, err := json.Marshal(atlassim.DefaultAssumptions())
	require.NoError(t, err)
	var switches map[string]any
	require.NoError(t, json.Unmarshal(text, &switches))
	var all []string
	for name, value := range switches {
		values := []any{true, false}
		if _, ok := value.(bool); !ok {
			require.Equal(t, "accessKeyAfterSwitch", name, "a switch whose values are not known here")
			values = []any{atlassim.AccessKeyGone, atlassim.AccessKeyMasked, atlassim.AccessKeyKept}
		}
		for _, v := range values {
			one, err := json.Marshal(map[string]any{name: v})
			require.NoError(t, err)
			all = append(all, string(one))
		}
	}
	require.Len(t, all, 2*len(switches)+1, fmt.Sprint(all))
	return all
}
