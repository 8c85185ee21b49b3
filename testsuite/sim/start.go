package sim

import (
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// Description is the API's own description, which takes most of a second to load: once for all tests of a program.
var Description = sync.OnceValues(atlassim.LoadSchema)

// Running is a world that is served on the loopback interface.
type Running struct {
	*Sim
	// AtlasURL and AWSURL are where the services are, without a slash at the end.
	AtlasURL, AWSURL string
}

// Start serves a world until the test ends. Then the test fails if anything was said that Atlas's own description
// does not allow, unless AllowMismatches says so. The description is loaded if o has none; where it is not to be had,
// the test's log says that nothing was checked.
func Start(t testing.TB, o Options) *Running {
	t.Helper()
	if o.Schema == nil {
		var err error
		if o.Schema, err = Description(); err != nil {
			t.Logf("sim: not checking against the API description: %v", err)
		}
	}
	s, err := New(o)
	if err != nil {
		t.Fatalf("sim: %v", err)
	}
	atlas, aws := httptest.NewServer(loud(t, s.Atlas())), httptest.NewServer(loud(t, s.AWS()))
	t.Cleanup(func() {
		atlas.Close()
		aws.Close()
		if o.AllowMismatches {
			return
		}
		for _, m := range s.Mismatches() {
			t.Errorf("against the API description: %s", m)
		}
	})
	return &Running{Sim: s, AtlasURL: atlas.URL, AWSURL: aws.URL}
}

// loud fails the test when a handler panics. The server would only close the connection, and a client that asks again
// might never tell.
func loud(t testing.TB, h http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p) // a fault drops the connection
			default:
				t.Errorf("sim: %s %s: panic: %v\n%s", r.Method, r.URL, p, debug.Stack())
				panic(http.ErrAbortHandler)
			}
		}()
		h.ServeHTTP(rw, r)
	})
}
