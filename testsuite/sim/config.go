package sim

import (
	_ "embed"
	"fmt"

	"github.com/goccy/go-yaml"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// Config describes a world: what exists at its start, how long things take, and what goes wrong.
type Config struct {
	Atlas atlassim.Config `yaml:"atlas" json:"atlas"`
	// AWS is awssim.DefaultConfig if it is left out.
	AWS    *awssim.Config `yaml:"aws,omitempty" json:"aws,omitempty"`
	Faults []fault.Rule   `yaml:"faults,omitempty" json:"faults,omitempty"`
}

// What the default world holds, by names that documentation and tests may rely on. AWS's part is in package awssim.
const (
	// OrganizationID owns both projects.
	OrganizationID = "6a0000000000000000000001"
	// ProjectA is not on customer-managed keys: clusters in three regions, a multi-region one, search nodes.
	ProjectA = "6a00000000000000000000aa"
	// ProjectB is on the key awssim.SingleRegionKeyID, by the access key of the IAM user awssim.AtlasUser.
	ProjectB = "6a00000000000000000000bb"

	// APIPublicKey and APIPrivateKey are an API key with Project Owner on both projects.
	APIPublicKey  = "simkeyaa"
	APIPrivateKey = "6a1b2c3d-0000-4000-8000-000000000001"
	// ClientID and ClientSecret are a service account with the same role.
	ClientID     = "mdb_sa_id_6a00000000000000000000a1"
	ClientSecret = "mdb_sa_sk_simulationOnly0000000000000000000001"
	// ReaderClientID and ReaderClientSecret are a service account that may only read.
	ReaderClientID     = "mdb_sa_id_6a00000000000000000000a2"
	ReaderClientSecret = "mdb_sa_sk_simulationOnly0000000000000000000002"

	// The clusters of project A, and of project B.
	ClusterEast       = "east"
	ClusterWest       = "west"
	ClusterIreland    = "ireland"
	ClusterGlobal     = "global"
	ClusterLegacy     = "legacy"
	ClusterLegacyIdle = "legacy-paused"
)

//go:embed world.yaml
var defaultWorld []byte

// DefaultConfig is the default world, which world.yaml documents.
func DefaultConfig() Config {
	c, err := ParseConfig(defaultWorld)
	if err != nil {
		panic(err) // it is part of the program
	}
	return c
}

// ParseConfig reads a world from YAML. Members that do not exist are errors; durations and AWS that are left out are
// the defaults.
func ParseConfig(text []byte) (Config, error) {
	c := Config{Atlas: atlassim.Config{Durations: atlassim.DefaultDurations()}}
	assumptions := atlassim.DefaultAssumptions()
	c.Atlas.Assumptions = &assumptions
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return Config{}, fmt.Errorf("world: %w", err)
	}
	if c.AWS == nil {
		aws := awssim.DefaultConfig()
		c.AWS = &aws
	}
	return c, nil
}
