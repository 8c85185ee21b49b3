package atlassim

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Assumptions are what nobody outside MongoDB knows of Atlas. Each is a switch, so that a client can be tried under
// both answers; the defaults are the more demanding ones where the documentation leans to neither.
type Assumptions struct {
	// DisableWithClustersRefused: disabling the project's key is refused while clusters are encrypted with it, as the
	// catalogue of error codes has it (409 CANNOT_DISABLE_ENCRYPTION_AT_REST). Otherwise it happens, and they break.
	DisableWithClustersRefused bool `yaml:"disableWithClustersRefused" json:"disableWithClustersRefused"`
	// DeauthorizeInUseRefused: a role that encryption uses cannot be deauthorized, with the placeholder code
	// CLOUD_PROVIDER_ACCESS_ROLE_IN_USE.
	DeauthorizeInUseRefused bool `yaml:"deauthorizeInUseRefused" json:"deauthorizeInUseRefused"`
	// SingleRegionKeyRefused: private networking is refused while a cluster on AWS has several regions and the key
	// has one, with the placeholder code ENCRYPTION_AT_REST_PRIVATE_NETWORKING_REQUIRES_MULTI_REGION_KEY.
	SingleRegionKeyRefused bool `yaml:"singleRegionKeyRefused" json:"singleRegionKeyRefused"`
	// MultiCloudRefused: private networking is refused while a cluster of the project has several clouds, with the
	// placeholder code ENCRYPTION_AT_REST_PRIVATE_NETWORKING_MULTI_CLOUD. Otherwise those clusters are paused.
	MultiCloudRefused bool `yaml:"multiCloudRefused" json:"multiCloudRefused"`
	// DuplicateEndpointRefused: a second endpoint in a region is refused with the placeholder code
	// ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_ALREADY_EXISTS (409). Otherwise there are two.
	DuplicateEndpointRefused bool `yaml:"duplicateEndpointRefused" json:"duplicateEndpointRefused"`
	// DeletingTwinRefused: so is an endpoint in a region whose former one is still DELETING.
	DeletingTwinRefused bool `yaml:"deletingTwinRefused" json:"deletingTwinRefused"`
	// EndpointNeedsPrivateNetworking: an endpoint is refused until private networking is required, with the
	// placeholder code ENCRYPTION_AT_REST_PRIVATE_NETWORKING_NOT_ENABLED.
	EndpointNeedsPrivateNetworking bool `yaml:"endpointNeedsPrivateNetworking" json:"endpointNeedsPrivateNetworking"`
	// UnsupportedRegionRefused: an endpoint in a region that Atlas has no KMS endpoints in is refused with the
	// documented code AWS_KMS_REGION_NOT_SUPPORTED. Otherwise it ends FAILED.
	UnsupportedRegionRefused bool `yaml:"unsupportedRegionRefused" json:"unsupportedRegionRefused"`
	// PublicPathCut: once private networking is required, nodes have only private endpoints to their key. Otherwise
	// the public path stays open in a region until its endpoint is ACTIVE.
	PublicPathCut bool `yaml:"publicPathCut" json:"publicPathCut"`
	// DeleteInUseRefused: the endpoint of a region with nodes of an encrypted cluster cannot be deleted, with the
	// placeholder code ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_IN_USE.
	DeleteInUseRefused bool `yaml:"deleteInUseRefused" json:"deleteInUseRefused"`
	// ClusterOffWithEndpointsRefused: a cluster cannot go to NONE while endpoints exist, with the placeholder code
	// CANNOT_DISABLE_CLUSTER_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS.
	ClusterOffWithEndpointsRefused bool `yaml:"clusterOffWithEndpointsRefused" json:"clusterOffWithEndpointsRefused"`
	// ValidSeesDataPlane: "valid" is false also when a node cannot use the key, not only when the control plane cannot.
	ValidSeesDataPlane bool `yaml:"validSeesDataPlane" json:"validSeesDataPlane"`
	// PatchTestsAllRegions: a change of the key is tested in every region with nodes, not only in the one given.
	PatchTestsAllRegions bool `yaml:"patchTestsAllRegions" json:"patchTestsAllRegions"`
	// SpellingRotates: the same key given in another spelling (id for ARN) counts as another key.
	SpellingRotates bool `yaml:"spellingRotates" json:"spellingRotates"`
	// AliasAccepted: an alias may stand for the key. Otherwise it is answered AWS_CUSTOMER_MASTER_KEY_NOT_FOUND.
	AliasAccepted bool `yaml:"aliasAccepted" json:"aliasAccepted"`
	// OmittedPrivateNetworkingKept: a change that leaves requirePrivateNetworking out keeps it. Otherwise it is false.
	OmittedPrivateNetworkingKept bool `yaml:"omittedPrivateNetworkingKept" json:"omittedPrivateNetworkingKept"`
	// FailedPatchKeeps: a change that fails its test leaves the old configuration. Otherwise the new one stays, invalid.
	FailedPatchKeeps bool `yaml:"failedPatchKeeps" json:"failedPatchKeeps"`
	// ProviderShownAtOnce: a cluster shows its new encryptionAtRestProvider from the start of the change, not the end.
	ProviderShownAtOnce bool `yaml:"providerShownAtOnce" json:"providerShownAtOnce"`
	// AccessKeyAfterSwitch is what becomes of accessKeyID once a role is used: gone, masked or kept.
	AccessKeyAfterSwitch AccessKeyFate `yaml:"accessKeyAfterSwitch" json:"accessKeyAfterSwitch"`
	// SnapshotsKeepCredentials: a snapshot is restored with the credentials or role of its time, not today's.
	SnapshotsKeepCredentials bool `yaml:"snapshotsKeepCredentials" json:"snapshotsKeepCredentials"`
	// RegionalARNs: a node asks for a multi-Region key given as an ARN by that of its own region. Otherwise by the ARN
	// as given, which another region's endpoint does not serve.
	RegionalARNs bool `yaml:"regionalArns" json:"regionalArns"`
	// ConnectionNameShown: endpoints on AWS show privateEndpointConnectionName.
	ConnectionNameShown bool `yaml:"connectionNameShown" json:"connectionNameShown"`
	// PendingRoleReused: another POST of a cloud provider access role answers with the pending one. Otherwise each
	// makes a new one.
	PendingRoleReused bool `yaml:"pendingRoleReused" json:"pendingRoleReused"`
	// NoComplianceNotFound: where there is no Backup Compliance Policy, its GET is answered 404 with the placeholder
	// code BACKUP_COMPLIANCE_POLICY_NOT_FOUND. Otherwise it is an empty object.
	NoComplianceNotFound bool `yaml:"noComplianceNotFound" json:"noComplianceNotFound"`
}

// AccessKeyFate is what becomes of the id of an access key that is used no longer.
type AccessKeyFate string

// The fates.
const (
	AccessKeyGone   AccessKeyFate = "gone"
	AccessKeyMasked AccessKeyFate = "masked"
	AccessKeyKept   AccessKeyFate = "kept"
)

// DefaultAssumptions are what holds unless a world says otherwise.
func DefaultAssumptions() Assumptions {
	return Assumptions{
		DisableWithClustersRefused:     true,
		DeauthorizeInUseRefused:        true,
		SingleRegionKeyRefused:         true,
		MultiCloudRefused:              true,
		DuplicateEndpointRefused:       true,
		DeletingTwinRefused:            true,
		EndpointNeedsPrivateNetworking: true,
		UnsupportedRegionRefused:       true,
		PublicPathCut:                  true,
		FailedPatchKeeps:               true,
		ProviderShownAtOnce:            true,
		AccessKeyAfterSwitch:           AccessKeyGone,
		SnapshotsKeepCredentials:       true,
		RegionalARNs:                   true,
	}
}

// with is a copy in which the members of a JSON object are set.
func (a Assumptions) with(settings json.RawMessage) (Assumptions, error) {
	d := json.NewDecoder(bytes.NewReader(settings))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fmt.Errorf("assumptions: %w", err)
	}
	return a, a.validate()
}

func (a Assumptions) validate() error {
	switch a.AccessKeyAfterSwitch {
	case AccessKeyGone, AccessKeyMasked, AccessKeyKept:
		return nil
	}
	return fmt.Errorf("assumptions: accessKeyAfterSwitch %q: use gone, masked or kept", a.AccessKeyAfterSwitch)
}
