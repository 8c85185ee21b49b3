package sim_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// The same requests at the same times, with the same faults and the same seed, give the same run: every answer and the
// whole world at the end. Another seed gives another.
func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	first, again, other := runUnderFaults(t, 1), runUnderFaults(t, 1), runUnderFaults(t, 2)
	require.Equal(t, first, again)
	require.NotEqual(t, first, other)
	for _, kind := range []fault.Kind{fault.Status, fault.DropBefore, fault.DropAfter, fault.Truncate, fault.Garbage} {
		require.Contains(t, first, `"fault":"`+string(kind)+`"`, "the run is to see them all")
	}
}

// runUnderFaults works in a world where everything goes wrong now and then, and tells all that happened.
func runUnderFaults(t *testing.T, seed uint64) string {
	t.Helper()
	config := sim.DefaultConfig()
	config.Atlas.Chances = atlassim.Chances{EndpointFails: 0.3, EndpointStuck: 0.1}
	r, clock := start(t, sim.Options{Seed: seed, World: &config})
	s := newScript(t, r)
	roleID := ready(t, r, clock, s)
	require.NoError(t, r.Faults.Add(
		fault.Rule{System: "atlas", Operation: "*Endpoint*", Kind: fault.DropAfter, Chance: 0.2},
		fault.Rule{System: "atlas", Operation: "*Endpoint*", Kind: fault.DropBefore, Chance: 0.2},
		fault.Rule{System: "atlas", Operation: "list*", Kind: fault.Status, Status: 503, RetryAfter: 2, Chance: 0.3},
		fault.Rule{System: "atlas", Operation: "get*", Kind: fault.Truncate, Chance: 0.3},
		fault.Rule{System: "atlas", Operation: "update*", Kind: fault.Garbage, Chance: 0.3},
	))
	// A client that asks on a fresh connection each time does not ask again by itself when one is dropped.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path, body string) {
		request, err := http.NewRequest(method, s.url+"/api/atlas/v2"+in(path), bytes.NewBufferString(body))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+s.bearer)
		request.Header.Set("Accept", "application/vnd.atlas.2025-03-12+json")
		if body != "" {
			request.Header.Set("Content-Type", "application/vnd.atlas.2025-03-12+json")
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
		}
		clock.wind(40 * time.Second)
	}
	endpoints := "/encryptionAtRest/AWS/privateEndpoints"
	for range 8 {
		for _, region := range []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"} {
			ask("POST", endpoints, `{"regionName":"`+region+`"}`)
		}
		ask("GET", endpoints, "")
		ask("PATCH", "/encryptionAtRest", kmsBlock(roleID, awssim.MultiRegionKeyARN, true))
		ask("PATCH", "/clusters/east", `{"encryptionAtRestProvider":"AWS"}`)
		ask("GET", "/clusters", "")
		ask("GET", "/clusters/global", "")
		for _, e := range r.State().Atlas.Projects[0].Endpoints {
			ask("DELETE", endpoints+"/"+e.ID, "")
		}
	}
	text, err := json.Marshal(map[string]any{"journal": r.Journal.Entries(), "state": r.State(), "violations": r.Violations()})
	require.NoError(t, err)
	return strings.NewReplacer(r.AtlasURL, "atlas", s.bearer, "bearer").Replace(string(text))
}
