package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// assess works out what is not well and what people are asked for, shows it, and tells the outside what is new.
func (w *watch) assess(ctx workflow.Context) {
	if gate := w.approvals.plan; w.look != nil && gate != nil && gate.hash == settingsHash(w.look) && gate.approved(w.approvals.policy.Approvers) {
		w.baseline, w.approvals.plan = baselineOf(w.look), nil
	}
	var now findings
	if w.unreadable != "" {
		now.err(cmk.FindingProjectUnreadable, w.projectID(), "check the project, and the worker's credentials", "the project cannot be read: %s", w.unreadable)
		if w.look != nil {
			now = append(now, w.status.Findings...)
			now = slices.CompactFunc(now, sameFinding)
		}
	} else if w.look != nil {
		now = judge(w.look)
		w.judgeWatch(ctx, &now)
	}
	for _, done := range w.waits {
		done()
	}
	w.waits = nil
	if w.look != nil {
		w.waits = append(w.waits, w.endpoints.awaitMissing(ctx, time.Time{}))
	}
	w.awaitAcceptance(ctx, now)
	opened, closed := difference(now, w.status.Findings), difference(w.status.Findings, now)
	w.status.Findings = now
	w.tellOutside(ctx, opened, closed)
	phase := cmk.PhaseWatching
	if slices.ContainsFunc(now, serious) {
		phase = cmk.PhaseAttention
	}
	w.enter(ctx, phase)
}

// serious findings are told to the outside; the others only stand in the status.
func serious(f cmk.Finding) bool { return f.Severity != cmk.SeverityInfo }

func sameFinding(a, b cmk.Finding) bool { return a.Code == b.Code && a.Object == b.Object }

// difference are the serious findings of one list that are not in the other.
func difference(of, from []cmk.Finding) []cmk.Finding {
	return slices.DeleteFunc(slices.Clone(of), func(f cmk.Finding) bool {
		return !serious(f) || slices.ContainsFunc(from, func(o cmk.Finding) bool { return sameFinding(f, o) && serious(o) })
	})
}

// judgeWatch finds what only shows in the course of time.
func (w *watch) judgeWatch(ctx workflow.Context, f *findings) {
	for _, e := range w.endpoints.current {
		if due := w.overdue(e); !due.IsZero() && !due.After(workflow.Now(ctx)) {
			f.err(cmk.FindingEndpointOverdue, e.ID, "ask MongoDB's support", "private endpoint %s in %s has been %s for more than %s", e.ID, e.Region, e.Status, w.request.Stuck)
		}
	}
	for _, g := range w.approvals.regions {
		if g.rejected {
			f.err(cmk.FindingEndpointRejected, g.endpoint, "remove it with RemovePrivateEndpoints", "private endpoint %s in %s was rejected, and stands", g.endpoint, g.region)
		}
	}
	for _, alarm := range w.look.Alarms {
		f.err(cmk.FindingKeyAlarm, alarm, "look at the project's activity feed, at the endpoints and at the key", "within the last hour a node could not use the key: %s", alarm)
	}
	for _, r := range w.look.Roles {
		if r.Authorized && len(r.UsedBy) == 0 && r.ID != w.look.Encryption.RoleID {
			f.warn(cmk.FindingRoleUnused, r.ID, "deauthorize it, if no snapshot needs it", "cloud provider access role %s is authorized and nothing uses it", r.ID)
		}
	}
	present := baselineOf(w.look)
	if settingsOf(present) != settingsOf(w.baseline) {
		f.err(cmk.FindingSettingsChanged, w.projectID(), "accept it, or put it back", "the settings are %s, and were %s; changed by %s",
			settingsOf(present), settingsOf(w.baseline), strings.Join(w.baseline.ChangedBy, ", "))
	}
	for _, region := range changedPolicies(w.baseline, present) {
		f.warn(cmk.FindingKeyPolicyChanged, region, "accept it, or put it back", "the key's policy in %s says something else about the role than it did", region)
	}
	if w.repairFailed != "" {
		f.err(cmk.FindingRepairFailed, w.projectID(), "mend what stands in its way: it is tried again at every interval. A failed endpoint is made anew three times at most: then delete it, and create another", "a repair has failed: %s", w.repairFailed)
	}
}

// awaitAcceptance asks people whether what somebody else has changed is right.
func (w *watch) awaitAcceptance(ctx workflow.Context, f findings) {
	changed := slices.ContainsFunc(f, func(f cmk.Finding) bool {
		return f.Code == cmk.FindingSettingsChanged || f.Code == cmk.FindingKeyPolicyChanged
	})
	if !changed || w.look == nil {
		w.approvals.plan = nil
		return
	}
	hash := settingsHash(w.look)
	if w.approvals.plan == nil || w.approvals.plan.hash != hash {
		w.approvals.plan = &gate{hash: hash}
	}
	if !w.approvals.plan.rejected {
		w.waits = append(w.waits, w.await(ctx, cmk.Wait{
			For: cmk.AwaitingPlanApproval, What: "acceptance of settings that somebody else has changed",
			Signal: cmk.SignalApprove, Example: example(map[string]string{"by": yourName, "plan": hash}),
		}))
	}
}

// settingsHash identifies what is to be accepted.
func settingsHash(l *activities.Look) string {
	sum := sha256.Sum256(canonical(baselineOf(l)))
	return hex.EncodeToString(sum[:8])
}

// tellOutside counts and logs what is new, and leaves a notification of it in the outbox.
func (w *watch) tellOutside(ctx workflow.Context, opened, closed []cmk.Finding) {
	logFindings(ctx, "project", w.projectID(), opened, closed)
	asks := w.asks()
	asked := slices.DeleteFunc(slices.Clone(asks), func(a cmk.Wait) bool {
		return slices.ContainsFunc(w.asked, func(o cmk.Wait) bool { return o.For == a.For && o.Example == a.Example })
	})
	w.asked = asks
	repaired := slices.Clone(w.status.Writes[w.told:])
	w.status.Writes = w.status.Writes[max(0, len(w.status.Writes)-maxWrites):]
	w.told = len(w.status.Writes)
	if len(opened)+len(closed)+len(asked)+len(repaired) == 0 {
		return
	}
	w.sent++
	// Whoever could not be told for long is told the latest.
	const longest = 100
	w.outbox = append(w.outbox, cmk.Notification{
		ID: fmt.Sprintf("%s/%s/%d", workflow.GetInfo(ctx).WorkflowExecution.ID, w.status.Started.Format(time.RFC3339), w.sent), At: workflow.Now(ctx).UTC(),
		ProjectID: w.projectID(), WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID, Opened: opened, Closed: closed, Asked: asked, Repaired: repaired,
	})
	if n := len(w.outbox); n > longest {
		w.outbox = append(w.outbox[:1:1], w.outbox[n-longest+1:]...)
	}
}

// logFindings counts and logs findings that are new or gone, of a project or an organization.
func logFindings(ctx workflow.Context, of, id string, opened, closed []cmk.Finding) {
	log, metrics := workflow.GetLogger(ctx), workflow.GetMetricsHandler(ctx)
	count := func(name string, f cmk.Finding) {
		metrics.WithTags(map[string]string{"code": string(f.Code), "severity": string(f.Severity)}).Counter(name).Inc(1)
	}
	for _, f := range opened {
		count("atlas_cmk_findings_opened", f)
		log.Warn("finding opened", of, id, "code", f.Code, "severity", f.Severity, "object", f.Object, "detail", f.Detail)
	}
	for _, f := range closed {
		count("atlas_cmk_findings_closed", f)
		log.Info("finding closed", of, id, "code", f.Code, "object", f.Object)
	}
}

// baselineOf is what nobody may change unnoticed.
func baselineOf(l *activities.Look) *cmk.Baseline {
	e := l.Encryption
	b := &cmk.Baseline{
		Enabled: e.Enabled, RequirePrivateNetworking: e.RequirePrivateNetworking, SearchNodes: e.SearchNodes, Key: e.KeyID, KeyRegion: e.Region, RoleID: e.RoleID,
		Policies: map[string]string{},
	}
	if l.Key == nil {
		return b
	}
	for _, r := range l.Key.Replicas {
		if r.Policy.Unread == "" {
			sum := sha256.Sum256(canonical(r.Policy))
			b.Policies[r.Region] = hex.EncodeToString(sum[:8])
		}
	}
	return b
}

// settingsOf are the settings in words.
func settingsOf(b *cmk.Baseline) string {
	if !b.Enabled {
		return "off"
	}
	return fmt.Sprintf("on with key %s in %s through role %s, private networking required: %t, search nodes: %t", b.Key, b.KeyRegion, b.RoleID, b.RequirePrivateNetworking, b.SearchNodes)
}

// changedPolicies are the regions in which the policy of the same key says something else than it did.
func changedPolicies(before, now *cmk.Baseline) []string {
	var regions []string
	for _, region := range workflow.DeterministicKeys(now.Policies) {
		if was, ok := before.Policies[region]; ok && was != now.Policies[region] && before.Key == now.Key {
			regions = append(regions, region)
		}
	}
	return regions
}

func canonical(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types always marshal
	}
	return text
}
