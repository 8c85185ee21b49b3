package atlassim

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

func (c *call) eventView(e event) any {
	view := map[string]any{
		"id": e.id, "eventTypeName": e.kind, "created": stamp(e.created), "groupId": c.project.id,
		"orgId": c.config.Organization.ID, "isGlobalAdmin": false,
		"links": []link{{Href: c.base + apiRoot + "/groups/" + c.project.id + "/events/" + e.id, Rel: "self"}},
	}
	if e.actor != nil {
		view["remoteAddress"] = e.address
		if e.actor.key {
			view["apiKeyId"], view["publicKey"] = e.actor.id, e.actor.name
		} else {
			view["username"] = e.actor.name
		}
	}
	return view
}

// listEvents is a project's activity feed, newest first.
func listEvents(c *call) (any, error) {
	least, err := c.date("minDate")
	if err != nil {
		return nil, err
	}
	most, err := c.date("maxDate")
	if err != nil {
		return nil, err
	}
	kinds, except := c.query["eventType"], c.query["excludedEventType"]
	var found []event
	for _, e := range slices.Backward(c.project.events) {
		if len(kinds) > 0 && !slices.Contains(kinds, e.kind) || slices.Contains(except, e.kind) ||
			!least.IsZero() && e.created.Before(least) || !most.IsZero() && e.created.After(most) {
			continue
		}
		found = append(found, e)
	}
	return page(c, found, c.eventView)
}

func getEvent(c *call) (any, error) {
	id := c.param("eventId")
	for _, e := range c.project.events {
		if e.id == id {
			return c.eventView(e), nil
		}
	}
	return nil, refusal(http.StatusNotFound, "EVENT_NOT_FOUND", fmt.Sprintf("No event with ID %s exists for group %s.", id, c.project.id), id, c.project.id)
}

func (c *call) date(name string) (time.Time, error) {
	given := c.query.Get(name)
	if given == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, given)
	if err != nil {
		return t, invalidQuery(name)
	}
	return t, nil
}
