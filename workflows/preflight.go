package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// seen is what preflight saw, all of it before the first write. What a change made, and may take back, is told by it.
type seen activities.Survey

// target is what an enable is to bring about, worked out from the request and what preflight saw.
type target struct {
	// keyID is how the key is told to Atlas: by ARN, or as the project already has it.
	keyID     string
	keyRegion string
	// keyARNs are the replicas that the role is given the use of.
	keyARNs []string
	regions []string
	// replicate are the regions to which the key is replicated.
	replicate []string
	// clusters are those selected, in the order in which they are switched, but for those that are being deleted.
	clusters []activities.Cluster
	// accessRole is the project's role that stands for the IAM role already, if any.
	accessRole *activities.AccessRole
}

// assess compares what an enable asks for with what is there: what it would bring about, and what stands in its way.
// It is a function of its arguments alone.
func assess(r cmk.EnableRequest, s seen) (target, []cmk.Finding) {
	var f findings
	t := target{keyID: s.Key.ARN, keyRegion: r.KeyRegion}
	assessClusters(&f, r, s, &t)
	assessRegions(&f, r, s, &t)
	assessSettings(&f, s, &t)
	t.regions = urgentFirst(t.regions, s.unreached())
	assessKey(&f, r.Replicas, s, &t)
	assessRole(&f, r, s)
	assessEndpoints(&f, s, t)
	assessCircumstances(&f, r, s, t)
	assessSize(&f, r, t)
	t.admit(s)
	return t, f
}

// admit works out what the role is given the use of.
func (t *target) admit(s seen) {
	for _, replica := range s.Key.Replicas {
		if slices.Contains(t.regions, replica.Region) || replica.Region == t.keyRegion {
			t.keyARNs = append(t.keyARNs, replica.ARN)
		}
	}
	for _, region := range t.replicate {
		t.keyARNs = append(t.keyARNs, strings.Replace(s.Key.ARN, ":"+cmk.Region(s.Key.Region).AWS()+":", ":"+cmk.Region(region).AWS()+":", 1))
	}
	// What the role may use it goes on using: a snapshot is restored with the key of its time, in a region that need not
	// have nodes any more.
	t.keyARNs = append(t.keyARNs, s.Role.Keys...)
	slices.Sort(t.keyARNs)
	t.keyARNs = slices.Compact(t.keyARNs)
}

type findings []cmk.Finding

func (f *findings) add(s cmk.Severity, code cmk.FindingCode, object, remedy, detail string, args ...any) {
	*f = append(*f, cmk.Finding{Code: code, Severity: s, Object: object, Detail: fmt.Sprintf(detail, args...), Remedy: remedy})
}

func (f *findings) err(code cmk.FindingCode, object, remedy, detail string, args ...any) {
	f.add(cmk.SeverityError, code, object, remedy, detail, args...)
}

func (f *findings) warn(code cmk.FindingCode, object, remedy, detail string, args ...any) {
	f.add(cmk.SeverityWarning, code, object, remedy, detail, args...)
}

func (f *findings) info(code cmk.FindingCode, object, detail string, args ...any) {
	f.add(cmk.SeverityInfo, code, object, "", detail, args...)
}

// assessClusters picks the clusters to switch, those that cover the most regions first: if something is wrong with a
// region, the first cluster tells.
func assessClusters(f *findings, r cmk.EnableRequest, s seen, t *target) {
	for _, name := range r.Clusters.Names {
		if !slices.ContainsFunc(s.Project.Clusters, func(c activities.Cluster) bool { return c.Name == name }) {
			f.err(cmk.FindingClusterMissing, name, "check the name in the request's clusters", "project %s has no cluster %s", s.Project.ID, name)
		}
	}
	for _, c := range s.Project.Clusters {
		if !slices.Equal(c.Clouds, []string{cmk.ProviderAWS}) && !deleting(c) {
			f.err(cmk.FindingClusterNotOnAWS, c.Name, "private networking supports single-cloud deployments on AWS only: move the cluster to another project",
				"cluster %s runs on %s", c.Name, strings.Join(c.Clouds, ", "))
		}
		if !r.Clusters.Selects(c.Name) {
			continue
		}
		if deleting(c) {
			f.info(cmk.FindingClusterDeleting, c.Name, "cluster %s is being deleted, and left out", c.Name)
			continue
		}
		t.clusters = append(t.clusters, c)
		assessCluster(f, r, c)
	}
	mostRegionsFirst(t.clusters)
}

func deleting(c activities.Cluster) bool { return c.State == cmk.ClusterDeleting }

func mostRegionsFirst(clusters []activities.Cluster) {
	slices.SortStableFunc(clusters, func(a, b activities.Cluster) int { return len(b.Regions) - len(a.Regions) })
}

func assessCluster(f *findings, r cmk.EnableRequest, c activities.Cluster) {
	if c.Provider == cmk.ProviderAWS {
		return
	}
	if c.Provider != cmk.ProviderNone {
		f.err(cmk.FindingClusterOtherKMS, c.Name, "set its encryption at rest to NONE first", "cluster %s is encrypted with keys of %s", c.Name, c.Provider)
	}
	for _, tier := range c.Tiers {
		if tooSmall(tier) {
			f.err(cmk.FindingClusterTooSmall, c.Name, "scale it to M10 or larger, or leave it out of clusters", "cluster %s has nodes of tier %s", c.Name, tier)
		}
	}
	switch {
	case c.Paused && r.ResumePaused:
		f.warn(cmk.FindingClusterPaused, c.Name, "", "cluster %s is paused: it is resumed, and stays running", c.Name)
	case c.Paused:
		f.err(cmk.FindingClusterPaused, c.Name, `resume it, set resumePaused, or leave it out of clusters`, "cluster %s is paused, and cannot be changed", c.Name)
	case c.State != cmk.ClusterIdle:
		f.warn(cmk.FindingClusterNotIdle, c.Name, "", "cluster %s is %s: its turn waits until it is IDLE", c.Name, c.State)
	}
	f.info(cmk.FindingClusterReencrypts, c.Name, "cluster %s re-syncs every node, one after the other, and rebuilds its search indexes; it stays available", c.Name)
}

// tooSmall says whether a tier is below M10: M0, M2, M5 and Flex.
func tooSmall(tier string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(tier, "M"))
	return strings.HasPrefix(tier, "M") && err == nil && n < 10 || tier == "FLEX"
}

// assessRegions picks the regions that get an endpoint, and finds nodes that would have none.
func assessRegions(f *findings, r cmk.EnableRequest, s seen, t *target) {
	t.regions = slices.Clone(r.Regions)
	if len(t.regions) == 0 {
		for _, c := range s.Project.Clusters {
			t.regions = append(t.regions, c.Regions...)
		}
		slices.Sort(t.regions)
		t.regions = slices.Compact(t.regions)
	}
	if len(t.regions) == 0 {
		f.err(cmk.FindingNoRegions, "", "name the regions in the request", "the project has no clusters to take the regions from")
	}
	for _, c := range s.Project.Clusters {
		for _, region := range c.Regions {
			if slices.Contains(t.regions, region) || deleting(c) && c.Provider != cmk.ProviderAWS {
				continue
			}
			switch {
			case c.Provider == cmk.ProviderAWS || r.Clusters.Selects(c.Name):
				f.err(cmk.FindingClusterUncovered, c.Name, "add the region to regions", "cluster %s has nodes in %s, which gets no private endpoint: they could not reach the key", c.Name, region)
			default:
				f.warn(cmk.FindingRegionUncovered, region, "", "cluster %s, which is not switched, has nodes in %s, which gets no private endpoint", c.Name, region)
			}
		}
	}
}

// assessSettings compares the project's present settings with those asked for.
func assessSettings(f *findings, s seen, t *target) {
	e := s.Project.Encryption
	for i, role := range s.Project.Roles {
		if role.ARN == s.Role.ARN && role.Authorized && (t.accessRole == nil || role.ID == e.RoleID) {
			t.accessRole = &s.Project.Roles[i]
		}
	}
	if e.Other != "" {
		f.err(cmk.FindingOtherProvider, e.Other, "disable it first", "encryption at rest is enabled with %s", e.Other)
	}
	if !e.Enabled {
		return
	}
	switch {
	case e.RoleID == "":
		f.err(cmk.FindingEnabledWithCredentials, e.AccessKeyID, "migrate the project to an IAM role first, with MigrateUserToRole", "encryption at rest is enabled with an IAM user's credentials")
	case t.accessRole == nil || t.accessRole.ID != e.RoleID:
		f.err(cmk.FindingEnabledWithOtherRole, e.RoleID, "name the role that is in use, or disable encryption at rest first", "encryption at rest is enabled with another role than %s", s.Role.ARN)
	}
	switch {
	case s.KeyProblem == nil && !sameKey(e.KeyID, *s.Key):
		f.err(cmk.FindingEnabledWithOtherKey, e.KeyID, "rotate the key with RotateKey instead: this change never replaces one", "encryption at rest is enabled with another key")
	case e.Region != t.keyRegion:
		f.err(cmk.FindingEnabledWithOtherKey, e.Region, "rotate the key with RotateKey instead: this change never moves one", "encryption at rest is enabled with the key in %s, not in %s", e.Region, t.keyRegion)
	default:
		// The project keeps its spelling of the key: to send another might count as a rotation.
		t.keyID = e.KeyID
	}
	switch {
	case e.Valid:
	case len(s.unreached()) > 0:
		f.warn(cmk.FindingSettingsInvalid, e.KeyID, "let this change go on: it creates the private endpoints that are missing",
			"Atlas finds the present settings not valid, which may be because nodes have no path to the key")
	default:
		f.err(cmk.FindingSettingsInvalid, e.KeyID, "make the key usable again: until then Atlas can neither change nor disable it", "Atlas finds the present settings not valid")
	}
	if onKey := encrypted(s.Project.Clusters); !e.RequirePrivateNetworking && len(onKey) > 0 {
		f.warn(cmk.FindingWindow, strings.Join(onKey, ", "), "approve the endpoints first: they are all created at once, and the window is as long as Atlas takes",
			"clusters use the key over the public path; from requiring private networking until the endpoints are ACTIVE, a node that restarts may not reach its key")
	}
}

// unreached are the regions where nodes have no path to their key: private networking is required, and there is no
// endpoint that is ACTIVE. A change that was ended between the two leaves a project so.
func (s seen) unreached() []string {
	if e := s.Project.Encryption; !e.Enabled || !e.RequirePrivateNetworking {
		return nil
	}
	var regions []string
	for _, c := range s.Project.Clusters {
		for _, region := range c.Regions {
			if c.Provider == cmk.ProviderAWS && !slices.ContainsFunc(s.Project.Endpoints, func(e activities.Endpoint) bool {
				return e.Region == region && e.Status == cmk.EndpointActive
			}) {
				regions = append(regions, region)
			}
		}
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// urgentFirst puts regions where nodes wait for an endpoint before the others.
func urgentFirst(regions, urgent []string) []string {
	isUrgent := func(region string) bool { return slices.Contains(urgent, region) }
	others := slices.DeleteFunc(slices.Clone(regions), isUrgent)
	return append(slices.DeleteFunc(slices.Clone(regions), func(region string) bool { return !isUrgent(region) }), others...)
}

// clustersIn are the names of clusters, never nil.
func clustersIn(clusters []activities.Cluster) []string {
	names := []string{}
	for _, c := range clusters {
		names = append(names, c.Name)
	}
	return names
}

func encrypted(clusters []activities.Cluster) []string {
	var names []string
	for _, c := range clusters {
		if c.Provider == cmk.ProviderAWS {
			names = append(names, c.Name)
		}
	}
	return names
}

// sameKey says whether Atlas's spelling of a key, an ARN or an id, means k.
func sameKey(spelling string, k activities.Key) bool {
	return spelling == k.ARN || spelling == k.ID ||
		slices.ContainsFunc(k.Replicas, func(r activities.KeyReplica) bool { return spelling == r.ARN })
}

// assessKey judges the key, and its replica in every region that is to use it.
func assessKey(f *findings, replicas cmk.Replicas, s seen, t *target) {
	k := s.Key
	if s.KeyProblem != nil {
		assessUnreadKey(f, *k, *s.KeyProblem)
		return
	}
	if k.Spec != "SYMMETRIC_DEFAULT" || k.Usage != "ENCRYPT_DECRYPT" {
		f.err(cmk.FindingKeyNotEncrypting, k.ARN, "use a symmetric key for encryption and decryption", "the key is %s for %s", k.Spec, k.Usage)
	}
	if k.Manager == "AWS" {
		f.err(cmk.FindingKeyAWSManaged, k.ARN, "use a customer-managed key", "the key is managed by AWS, and its policy cannot admit Atlas")
	}
	if k.State != "Enabled" {
		f.err(cmk.FindingKeyNotEnabled, k.ARN, "enable it, or name another key", "the key is %s", k.State)
	}
	if !k.ValidTo.IsZero() {
		f.warn(cmk.FindingKeyExpires, k.ARN, "import its material again, without expiry", "the key's imported material expires at %s; the clusters go down with it", k.ValidTo)
	}
	if k.Store != "" {
		f.warn(cmk.FindingKeyCustomStore, k.ARN, "", "the key lives in custom key store %s: when that is disconnected, the key cannot be used", k.Store)
	}
	if k.Rotated != nil && !*k.Rotated && k.Origin == "AWS_KMS" {
		age := "of unknown age"
		if !k.Created.IsZero() {
			age = fmt.Sprintf("%d days old", int(s.Project.At.Sub(k.Created).Hours()/24))
		}
		f.info(cmk.FindingKeyNotRotated, k.ARN, "the key is not rotated automatically, and %s; Atlas raises its own reminder 90 days after it was last set", age)
	}
	if key, role := partition(k.ARN), partition(s.Role.ARN); key != role {
		f.err(cmk.FindingKeyOtherPartition, k.ARN, "use a key and a role of the same partition", "the key is in partition %s, and IAM role %s in %s: no role reaches a key across partitions", key, s.Role.ARN, role)
	}
	if !k.MultiRegion {
		for _, region := range t.regions {
			if region != k.Region {
				f.err(cmk.FindingKeySingleRegion, region, "make a multi-Region key (an existing key cannot be turned into one) and replicate it to every region with nodes",
					"the key exists in %s alone, and nodes in %s could not reach it over their private endpoint", k.Region, region)
			}
		}
	}
	for _, region := range t.regions {
		at := slices.IndexFunc(k.Replicas, func(r activities.KeyReplica) bool { return r.Region == region })
		if at < 0 {
			if k.MultiRegion && replicas == cmk.ReplicasCreate && k.Origin == "EXTERNAL" {
				f.err(cmk.FindingReplicaMissing, region, "replicate the key to this region yourself, and import its material there too",
					"the key has no replica in %s, and its material is imported: a replica that is made here could not be used before its owner imports the material into it", region)
			} else if k.MultiRegion && replicas == cmk.ReplicasCreate {
				t.replicate = append(t.replicate, region)
				f.info(cmk.FindingReplicaMade, region, "the key is replicated to %s; this software never takes a replica back", region)
			} else if k.MultiRegion {
				f.err(cmk.FindingReplicaMissing, region, `replicate the key to this region, or set replicas to "create"`, "the key has no replica in %s", region)
			}
			continue
		}
		assessReplica(f, k.Replicas[at], s.Role.ARN)
	}
}

// assessUnreadKey tells of a key that could not be read, and of what cannot be told for that.
func assessUnreadKey(f *findings, k activities.Key, p activities.KeyProblem) {
	if p.Missing() {
		f.err(cmk.FindingKeyMissing, k.ARN, "check key and keyRegion in the request: an id or an alias must lead to a key of the worker's account in that region", "%s", p.Why)
	} else {
		f.err(cmk.FindingKeyUnread, k.ARN, "allow the worker kms:DescribeKey on the key and its replicas, in the key's own policy too if it belongs to another account", "%s", p.Why)
	}
	f.info(cmk.FindingNotEvaluated, k.ARN, "not evaluated, since the key could not be read: its state, material and replicas, their policies, whether the role's other policies keep it from the key, and whether a key that the project has already is this one")
}

func assessReplica(f *findings, r activities.KeyReplica, roleARN string) {
	if r.State != "Enabled" {
		f.err(cmk.FindingReplicaNotEnabled, r.ARN, "enable it", "the key is %s in %s", r.State, r.Region)
	}
	p := r.Policy
	switch {
	case p.Unread != "":
		f.warn(cmk.FindingKeyPolicyUnread, r.ARN, "allow the worker kms:GetKeyPolicy", "the key's policy in %s could not be read: %s", r.Region, p.Unread)
	case !p.Admitted(roleARN) && len(p.Conditional) > 0:
		f.err(cmk.FindingKeyPolicyCondition, r.ARN, "admit the role without a condition", "the key's policy in %s admits the role only under conditions (%s), which a call through a private endpoint may not meet", r.Region, strings.Join(p.Conditional, ", "))
	case !p.Admitted(roleARN):
		f.err(cmk.FindingKeyPolicyNoAccess, r.ARN, "add a statement that allows the role "+roleARN+" kms:Decrypt, kms:Encrypt and kms:DescribeKey", "the key's policy in %s neither admits the role nor leaves it to IAM policies", r.Region)
	}
	if len(p.Denies) > 0 {
		f.warn(cmk.FindingKeyPolicyDeny, r.ARN, "make sure that they do not deny the role through a private endpoint", "the key's policy in %s has statements that deny, or may: %s", r.Region, strings.Join(p.Denies, ", "))
	}
}

// partition is that of an ARN: aws, aws-us-gov, ...
func partition(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 1 {
		return parts[1]
	}
	return ""
}

const (
	// trustDefault is the size of a trust policy in characters that IAM allows unless the quota was raised, and inlineMax that
	// of all inline policies of a role together, for which there is no quota.
	trustDefault, inlineMax = 2048, 10240
	// trustStatementSize is that of our statement; inlinePolicySize and inlineKeySize those of our policy, and of each key in it.
	trustStatementSize, inlinePolicySize, inlineKeySize = 230, 220, 95
)

func assessRole(f *findings, r cmk.EnableRequest, s seen) {
	if !s.Role.Exists && r.Role.Mode == cmk.RoleAdopt {
		f.err(cmk.FindingRoleMissing, r.Role.Name, `create it, or set role.mode to "create"`, "IAM role %s does not exist", r.Role.Name)
	}
	assessEvaluation(f, s)
	if !s.evaluated() && (s.Role.Boundary != "" || r.Role.PermissionsBoundary != "") {
		f.warn(cmk.FindingRoleBoundary, s.Role.ARN, "make sure that it allows kms:Decrypt, kms:Encrypt and kms:DescribeKey on the key", "the role has a permissions boundary, which this check does not evaluate")
	}
	if s.Role.ExternalID == "" && s.Role.TrustSize+trustStatementSize > trustDefault {
		f.warn(cmk.FindingTrustTooLong, s.Role.ARN, "use another role for this project, or raise the quota", "the role's trust policy has %d characters; with one more statement it passes the default limit of %d", s.Role.TrustSize, trustDefault)
	}
	switch ours := inlinePolicySize + inlineKeySize*len(s.Key.Replicas); {
	case s.Role.InlineUnread != "":
		f.info(cmk.FindingNotEvaluated, s.Role.ARN, "not evaluated, whether the role's inline policies leave room for another: %s", s.Role.InlineUnread)
	case s.Role.InlineSize+ours > inlineMax:
		f.warn(cmk.FindingInlineTooLong, s.Role.ARN, "use another role for this project", "the role's inline policies have %d characters; with one more of about %d they pass the limit of %d", s.Role.InlineSize, ours, inlineMax)
	}
	var pending []string
	for _, role := range s.Project.Roles {
		if role.ARN == "" && role.ExternalID != s.Role.ExternalID {
			pending = append(pending, role.ID)
		}
	}
	if len(pending) > 0 {
		f.info(cmk.FindingPendingRolesUnknown, strings.Join(pending, ", "), "the project has pending cloud provider access roles; whose they are cannot be told, and they are left alone")
	}
}

// evaluated says whether IAM has said what the role's policies and its permissions boundary allow.
func (s seen) evaluated() bool { return s.Evaluation != nil && s.Evaluation.Unevaluated == "" }

// assessEvaluation finds what keeps the role from the key although it has our permissions: its other policies, or a boundary.
func assessEvaluation(f *findings, s seen) {
	if s.Evaluation == nil {
		return
	}
	if why := s.Evaluation.Unevaluated; why != "" {
		f.info(cmk.FindingNotEvaluated, s.Role.ARN, "not evaluated, whether the role's policies and permissions boundary let it use the key: %s", why)
	}
	severity := cmk.SeverityError
	if now := s.roleInUse(); now != nil && now.ARN == s.Role.ARN && s.Project.Encryption.Valid && len(encrypted(s.Project.Clusters)) > 0 {
		severity = cmk.SeverityWarning // clusters use the key through it: nothing is made worse
	}
	for _, denied := range s.Evaluation.Denied {
		f.add(severity, cmk.FindingRoleDenied, s.Role.ARN, "change the policy or boundary that stands in the way, or name another role",
			"with this project's permissions the role still could not use the key: %s", denied)
	}
}

func assessEndpoints(f *findings, s seen, t target) {
	for _, e := range s.Project.Endpoints {
		if !slices.Contains(t.regions, e.Region) {
			f.info(cmk.FindingEndpointExists, e.Region, "a private endpoint that was not asked for stands in %s (%s); it is left alone", e.Region, e.Status)
			continue
		}
		if e.Status == cmk.EndpointActive {
			f.info(cmk.FindingEndpointExists, e.Region, "private endpoint %s in %s is ACTIVE already", e.ID, e.Region)
		} else {
			f.warn(cmk.FindingEndpointStuck, e.Region, "", "private endpoint %s in %s is %s %s", e.ID, e.Region, e.Status, e.Error)
		}
	}
	for _, region := range s.unreached() {
		f.warn(cmk.FindingNetworkingNoPath, region, "critical: let this change go on, which makes these endpoints before all others",
			"critical: private networking is required, and clusters on the key have nodes in %s, where no private endpoint is ACTIVE: a node that restarts cannot reach its key", region)
	}
}

// plan lists the steps towards the target, in order, with what each finds done.
func plan(r cmk.EnableRequest, s seen, t target) cmk.Plan {
	e := s.Project.Encryption
	role := t.accessRole != nil
	var steps []cmk.Step
	for _, region := range t.replicate {
		steps = append(steps, cmk.Step{Action: "replicate the key", Object: region, Irreversible: "nothing here ever deletes a key: the replica stays"})
	}
	steps = append(steps, []cmk.Step{
		{Action: "cloud provider access role", Object: r.ProjectID, Exists: role},
		{Action: "IAM role", Object: s.Role.ARN, Exists: s.Role.Exists},
		{Action: "trust policy statement", Object: s.Role.ARN, Exists: role && s.Role.ExternalID == t.accessRole.ExternalID},
		{Action: "inline policy " + activities.PolicyName(r.ProjectID), Object: s.Role.ARN, Exists: slices.Equal(s.Role.Keys, t.keyARNs)},
		{Action: "authorize the role", Object: s.Role.ARN, Exists: role},
		{Action: "encryption at rest with the key", Object: t.keyID, Exists: e.Enabled},
		{Action: "require private networking", Object: r.ProjectID, Exists: e.Enabled && e.RequirePrivateNetworking},
	}...)
	if len(encrypted(s.Project.Clusters)) > 0 && e.Enabled && !e.RequirePrivateNetworking {
		steps[len(steps)-1].Irreversible = "clusters use the key already: once they reach it over the private endpoints, the change is not taken back"
	}
	for _, region := range t.regions {
		steps = append(steps, cmk.Step{Action: "private endpoint", Object: region, Exists: slices.ContainsFunc(s.Project.Endpoints, func(e activities.Endpoint) bool {
			return e.Region == region && e.Status != cmk.EndpointFailed && e.Status != cmk.EndpointDeleting
		})})
	}
	for _, c := range t.clusters {
		if c.Paused && c.Provider == cmk.ProviderNone {
			steps = append(steps, cmk.Step{Action: "resume cluster", Object: c.Name, Irreversible: "it stays running, and costs accordingly"})
		}
		steps = append(steps, cmk.Step{
			Action: "switch cluster to the key", Object: c.Name, Exists: c.Provider == cmk.ProviderAWS,
			Irreversible: "the first cluster that is switched is the point of no return: from there on the change goes forward",
			Exposure:     "every node re-syncs, one after the other; the cluster stays available",
		})
	}
	for _, c := range t.clusters {
		if needsSnapshot(r, c) {
			steps = append(steps, cmk.Step{Action: "take an on-demand snapshot", Object: c.Name, Irreversible: fmt.Sprintf("Atlas keeps it for %d days, and so must the key be kept", r.SnapshotDays)})
		}
	}
	if r.SearchNodes {
		steps = append(steps, cmk.Step{
			Action: "put search nodes on the key", Object: r.ProjectID, Exists: e.SearchNodes, Exposure: "Atlas replaces the search nodes, and they rebuild their indexes",
		})
	}
	return cmk.Plan{Hash: hash(steps), Steps: steps}
}

// hash identifies a plan: the same steps have the same one. It is made of what is done to what, and not of how that is
// explained: an approval that waits must survive a worker with better words.
func hash(steps []cmk.Step) string {
	sum := sha256.New()
	for _, s := range steps {
		fmt.Fprintf(sum, "%q %q %t\n", s.Action, s.Object, s.Exists)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
