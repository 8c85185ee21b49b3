package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// BenchmarkWatches measures what a worker takes that watches many projects, each of three endpoints and four clusters:
// resident memory, after the first looks and at the most, and calls of Atlas for each project in an hour of quiet. The
// intervals are a tenth of the default ones, and the figures for an hour those of the default ones. Run it with -benchtime 1x.
func BenchmarkWatches(b *testing.B) {
	for _, projects := range []int{1, 1000} {
		b.Run(fmt.Sprintf("projects-%d", projects), func(b *testing.B) {
			for range b.N {
				watchCost(b, projects)
			}
		})
	}
}

func watchCost(b *testing.B, projects int) {
	b.Helper()
	const faster = 10
	const interval = 5 * time.Minute / faster
	config, ids := manyGrown(projects)
	s := newStage(b, shared, sim.Options{World: config, Scale: 1})
	s.start()
	s.ready()
	var starting errgroup.Group
	const atOnce = 8
	starting.SetLimit(atOnce)
	for _, id := range ids {
		starting.Go(func() error {
			_, err := s.temporal.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{ID: cmk.WatchID(id), TaskQueue: cmk.TaskQueue}, cmk.WatchProject,
				cmk.WatchRequest{ProjectID: id, WatchOptions: cmk.WatchOptions{Interval: cmk.Duration(interval), SettingsInterval: cmk.Duration(6 * time.Hour / faster)}})
			return err
		})
	}
	require.NoError(b, starting.Wait())
	require.Eventually(b, func() bool { return len(s.looks(0)) == projects }, patience, time.Second)
	<-time.After(interval) // until all who began together look each at their own time
	from, began := s.world.Journal.Len(), time.Now()
	const window = 4 * interval
	<-time.After(window)
	hours := time.Since(began).Hours() * faster
	calls, looks := s.atlasCalls(from), s.looks(from)
	require.Len(b, looks, projects, "each project is looked at")
	total := 0
	for _, n := range looks {
		total += n
	}
	resident, most := s.memory()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(resident, "MB")
	b.ReportMetric(most, "MB-most")
	b.ReportMetric(calls/float64(total), "calls/look")
	b.ReportMetric(calls/hours/float64(projects), "calls/project/h")
}

// manyGrown is a world of many projects like the one of grown, which share a role.
func manyGrown(projects int) (*sim.Config, []string) {
	config := grown(nil)
	like := config.Atlas.Projects[slices.IndexFunc(config.Atlas.Projects, func(p atlassim.Project) bool { return p.ID == sim.ProjectA })]
	account := &config.Atlas.ServiceAccounts[0]
	var ids []string
	for i := range projects {
		p := like
		p.ID = fmt.Sprintf("6b%022d", i)
		p.Name = p.ID
		role, encryption := like.Roles[0], *like.Encryption
		role.ID = fmt.Sprintf("6c%022d", i)
		encryption.RoleID = role.ID
		p.Roles, p.Encryption = []atlassim.AccessRole{role}, &encryption
		config.Atlas.Projects = append(config.Atlas.Projects, p)
		account.Roles = append(account.Roles, atlassim.Grant{Project: p.ID, Role: account.Roles[0].Role})
		ids = append(ids, p.ID)
	}
	return config, ids
}

// looks is how often each project's endpoints have been listed since an entry of the journal.
func (s *stage) looks(since int) map[string]int {
	looks := map[string]int{}
	for _, e := range s.world.Journal.Since(since) {
		if e.Operation == "listGroupEncryptionAtRestPrivateEndpoints" {
			looks[e.Path]++
		}
	}
	return looks
}

// memory is what the worker has in memory, now and at the most, in MB. Only Linux tells.
func (s *stage) memory() (resident, most float64) {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.worker.PID()))
	require.NoError(s.t, err)
	for line := range strings.Lines(string(status)) {
		var kB float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kB); n == 1 {
			resident = kB / 1000 * 1.024
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kB); n == 1 {
			most = kB / 1000 * 1.024
		}
	}
	require.NotZero(s.t, resident)
	return resident, most
}
