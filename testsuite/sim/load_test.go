package sim_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// BenchmarkPacedRequests sends requests at 200 a second and reports the 99th percentile of their latency.
func BenchmarkPacedRequests(b *testing.B) {
	config := sim.DefaultConfig()
	plenty := atlassim.RateLimit{Capacity: 1 << 30, Refill: 1 << 30, Seconds: 60}
	config.Atlas.RateLimits = map[string]atlassim.RateLimit{"clusters": plenty, "encryptionAtRest": plenty, "monitoring": plenty}
	r := sim.Start(b, sim.Options{World: &config, Scale: 60})
	bearer := bearerFor(b, r)
	paths := []string{"/clusters", "/encryptionAtRest", "/encryptionAtRest/AWS/privateEndpoints", "/events"}
	var took []time.Duration
	tick := time.NewTicker(time.Second / 200)
	defer tick.Stop()
	for i := 0; b.Loop(); i++ {
		request, err := http.NewRequest("GET", r.AtlasURL+"/api/atlas/v2/groups/"+sim.ProjectB+paths[i%len(paths)], nil)
		require.NoError(b, err)
		request.Header.Set("Authorization", "Bearer "+bearer)
		request.Header.Set("Accept", "application/vnd.atlas.2025-03-12+json")
		<-tick.C
		started := time.Now()
		response, err := http.DefaultClient.Do(request)
		require.NoError(b, err)
		_ = response.Body.Close()
		took = append(took, time.Since(started))
		require.Equal(b, 200, response.StatusCode)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}
