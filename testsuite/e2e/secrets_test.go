package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// leaky stands before Atlas and keeps what authorizes each request. Some it answers itself, as a broken gateway that
// repeats all it was sent: its page must not be repeated in turn.
type leaky struct {
	atlas http.Handler

	mu     sync.Mutex
	heard  map[string]bool
	n      int
	leaked int
	// broken is the path that is answered so, and left how often still: a read is repeated at once.
	broken string
	left   int
}

func (l *leaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	authorization := r.Header.Get("Authorization")
	_, credential, _ := strings.Cut(authorization, " ")
	const every = 23 // seldom enough that a look of several requests comes through
	const enough = 6 // the looks of a retirement, which has months, bear one for minutes
	l.mu.Lock()
	if credential != "" {
		l.heard[credential] = true
	}
	l.n++
	if l.n%every == 0 && l.leaked < enough && !strings.Contains(r.URL.Path, "oauth") {
		l.broken, l.left = r.URL.Path, 3
	}
	leak := l.left > 0 && l.broken == r.URL.Path
	if leak {
		l.left--
		l.leaked++
	}
	l.mu.Unlock()
	if leak {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html>" + authorization + " " + sim.ClientSecret + "</html>"))
		return
	}
	l.atlas.ServeHTTP(w, r)
}

func (l *leaky) secrets() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []string{sim.ClientSecret, sim.APIPrivateKey, awssim.WorkerSecret, awssim.AtlasUserSecret, "Bearer ", "client_credentials"}
	for credential := range l.heard {
		all = append(all, credential)
	}
	return all
}

// Nothing secret is in the server's database after a migration and a retirement, though Atlas's gateway has repeated
// everything to the worker again and again: no secret that either service knows, and no token that was ever sent.
func TestNoSecretIsInTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "temporal.db")
	server, err := devserver.Start(t.Context(), devserver.Options{Fast: true, DBFile: database, LogFile: filepath.Join(dir, "server.log")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })

	config := sim.DefaultConfig()
	for i := range projectB(&config).Clusters {
		projectB(&config).Clusters[i].Snapshots = nil
	}
	l := &legacy{newStage(t, &theatre{server: server, worker: shared.worker}, sim.Options{World: &config})}
	atlas, err := url.Parse(l.world.AtlasURL)
	require.NoError(t, err)
	gateway := &leaky{atlas: httputil.NewSingleHostReverseProxy(atlas), heard: map[string]bool{}}
	front := httptest.NewServer(gateway)
	t.Cleanup(front.Close)
	l.env["MONGODB_ATLAS_BASE_URL"] = front.URL
	l.start()
	run := l.migrated(nil)
	st := l.until(run, "asking for the deletion", askedFor(cmk.AwaitingDeletionApproval))
	l.decide(run, cmk.SignalApprove, cmk.Decision{By: "approver", Plan: st.Plan.Hash})
	report, failed := l.ends(run)
	require.Empty(t, failed, report.Problem)
	require.NoError(t, l.worker.Stop())
	require.NoError(t, server.Stop())

	files, err := filepath.Glob(database + "*")
	require.NoError(t, err)
	var content []byte
	for _, name := range append(files, filepath.Join(dir, "server.log")) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		content = append(content, text...)
	}
	// The search finds what is there: what people have said, and what the gateway's page became.
	require.True(t, bytes.Contains(content, []byte(awssim.AtlasUserAccessKeyID)))
	require.True(t, bytes.Contains(content, []byte("an answer that cannot be read, HTTP status 502")))
	require.Positive(t, gateway.leaked)
	require.Greater(t, len(gateway.secrets()), 6, "tokens were heard")
	const all = 1 << 20
	log := l.worker.Tail(all)
	for _, secret := range gateway.secrets() {
		require.False(t, bytes.Contains(content, []byte(secret)), "in the database: %s", secret)
		require.NotContains(t, log, secret, "in the worker's log")
	}
}
