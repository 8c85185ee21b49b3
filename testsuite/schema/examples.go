package schema

import "github.com/atlas-cmk/atlas-cmk/cmk"

// Examples holds an input of each workflow type: what it needs, and what is most often given besides.
func Examples() map[string]string {
	return map[string]string{
		cmk.EnableWithPrivateEndpoints: `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "key": "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab", "requester": "dana@platform"}`,
		cmk.AddPrivateEndpoints:        `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "regions": ["eu-central-1"], "replicas": "create", "requester": "dana@platform"}`,
		cmk.EncryptClusters:            `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "clusters": ["payments"], "requester": "dana@platform"}`,
		cmk.MigrateUserToRole:          `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "requester": "dana@platform"}`,
		cmk.RotateKey:                  `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "keyRegion": "us-west-2", "requester": "dana@platform"}`,
		cmk.RetireAccess:               `{"accessKeyId": "AKIAATLASUSEREXAMPLE", "projectIds": ["64b7f0c2a1b2c3d4e5f60718"], "switchedAt": "2026-01-31T12:00:00Z", "requester": "dana@platform"}`,
		cmk.SafeDisableCMK:             `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "requester": "dana@platform"}`,
		cmk.DisablePrivateNetworking:   `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "requester": "dana@platform"}`,
		cmk.WatchProject:               `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "repair": ["remake-failed"], "requester": "dana@platform"}`,
		cmk.WatchOrganization:          `{"organizationId": "64b7f0c2a1b2c3d4e5f60700", "exclude": ["64b7f0c2a1b2c3d4e5f60718"], "requester": "dana@platform"}`,
		cmk.ReadProject:                `{"projectId": "64b7f0c2a1b2c3d4e5f60718"}`,
		cmk.RemovePrivateEndpoints:     `{"projectId": "64b7f0c2a1b2c3d4e5f60718", "endpoints": ["eu-central-1"], "requester": "dana@platform"}`,
	}
}
