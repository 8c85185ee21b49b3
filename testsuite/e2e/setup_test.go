package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// nobody is an address at which nothing listens.
const nobody = "127.0.0.1:1"

// A worker that lacks what it needs says so in one line, within seconds: it ends, or where the lack may pass by itself,
// waits without taking work.
func TestWorkerThatCannotWorkSaysWhy(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	for name, c := range map[string]struct {
		env  map[string]string
		ends bool
		says string
	}{
		"no Atlas credentials":    {map[string]string{"MONGODB_ATLAS_CLIENT_SECRET": ""}, true, "MONGODB_ATLAS_CLIENT_ID"},
		"wrong Atlas credentials": {map[string]string{"MONGODB_ATLAS_CLIENT_SECRET": "mdb_sa_sk_wrong"}, true, "refuses the service account"},
		"wrong API key": {map[string]string{"MONGODB_ATLAS_CLIENT_ID": "", "MONGODB_ATLAS_PUBLIC_API_KEY": sim.APIPublicKey, "MONGODB_ATLAS_PRIVATE_API_KEY": "wrong"}, true,
			"MONGODB_ATLAS_PRIVATE_API_KEY"},
		"no AWS region":        {map[string]string{"AWS_REGION": ""}, true, "AWS_REGION"},
		"bad interval":         {map[string]string{"ATLAS_CMK_POLL_SHORTEST": "soon"}, true, "ATLAS_CMK_POLL_SHORTEST"},
		"half a version":       {map[string]string{"TEMPORAL_WORKER_BUILD_ID": "1"}, true, "TEMPORAL_WORKER_DEPLOYMENT_NAME"},
		"Temporal unreachable": {map[string]string{"TEMPORAL_ADDRESS": nobody}, true, "cannot reach Temporal at " + nobody},
		"namespace unknown":    {map[string]string{"TEMPORAL_NAMESPACE": "nowhere"}, false, "namespace nowhere"},
		"Atlas unreachable":    {map[string]string{"MONGODB_ATLAS_BASE_URL": "http://" + nobody}, false, "MONGODB_ATLAS_BASE_URL"},
		"AWS unreachable":      {map[string]string{"AWS_ENDPOINT_URL": "http://" + nobody}, false, "AWS: cannot be called"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cast := *s
			cast.t, cast.env = t, maps.Clone(s.env)
			maps.Copy(cast.env, c.env)
			cast.start()
			if c.ends {
				cast.endsSaying(c.says)
				return
			}
			require.Contains(t, cast.notReady(), c.says)
		})
	}
}

// endsSaying requires that the worker ends with an error of one line.
func (s *stage) endsSaying(what string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	require.Error(s.t, s.worker.Wait(ctx))
	require.NotZero(s.t, s.worker.ExitCode())
	lines := strings.Split(strings.TrimSpace(s.worker.Tail(100)), "\n")
	last := lines[len(lines)-1]
	require.Contains(s.t, last, "atlas-cmk worker: ")
	require.Contains(s.t, last, what)
	require.NotContains(s.t, s.worker.Tail(100), "goroutine ")
}

// notReady waits until the worker's health server says why it is not ready.
func (s *stage) notReady() string {
	s.t.Helper()
	var answer struct {
		Ready bool
		Why   string
	}
	require.Eventually(s.t, func() bool {
		address := s.healthAddress()
		return address != "" && get(s.t.Context(), "http://"+address+"/readyz", &answer) == nil && answer.Why != "" && answer.Why != "starting"
	}, patience, 50*time.Millisecond)
	require.False(s.t, answer.Ready)
	return answer.Why
}

// healthAddress is where the worker said that it serves its health, or empty.
func (s *stage) healthAddress() string {
	for line := range strings.Lines(s.worker.Tail(100)) {
		var entry struct{ Health string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Health != "" {
			return entry.Health
		}
	}
	return ""
}

func TestMissingSearchAttributesAreRegistered(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	s.start()
	s.ready()
}

func (s *stage) ready() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		var answer struct{ Ready bool }
		address := s.healthAddress()
		return address != "" && get(s.t.Context(), "http://"+address+"/readyz", &answer) == nil && answer.Ready
	}, patience, 50*time.Millisecond)
}

// An attribute of the wrong type cannot be put right from here: the worker says so, and works once they are switched off.
func TestSearchAttributeOfAnotherTypeKeepsTheWorkerFromWork(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{})
	_, err := s.temporal.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: s.namespace, SearchAttributes: map[string]enums.IndexedValueType{"CmkPhase": enums.INDEXED_VALUE_TYPE_INT},
	})
	require.NoError(t, err)
	s.start()
	require.Contains(t, s.notReady(), "CmkPhase")
	require.NoError(t, s.worker.Stop())

	s.env["ATLAS_CMK_SEARCH_ATTRIBUTES"] = "off"
	s.start()
	run := s.enable(nil)
	s.approveAll(run)
	report, failed := s.result(run)
	require.Empty(t, failed, report.Problem)
	require.True(t, report.Verified)
}
