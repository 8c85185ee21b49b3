package atlassim

import "maps"

func initialProcessArgs() map[string]any {
	return map[string]any{
		"changeStreamOptionsPreAndPostImagesExpireAfterSeconds": -1, "chunkMigrationConcurrency": 1,
		"defaultMaxTimeMS": 0, "javascriptEnabled": true, "minimumEnabledTlsProtocol": "TLS1_2", "noTableScan": false,
		"oplogSizeMB": nil, "queryStatsLogVerbosity": 1, "sampleRefreshIntervalBIConnector": 0, "sampleSizeBIConnector": 100,
		"tlsCipherConfigMode": "DEFAULT", "transactionLifetimeLimitSeconds": 60,
	}
}

func getProcessArgs(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	return c.processArgsView(k), nil
}

// processArgsView are a cluster's settings with the two more, never set here, that versions before 2024-08-05 have.
func (c *call) processArgsView(k *cluster) any {
	view := maps.Clone(k.processArgs)
	if c.version < shardsApart {
		view["defaultReadConcern"], view["failIndexKeyTooLong"] = nil, nil
	}
	return view
}

func updateProcessArgs(c *call) (any, error) {
	k, err := c.cluster()
	if err != nil {
		return nil, err
	}
	var change map[string]any
	if err := c.decode(&change); err != nil {
		return nil, err
	}
	if c.sent < shardsApart {
		delete(change, "defaultReadConcern")
		delete(change, "failIndexKeyTooLong")
	}
	for name := range change {
		if _, known := k.processArgs[name]; !known && !lateProcessArg(name) {
			return nil, invalidAttribute(name)
		}
	}
	maps.Copy(k.processArgs, change)
	if len(change) > 0 {
		c.spend(k, c.world.Duration(c.config.Durations.ClusterChange, "clusterChange"), nil)
		c.apply("")
	}
	return c.processArgsView(k), nil
}

// lateProcessArg is what has no value until it is set.
func lateProcessArg(name string) bool {
	switch name {
	case "customOpensslCipherConfigTls12", "customOpensslCipherConfigTls13", "defaultWriteConcern", "oplogMinRetentionHours":
		return true
	}
	return false
}
