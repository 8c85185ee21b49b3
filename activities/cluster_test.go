package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// A cluster's regions are those with nodes of any kind, of what runs and of what was asked for; a shared tier runs on the
// cloud behind it.
func TestNodesOfEveryKindCount(t *testing.T) {
	t.Parallel()
	region := func(name string, c admin.CloudRegionConfig20240805) admin.CloudRegionConfig20240805 {
		aws := "AWS"
		c.RegionName = &name
		if c.ProviderName == nil {
			c.ProviderName = &aws
		}
		return c
	}
	electable := func(n int) *admin.HardwareSpec20240805 { return &admin.HardwareSpec20240805{NodeCount: &n} }
	dedicated := func(n int) *admin.DedicatedHardwareSpec20240805 {
		return &admin.DedicatedHardwareSpec20240805{NodeCount: &n}
	}
	of := func(effective, wanted []admin.CloudRegionConfig20240805) Cluster {
		c := admin.ClusterDescription20240805{ReplicationSpecs: &[]admin.ReplicationSpec20240805{{RegionConfigs: &wanted}}}
		if effective != nil {
			c.EffectiveReplicationSpecs = &[]admin.ReplicationSpec20240805{{RegionConfigs: &effective}}
		}
		return clusterOf(&c)
	}
	got := of(
		[]admin.CloudRegionConfig20240805{region("EU_WEST_1", admin.CloudRegionConfig20240805{ElectableSpecs: electable(3)})},
		[]admin.CloudRegionConfig20240805{
			region("US_EAST_1", admin.CloudRegionConfig20240805{ElectableSpecs: electable(3)}),
			region("US_WEST_2", admin.CloudRegionConfig20240805{ReadOnlySpecs: dedicated(1)}),
			region("AP_SOUTH_1", admin.CloudRegionConfig20240805{AnalyticsSpecs: dedicated(1)}),
			region("SA_EAST_1", admin.CloudRegionConfig20240805{ElectableSpecs: electable(0), ReadOnlySpecs: dedicated(0)}),
		},
	)
	require.Equal(t, []string{"AP_SOUTH_1", "EU_WEST_1", "US_EAST_1", "US_WEST_2"}, got.Regions)
	require.Equal(t, []string{cmk.ProviderAWS}, got.Clouds)
	require.Equal(t, cmk.ProviderNone, got.Provider)

	tenant, aws := "TENANT", "AWS"
	shared := of(nil, []admin.CloudRegionConfig20240805{region("US_EAST_1", admin.CloudRegionConfig20240805{
		ProviderName: &tenant, BackingProviderName: &aws, ElectableSpecs: electable(3),
	})})
	require.Equal(t, []string{cmk.ProviderAWS}, shared.Clouds)
}
