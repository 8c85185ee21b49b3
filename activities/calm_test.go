package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNextMaintenance(t *testing.T) {
	// A Wednesday.
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		day, hour int
		zone      string
		want      time.Time
	}{
		"none":            {0, 0, "", time.Time{}},
		"later today":     {4, 15, "Etc/UTC", time.Date(2026, 11, 25, 15, 0, 0, 0, time.UTC)},
		"just begun":      {4, 11, "Etc/UTC", time.Date(2026, 11, 25, 11, 0, 0, 0, time.UTC)},
		"earlier today":   {4, 10, "Etc/UTC", time.Date(2026, 12, 2, 10, 0, 0, 0, time.UTC)},
		"yesterday":       {3, 15, "Etc/UTC", time.Date(2026, 12, 1, 15, 0, 0, 0, time.UTC)},
		"Sunday":          {1, 0, "Etc/UTC", time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)},
		"in another zone": {4, 9, "America/New_York", time.Date(2026, 11, 25, 14, 0, 0, 0, time.UTC)},
	} {
		got, err := nextMaintenance(c.day, c.hour, c.zone, now)
		require.NoError(t, err, name)
		require.True(t, c.want.Equal(got), "%s: %s", name, got)
	}
	_, err := nextMaintenance(1, 0, "No/Where", now)
	require.Error(t, err)
}

func TestEventsAreToldToTheSecond(t *testing.T) {
	second := time.Date(2026, 11, 25, 12, 0, 7, 0, time.UTC)
	require.Equal(t, second, wholeSecond(second))
	require.Equal(t, second.Add(time.Second), wholeSecond(second.Add(time.Millisecond)))
}
