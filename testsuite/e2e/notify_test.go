package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// webhookSecret is what the worker and the receiver share.
const webhookSecret = "a secret of 16 characters"

// delivery is an attempt to deliver a notification, as its receiver sees it.
type delivery struct {
	id, timestamp, signature string
	body                     []byte
}

// signed says whether the attempt is signed as docs/watch.md says, and not long ago.
func (d delivery) signed() bool {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write([]byte(d.timestamp + "."))
	mac.Write(d.body)
	at, err := strconv.ParseInt(d.timestamp, 10, 64)
	return err == nil && time.Since(time.Unix(at, 0)).Abs() < time.Minute && d.signature == "sha256="+hex.EncodeToString(mac.Sum(nil))
}

// receiver is a webhook's, which goes wrong in turn, and is then busy until it takes what it is told.
type receiver struct {
	turns []http.HandlerFunc
	// taking is closed when it takes.
	taking chan struct{}

	mu         sync.Mutex
	deliveries []delivery
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	d := delivery{
		id: request.Header.Get(cmk.WebhookDelivery), timestamp: request.Header.Get(cmk.WebhookTimestamp), signature: request.Header.Get(cmk.WebhookSignature),
	}
	d.body, _ = io.ReadAll(request.Body) // the signature tells whether all of it has come
	r.mu.Lock()
	r.deliveries = append(r.deliveries, d)
	n := len(r.deliveries)
	r.mu.Unlock()
	if n <= len(r.turns) {
		r.turns[n-1](w, request)
		return
	}
	select {
	case <-r.taking:
	default:
		busy(http.StatusServiceUnavailable)(w, request)
	}
}

// all are the attempts so far.
func (r *receiver) all() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.deliveries)
}

// busy answers that the receiver cannot take anything for a second.
func busy(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(status)
	}
}

// cutOff takes the notification, and cuts the connection instead of an answer.
func cutOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// silent says nothing until the worker has given up.
func silent(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }

// A receiver that is down at first, then cuts the connection, stays silent, and answers 500 and 503, is told all the same what
// the watch finds: each notification until it has taken it, the same at every attempt, and signed anew. Meanwhile the watch
// sees what else happens.
func TestWatchTellsAReceiverThatIsOftenDown(t *testing.T) {
	t.Parallel()
	port, err := devserver.FreePort(t.Context())
	require.NoError(t, err)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := newStage(t, shared, sim.Options{World: grown(nil)})
	s.env["ATLAS_CMK_WEBHOOK_URL"], s.env["ATLAS_CMK_WEBHOOK_SECRET"] = "http://"+address+"/hook", webhookSecret
	s.start()
	run := s.watch()
	s.act(atlassim.Act{Kind: atlassim.FailEndpoint, Region: "EU_WEST_1", Message: "as it happens"})
	require.Eventually(t, func() bool { return s.attempts(run, "Notify") > 1 }, patience, 20*time.Millisecond, "nobody has tried to tell of it")

	r := &receiver{turns: []http.HandlerFunc{cutOff, silent, busy(http.StatusInternalServerError)}, taking: make(chan struct{})}
	server := httptest.NewUnstartedServer(r)
	require.NoError(t, server.Listener.Close())
	var listening net.ListenConfig
	server.Listener, err = listening.Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	server.Start()
	t.Cleanup(server.Close)

	s.act(atlassim.Act{Kind: atlassim.AddCluster, Add: &atlassim.Cluster{Name: "added", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}}})
	st := s.until(run, "seeing more, which nobody has been told", func(st cmk.Status) bool { return found(st.Findings, cmk.FindingClusterWithoutKey, "added") })
	require.Equal(t, cmk.PhaseAttention, st.Phase)
	require.Eventually(t, func() bool { return len(r.all()) > len(r.turns) }, patience, 20*time.Millisecond)
	close(r.taking)
	told := func(d delivery) (n cmk.Notification) {
		require.NoError(t, json.Unmarshal(d.body, &n))
		return n
	}
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(r.all(), func(d delivery) bool { return found(told(d).Opened, cmk.FindingClusterWithoutKey, "added") })
	}, patience, 50*time.Millisecond)

	all := r.all()
	first := told(all[0])
	require.True(t, slices.ContainsFunc(first.Opened, func(f cmk.Finding) bool { return f.Code == cmk.FindingEndpointFailed }), "%+v", first)
	require.Equal(t, sim.ProjectA, first.ProjectID)
	require.Equal(t, run.GetID(), first.WorkflowID)
	attempts := map[string]int{}
	for i, d := range all {
		require.True(t, d.signed(), "attempt %d: %+v", i+1, d)
		require.Equal(t, told(d).ID, d.id)
		if attempts[d.id]++; d.id == first.ID {
			require.Equal(t, string(all[0].body), string(d.body), "attempt %d", i+1)
			require.Equal(t, i+1, attempts[d.id], "nothing else is told meanwhile")
			continue
		}
		require.Equal(t, 1, attempts[d.id], "%s has been taken already", d.id)
	}
	require.Greater(t, attempts[first.ID], len(r.turns)+1)
	st, err = s.status(run)
	require.NoError(t, err)
	require.Empty(t, st.Problem)
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
	_, failed := s.outcome(run)
	require.Equal(t, "Canceled", failed)
	s.record(run, "watch-receiver-often-down")
}

// found says whether a finding is among others.
func found(findings []cmk.Finding, code cmk.FindingCode, object string) bool {
	return slices.ContainsFunc(findings, func(f cmk.Finding) bool { return f.Code == code && f.Object == object })
}

// attempts is how often an activity that is not over yet has been tried, the next time included.
func (s *stage) attempts(run client.WorkflowRun, activity string) int32 {
	described, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), run.GetID(), run.GetRunID())
	if err != nil {
		return 0
	}
	for _, p := range described.GetPendingActivities() {
		if p.GetActivityType().GetName() == activity {
			return p.GetAttempt()
		}
	}
	return 0
}
