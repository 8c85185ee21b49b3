package atlassim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// configure puts a configuration into effect, nil to end it, and starts the periodic check of it.
func (a *Atlas) configure(p *project, k *kms) {
	if old := p.kms; old != nil && (k == nil || old.key != k.key || old.roleID != k.roleID || old.accessKeyID != k.accessKeyID) {
		a.closeSpans(p)
	}
	p.kms = k
	p.generation++
	if k != nil {
		a.scheduleCheck(p, p.generation)
	}
}

// isNull is whether a member was left out, or null.
func isNull(text json.RawMessage) bool { return len(text) == 0 || bytes.Equal(text, []byte("null")) }

// kmsChange is the awsKms block of a change. What is nil was left out.
type kmsChange struct {
	Enabled                  *bool   `json:"enabled"`
	Key                      *string `json:"customerMasterKeyID"`
	Region                   *string `json:"region"`
	RoleID                   *string `json:"roleId"`
	RequirePrivateNetworking *bool   `json:"requirePrivateNetworking"`
	AccessKeyID              *string `json:"accessKeyID"`
	SecretAccessKey          *string `json:"secretAccessKey"`
	Valid                    *bool   `json:"valid"` // read-only, tolerated
}

func getEncryption(c *call) (any, error) {
	c.validate(c.project)
	return c.encryptionView(), nil
}

func (c *call) encryptionView() any {
	off := map[string]any{"enabled": false}
	view := map[string]any{
		"awsKms": off, "azureKeyVault": off, "googleCloudKms": off, "enabledForSearchNodes": c.project.search,
	}
	k := c.project.kms
	if k == nil {
		return view
	}
	block := map[string]any{
		"enabled": true, "customerMasterKeyID": k.key, "region": k.region,
		"requirePrivateNetworking": k.private, "valid": k.valid,
	}
	if k.roleID != "" {
		block["roleId"] = k.roleID
	}
	switch shown := c.assume.AccessKeyAfterSwitch; {
	case k.accessKeyID == "" || k.roleID != "" && shown == AccessKeyGone:
	case k.roleID != "" && shown == AccessKeyMasked:
		block["accessKeyID"] = strings.Repeat("*", len(k.accessKeyID)-4) + k.accessKeyID[len(k.accessKeyID)-4:]
	default:
		block["accessKeyID"] = k.accessKeyID
	}
	view["awsKms"] = block
	return view
}

func updateEncryption(c *call) (any, error) {
	var body struct {
		AWS    json.RawMessage         `json:"awsKms"`
		Azure  *struct{ Enabled bool } `json:"azureKeyVault"`
		Google *struct{ Enabled bool } `json:"googleCloudKms"`
		Search *bool                   `json:"enabledForSearchNodes"`
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if body.Azure != nil && body.Azure.Enabled || body.Google != nil && body.Google.Enabled {
		return nil, badRequest("ENCRYPTION_AT_REST_PROVIDER_NOT_SUPPORTED", "Encryption at Rest Provider cannot be configured on this cluster.")
	}
	if isNull(body.AWS) && body.Azure == nil && body.Google == nil && body.Search == nil {
		return nil, missingProvider()
	}
	if !isNull(body.AWS) {
		var change kmsChange
		if err := json.Unmarshal(body.AWS, &change); err != nil {
			return nil, malformedJSON()
		}
		if err := c.changeKMS(change); err != nil {
			return nil, err
		}
	}
	if body.Search != nil && *body.Search != c.project.search {
		if *body.Search && c.project.kms == nil {
			return nil, notEnabled(c.project.id)
		}
		c.project.search = *body.Search
		c.apply("")
		for _, cluster := range c.project.clusters {
			c.reprovisionSearch(cluster)
		}
	}
	return c.encryptionView(), nil
}

func (c *call) changeKMS(change kmsChange) error {
	old := c.project.kms
	enabled := old != nil
	if change.Enabled != nil {
		enabled = *change.Enabled
	}
	switch {
	case !enabled && old == nil:
		return nil
	case !enabled:
		return c.disableKMS()
	}
	next, err := c.merge(change)
	if err != nil {
		return err
	}
	if old != nil && !old.private && next.private || old == nil && next.private {
		if err := c.admitPrivateNetworking(next); err != nil {
			return err
		}
	}
	if old != nil && old.private && !next.private {
		if regions := endpointRegions(c.project); len(regions) > 0 {
			return privateNetworkingInUse(strings.Join(regions, ", "))
		}
	}
	rotates := old != nil && !c.sameKey(old, next)
	if rotates {
		if c.validate(c.project); !old.valid {
			return settingsInvalid()
		}
	}
	if err := c.tryKMS(next); err != nil {
		c.record(c.project, "ENCRYPTION_AT_REST_CONFIGURATION_VALIDATION_FAILED", c)
		if !c.assume.FailedPatchKeeps {
			next.valid = false
			c.configure(c.project, next)
			c.apply("")
		}
		return err
	}
	next.valid = true
	if old != nil && !old.private && next.private {
		c.beforePrivate(c.project)
	}
	if old != nil && *old == *next {
		return nil
	}
	c.configure(c.project, next)
	c.apply("")
	c.record(c.project, "ENCRYPTION_AT_REST_CONFIGURATION_UPDATED", c)
	c.record(c.project, "ENCRYPTION_AT_REST_CONFIGURATION_VALIDATION_SUCCEEDED", nil)
	if rotates {
		c.record(c.project, "ENCRYPTION_AT_REST_KEY_ROTATION_STARTED", nil)
		c.rewrap(c.project, old)
	}
	return nil
}

// merge is the configuration that a change leads to.
func (c *call) merge(change kmsChange) (*kms, error) {
	next := kms{}
	if c.project.kms != nil {
		next = *c.project.kms
	}
	if set(change.AccessKeyID) || set(change.SecretAccessKey) {
		// What GET shows of a retired access key may come back in the next change.
		echoed := next.roleID != "" && !set(change.SecretAccessKey) && c.assume.AccessKeyAfterSwitch != AccessKeyGone
		if !echoed {
			return nil, credentialsDeprecated()
		}
	}
	take := func(to *string, from *string) {
		if set(from) {
			*to = *from
		}
	}
	take(&next.key, change.Key)
	take(&next.region, change.Region)
	take(&next.roleID, change.RoleID)
	switch {
	case change.RequirePrivateNetworking != nil:
		next.private = *change.RequirePrivateNetworking
	case !c.assume.OmittedPrivateNetworkingKept:
		next.private = false
	}
	switch {
	case next.key == "":
		return nil, missingAttribute("customerMasterKeyID")
	case next.region == "":
		return nil, missingAttribute("region")
	case next.roleID == "" && next.accessKeyID == "":
		return nil, missingAttribute("roleId")
	case !kmsRegion(next.region):
		return nil, regionNotSupported()
	}
	if next.roleID != "" {
		if r := c.project.role(next.roleID); r == nil || r.arn == "" {
			return nil, roleNotAuthorized(next.roleID)
		}
	}
	return &next, nil
}

func set(s *string) bool { return s != nil && *s != "" }

// tryKMS has the control plane use the key, in the region given and perhaps in all regions with nodes.
func (c *call) tryKMS(k *kms) error {
	id := k.identity(c.project, c.config.AccountARN)
	if isAlias(k.key) && !c.assume.AliasAccepted {
		return refusedByAWS(&awssim.Error{Code: "NotFoundException"}, id, c.project.id)
	}
	regions := []string{k.region}
	if c.assume.PatchTestsAllRegions {
		for _, cluster := range c.project.clusters {
			for _, r := range cluster.regions() {
				if cluster.encryptedAny() && !slices.Contains(regions, r) {
					regions = append(regions, r)
				}
			}
		}
	}
	for _, r := range regions {
		region := awsRegion(r)
		if err := c.test(id, c.keyIn(k.key, region), region, awssim.Path{SourceIP: c.controlPlaneIP()}); err != nil {
			return refusedByAWS(err, id, c.project.id)
		}
	}
	return nil
}

// sameKey is whether two configurations count as having one key. A multi-Region key is one in all its regions.
func (a *Atlas) sameKey(one, other *kms) bool {
	return one.key == other.key || !a.assume.SpellingRotates && a.named(one.key, one.region) == a.named(other.key, other.region)
}

// admitPrivateNetworking refuses what private endpoints cannot serve.
func (c *call) admitPrivateNetworking(k *kms) error {
	multiRegionKey := strings.HasPrefix(c.named(k.key, k.region), "mrk-")
	for _, cluster := range c.project.clusters {
		if cluster.multiCloud() {
			if c.assume.MultiCloudRefused {
				return badRequest("ENCRYPTION_AT_REST_PRIVATE_NETWORKING_MULTI_CLOUD",
					"Private networking cannot be required while cluster "+cluster.name+" is deployed on several clouds.", cluster.name)
			}
			c.pause(cluster)
		} else if c.assume.SingleRegionKeyRefused && !multiRegionKey && len(cluster.regions()) > 1 {
			return badRequest("ENCRYPTION_AT_REST_PRIVATE_NETWORKING_REQUIRES_MULTI_REGION_KEY",
				"Private networking cannot be required with a single-Region key while cluster "+cluster.name+" has several regions.", cluster.name)
		}
	}
	return nil
}

// disableKMS ends encryption with the customer's key, if nothing speaks against it.
func (c *call) disableKMS() error {
	p := c.project
	c.beforeOff(p)
	if p.compliance != nil && p.compliance.encryption {
		return badRequest("CANNOT_DISABLE_ENCRYPTION_AT_REST_WITH_BACKUP_COMPLIANCE_POLICY",
			"You can't disable Encryption at Rest while you have a Backup Compliance Policy enabled.")
	}
	if len(p.endpoints) > 0 || c.world.Now().Before(p.settled) {
		return privateEndpointsPresent()
	}
	if c.validate(p); !p.kms.valid {
		return settingsInvalid()
	}
	for _, cluster := range p.clusters {
		if cluster.provider != providerNone || cluster.encryptedAny() {
			if c.assume.DisableWithClustersRefused {
				return stillOnClusters()
			}
		}
	}
	if p.search {
		for _, cluster := range p.clusters {
			if cluster.search != nil && cluster.search.encrypted() {
				c.removeSearch(cluster)
				c.pause(cluster)
			}
		}
	}
	c.configure(p, nil)
	p.search = false
	c.apply("")
	c.record(p, "ENCRYPTION_AT_REST_CONFIGURATION_UPDATED", c)
	return nil
}

// endpointRegions are the regions of a project's endpoints, sorted, each once.
func endpointRegions(p *project) []string {
	var regions []string
	for _, e := range p.endpoints {
		regions = append(regions, e.region)
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// kmsRegion is whether Atlas has private endpoints to KMS in a region of its list: everywhere in the commercial part.
func kmsRegion(region string) bool {
	return region != "GLOBAL" && !strings.HasPrefix(region, "CN_") && !strings.HasPrefix(region, "US_GOV_")
}

func regionNotSupported() *APIError {
	return badRequest("AWS_KMS_REGION_NOT_SUPPORTED", "Region is not supported by AWS KMS.")
}
