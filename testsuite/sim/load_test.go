package sim_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// BenchmarkPacedRequests sends requests at 200 a second, one in five of them a write, and reports the 99th percentile of
// their latency. Run it with GOMAXPROCS=1 for what one core can do, and with -benchtime=2000x for a percentile that means
// something.
func BenchmarkPacedRequests(b *testing.B) {
	config := sim.DefaultConfig()
	plenty := atlassim.RateLimit{Capacity: 1 << 30, Refill: 1 << 30, Seconds: 60}
	config.Atlas.RateLimits = map[string]atlassim.RateLimit{"clusters": plenty, "encryptionAtRest": plenty, "monitoring": plenty, "backup": plenty}
	r := sim.Start(b, sim.Options{World: &config, Scale: 60})
	bearer := bearerFor(b, r)
	requests := []struct{ method, path, body string }{
		{"GET", "/clusters", ""},
		{"GET", "/encryptionAtRest", ""},
		{"PATCH", "/clusters/legacy", `{"labels":[{"key":"load","value":"mixed"}]}`},
		{"GET", "/encryptionAtRest/AWS/privateEndpoints", ""},
		{"GET", "/events", ""},
		{"GET", "/clusters/legacy", ""},
		{"PATCH", "/maintenanceWindow", `{"dayOfWeek":2,"hourOfDay":3}`},
		{"GET", "/clusters", ""},
		{"GET", "/encryptionAtRest", ""},
		{"GET", "/clusters/legacy/backup/snapshots", ""},
	}
	var took []time.Duration
	tick := time.NewTicker(time.Second / 200)
	defer tick.Stop()
	for i := 0; b.Loop(); i++ {
		next := requests[i%len(requests)]
		request, err := http.NewRequest(next.method, r.AtlasURL+"/api/atlas/v2/groups/"+sim.ProjectB+next.path, strings.NewReader(next.body))
		require.NoError(b, err)
		request.Header.Set("Authorization", "Bearer "+bearer)
		request.Header.Set("Accept", "application/vnd.atlas.2025-03-12+json")
		if next.body != "" {
			request.Header.Set("Content-Type", "application/vnd.atlas.2025-03-12+json")
		}
		<-tick.C
		started := time.Now()
		a := send(b, request)
		took = append(took, time.Since(started))
		require.Equal(b, 200, a.status, "%s", a.body)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}
