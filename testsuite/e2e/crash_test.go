package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// moment is when the worker is killed, seen from one of its writes.
type moment string

const (
	// beforeWrite: the request has left the worker and never arrives.
	beforeWrite moment = "before"
	// afterWrite: the request has been carried out, and its answer is lost.
	afterWrite moment = "after"
	// afterAnswer: the answer is on its way, and Temporal is yet to hear of it.
	afterAnswer moment = "answered"
)

// everyCell names the environment variable that has every write crash at every moment.
const everyCell = "ATLAS_CMK_EVERY_CELL"

// chosen says whether the n-th write, from 1, is one that something happens at: every fourth one, or each where that is asked
// for, or where the histories are recorded.
func chosen(n int) bool {
	return n%4 == 1 || os.Getenv(everyCell) != "" || os.Getenv(recordings) != ""
}

// moments are those at which the n-th write, from 1, crashes: each in its turn, or all where that is asked for.
func moments(n int) []moment {
	all := []moment{beforeWrite, afterWrite, afterAnswer}
	switch at := n / 4 % len(all); {
	case os.Getenv(everyCell) != "":
		return all
	case chosen(n):
		return all[at : at+1]
	}
	return nil
}

// gate stands between the worker and the world, and has something happen at the n-th write.
type gate struct {
	mu     sync.Mutex
	writes []string
	nth    int
	when   moment
	crash  func()
}

// arm has something happen at the n-th write from now, instead.
func (g *gate) arm(n int, when moment, crash func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.nth, g.when, g.crash = len(g.writes)+n, when, crash
}

// through passes requests on to a service.
func (g *gate) through(service http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := writeOf(r)
		if name == "" {
			service.ServeHTTP(w, r)
			return
		}
		g.mu.Lock()
		g.writes = append(g.writes, name)
		now, when, crash := len(g.writes) == g.nth, g.when, g.crash
		g.mu.Unlock()
		if !now {
			service.ServeHTTP(w, r)
			return
		}
		switch when {
		case beforeWrite:
			crash()
			panic(http.ErrAbortHandler)
		case afterWrite:
			service.ServeHTTP(httptest.NewRecorder(), r)
			crash()
			panic(http.ErrAbortHandler)
		case afterAnswer:
			service.ServeHTTP(w, r)
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
			crash()
		}
	})
}

// writeOf names what a request would change, or is empty for one that only reads.
func writeOf(r *http.Request) string {
	if r.Method == http.MethodGet || strings.HasPrefix(r.URL.Path, "/api/oauth/") {
		return ""
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return r.Method + " " + r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return writeAction(target[strings.Index(target, ".")+1:])
	}
	for pair := range strings.SplitSeq(peek(r), "&") {
		if action, ok := strings.CutPrefix(pair, "Action="); ok {
			return writeAction(action)
		}
	}
	return ""
}

func writeAction(action string) string {
	for _, prefix := range []string{"Get", "List", "Describe", "Simulate"} {
		if strings.HasPrefix(action, prefix) {
			return ""
		}
	}
	return action
}

// peek reads a body that is to be read again.
func peek(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}

// guard puts a gate between this stage's worker and its world.
func (s *stage) guard(g *gate) {
	for name, service := range map[string]http.Handler{"MONGODB_ATLAS_BASE_URL": s.world.Atlas(), "AWS_ENDPOINT_URL": s.world.AWS()} {
		server := httptest.NewServer(g.through(service))
		s.t.Cleanup(server.Close)
		s.env[name] = server.URL
	}
}

// dieAt has the worker killed at its n-th write, from 1. What it returns is closed when that has happened.
func (s *stage) dieAt(n int, when moment) <-chan struct{} {
	crashed := make(chan struct{})
	s.guard(&gate{nth: n, when: when, crash: func() {
		s.worker.Kill()
		close(crashed)
	}})
	return crashed
}

// The worker is killed before and after every single write, and after its answer. Each time the run finishes as if
// nothing had happened, nothing is done twice, and no node is ever without its key.
func TestCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	calm := newStage(t, shared, sim.Options{})
	points := &gate{}
	calm.guard(points)
	calm.start()
	run := calm.enable(nil)
	calm.approveAll(run)
	report, failed := calm.result(run)
	require.Empty(t, failed, report.Problem)
	require.GreaterOrEqual(t, len(points.writes), 13)

	for n, write := range points.writes {
		for _, when := range moments(n + 1) {
			t.Run(fmt.Sprintf("%02d-%s-%s", n+1, write[strings.LastIndex(write, " ")+1:], when), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, shared, sim.Options{})
				crashed := s.dieAt(n+1, when)
				s.start()
				run := s.enable(nil)
				s.approveAll(run)
				<-crashed
				s.start()
				report, failed := s.result(run)
				require.Empty(t, failed, report.Problem)
				require.True(t, report.Verified)
				require.Equal(t, cmk.PhaseDone, report.Phase)
				require.Len(t, report.Writes, 13)
				once(t, s.writes())
				require.Len(t, s.writes(), 13)
			})
		}
	}
}

// An answer is lost, the worker dies, and the change is cancelled before it is back: what was done without anybody
// knowing is taken back all the same; from the first cluster on, what was begun is finished.
func TestCancelAfterLostAnswer(t *testing.T) {
	t.Parallel()
	const pivot, last = 10, 13
	for n := 1; n <= last; n++ {
		if !chosen(n) {
			continue
		}
		t.Run(fmt.Sprintf("write-%02d", n), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{})
			before := s.readable()
			crashed := s.dieAt(n, afterWrite)
			s.start()
			run := s.enable(nil)
			s.approveAll(run)
			<-crashed
			require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			s.start()
			report, failed := s.result(run)
			if n < pivot {
				require.Equal(t, "Canceled", failed)
				require.Equal(t, cmk.PhaseCompensated, report.Phase)
				require.Equal(t, before, s.readable())
				return
			}
			once(t, s.writes())
			require.Len(t, s.writes(), n)
			if n < last {
				require.Equal(t, "Canceled", failed)
				require.Equal(t, cmk.PhaseStopped, report.Phase)
			}
		})
	}
}
