package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestItServesSaysSoOnceAndStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-atlas", "127.0.0.1:0", "-aws", "127.0.0.1:0", "-validate=false"}, in, io.Discard)
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	urls := regexp.MustCompile(`^ready atlas=(http://127\.0\.0\.1:\d+) aws=(http://127\.0\.0\.1:\d+)$`).FindStringSubmatch(lines.Text())
	require.NotNil(t, urls, lines.Text())
	for path, status := range map[string]int{urls[1] + "/_sim/state": 200, urls[1] + "/api/atlas/v2/groups": 401} {
		response, err := http.Get(path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, path)
	}
	stop()
	require.NoError(t, <-done)
	require.False(t, lines.Scan(), "one line only")
}

func TestBadFlagsAreRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"beyond loopback": {"-atlas", "0.0.0.0:0", "-validate=false"},
		"any address":     {"-atlas", ":0", "-validate=false"},
		"no scale":        {"-scale", "0"},
		"no such world":   {"-world", "nowhere.yaml"},
		"unknown flag":    {"-x"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, run(t.Context(), args, io.Discard, io.Discard))
		})
	}
}
