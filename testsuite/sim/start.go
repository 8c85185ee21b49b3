package sim

import (
	"net/http/httptest"
	"testing"
)

// Running is a world that is served on the loopback interface.
type Running struct {
	*Sim
	// AtlasURL and AWSURL are where the services are, without a slash at the end.
	AtlasURL, AWSURL string
}

// Start serves a world until the test ends. Then the test fails if anything was said that Atlas's own description
// does not allow, where that is checked and not allowed for.
func Start(t testing.TB, o Options) *Running {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatalf("sim: %v", err)
	}
	atlas, aws := httptest.NewServer(s.Atlas()), httptest.NewServer(s.AWS())
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
