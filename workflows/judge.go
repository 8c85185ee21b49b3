package workflows

import (
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// judge finds what is not well with a project as it is now. It is a function of its argument alone.
func judge(l *activities.Look) []cmk.Finding {
	var f findings
	e := l.Encryption
	if e.Other != "" {
		f.warn(cmk.FindingOtherProvider, e.Other, "disable it before a key of AWS KMS is enabled", "encryption at rest is enabled with %s", e.Other)
	}
	if !e.Enabled {
		return f
	}
	if !e.Valid {
		f.err(cmk.FindingSettingsInvalid, e.KeyID, "make the key usable again: until then Atlas can neither change nor disable it", "Atlas finds the settings not valid")
	}
	if e.RoleID == "" {
		f.warn(cmk.FindingEnabledWithCredentials, e.AccessKeyID, "migrate the project to an IAM role", "encryption at rest is enabled with an IAM user's credentials")
	}
	judgeEndpoints(&f, l)
	judgeClusters(&f, l)
	judgeKey(&f, l)
	return f
}

func judgeEndpoints(f *findings, l *activities.Look) {
	for _, e := range l.Endpoints {
		switch e.Status {
		case cmk.EndpointFailed:
			f.err(cmk.FindingEndpointFailed, e.ID, "delete it and create another in "+e.Region, "private endpoint %s in %s has failed: %s", e.ID, e.Region, e.Error)
		case cmk.EndpointPendingRecreation:
			f.warn(cmk.FindingEndpointRecreated, e.ID, "approve the one that Atlas makes in its place", "private endpoint %s in %s is being recreated by Atlas %s", e.ID, e.Region, e.Error)
		case cmk.EndpointActive: // as it is to be
		case cmk.EndpointInitiating, cmk.EndpointPendingAcceptance, cmk.EndpointDeleting:
			f.info(cmk.FindingEndpointStuck, e.ID, "private endpoint %s in %s is %s", e.ID, e.Region, e.Status)
		}
	}
	if onKey := encrypted(l.Clusters); l.Encryption.RequirePrivateNetworking && len(onKey) > 0 && len(l.Endpoints) == 0 {
		f.err(cmk.FindingNetworkingNoPath, strings.Join(onKey, ", "), "create the private endpoints",
			"private networking is required and clusters use the key, but there is no private endpoint: a node that restarts cannot reach its key")
	}
}

// uncovered are the regions of a cluster that private networking leaves without a path to the key.
func uncovered(l *activities.Look, c activities.Cluster) []string {
	if !l.Encryption.Enabled || !l.Encryption.RequirePrivateNetworking || c.Provider != cmk.ProviderAWS {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Regions), func(region string) bool {
		return slices.ContainsFunc(l.Endpoints, func(e activities.Endpoint) bool { return e.Region == region && e.Status == cmk.EndpointActive })
	})
}

func judgeClusters(f *findings, l *activities.Look) {
	for _, c := range l.Clusters {
		if c.Provider != cmk.ProviderAWS {
			f.warn(cmk.FindingClusterWithoutKey, c.Name, "switch it to the key", "cluster %s is encrypted with provider %s, not with the project's key", c.Name, c.Provider)
			continue
		}
		for _, region := range uncovered(l, c) {
			f.err(cmk.FindingClusterUncovered, c.Name+" "+region, "create a private endpoint in "+region,
				"cluster %s has nodes in %s, where no private endpoint is ACTIVE: a node that restarts cannot reach its key", c.Name, region)
		}
	}
	for _, s := range l.Search {
		if l.Encryption.SearchNodes && s.Provider != cmk.ProviderAWS {
			f.warn(cmk.FindingSearchWithoutKey, s.Cluster, "", "the search nodes of cluster %s use provider %s, not the project's key", s.Cluster, s.Provider)
		}
	}
}

func judgeKey(f *findings, l *activities.Look) {
	if p := l.KeyProblem; p != nil && p.Missing() {
		f.err(cmk.FindingKeyMissing, l.Encryption.KeyID, "look for the key at once: its clusters cannot be read without it", "%s", p.Why)
	} else if p != nil {
		f.warn(cmk.FindingKeyUnread, l.Encryption.KeyID, "allow the worker to read the key", "%s", p.Why)
	}
	k := l.Key
	if k == nil {
		return
	}
	if k.State != "Enabled" {
		f.err(cmk.FindingKeyNotEnabled, k.ARN, "enable it, or cancel its deletion, at once", "the key is %s", k.State)
	}
	if !k.ValidTo.IsZero() {
		f.warn(cmk.FindingKeyExpires, k.ARN, "import its material again, without expiry", "the key's imported material expires at %s; the clusters go down with it", k.ValidTo)
	}
	role := l.RoleARN()
	for _, region := range keyRegions(l) {
		at := slices.IndexFunc(k.Replicas, func(r activities.KeyReplica) bool { return r.Region == region })
		switch {
		case at < 0:
			f.err(cmk.FindingReplicaMissing, region, "replicate the key to this region", "the key has no replica in %s, where clusters use it", region)
		case role != "":
			assessReplica(f, k.Replicas[at], role)
		case k.Replicas[at].State != "Enabled" && k.Replicas[at].ARN != k.ARN:
			f.err(cmk.FindingReplicaNotEnabled, k.Replicas[at].ARN, "enable it", "the key is %s in %s", k.Replicas[at].State, region)
		}
	}
}

// keyRegions are those in which the key must exist: over a private endpoint, nodes reach the key of their own region.
func keyRegions(l *activities.Look) []string {
	if !l.Encryption.RequirePrivateNetworking {
		return nil
	}
	var regions []string
	for _, c := range l.Clusters {
		if c.Provider == cmk.ProviderAWS {
			regions = append(regions, c.Regions...)
		}
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// projectState is where a project stands.
func projectState(l *activities.Look) cmk.ProjectState {
	onKey := encrypted(l.Clusters)
	switch {
	case !l.Encryption.Enabled:
		return cmk.StateOff
	case len(onKey) == 0:
		return cmk.StateAllOff
	case slices.ContainsFunc(l.Clusters, func(c activities.Cluster) bool { return len(uncovered(l, c)) > 0 }):
		return cmk.StateWindow
	case len(onKey) < len(l.Clusters):
		return cmk.StateSomeOff
	case !l.Encryption.RequirePrivateNetworking:
		return cmk.StatePublic
	}
	return cmk.StateOn
}

// tell completes a status with a project as it is now, but for its endpoints and their approvals.
func tell(s *cmk.Status, l *activities.Look) {
	e := l.Encryption
	s.Settings = &cmk.FinalState{
		Enabled: e.Enabled, Valid: e.Valid, RequirePrivateNetworking: e.RequirePrivateNetworking, Key: e.KeyID, KeyRegion: e.Region, RoleID: e.RoleID, RoleARN: l.RoleARN(),
	}
	s.State = projectState(l)
	for _, c := range l.Clusters {
		s.Clusters = append(s.Clusters, cmk.ClusterReport{Name: c.Name, Regions: c.Regions, Provider: c.Provider, State: c.State, Done: c.Provider == cmk.ProviderAWS})
	}
	for _, d := range l.Search {
		s.Search = append(s.Search, cmk.SearchReport{Cluster: d.Cluster, Provider: d.Provider, State: d.State})
	}
	if k := l.Key; k != nil {
		s.Key = &cmk.KeyReport{ARN: k.ARN, State: k.State, MultiRegion: k.MultiRegion}
		for _, r := range k.Replicas {
			s.Key.Replicas = append(s.Key.Replicas, cmk.ReplicaReport{Region: r.Region, ARN: r.ARN, State: r.State})
		}
	}
}
