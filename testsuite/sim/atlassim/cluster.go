package atlassim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// clusterChange are the members of a cluster that the simulation acts on; the other settable ones are only kept.
type clusterChange struct {
	Name           *string            `json:"name"`
	ClusterType    *string            `json:"clusterType"`
	Provider       *string            `json:"encryptionAtRestProvider"`
	Paused         *bool              `json:"paused"`
	Specs          *[]replicationSpec `json:"replicationSpecs"`
	BackupEnabled  *bool              `json:"backupEnabled"`
	EmployeeAccess json.RawMessage    `json:"mongoDBEmployeeAccessGrant"`
	DiskSizeGB     float64            `json:"diskSizeGB"` // before 2024-08-05
	members        map[string]any
}

// keptMembers are the members that clients may set and that nothing here depends on, with their initial values.
func keptMembers() map[string]any {
	return map[string]any{
		"acceptDataRisksAndForceReplicaSetReconfig": nil, "adaptiveCapacity": nil,
		"advancedConfiguration":      map[string]any{"minimumEnabledTlsProtocol": "TLS1_2", "tlsCipherConfigMode": "DEFAULT"},
		"backupEnabled":              false,
		"biConnector":                map[string]any{"enabled": false, "readPreference": "SECONDARY"},
		"configServerManagementMode": "ATLAS_MANAGED", "diskWarmingMode": "FULLY_WARMED",
		"globalClusterSelfManagedSharding": false, "labels": []any{}, "mongoDBMajorVersion": "8.0", "pitEnabled": false,
		"redactClientLogData": false, "replicaSetScalingStrategy": "WORKLOAD_TYPE", "retainBackups": false,
		"rootCertType": "ISRGROOTX1", "tags": []any{}, "terminationProtectionEnabled": false,
		"useAwsTimeBasedSnapshotCopyForFastInitialSync": false, "versionReleaseSystem": "LTS",
	}
}

// ignoredMembers are what a client may send back as it was read.
var ignoredMembers = []string{
	"id", "groupId", "createDate", "connectionStrings", "links", "stateName", "mongoDBVersion", "configServerType",
	"effectiveReplicationSpecs", "featureCompatibilityVersion", "featureCompatibilityVersionExpirationDate", "internalClusterRole",
}

var actedOn = []string{"name", "clusterType", "encryptionAtRestProvider", "paused", "replicationSpecs", "mongoDBEmployeeAccessGrant"}

// addCluster makes a cluster as configured.
func (a *Atlas) addCluster(p *project, cfg Cluster) error {
	if p.cluster(cfg.Name) != nil {
		return fmt.Errorf("name %s is taken", cfg.Name)
	}
	c := a.newCluster(p, cfg.Name)
	c.specs = a.configuredSpecs(cfg)
	if err := a.checkSpecs(c.specs, nil); err != nil {
		return err
	}
	if cfg.Type != "" {
		c.doc["clusterType"] = cfg.Type
	}
	c.doc["backupEnabled"] = cfg.Backup || cfg.PointInTime || len(cfg.Snapshots) > 0
	c.doc["pitEnabled"] = cfg.PointInTime
	if cfg.RestoreWindowDays > 0 {
		c.windowDays = cfg.RestoreWindowDays
	}
	c.doc["terminationProtectionEnabled"] = cfg.TerminationProtection
	c.paused, c.flex, c.outage = cfg.Paused, cfg.Flex, cfg.Outage
	if cfg.Provider != "" {
		c.provider, c.shown = cfg.Provider, cfg.Provider
	}
	c.dataGB = cfg.DataGB
	if c.dataGB == 0 {
		c.dataGB = max(cfg.DiskGB, 40) / 4
	}
	p.clusters = append(p.clusters, c)
	a.arrange(c)
	if s := cfg.Search; s != nil {
		size := s.Size
		if size == "" {
			size = "S20_HIGHCPU_NVME"
		}
		c.search = &searchDeployment{id: a.world.ID("search"), specs: []searchSpec{{size, s.Nodes}}}
		a.deploySearch(c)
	}
	for _, s := range cfg.Snapshots {
		a.addSnapshot(c, s)
	}
	if cfg.Creating {
		c.state = creating
		a.spend(c, a.world.Duration(a.config.Durations.ClusterCreate, "clusterCreate"), nil)
	}
	return nil
}

func (a *Atlas) newCluster(p *project, name string) *cluster {
	doc := keptMembers()
	doc["clusterType"] = "REPLICASET"
	return &cluster{
		project: p, id: a.world.ID("cluster"), name: name, created: a.world.Now(), doc: doc, state: idle,
		provider: providerNone, shown: providerNone, processArgs: initialProcessArgs(), windowDays: defaultRestoreWindow,
	}
}

func (c *call) cluster() (*cluster, error) {
	name := c.param("clusterName")
	if found := c.project.cluster(name); found != nil {
		if found.flex {
			return nil, badRequest("CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API", "Flex cluster "+name+" cannot be used in the cluster API.", name)
		}
		return found, nil
	}
	return nil, clusterNotFound(name, c.project.id)
}

func (c *call) clusterView(k *cluster) any {
	view := maps.Clone(k.doc)
	for name, v := range view {
		if v == nil {
			delete(view, name)
		}
	}
	host := fmt.Sprintf("%s.%s.mongodb.net", k.name, k.id[:5])
	view["id"], view["groupId"], view["name"], view["createDate"] = k.id, k.project.id, k.name, stamp(k.created)
	view["stateName"], view["paused"], view["encryptionAtRestProvider"] = k.state, k.paused, k.shown
	view["replicationSpecs"], view["effectiveReplicationSpecs"] = k.specs, k.specs
	view["mongoDBVersion"], view["featureCompatibilityVersion"] = "8.0.4", "8.0"
	view["connectionStrings"] = map[string]any{
		"standard": "mongodb://" + host + ":27017/?ssl=true", "standardSrv": "mongodb+srv://" + host,
	}
	self := c.base + apiRoot + "/groups/" + k.project.id + "/clusters/" + k.name
	view["links"] = []link{{Href: self, Rel: "self"}}
	if c.version < shardsApart {
		return asBefore2024(view, k.specs)
	}
	return view
}

func listClusters(c *call) (any, error) {
	dedicated := slices.DeleteFunc(slices.Clone(c.project.clusters), func(k *cluster) bool {
		return k.flex || c.version < shardsApart && asymmetric(k.specs)
	})
	return page(c, dedicated, c.clusterView)
}

func getCluster(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	if c.version < shardsApart && asymmetric(k.specs) {
		return nil, asymmetricUnsupported(k.name)
	}
	return c.clusterView(k), nil
}

// clusterChange reads what a body asks of a cluster, which is nil when it is to be made.
func (c *call) clusterChange(k *cluster) (*clusterChange, error) {
	change := &clusterChange{}
	if err := c.decode(change); err != nil {
		return nil, err
	}
	if err := c.decode(&change.members); err != nil {
		return nil, err
	}
	if c.sent < shardsApart {
		if k != nil && asymmetric(k.specs) {
			return nil, asymmetricUnsupported(k.name)
		}
		change.modernize(k)
	} else if change.Specs != nil && slices.ContainsFunc(*change.Specs, func(s replicationSpec) bool { return s.NumShards != 0 }) {
		return nil, invalidAttribute("numShards")
	}
	kept := keptMembers()
	for _, name := range slices.Sorted(maps.Keys(change.members)) {
		_, known := kept[name]
		switch {
		case known:
		case slices.Contains(ignoredMembers, name), slices.Contains(actedOn, name):
			delete(change.members, name)
		default:
			return nil, invalidAttribute(name)
		}
	}
	return change, nil
}

// admitProvider refuses an encryption provider that a cluster cannot have.
func (c *call) admitProvider(provider string, specs []replicationSpec) error {
	switch provider {
	case providerNone:
		if c.project.compliance != nil && c.project.compliance.encryption {
			return badRequest("CAN_NOT_DISABLE_ALL_ENCRYPTION_AT_REST_SETTINGS_WHILE_BACKUP_COMPLIANCE_POLICY_ENCRYPTION_ENABLED",
				"You must keep at least one Encryption at Rest setting enabled while you have a Backup Compliance Policy enabled.")
		}
		if len(c.project.endpoints) > 0 && c.assume.ClusterOffWithEndpointsRefused {
			return badRequest("CANNOT_DISABLE_CLUSTER_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS",
				"Encryption at Rest of a cluster cannot be disabled when private endpoints are present.")
		}
		return nil
	case providerAWS:
	case "AZURE", "GCP":
		return notEnabled(c.project.id)
	default:
		return badRequest("INVALID_ENCRYPTION_AT_REST_PROVIDER", "An invalid Encryption at Rest provider "+provider+" was specified.", provider)
	}
	if c.project.kms == nil {
		return notEnabled(c.project.id)
	}
	for _, s := range specs {
		for _, r := range s.Regions {
			if r.Provider == "TENANT" {
				return badRequest("CANNOT_USE_ENCRYPTION_AT_REST_TENANT", "Cannot use Encryption at Rest with tenant clusters.")
			}
			for _, h := range r.kinds() {
				if h.count() > 0 && tier(h.InstanceSize) < 10 {
					return badRequest("INSUFFICIENT_INSTANCE_SIZE", "This feature requires instance size M10 or larger.", "M10")
				}
			}
		}
	}
	return nil
}

// crowded is whether specs ask for more nodes, or larger ones, in a region that has no capacity left.
func (a *Atlas) crowded(specs, had []replicationSpec) bool {
	before := demand(had)
	for where, nodes := range demand(specs) {
		if a.full[where.region] && nodes > before[where] {
			return true
		}
	}
	return false
}

// place is where nodes are, and of what size.
type place struct{ region, size string }

// demand is how many nodes specs ask for.
func demand(specs []replicationSpec) map[place]int {
	nodes := map[place]int{}
	for _, s := range specs {
		for _, r := range s.Regions {
			for _, h := range r.kinds() {
				if n := h.count(); n > 0 {
					nodes[place{r.Region, h.InstanceSize}] += n
				}
			}
		}
	}
	return nodes
}

// admitRegions refuses new nodes where private networking has no endpoint for them.
func (c *call) admitRegions(specs []replicationSpec, had []string) error {
	k := c.project.kms
	if k == nil || !k.private {
		return nil
	}
	for _, s := range specs {
		for _, r := range s.Regions {
			if !slices.Contains(had, r.Region) && c.project.path(r.Region) == nil {
				return badRequest("ENCRYPTION_AT_REST_NO_PRIVATE_ENDPOINT_IN_REGION",
					"Nodes can only be deployed in regions with an active private endpoint; "+r.Region+" has none.", r.Region)
			}
		}
	}
	return nil
}

func createCluster(c *call) (any, error) {
	change, err := c.clusterChange(nil)
	if err != nil {
		return nil, err
	}
	switch {
	case change.Name == nil || *change.Name == "":
		return nil, missingAttribute("name")
	case change.ClusterType == nil:
		return nil, missingAttribute("clusterType")
	case change.Specs == nil:
		return nil, missingAttribute("replicationSpecs")
	case c.project.cluster(*change.Name) != nil:
		return nil, badRequest("DUPLICATE_CLUSTER_NAME",
			fmt.Sprintf("A cluster named %s is already present in group %s.", *change.Name, c.project.id), *change.Name, c.project.id)
	}
	if err := c.admitRegions(*change.Specs, nil); err != nil {
		return nil, err
	}
	k := c.newCluster(c.project, *change.Name)
	if change.Provider != nil {
		if err := c.admitProvider(*change.Provider, *change.Specs); err != nil {
			return nil, err
		}
		k.provider, k.shown = *change.Provider, *change.Provider
	}
	if err := c.checkSpecs(*change.Specs, nil); err != nil {
		return nil, err
	}
	if c.crowded(*change.Specs, nil) {
		return nil, outOfCapacity()
	}
	maps.Copy(k.doc, change.members)
	k.doc["clusterType"] = *change.ClusterType
	k.specs = *change.Specs
	k.dataGB = 1
	c.project.clusters = append(c.project.clusters, k)
	c.arrange(k)
	if k.provider == providerAWS {
		c.beforeSwitch(c.project, k)
	}
	k.state = creating
	c.spend(k, c.world.Duration(c.config.Durations.ClusterCreate, "clusterCreate"), nil)
	c.apply(c.project.id + "/" + k.name)
	c.record(c.project, "CLUSTER_CREATED", c)
	return c.clusterView(k), nil
}

func updateCluster(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	change, err := c.clusterChange(k)
	if err != nil {
		return nil, err
	}
	if err := c.admitChange(k, change); err != nil {
		return nil, err
	}
	resync, respec := false, false
	if change.Specs != nil {
		respec = true
		k.specs = *change.Specs
		c.arrange(k)
	}
	if change.Provider != nil && *change.Provider != k.provider {
		k.provider = *change.Provider
		if k.provider == providerAWS {
			c.beforeSwitch(c.project, k)
		}
		if c.assume.ProviderShownAtOnce {
			k.shown = k.provider
		}
		resync = true
	}
	maps.Copy(k.doc, change.members)
	if k.doc["backupEnabled"] == false {
		k.snapshots = nil // they are deleted when backups are turned off
	}
	if change.ClusterType != nil {
		k.doc["clusterType"] = *change.ClusterType
	}
	switch {
	case change.Paused != nil && *change.Paused != k.paused && *change.Paused:
		c.pause(k)
	case change.Paused != nil && *change.Paused != k.paused:
		c.resume(k)
	case resync:
		c.resync(k)
	case respec || len(change.members) > 0:
		c.spend(k, c.world.Duration(c.config.Durations.ClusterChange, "clusterChange"), nil)
	default:
		return c.clusterView(k), nil
	}
	c.apply("")
	c.record(c.project, "CLUSTER_UPDATE_SUBMITTED", c)
	return c.clusterView(k), nil
}

// admitChange refuses a change that a cluster cannot take, and readies its specs.
func (c *call) admitChange(k *cluster, change *clusterChange) error {
	switch {
	case k.state == deleting:
		return badRequest("CLUSTER_ALREADY_REQUESTED_DELETION",
			fmt.Sprintf("The cluster %s has already been requested for deletion.", k.name), k.name)
	case k.paused && (change.Paused == nil || *change.Paused):
		return refusal(http.StatusConflict, "CANNOT_UPDATE_PAUSED_CLUSTER",
			fmt.Sprintf("Cannot update cluster %s while it is paused or being paused.", k.name), k.name)
	case k.paused && (change.Provider != nil && *change.Provider != k.provider || change.Specs != nil):
		return refusal(http.StatusConflict, "CANNOT_UPDATE_AND_PAUSE_CLUSTER",
			fmt.Sprintf("Cannot update and pause cluster %s at the same time.", k.name), k.name)
	case k.restoring():
		return badRequest("CLUSTER_RESTORE_IN_PROGRESS_CANNOT_UPDATE",
			"The update can not succeed because cluster restore is in progress. Please try again once the restore is finished.")
	}
	specs := k.specs
	if change.Specs != nil {
		specs = *change.Specs
		if err := c.checkSpecs(specs, k.specs); err != nil {
			return err
		}
		if err := c.admitRegions(specs, k.regions()); err != nil {
			return err
		}
		if c.crowded(specs, k.specs) {
			return outOfCapacity()
		}
	}
	if change.Provider != nil && *change.Provider != k.provider {
		return c.admitProvider(*change.Provider, specs)
	}
	return nil
}

func deleteCluster(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	if k.doc["terminationProtectionEnabled"] == true {
		return nil, badRequest("CANNOT_TERMINATE_CLUSTER_WHEN_TERMINATION_PROTECTION_ENABLED",
			"Cannot terminate a cluster when termination protection is enabled. Disable termination protection and try again.")
	}
	if k.state != deleting {
		k.state = deleting
		c.apply("")
		c.record(c.project, "CLUSTER_DELETE_SUBMITTED", c)
		c.world.After(c.world.Duration(c.config.Durations.ClusterDelete, "clusterDelete"), func() {
			k.project.clusters = slices.DeleteFunc(k.project.clusters, func(other *cluster) bool { return other == k })
			c.record(k.project, "CLUSTER_DELETED", nil)
		})
	}
	return struct{}{}, nil
}
