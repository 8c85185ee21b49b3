package workflows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// rotateTarget is what a rotation is to bring about.
type rotateTarget struct {
	// done is true of a project that uses the key already: only its verification is left.
	done bool
	// sameKey is true where the key stays, and only its region is another.
	sameKey bool
	// keyID is how the key is told to Atlas: by ARN, or where it stays as the project spells it.
	keyID, keyRegion string
	// regions are those in which the key must be usable, replicate those that get a replica.
	regions, replicate []string
	// keyARNs are the replicas that the role must be able to use, toGrant those of them that its inline policy lacks, and
	// granted all that it is to hold: the former ones too.
	keyARNs, toGrant, granted []string
	// toWithdraw are what is taken back of toGrant: not what nodes may have begun to use meanwhile.
	toWithdraw []string
	// formerARNs are what the role is granted of another key that the project had.
	formerARNs        []string
	roleARN, roleName string
	// paused are the clusters to resume.
	paused []string
}

// regionsToCover are those in which the key must be usable: the one that Atlas is told, and over private endpoints
// wherever a cluster on the key has nodes.
func regionsToCover(r cmk.RotateRequest, s survey) []string {
	region := r.KeyRegion
	regions := []string{region}
	if s.Project.Encryption.RequirePrivateNetworking {
		for _, c := range onKeyFirst(s.Project.Clusters) {
			regions = append(regions, c.Regions...)
		}
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// assessRotation compares what a rotation asks for with what is there. It is a function of its arguments alone.
func assessRotation(r cmk.RotateRequest, s rotateSeen) (rotateTarget, []cmk.Finding) {
	var f findings
	e := s.Project.Encryption
	t := rotateTarget{keyID: r.Key, keyRegion: r.KeyRegion, regions: regionsToCover(r, s.survey)}
	switch {
	case e.Other != "":
		f.err(cmk.FindingOtherProvider, e.Other, "a rotation is for projects on AWS KMS", "encryption at rest is enabled with %s", e.Other)
	case !e.Enabled:
		f.err(cmk.FindingNotEnabled, s.Project.ID, "start "+cmk.EnableWithPrivateEndpoints+" instead", "encryption at rest with AWS KMS is not enabled: there is no key to rotate")
	case s.role() == nil:
		f.err(cmk.FindingEnabledWithCredentials, e.AccessKeyID, "migrate the project to an IAM role first, with "+cmk.MigrateUserToRole, "encryption at rest is enabled with an IAM user's credentials, and Atlas takes no change with those any more")
	default:
		assessUsable(&f, s.survey)
		t.assessNext(&f, r, s)
		t.assessGrants(&f, s)
		t.assessNodes(&f, r, s.survey)
		assessSnapshots(&f, s.survey)
	}
	notEvaluated(&f)
	return t, f
}

// assessNext judges the key to go over to.
func (t *rotateTarget) assessNext(f *findings, r cmk.RotateRequest, s rotateSeen) {
	e, next := s.Project.Encryption, s.Next
	t.roleARN = s.role().ARN
	t.roleName = nameOf(t.roleARN)
	t.keyID = next.ARN
	if sameKey(e.KeyID, *next) {
		t.sameKey, t.keyID = true, e.KeyID
		t.done = e.Region == r.KeyRegion
	}
	switch {
	case t.done:
		f.info(cmk.FindingNothingToDo, e.KeyID, "the project uses this key in %s already; it is verified", e.Region)
		return
	case t.sameKey && !next.MultiRegion:
		f.err(cmk.FindingKeySingleRegion, e.KeyID, "name another key", "the project's key exists in %s alone: it cannot be used in %s", e.Region, r.KeyRegion)
	case t.sameKey && strings.HasPrefix(e.KeyID, "arn:"):
		f.warn(cmk.FindingKeySpelling, e.KeyID, "", "the project names its key by an ARN, which names %s; Atlas is told of another region with the same ARN, and how it makes the key's ARN there is not documented", e.Region)
	}
	as := target{regions: t.regions}
	assessKey(f, r.Replicas, seen{Project: s.Project, Key: next, Role: s.Granted}, &as)
	t.replicate = as.replicate
	if !t.sameKey {
		f.info(cmk.FindingRewrapUnseen, s.Project.ID, "Atlas wraps the master keys of every cluster with the new key, and tells when it has begun; which key a cluster is wrapped with it does not show")
	}
}

// assessGrants works out what the role lacks, and whether it could use the key then.
func (t *rotateTarget) assessGrants(f *findings, s rotateSeen) {
	role := s.Granted
	if !role.Exists || role.ARN != t.roleARN {
		f.err(cmk.FindingRoleMissing, t.roleARN, "run this where the worker's AWS credentials are of the role's account", "the IAM role that the project uses is not in the worker's AWS account")
	}
	t.keyARNs = s.replicasFor(t.regions)
	for _, region := range t.replicate {
		t.keyARNs = append(t.keyARNs, arnIn(s.Next.ARN, region))
	}
	slices.Sort(t.keyARNs)
	t.toGrant = slices.DeleteFunc(slices.Clone(t.keyARNs), func(arn string) bool { return slices.Contains(role.Keys, arn) })
	t.granted = slices.Concat(role.Keys, t.toGrant)
	slices.Sort(t.granted)
	t.toWithdraw = slices.DeleteFunc(slices.Clone(t.toGrant), func(arn string) bool {
		return t.sameKey && slices.ContainsFunc(s.Project.Clusters, func(c activities.Cluster) bool {
			return c.Provider == cmk.ProviderAWS && slices.ContainsFunc(c.Regions, func(region string) bool { return arnIn(arn, region) == arn })
		})
	})
	if !t.sameKey {
		t.formerARNs = formerGrants(s)
	}
	if x := s.Evaluation; x != nil && !t.done {
		for _, denied := range x.Denied {
			f.err(cmk.FindingRoleDenied, role.ARN, "change the policy or boundary that stands in the way", "with this project's permissions the role still could not use the key: %s", denied)
		}
		if x.Unevaluated != "" {
			f.info(cmk.FindingNotEvaluated, role.ARN, "the role's policies and permissions boundary: %s", x.Unevaluated)
		}
	}
}

// formerGrants are the replicas of the present key that the role is granted, and the one that the project names.
func formerGrants(s rotateSeen) []string {
	id := s.Project.Encryption.KeyID
	id = id[strings.LastIndex(id, "/")+1:]
	var arns []string
	if s.Key != nil && s.Key.ARN != "" {
		arns = append(arns, s.Key.ARN)
	}
	for _, arn := range s.Granted.Keys {
		if strings.HasSuffix(arn, "/"+id) {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return slices.Compact(arns)
}

// arnIn is the ARN of a multi-Region key's replica in a region.
func arnIn(arn, region string) string {
	parts := strings.Split(arn, ":")
	parts[3] = cmk.Region(region).AWS()
	return strings.Join(parts, ":")
}

// assessNodes judges the clusters and search nodes that use the key.
func (t *rotateTarget) assessNodes(f *findings, r cmk.RotateRequest, s survey) {
	if t.done {
		return
	}
	for _, c := range onKeyFirst(s.Project.Clusters) {
		switch {
		case c.Paused && r.ResumePaused:
			t.paused = append(t.paused, c.Name)
			f.warn(cmk.FindingClusterPaused, c.Name, "", "cluster %s is paused: it is resumed, and stays running", c.Name)
		case c.Paused:
			f.err(cmk.FindingClusterPaused, c.Name, "resume it, or set resumePaused", "cluster %s is paused: what it holds would stay wrapped with the former key", c.Name)
		case c.State != cmk.ClusterIdle:
			f.warn(cmk.FindingClusterNotIdle, c.Name, "", "cluster %s is %s: the rotation waits until it is IDLE", c.Name, c.State)
		}
		for _, region := range c.Regions {
			if s.Project.Encryption.RequirePrivateNetworking && !slices.ContainsFunc(s.Project.Endpoints, func(p activities.Endpoint) bool {
				return p.Region == region && p.Status == cmk.EndpointActive
			}) {
				f.err(cmk.FindingClusterUncovered, c.Name, "give the region a private endpoint first", "cluster %s has nodes in %s, where no private endpoint is ACTIVE: they could not reach the key", c.Name, region)
			}
		}
	}
	if s.Dependents.SearchNodes {
		f.info(cmk.FindingSearchNodes, strings.Join(s.searching(), ", "), "search nodes use the key too: the change waits until they are at rest")
	}
}

// planRotation lists the steps of a rotation, in order, with what each finds done.
func planRotation(s rotateSeen, t rotateTarget) cmk.Plan {
	e := s.Project.Encryption
	var steps []cmk.Step
	for _, region := range t.replicate {
		steps = append(steps, cmk.Step{Action: "replicate the key", Object: region, Irreversible: "nothing here ever deletes a key: the replica stays"})
	}
	for _, arn := range t.keyARNs {
		steps = append(steps, cmk.Step{Action: "grant the use of " + arn, Object: t.roleARN, Exists: t.done || !slices.Contains(t.toGrant, arn)})
	}
	for _, name := range t.paused {
		steps = append(steps, cmk.Step{Action: "resume cluster", Object: name, Irreversible: "it stays running, and costs accordingly"})
	}
	action := fmt.Sprintf("rotate to key %s in %s", t.keyID, t.keyRegion)
	if !t.done {
		action += fmt.Sprintf(", from %s in %s", e.KeyID, e.Region)
	}
	steps = append(steps, cmk.Step{
		Action: action, Object: s.Project.ID, Exists: t.done,
		Irreversible: "the way back is another rotation; snapshots go on needing the key of their time",
		Exposure:     "from then on every node uses the key that Atlas is told of; what could not be evaluated of it stands among the findings",
	})
	return cmk.Plan{Hash: hash(steps), Steps: steps}
}
