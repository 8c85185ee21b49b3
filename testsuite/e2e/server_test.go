package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// The Temporal server itself is killed at a write, and started again on its database. The worker, which lives on, goes on
// where the database says: the run finishes as if nothing had happened, and nothing is done twice.
func TestServerKilledAtAWrite(t *testing.T) {
	t.Parallel()
	const last = 13
	// In the role, on the project, among the endpoints and among the clusters; or at each, where that is asked for.
	writes := []int{2, 5, 8, 11}
	if os.Getenv(everyCell) != "" {
		writes = writes[:0]
		for n := 1; n <= last; n++ {
			writes = append(writes, n)
		}
	}
	for i, n := range writes {
		when := []moment{beforeWrite, afterWrite, afterAnswer}[i%3]
		t.Run(fmt.Sprintf("%02d-%s", n, when), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// The usual ports would go to whoever starts a server while ours is dead.
			port, err := devserver.FreePort(t.Context())
			require.NoError(t, err)
			httpPort, err := devserver.FreePort(t.Context())
			require.NoError(t, err)
			server, err := devserver.Start(t.Context(), devserver.Options{
				Port: port, HTTPPort: httpPort, Fast: true, DBFile: filepath.Join(dir, "temporal.db"), LogFile: filepath.Join(dir, "server.log"),
			})
			require.NoError(t, err)
			t.Cleanup(func() { _ = server.Stop() })
			s := newStage(t, &theatre{server: server, worker: shared.worker}, sim.Options{})
			killed := make(chan struct{})
			s.guard(&gate{nth: n, when: when, crash: func() {
				server.Kill()
				close(killed)
			}})
			s.start()
			run := s.enable(nil)
			s.approveAll(run)
			<-killed
			require.NoError(t, server.Restart(t.Context()))
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			require.Equal(t, cmk.PhaseDone, report.Phase)
			require.Len(t, report.Writes, last)
			once(t, s.writes())
			require.Len(t, s.writes(), last)
		})
	}
}
