package sim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// dated asks in a version of the API, and has the body in that version too.
func dated(date string) func(*http.Request) {
	return func(r *http.Request) {
		mediaType := "application/vnd.atlas." + date + "+json"
		r.Header.Set("Accept", mediaType)
		if r.Header.Get("Content-Type") != "" {
			r.Header.Set("Content-Type", mediaType)
		}
	}
}

const (
	february = "2023-02-01"
	august   = "2024-08-05"
	october  = "2024-10-23"
)

// In versions before 2024-08-05 one replication spec stands for all shards of a zone, and the disk is the cluster's.
func TestClustersInTheWordsOf2023(t *testing.T) {
	r, clock := start(t, sim.Options{Seed: 6})
	s := newScript(t, r)
	specs := func(c map[string]any) []any { return c["replicationSpecs"].([]any) }
	disk := func(spec any) any {
		return spec.(map[string]any)["regionConfigs"].([]any)[0].(map[string]any)["electableSpecs"].(map[string]any)["diskSizeGB"]
	}
	a := s.do("POST", in("/clusters"), `{"name":"old","clusterType":"SHARDED","diskSizeGB":60,"replicationSpecs":[{"numShards":2,"regionConfigs":[`+
		`{"providerName":"AWS","regionName":"US_EAST_1","priority":7,"electableSpecs":{"instanceSize":"M30","nodeCount":3}}]}]}`, dated(february))
	require.Equal(t, 201, a.status, "%s", a.body)
	require.NotEmpty(t, a.header.Get("Deprecation"))
	require.NotEmpty(t, a.header.Get("Sunset"))
	old := a.json(t)
	require.EqualValues(t, 60, old["diskSizeGB"])
	require.Len(t, specs(old), 1)
	require.EqualValues(t, 2, specs(old)[0].(map[string]any)["numShards"])
	require.Nil(t, disk(specs(old)[0]))
	clock.wind(time.Hour)

	apart := s.do("GET", in("/clusters/old"), "", dated(august)).json(t)
	require.NotContains(t, apart, "diskSizeGB")
	require.Len(t, specs(apart), 2)
	for _, one := range specs(apart) {
		require.EqualValues(t, 60, disk(one))
		require.NotContains(t, one, "numShards")
		require.Equal(t, specs(old)[0].(map[string]any)["zoneId"], one.(map[string]any)["zoneId"])
		require.NotEqual(t, specs(old)[0].(map[string]any)["id"], one.(map[string]any)["id"])
	}

	require.Equal(t, 200, s.do("PATCH", in("/clusters/old"), `{"diskSizeGB":90}`, dated(february)).status)
	require.EqualValues(t, 90, disk(specs(s.do("GET", in("/clusters/old"), "").json(t))[1]))
	require.Equal(t, "INVALID_ATTRIBUTE", s.do("PATCH", in("/clusters/old"), `{"diskSizeGB":90}`, dated(october)).header.Get("X-Error-Code"))

	// Shards that differ cannot be said in 2023.
	shard := func(size string) string {
		return `{"regionConfigs":[{"providerName":"AWS","regionName":"US_EAST_1","priority":7,"electableSpecs":{"instanceSize":"` + size + `","nodeCount":3}}]}`
	}
	a = s.do("PATCH", in("/clusters/old"), `{"replicationSpecs":[`+shard("M30")+`,`+shard("M40")+`]}`, dated(october))
	require.Equal(t, 200, a.status, "%s", a.body)
	require.Equal(t, "ASYMMETRIC_SHARD_UNSUPPORTED", s.do("GET", in("/clusters/old"), "", dated(february)).header.Get("X-Error-Code"))
	require.Equal(t, "ASYMMETRIC_SHARD_UNSUPPORTED", s.do("PATCH", in("/clusters/old"), `{"paused":true}`, dated(february)).header.Get("X-Error-Code"))
	require.Equal(t, 5, int(s.do("GET", in("/clusters"), "", dated(august)).json(t)["totalCount"].(float64)))
	require.Equal(t, 4, int(s.do("GET", in("/clusters"), "", dated(february)).json(t)["totalCount"].(float64)))
}

func TestProcessArgumentsAndSearchNodesInTheWordsOf2023(t *testing.T) {
	r, clock := start(t, sim.Options{Seed: 6})
	s := newScript(t, r)
	args := s.do("PATCH", in("/clusters/west/processArgs"), `{"noTableScan":true,"failIndexKeyTooLong":true}`, dated("2023-01-01"))
	require.Equal(t, 200, args.status, "%s", args.body)
	require.Equal(t, true, args.json(t)["noTableScan"])
	require.Contains(t, args.json(t), "defaultReadConcern")
	require.NotContains(t, s.do("GET", in("/clusters/west/processArgs"), "").json(t), "defaultReadConcern")

	specs := `{"specs":[{"instanceSize":"S20_HIGHCPU_NVME","nodeCount":2}]}`
	require.Equal(t, 200, s.do("POST", in("/clusters/west/search/deployment"), specs, dated("2023-01-01")).status, "201 since 2024-05-30")
	clock.wind(time.Hour)
	require.Equal(t, "IDLE", s.do("GET", in("/clusters/west/search/deployment"), "", dated("2023-01-01")).json(t)["stateName"])
	require.Equal(t, 200, s.do("PATCH", in("/clusters/west/search/deployment"), specs, dated("2023-01-01")).status)
	require.Equal(t, 200, s.do("DELETE", in("/clusters/west/search/deployment"), "", dated("2023-01-01")).status)
}
