package awssim

import (
	"cmp"
	"maps"
	"slices"

	"golang.org/x/time/rate"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// store is everything that AWS remembers. It is used under the world's lock only.
type store struct {
	world  *world.World
	config Config
	quotas Quotas

	entities   map[entityAt]*lagged[entity]
	policies   map[string]*lagged[managedPolicy] // by ARN
	accessKeys map[string]*lagged[accessKey]     // by access key id
	lastUsed   map[string]*lastUse               // by access key id
	sessions   map[string]*session               // by access key id
	keys       map[keyAt]*lagged[key]
	aliases    map[aliasAt]*lagged[alias]
	limiters   map[string]*rate.Limiter
	// wrapping is the public key that imports are wrapped with, made when first asked for.
	wrapping []byte
}

type entityAt struct {
	kind          entityKind
	account, name string
}

type keyAt struct{ account, region, id string }

type aliasAt struct{ account, region, name string }

func newStore(w *world.World, c Config) (*store, error) {
	s := &store{
		world: w, config: c, quotas: c.Quotas.withDefaults(),
		entities:   map[entityAt]*lagged[entity]{},
		policies:   map[string]*lagged[managedPolicy]{},
		accessKeys: map[string]*lagged[accessKey]{},
		lastUsed:   map[string]*lastUse{},
		sessions:   map[string]*session{},
		keys:       map[keyAt]*lagged[key]{},
		aliases:    map[aliasAt]*lagged[alias]{},
		limiters:   map[string]*rate.Limiter{},
	}
	return s, s.load()
}

func (s *store) accountExists(id string) bool {
	return slices.ContainsFunc(s.config.Accounts, func(a Account) bool { return a.ID == id })
}

func (s *store) defaultAccount() string {
	if s.config.DefaultAccount != "" || len(s.config.Accounts) == 0 {
		return s.config.DefaultAccount
	}
	return s.config.Accounts[0].ID
}

// iamLag and kmsLag draw how late a write to the service becomes known.
func (s *store) iamLag() lag {
	d := s.config.Delays
	return lag{s.world.Duration(d.IAMRead, "aws", "iam", "read"), s.world.Duration(d.IAMEnforcement, "aws", "iam", "enforcement")}
}

func (s *store) kmsLag() lag {
	d := s.config.Delays
	return lag{s.world.Duration(d.KMSRead, "aws", "kms", "read"), s.world.Duration(d.KMSEnforcement, "aws", "kms", "enforcement")}
}

// put writes a value into its cell, making the cell if there is none.
func put[K comparable, T any](s *store, cells map[K]*lagged[T], at K, value *T, by lag) {
	cell, ok := cells[at]
	if !ok {
		cell = &lagged[T]{}
		cells[at] = cell
	}
	cell.put(s.world, value, by)
}

// known are the values that a view has, in the order of their names.
func known[K comparable, T any](cells map[K]*lagged[T], v view, name func(*T) string) []*T {
	var out []*T
	for cell := range maps.Values(cells) {
		if value := cell.in(v); value != nil {
			out = append(out, value)
		}
	}
	slices.SortFunc(out, func(x, y *T) int { return cmp.Compare(name(x), name(y)) })
	return out
}
