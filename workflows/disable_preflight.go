package workflows

import (
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// assessDisable compares what SafeDisableCMK would do with what is there. Like every assessment, it is a function of its
// arguments alone.
func assessDisable(r cmk.DisableRequest, s survey) []cmk.Finding {
	var f findings
	if !s.Project.Encryption.Enabled {
		f.info(cmk.FindingNothingToDo, s.Project.ID, "encryption at rest is not enabled with a key of AWS")
		return f
	}
	assessUsable(&f, s)
	if s.Dependents.ComplianceRequires {
		f.err(cmk.FindingBackupCompliance, s.Project.ID, "have the policy changed, which only MongoDB's support can do", "the project's Backup Compliance Policy requires encryption with its own key")
	}
	if s.Project.Encryption.RoleID == "" {
		f.warn(cmk.FindingEnabledWithCredentials, s.Project.Encryption.AccessKeyID, "keep the access key until the last snapshot has expired", "the project uses its key with an IAM user's credentials")
	}
	for _, c := range s.Project.Clusters {
		assessRelease(&f, r, c)
	}
	if s.Dependents.SearchNodes {
		f.info(cmk.FindingSearchNodes, strings.Join(s.searching(), ", "), "search nodes use the key: Atlas replaces them, and they rebuild their indexes")
	}
	assessReleaseSize(&f, s)
	assessSnapshots(&f, s)
	assessLeaving(&f, s, r.Order == cmk.OrderKeepPrivatePath)
	if s.onKey() && (r.Order == cmk.OrderPage || !s.needsWindow()) {
		f.warn(cmk.FindingPublicExposure, s.Project.ID, `to avoid it, use the order "keepPrivatePath"`, "while they leave it, clusters use the key over the public path")
	}
	notEvaluated(&f)
	return f
}

func notEvaluated(f *findings) {
	f.info(cmk.FindingNotEvaluated, "", "service and resource control policies of the AWS organization, and the rights of the worker's own Atlas credentials, cannot be read; snapshots of deleted clusters, and of those without backups, are not listed")
}

// usableAgain is what to do where Atlas cannot use the key.
const usableAgain = "make the key and the role's access to it usable again: with Atlas's validation, every 15 minutes, or by a look at its settings, the project then becomes valid. Until then Atlas can neither change nor disable encryption at rest"

// assessUsable finds whether the key is usable now: without one, Atlas can neither change nor disable it.
func assessUsable(f *findings, s survey) {
	e := s.Project.Encryption
	unreached := seen{Project: s.Project}.unreached()
	switch {
	case !e.Valid && len(unreached) > 0:
		f.err(cmk.FindingSettingsInvalid, e.KeyID, "create the private endpoints that are missing, with "+cmk.AddPrivateEndpoints+"; if the project does not become valid by that, make the key and the role's access to it usable again",
			"Atlas finds that it cannot use the key, which may be because nodes in %s have no path to it: no private endpoint is ACTIVE there", strings.Join(unreached, ", "))
	case !e.Valid:
		f.err(cmk.FindingSettingsInvalid, e.KeyID, usableAgain, "Atlas finds that it cannot use the key")
	case s.Key != nil && s.Key.State != "" && s.Key.State != "Enabled":
		f.err(cmk.FindingKeyNotEnabled, e.KeyID, usableAgain, "the key is %s", s.Key.State)
	case s.Key != nil && s.Key.Unread != "":
		f.warn(cmk.FindingKeyPolicyUnread, e.KeyID, "allow the worker kms:DescribeKey and kms:GetKeyPolicy", "the key or its policy could not be read: %s", s.Key.Unread)
	}
}

// assessRelease judges a cluster that is to leave the key.
func assessRelease(f *findings, r cmk.DisableRequest, c activities.Cluster) {
	switch {
	case c.Provider == cmk.ProviderNone:
		return
	case c.Provider != cmk.ProviderAWS:
		f.err(cmk.FindingClusterOtherKMS, c.Name, "set its encryption at rest to NONE first", "cluster %s is encrypted with keys of %s", c.Name, c.Provider)
		return
	case c.Paused && !r.ResumePaused:
		f.err(cmk.FindingClusterPaused, c.Name, `resume it, or set "resumePaused"`, "cluster %s is paused: it cannot be changed, and needs the key to come back", c.Name)
	case c.Paused:
		f.warn(cmk.FindingClusterPaused, c.Name, "", "cluster %s is paused: it is resumed, and stays running", c.Name)
	case c.State != cmk.ClusterIdle:
		f.warn(cmk.FindingClusterNotIdle, c.Name, "", "cluster %s is %s: its turn waits until it is IDLE", c.Name, c.State)
	}
	f.info(cmk.FindingClusterReencrypts, c.Name, "cluster %s re-syncs every node, one after the other, and rebuilds its search indexes; it stays available", c.Name)
}

func assessSnapshots(f *findings, s survey) {
	count := 0
	var clusters []string
	for _, n := range s.Dependents.Snapshots {
		count += n.Count
		clusters = append(clusters, n.Cluster)
	}
	if count == 0 {
		return
	}
	until, forever := keepUntil(s.Dependents.Snapshots)
	term := "until " + until.UTC().Format(time.RFC3339) + ", and longer for each that is taken before its cluster leaves the key"
	if forever {
		term = "without end: some never expire"
	}
	f.warn(cmk.FindingSnapshotsNeedRole, strings.Join(clusters, ", "), "keep the key, the role with its policies, and its authorization in Atlas for as long; this change touches none of them",
		"%d snapshots can be restored only with the key, %s", count, term)
}

// assessLeaving judges the way out of private networking. kept: clusters leave the key first, over the private path, and
// the window comes only if Atlas does not allow that.
func assessLeaving(f *findings, s survey, kept bool) {
	e := s.Project.Encryption
	for _, p := range s.Project.Endpoints {
		if !p.Deletable() {
			f.warn(cmk.FindingEndpointStuck, p.Region, "", "private endpoint %s in %s is %s: nothing is deleted until it can be deleted", p.ID, p.Region, p.Status)
		}
	}
	if e.RequirePrivateNetworking && e.RoleID == "" {
		f.err(cmk.FindingEnabledWithCredentials, e.AccessKeyID, "migrate the project to an IAM role first", "private networking cannot be left with an IAM user's credentials: Atlas no longer takes them")
	}
	if !s.needsWindow() {
		return
	}
	if kept {
		assessKeptPath(f, s)
		return // whether the public path is open matters when the other order is proposed, and is looked at then
	}
	f.warn(cmk.FindingWindow, strings.Join(encrypted(s.Project.Clusters), ", "), "", "from the first endpoint's deletion until private networking is off, clusters have no path to the key: nodes that run go on, one that restarts has to wait")
	if closed := s.closed(); len(closed) > 0 {
		f.err(cmk.FindingPublicPathClosed, e.KeyID, "allow the role the use of the key without a condition on where it comes from, or from the addresses of the clusters and of Atlas's control plane",
			"without private endpoints clusters could not use the key: %s", strings.Join(closed, "; "))
	}
}

// assessKeptPath finds clusters that cannot leave the key over the private path, since part of it is not there. An endpoint
// that Atlas is still making is waited for.
func assessKeptPath(f *findings, s survey) {
	for _, c := range s.Project.Clusters {
		if c.Provider != cmk.ProviderAWS {
			continue
		}
		for _, region := range c.Regions {
			if !slices.ContainsFunc(s.Project.Endpoints, func(e activities.Endpoint) bool {
				return e.Region == region && (e.Status == cmk.EndpointActive || e.Status == cmk.EndpointInitiating)
			}) {
				f.err(cmk.FindingClusterUncovered, c.Name, `add an endpoint there with AddPrivateEndpoints first, or use the order "page"`,
					"cluster %s has nodes in %s, where no private endpoint is ACTIVE: there is no private path there to be kept", c.Name, region)
			}
		}
	}
}

const windowExposure = "from here until private networking is off, a node that restarts cannot reach its key"

// leaveSteps are those that take private networking away.
func leaveSteps(s survey) []cmk.Step {
	var steps []cmk.Step
	for _, p := range s.Project.Endpoints {
		step := cmk.Step{Action: "delete private endpoint in " + p.Region, Object: p.ID, Exists: p.Status == cmk.EndpointDeleting}
		if s.needsWindow() {
			step.Exposure = windowExposure
		}
		steps = append(steps, step)
	}
	return append(steps, cmk.Step{Action: "stop requiring private networking", Object: s.Project.ID, Exists: !s.Project.Encryption.RequirePrivateNetworking})
}

// releaseStep takes a cluster off the key.
func releaseStep(c activities.Cluster) cmk.Step {
	return cmk.Step{
		Action: "take cluster off the key", Object: c.Name, Exists: c.Provider == cmk.ProviderNone,
		Irreversible: "the first cluster that leaves the key is the point of no return: from there on the change goes forward, or stops where it is",
		Exposure:     "every node re-syncs, one after the other, unencrypted by your key from then on; the cluster stays available",
	}
}

// planDisable lists the steps in order, with what each finds done.
func planDisable(r cmk.DisableRequest, s survey) cmk.Plan {
	off := !s.Project.Encryption.Enabled
	steps := []cmk.Step{{Action: "take the search nodes off the key", Object: s.Project.ID, Exists: !s.Dependents.SearchNodes, Exposure: "Atlas replaces the search nodes, and they rebuild their indexes"}}
	for _, c := range s.Project.Clusters {
		if c.Paused && c.Provider == cmk.ProviderAWS {
			steps = append(steps, cmk.Step{Action: "resume cluster", Object: c.Name, Irreversible: "it stays running, and costs accordingly"})
		}
	}
	for _, c := range onKeyFirst(s.Project.Clusters) {
		steps = append(steps, releaseStep(c))
	}
	if r.Order == cmk.OrderKeepPrivatePath {
		for _, p := range s.Project.Endpoints {
			steps = append(steps, cmk.Step{Action: "delete private endpoint in " + p.Region, Object: p.ID, Exists: p.Status == cmk.EndpointDeleting})
		}
	} else {
		steps = append(leaveSteps(s), steps...)
	}
	steps = append(steps, cmk.Step{Action: "disable encryption at rest", Object: s.Project.ID, Exists: off, Irreversible: "Atlas forgets the key's configuration; the key, the role and its policies stay"})
	if request, ok := retirementAfter(r, s); ok {
		steps = append(steps, cmk.Step{
			Action: "start the retirement of " + request.What(), Object: request.ID(),
			Irreversible: "nothing yet: its withdrawal, once no snapshot needs it, is asked for by an approval of its own",
		})
	}
	return cmk.Plan{Hash: hash(steps), Steps: steps}
}
