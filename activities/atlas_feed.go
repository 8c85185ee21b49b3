package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Feed is how far a change has followed its project's activity feed: up to the events of one second. It is told by
// Atlas's own events, so that nobody's clock matters.
type Feed struct {
	// At is when the last event happened; zero when there was none.
	At time.Time `json:"at,omitzero"`
	// IDs are the events of that second.
	IDs []string `json:"ids,omitempty"`
}

// acts are the events of what somebody does to a project's encryption at rest.
func acts() []string {
	return []string{
		"ENCRYPTION_AT_REST_CONFIGURATION_UPDATED", "ENCRYPTION_AT_REST_CONFIGURATION_VALIDATION_FAILED", "ENCRYPTION_AT_REST_KEY_ROTATION_STARTED",
		"ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_CREATED", "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETED",
		"CLOUD_PROVIDER_ACCESS_AWS_IAM_ROLE_UPDATED", // the role may have come to be another IAM role
	}
}

// feed is the present end of a project's activity feed.
func (a *Atlas) feed(ctx context.Context, projectID string) (*Feed, error) {
	const newest = 10
	got, response, err := a.api.EventsApi.ListGroupEvents(ctx, projectID).EventType(acts()).ItemsPerPage(newest).IncludeCount(false).Execute()
	if err != nil {
		return nil, atlasError(err, response, "list the events of project %s", projectID)
	}
	return endOf(got.GetResults()), nil
}

// endOf is the end of a feed, which is listed newest first.
func endOf(events []admin.EventViewForNdsGroup) *Feed {
	f := &Feed{}
	for _, e := range events {
		if f.At.IsZero() {
			f.At = e.GetCreated()
		}
		if e.GetCreated().Equal(f.At) {
			f.IDs = append(f.IDs, e.GetId())
		}
	}
	return f
}

// undisturbed refuses a write, with ErrDisturbed, when somebody else has changed the project's encryption at rest since
// the change last followed the feed: what it knows of the project may not be so any more, and why it was changed only
// people can tell. The error's details are the Feed up to there, for when they have. It is asked just before a write that
// takes access away or depends on it; where nothing is followed, it asks nothing.
//
// Who has acted is told by the credentials that an event names: what the worker's own have done is ours, and an event that
// names nobody is Atlas's own. So somebody else who uses the worker's credentials goes unnoticed here, and is found only by
// the state that the write itself looks at.
func (a *Atlas) undisturbed(ctx context.Context, projectID string, under Lease) error {
	if under.Feed == nil {
		return nil
	}
	events, err := a.events(ctx, projectID, acts(), under.Feed.At)
	if err != nil {
		return err
	}
	var others []string
	for _, e := range events {
		if who := a.stranger(e); who != "" && !slices.Contains(under.Feed.IDs, e.GetId()) {
			others = append(others, fmt.Sprintf("%s by %s at %s", e.GetEventTypeName(), who, e.GetCreated().UTC().Format(time.RFC3339)))
		}
	}
	if len(others) == 0 {
		return nil
	}
	slices.Reverse(others)
	return temporal.NewApplicationErrorWithOptions(
		"somebody else has changed the project's encryption at rest meanwhile: "+brief(strings.Join(others, ", "))+"; look at the project, then retry to go on from how it is now, or abort",
		cmk.ErrDisturbed, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{*endOf(events)}})
}

// events are those of some types since a time, or all of them, newest first.
func (a *Atlas) events(ctx context.Context, projectID string, types []string, since time.Time) ([]admin.EventViewForNdsGroup, error) {
	var all []admin.EventViewForNdsGroup
	for page := 1; ; page++ {
		ask := a.api.EventsApi.ListGroupEvents(ctx, projectID).EventType(types).ItemsPerPage(pageSize).PageNum(page).IncludeCount(false)
		if !since.IsZero() {
			ask = ask.MinDate(since)
		}
		got, response, err := ask.Execute()
		if err != nil {
			return nil, atlasError(err, response, "list the events of project %s", projectID)
		}
		all = append(all, got.GetResults()...)
		if len(got.GetResults()) < pageSize {
			return all, nil
		}
	}
}

// stranger is who has caused an event, if somebody has and it was not the worker.
func (a *Atlas) stranger(e admin.EventViewForNdsGroup) string {
	named := names(e)
	if len(named) == 0 || slices.ContainsFunc(named, func(name string) bool { return slices.Contains(a.self, name) }) {
		return ""
	}
	return named[0]
}

// names are whom an event names: one that names nobody is Atlas's own.
func names(e admin.EventViewForNdsGroup) []string {
	return slices.DeleteFunc([]string{e.GetUsername(), e.GetPublicKey(), e.GetApiKeyId(), e.GetUserId()}, func(name string) bool { return name == "" })
}
