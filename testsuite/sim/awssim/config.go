package awssim

import (
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/world"
)

// Config describes the AWS that a simulation starts from, and to which Reset goes back.
type Config struct {
	// Accounts are all accounts that exist. A policy that names any other is refused.
	Accounts []Account `yaml:"accounts" json:"accounts"`
	// DefaultAccount is whose administrator an unknown access key is taken for while CheckSignatures is off; empty
	// means the first of Accounts.
	DefaultAccount string `yaml:"defaultAccount,omitempty" json:"defaultAccount,omitempty"`
	// CheckSignatures has every request's signature, access key, its status and its session's expiry really checked.
	// Otherwise the access key id alone tells who calls.
	CheckSignatures bool     `yaml:"checkSignatures,omitempty" json:"checkSignatures,omitempty"`
	Delays          Delays   `yaml:"delays" json:"delays"`
	Throttle        Throttle `yaml:"throttle,omitempty" json:"throttle,omitempty"`
	Quotas          Quotas   `yaml:"quotas,omitempty" json:"quotas,omitempty"`
}

// Account is an AWS account and what it holds.
type Account struct {
	// ID has 12 digits.
	ID    string `yaml:"id" json:"id"`
	Users []User `yaml:"users,omitempty" json:"users,omitempty"`
	Roles []Role `yaml:"roles,omitempty" json:"roles,omitempty"`
	// Policies are customer-managed.
	Policies []ManagedPolicy `yaml:"policies,omitempty" json:"policies,omitempty"`
	Keys     []Key           `yaml:"keys,omitempty" json:"keys,omitempty"`
}

// User is an IAM user.
type User struct {
	Name string `yaml:"name" json:"name"`
	// Path is "/" if empty.
	Path string `yaml:"path,omitempty" json:"path,omitempty"`
	// Inline policies by name, as JSON text.
	Inline map[string]string `yaml:"inline,omitempty" json:"inline,omitempty"`
	// Attached are ARNs of managed policies; Boundary is one, or empty.
	Attached   []string          `yaml:"attached,omitempty" json:"attached,omitempty"`
	Boundary   string            `yaml:"boundary,omitempty" json:"boundary,omitempty"`
	AccessKeys []AccessKey       `yaml:"accessKeys,omitempty" json:"accessKeys,omitempty"`
	Tags       map[string]string `yaml:"tags,omitempty" json:"tags,omitempty"`
}

// AccessKey is a long-lived credential of a user.
type AccessKey struct {
	ID     string `yaml:"id" json:"id"`
	Secret string `yaml:"secret" json:"-"`
	// Inactive keys exist and are refused.
	Inactive bool `yaml:"inactive,omitempty" json:"inactive,omitempty"`
}

// Role is an IAM role.
type Role struct {
	Name string `yaml:"name" json:"name"`
	// Path is "/" if empty.
	Path string `yaml:"path,omitempty" json:"path,omitempty"`
	// Description is whatever its maker has written.
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Trust is the JSON text of the trust policy.
	Trust    string            `yaml:"trust" json:"trust"`
	Inline   map[string]string `yaml:"inline,omitempty" json:"inline,omitempty"`
	Attached []string          `yaml:"attached,omitempty" json:"attached,omitempty"`
	Boundary string            `yaml:"boundary,omitempty" json:"boundary,omitempty"`
	Tags     map[string]string `yaml:"tags,omitempty" json:"tags,omitempty"`
}

// ManagedPolicy is a customer-managed policy.
type ManagedPolicy struct {
	Name     string `yaml:"name" json:"name"`
	Path     string `yaml:"path,omitempty" json:"path,omitempty"`
	Document string `yaml:"document" json:"document"`
}

// Key is a KMS key with its replicas.
type Key struct {
	// ID is a UUID, or "mrk-" and 32 hexadecimal digits, which makes it a multi-Region key.
	ID          string `yaml:"id" json:"id"`
	Region      string `yaml:"region" json:"region"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Spec, Usage and Origin are SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT and AWS_KMS if empty.
	Spec   string `yaml:"spec,omitempty" json:"spec,omitempty"`
	Usage  string `yaml:"usage,omitempty" json:"usage,omitempty"`
	Origin string `yaml:"origin,omitempty" json:"origin,omitempty"`
	// Manager is CUSTOMER if empty, or AWS.
	Manager string `yaml:"manager,omitempty" json:"manager,omitempty"`
	// Policy is the JSON text of the key policy; empty means AWS's default, which delegates to IAM.
	Policy string `yaml:"policy,omitempty" json:"policy,omitempty"`
	// Disabled keys exist and refuse to work.
	Disabled bool `yaml:"disabled,omitempty" json:"disabled,omitempty"`
	// Rotation is automatic yearly rotation.
	Rotation bool `yaml:"rotation,omitempty" json:"rotation,omitempty"`
	// Aliases, each with its prefix "alias/", exist in the key's region.
	Aliases  []string          `yaml:"aliases,omitempty" json:"aliases,omitempty"`
	Tags     map[string]string `yaml:"tags,omitempty" json:"tags,omitempty"`
	Replicas []Replica         `yaml:"replicas,omitempty" json:"replicas,omitempty"`
}

// Replica is a multi-Region key in another region.
type Replica struct {
	Region   string   `yaml:"region" json:"region"`
	Policy   string   `yaml:"policy,omitempty" json:"policy,omitempty"`
	Disabled bool     `yaml:"disabled,omitempty" json:"disabled,omitempty"`
	Aliases  []string `yaml:"aliases,omitempty" json:"aliases,omitempty"`
}

// Delays are how long AWS takes. All are simulated durations.
type Delays struct {
	// IAMRead is for how long IAM's own reads miss a write to IAM; IAMEnforcement, for how long the rest of AWS does:
	// AssumeRole, KMS, and KMS's check of the principals in a key policy.
	IAMRead        world.Distribution `yaml:"iamRead" json:"iamRead"`
	IAMEnforcement world.Distribution `yaml:"iamEnforcement" json:"iamEnforcement"`
	// KMSRead and KMSEnforcement are the same of a write to KMS.
	KMSRead        world.Distribution `yaml:"kmsRead" json:"kmsRead"`
	KMSEnforcement world.Distribution `yaml:"kmsEnforcement" json:"kmsEnforcement"`
	// ReplicaCreation is how long a replica key stays Creating; PrimaryUpdate, how long both keys stay Updating.
	ReplicaCreation world.Distribution `yaml:"replicaCreation" json:"replicaCreation"`
	PrimaryUpdate   world.Distribution `yaml:"primaryUpdate" json:"primaryUpdate"`
	// LastUsed is how late GetAccessKeyLastUsed knows of a use.
	LastUsed world.Distribution `yaml:"lastUsed" json:"lastUsed"`
}

// Throttle are the request rates per second of the client's clock beyond which AWS throttles; 0 means unlimited. A
// burst of one second's worth is let through.
type Throttle struct {
	// KMS is for each account and region; IAM and STS for each account.
	KMS float64 `yaml:"kms,omitempty" json:"kms,omitempty"`
	IAM float64 `yaml:"iam,omitempty" json:"iam,omitempty"`
	STS float64 `yaml:"sts,omitempty" json:"sts,omitempty"`
}

// Quotas are AWS's limits, adjustable ones at their defaults if zero.
type Quotas struct {
	// TrustPolicyLength in characters without white space (2048); RolesPerAccount (1000); KeysPerRegion (100000).
	TrustPolicyLength int `yaml:"trustPolicyLength,omitempty" json:"trustPolicyLength,omitempty"`
	RolesPerAccount   int `yaml:"rolesPerAccount,omitempty" json:"rolesPerAccount,omitempty"`
	KeysPerRegion     int `yaml:"keysPerRegion,omitempty" json:"keysPerRegion,omitempty"`
}

func (q Quotas) withDefaults() Quotas {
	orDefault := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	orDefault(&q.TrustPolicyLength, 2048)
	orDefault(&q.RolesPerAccount, 1000)
	orDefault(&q.KeysPerRegion, 100000)
	return q
}

// NoDelays is an AWS in which every write is seen everywhere at once.
func NoDelays() Delays { return Delays{} }

// DefaultDelays are what is seen of the real AWS, which promises no bounds.
func DefaultDelays() Delays {
	return Delays{
		IAMRead:         world.Distribution{Median: time.Second, P95: 5 * time.Second},
		IAMEnforcement:  world.Distribution{Median: 12 * time.Second, P95: 40 * time.Second, Min: 5 * time.Second},
		KMSRead:         world.Distribution{Median: 200 * time.Millisecond, P95: time.Second},
		KMSEnforcement:  world.Distribution{Median: 500 * time.Millisecond, P95: 3 * time.Second},
		ReplicaCreation: world.Distribution{Median: 10 * time.Second, P95: 40 * time.Second, Min: 3 * time.Second},
		PrimaryUpdate:   world.Distribution{Median: 20 * time.Second, P95: time.Minute, Min: 5 * time.Second},
		LastUsed:        world.Distribution{Median: time.Hour, P95: 4 * time.Hour, Min: 10 * time.Minute},
	}
}
