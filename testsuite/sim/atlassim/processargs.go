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
	return maps.Clone(k.processArgs), nil
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
	return maps.Clone(k.processArgs), nil
}

// lateProcessArg is what has no value until it is set.
func lateProcessArg(name string) bool {
	switch name {
	case "customOpensslCipherConfigTls12", "customOpensslCipherConfigTls13", "defaultWriteConcern", "oplogMinRetentionHours":
		return true
	}
	return false
}
