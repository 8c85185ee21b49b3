package atlassim

func initialProcessArgs() map[string]any {
	return map[string]any{
		"changeStreamOptionsPreAndPostImagesExpireAfterSeconds": -1, "chunkMigrationConcurrency": 1,
		"defaultMaxTimeMS": 0, "javascriptEnabled": true, "minimumEnabledTlsProtocol": "TLS1_2", "noTableScan": false,
		"oplogSizeMB": nil, "queryStatsLogVerbosity": 1, "sampleRefreshIntervalBIConnector": 0, "sampleSizeBIConnector": 100,
		"tlsCipherConfigMode": "DEFAULT", "transactionLifetimeLimitSeconds": 60,
	}
}
