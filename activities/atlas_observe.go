package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"golang.org/x/sync/errgroup"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// ObserveProjectInput asks for a project as soon as it differs from what was last seen.
type ObserveProjectInput struct {
	ProjectID string `json:"projectId"`
	LastSeen  *Look  `json:"lastSeen,omitempty"`
	// Interval is how often to look, SettingsInterval how often to have Atlas validate the key.
	Interval         cmk.Duration `json:"interval"`
	SettingsInterval cmk.Duration `json:"settingsInterval"`
	// Anyway has it returned though it does not differ: that it can be read is the news.
	Anyway bool `json:"anyway,omitempty"`
}

// alarmWindow is for how long an alarm counts as being of late.
const alarmWindow = time.Hour

// ObserveProject returns the project once it differs from LastSeen; until then it fails with NotReady, to be tried again
// at the next look. A look takes three calls of Atlas: endpoints, clusters and alarms. Settings, roles and key are read when
// something in those has changed or their own interval is over, and the search nodes of clusters with them where they are to
// use the key: Atlas validates the key at every such read.
func (a *Atlas) ObserveProject(ctx context.Context, in ObserveProjectInput) (*Look, error) {
	now := a.pace.clock().Now().UTC()
	look := &Look{}
	group, within := errgroup.WithContext(ctx)
	group.Go(func() (err error) { look.Endpoints, err = a.endpoints(within, in.ProjectID); return })
	group.Go(func() (err error) { look.Clusters, err = a.clusters(within, in.ProjectID); return })
	group.Go(func() (err error) {
		look.Alarms, err = a.alarmsSince(within, in.ProjectID, now.Add(-alarmWindow))
		return
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, c := range look.Clusters {
		// What comes and goes while a cluster scales itself is no news.
		look.Clusters[i] = Cluster{Name: c.Name, Provider: c.Provider, Regions: c.Regions, Clouds: c.Clouds}
	}
	last := in.LastSeen
	read := settingsRead(ctx, last)
	if last != nil && now.Sub(read) < time.Duration(in.SettingsInterval) {
		look.keepSettings(last)
		if look.equals(last) && !in.Anyway {
			return nil, notReady(jitter(ctx, in.Interval), "the project has not changed")
		}
	}
	look.At = now
	if err := a.readSettings(ctx, in.ProjectID, look, last); err != nil {
		return nil, err
	}
	if look.equals(last) && !in.Anyway {
		activity.RecordHeartbeat(ctx, now)
		return nil, notReady(jitter(ctx, in.Interval), "the project has not changed")
	}
	return look, nil
}

// settingsRead is when the settings were read last, by this look or one that it goes on from.
func settingsRead(ctx context.Context, last *Look) time.Time {
	var read time.Time
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &read); err != nil {
			activity.GetLogger(ctx).Warn("unreadable heartbeat, reading the settings", "error", err)
		}
	}
	if last != nil && last.At.After(read) {
		return last.At
	}
	return read
}

// readSettings completes a look with what is read seldom.
func (a *Atlas) readSettings(ctx context.Context, projectID string, look, last *Look) (err error) {
	// The feed first: what happens from here on is for the next look.
	if err := a.follow(ctx, projectID, look, last); err != nil {
		return err
	}
	if look.Encryption, err = a.encryption(ctx, projectID); err != nil {
		return err
	}
	if look.Roles, err = a.accessRoles(ctx, projectID); err != nil {
		return err
	}
	for _, c := range look.Clusters {
		if !look.Encryption.SearchNodes {
			break
		}
		search, err := a.searchOf(ctx, projectID, c.Name)
		if err != nil {
			return err
		}
		if search != nil {
			look.Search = append(look.Search, SearchDeployment{Cluster: search.Cluster, Provider: search.Provider})
		}
	}
	return a.lookAtKey(ctx, look)
}

// follow reads what has been done to the project's encryption since the last look, and by whom.
func (a *Atlas) follow(ctx context.Context, projectID string, look, last *Look) (err error) {
	if last == nil || last.Feed == nil {
		look.Feed, err = a.feed(ctx, projectID)
		return err
	}
	events, err := a.events(ctx, projectID, acts(), last.Feed.At)
	if err != nil {
		return err
	}
	look.Feed = last.Feed
	if len(events) > 0 {
		look.Feed = endOf(events)
	}
	for _, e := range events {
		if slices.Contains(last.Feed.IDs, e.GetId()) {
			continue
		}
		who := a.stranger(e)
		if who != "" {
			look.Strangers = append(look.Strangers, who)
		}
		if e.GetEventTypeName() == "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_CREATED" && who == "" && len(names(e)) > 0 {
			look.Created = true
		}
	}
	look.Strangers = set(look.Strangers)
	return nil
}

// alarmsSince are the kinds of alarms since some time.
func (a *Atlas) alarmsSince(ctx context.Context, projectID string, since time.Time) ([]string, error) {
	events, response, err := a.api.EventsApi.ListGroupEvents(ctx, projectID).EventType(alarms()).MinDate(since).IncludeCount(false).Execute()
	if err != nil {
		return nil, atlasError(err, response, "list the events of project %s", projectID)
	}
	var kinds []string
	for _, e := range events.GetResults() {
		kinds = append(kinds, e.GetEventTypeName())
	}
	return set(kinds), nil
}

// keepSettings takes over what was not read anew.
func (l *Look) keepSettings(last *Look) {
	l.Encryption, l.Roles, l.Search, l.Key, l.KeyProblem, l.At, l.Feed = last.Encryption, last.Roles, last.Search, last.Key, last.KeyProblem, last.At, last.Feed
}

// equals says whether two looks saw the same, whenever that was and whoever was at work.
func (l *Look) equals(other *Look) bool {
	return other != nil && bytes.Equal(l.canonical(), other.canonical())
}

func (l *Look) canonical() []byte {
	c := *l
	c.At, c.Feed, c.Strangers, c.Created = time.Time{}, nil, nil, false
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // a look always marshals
	}
	return text
}

// jitter keeps a thousand watches that were begun at once from looking at once. Which watch looks when is no matter of chance,
// so that what happens to one can happen again.
func jitter(ctx context.Context, interval cmk.Duration) time.Duration {
	const share, parts = 0.1, 1 << 16
	info, h := activity.GetInfo(ctx), fnv.New64a()
	_, _ = fmt.Fprint(h, info.WorkflowExecution.RunID, info.ActivityID, info.Attempt) // never fails
	return time.Duration(float64(interval) * (1 - share + 2*share*float64(h.Sum64()%parts)/parts))
}
