package atlassim

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// endpointSet are the operations that share a token bucket in each scope.
type endpointSet struct {
	id, name string
	// scope is GROUP, or USER for what is outside of projects, or IP for what needs no authentication.
	scope string
	RateLimit
	byDefault RateLimit
}

// bucket are the tokens left in one scope of a set.
type bucket struct {
	tokens float64
	filled time.Time
}

// The headers of rate limits, in Atlas's spelling rather than Go's canonical one.
const (
	headerLimit     = "RateLimit-Limit"
	headerRemaining = "RateLimit-Remaining"
)

// The endpoint sets, by id.
const (
	setClusters   = "clusters"
	setAccess     = "cloudProviderAccess"
	setEncryption = "encryptionAtRest"
	setSearch     = "searchDeployment"
	setGroups     = "groups"
	setBackup     = "backup"
	setMonitoring = "monitoring"
	setInspection = "rateLimitsInspection"
	setUnauth     = "unauthenticated"
)

// endpointSets are all sets. The capacities of the first six were seen of the live service; that they refill within
// a minute was not.
func endpointSets(changed map[string]RateLimit) []*endpointSet {
	sets := []*endpointSet{
		{id: setClusters, name: "Clusters", scope: "GROUP", RateLimit: RateLimit{10000, 10000, 60}},
		{id: setAccess, name: "Cloud Provider Access", scope: "GROUP", RateLimit: RateLimit{2000, 2000, 60}},
		{id: setEncryption, name: "Encryption at Rest using Customer Key Management", scope: "GROUP", RateLimit: RateLimit{1200, 1200, 60}},
		{id: setSearch, name: "Search Deployment", scope: "GROUP", RateLimit: RateLimit{1200, 1200, 60}},
		{id: setGroups, name: "Projects", scope: "GROUP", RateLimit: RateLimit{1200, 1200, 60}},
		{id: setBackup, name: "Cloud Backups", scope: "GROUP", RateLimit: RateLimit{1200, 1200, 60}},
		{id: setMonitoring, name: "Monitoring", scope: "GROUP", RateLimit: RateLimit{1200, 1200, 60}},
		{id: setInspection, name: "Rate Limits Inspection", scope: "USER", RateLimit: RateLimit{1200, 1200, 60}},
		{id: setUnauth, name: "Unauthenticated", scope: "IP", RateLimit: RateLimit{1200, 1200, 60}},
	}
	for _, s := range sets {
		s.byDefault = s.RateLimit
		if l, ok := changed[s.id]; ok {
			s.RateLimit = l
		}
	}
	return sets
}

func (a *Atlas) endpointSet(id string) *endpointSet {
	for _, s := range a.sets {
		if s.id == id {
			return s
		}
	}
	return nil
}

// limit takes a token from the call's bucket, tells how many are left, or refuses.
func (c *call) limit(h http.Header) error {
	s := c.endpointSet(c.op.set)
	if s == nil {
		return nil
	}
	var scope string
	switch s.scope {
	case "GROUP":
		scope = c.param("groupId")
	case "USER":
		scope = c.caller.name
	default:
		scope = c.address
	}
	b := c.bucket(s.id+"/"+scope, s.RateLimit)
	h[headerLimit] = []string{strconv.Itoa(s.Capacity)}
	if b.tokens < 1 {
		h[headerRemaining] = []string{"0"}
		wait := int(math.Ceil((1 - b.tokens) * float64(s.Seconds) / float64(s.Refill)))
		return rateLimited(c.request.URL.Path, wait, s.Capacity, s.Refill, s.Seconds)
	}
	b.tokens--
	h[headerRemaining] = []string{strconv.Itoa(int(b.tokens))}
	return nil
}

// limitToken is the limit of the OAuth endpoints, which has a body of its own.
func (c *call) limitToken(client string) *APIError {
	b := c.bucket("token/"+c.address+"/"+client, RateLimit{tokenRequests, tokenRequests, 60 * tokenMinutes})
	if b.tokens < 1 {
		return tokenRateLimited()
	}
	b.tokens--
	return nil
}

// bucket is the bucket of a scope, refilled to the present.
func (a *Atlas) bucket(name string, l RateLimit) *bucket {
	now := a.wire.Now()
	b := a.buckets[name]
	if b == nil {
		b = &bucket{tokens: float64(l.Capacity), filled: now}
		a.buckets[name] = b
	}
	b.tokens = min(float64(l.Capacity), b.tokens+now.Sub(b.filled).Seconds()*float64(l.Refill)/float64(l.Seconds))
	b.filled = now
	return b
}
