package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

// wayOut is a procedure that takes things away, in a world in which it takes each of its steps.
type wayOut struct {
	scenario
	order cmk.DisableOrder
}

func (w wayOut) name() string { return strings.TrimSuffix(w.workflowType+" "+string(w.order), " ") }

func waysOut() []wayOut {
	return []wayOut{
		{scenario{cmk.RemovePrivateEndpoints, startReady}, ""},
		{scenario{cmk.DisablePrivateNetworking, startDone}, ""},
		{scenario{cmk.SafeDisableCMK, startFewer}, cmk.OrderPage},
		{scenario{cmk.SafeDisableCMK, startFewer}, cmk.OrderKeepPrivatePath},
	}
}

// schedule is one in which faults come, and somebody approves the plan and gives up every step that cannot go on.
func (w wayOut) schedule(faults ...fault.Rule) schedule {
	s := refusedAt(w.scenario, 0, nil)
	s.Order, s.Faults = w.order, faults
	return s
}

// leavingStep is a write of a way out: what it is for, its operation, and how many requests for that come before it.
type leavingStep struct {
	name, operation string
	before          int
}

// steps are those that a way out takes when nothing happens to it: the first of a kind, and one of those that follow.
func (w wayOut) steps(t *testing.T) []leavingStep {
	t.Helper()
	calm := newPlay(t, w.schedule())
	require.NoError(t, errors.Join(calm.lead(), calm.storm()))
	before := map[string]int{}
	var steps []leavingStep
	for _, e := range calm.world.Journal.Entries() {
		if e.System != "atlas" || !e.Write || e.Operation == "issueToken" {
			continue
		}
		s := leavingStep{stepName(e, before[e.Operation]), e.Operation, before[e.Operation]}
		before[e.Operation]++
		if !slices.ContainsFunc(steps, func(o leavingStep) bool { return o.name == s.name }) {
			steps = append(steps, s)
		}
	}
	return steps
}

func stepName(e journal.Entry, before int) string {
	kind := map[string]string{"requestGroupEncryptionAtRestPrivateEndpointDeletion": "endpoint", "updateGroupCluster": "cluster"}[e.Operation]
	switch {
	case kind != "" && before == 0:
		return "first " + kind
	case kind != "":
		return "another " + kind
	case strings.Contains(e.Request, "enabledForSearchNodes"):
		return "search nodes"
	case strings.Contains(e.Request, `"enabled":false`):
		return "project"
	}
	return "networking"
}

// What becomes of a refusal. What passes is tried again until it has. At what must be looked at again there is a fresh look, where
// the project's key is to go. What is final ends the step.
const (
	passes = "passes"
	looked = "is looked at again"
	final  = "is final"
)

// refusals says that of each documented code.
func refusals() map[string]string {
	return map[string]string{
		"CANNOT_ASSUME_ROLE": passes, "INVALID_AWS_CREDENTIALS": passes, "CLOUD_PROVIDER_ACCESS_ROLE_NOT_AUTHORIZED": passes,
		"NO_PERMISSION_TO_ENCRYPT_DECRYPT": passes, "RATE_LIMITED_TOKEN_BUCKET": passes,
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_REQUIRE_PRIVATE_NETWORKING_WHILE_PRIVATE_ENDPOINTS_EXIST": passes,
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS":                                 passes,
		"ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING":                     passes,
		"CLUSTER_RESTORE_IN_PROGRESS_CANNOT_UPDATE":                                                  passes, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES": passes,

		"CANNOT_DISABLE_ENCRYPTION_AT_REST": looked,

		"AWS_KMS_CUSTOMER_MASTER_KEY_NOT_ENABLED": final, "AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_DELETION": final,
		"AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_IMPORT": final, "AWS_KMS_REGION_NOT_SUPPORTED": final, "AWS_KMS_CREDENTIALS_AUTH_DEPRECATED": final,
		"AWS_CUSTOMER_MASTER_KEY_NOT_FOUND": final, "ENCRYPTION_AT_REST_SETTINGS_INVALID": final, "MISSING_ENCRYPTION_AT_REST_PROVIDER": final,
		"INVALID_ENCRYPTION_AT_REST_PROVIDER": final, "ENCRYPTION_AT_REST_PROVIDER_NOT_SUPPORTED": final, "ENCRYPTION_AT_REST_NOT_ENABLED": final,
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_WITH_BACKUP_COMPLIANCE_POLICY":                                   final,
		"CAN_NOT_DISABLE_ALL_ENCRYPTION_AT_REST_SETTINGS_WHILE_BACKUP_COMPLIANCE_POLICY_ENCRYPTION_ENABLED": final,
		"ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_IN_USE":                                                        final,
		"CANNOT_USE_ENCRYPTION_AT_REST_TENANT":                                                              final, "INSUFFICIENT_INSTANCE_SIZE": final,
		"CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API": final, "CLUSTER_NOT_FOUND": final, "OUT_OF_CAPACITY": final,
		"GROUP_NOT_FOUND": final, "INVALID_ATLAS_GROUP": final, "NOT_IN_GROUP": final, "USER_CANNOT_ACCESS_GROUP": final, "ACCOUNT_SUSPENDED": final,
	}
}

// stop is how a way out ends of which a step was refused for good: with that error, or, where it was given up, with that of those
// who did so.
type stop struct {
	phase cmk.Phase
	state cmk.ProjectState
	given bool
}

// stops says that of each step of each way out.
func stops() map[string]map[string]stop {
	page, keep := cmk.SafeDisableCMK+" "+string(cmk.OrderPage), cmk.SafeDisableCMK+" "+string(cmk.OrderKeepPrivatePath)
	refused, stopped := cmk.PhaseRefused, cmk.PhaseStopped
	return map[string]map[string]stop{
		cmk.RemovePrivateEndpoints: {"first endpoint": {stopped, "", false}, "another endpoint": {stopped, "", false}},
		// A window that cannot be left forwards is left backwards.
		cmk.DisablePrivateNetworking: {
			"first endpoint": {refused, cmk.StateOn, false}, "another endpoint": {stopped, cmk.StateOn, false}, "networking": {stopped, cmk.StateOn, false},
		},
		page: {
			"first endpoint": {refused, cmk.StateOn, false}, "another endpoint": {stopped, cmk.StateOn, false}, "networking": {stopped, cmk.StateOn, false},
			"search nodes":  {stopped, cmk.StatePublic, false},
			"first cluster": {stopped, cmk.StatePublic, true}, "another cluster": {stopped, cmk.StateSomeOff, true},
			"project": {stopped, cmk.StateAllOff, false},
		},
		keep: {
			"search nodes":  {stopped, cmk.StateOn, false},
			"first cluster": {stopped, cmk.StateOn, true}, "another cluster": {stopped, cmk.StateSomeOff, true},
			"first endpoint": {stopped, cmk.StateAllOff, false}, "another endpoint": {stopped, cmk.StateAllOff, false},
			"project": {stopped, cmk.StateAllOff, false},
		},
	}
}

// Every code that is documented for a write is met by each way out that makes it: what passes it sees through, and what does not
// it ends in a state that has a name, from which another run goes on once all is well. A code or a step that nobody has thought
// of is none of the table's. By default each code is met once by each way out, at its steps by turns, and one that is final by one
// of them.
func TestDocumentedRefusals(t *testing.T) {
	t.Parallel()
	catalogue := atlassim.Catalogue()
	for i, d := range catalogue {
		require.NotEmpty(t, refusals()[d.Code], "what becomes of %s is not said", d.Code)
		require.False(t, slices.Contains(catalogue[:i], d), "%s is listed twice", d.Code)
	}
	type refusal struct {
		documented atlassim.Documented
		at         leavingStep
	}
	cases := map[string][]refusal{}
	steps := map[string][]leavingStep{}
	for _, w := range waysOut() {
		steps[w.name()] = w.steps(t)
		for name := range stops()[w.name()] {
			require.True(t, slices.ContainsFunc(steps[w.name()], func(s leavingStep) bool { return s.name == name }), "the step %q is not taken", name)
		}
	}
	for i, d := range catalogue {
		var meet []string
		for _, w := range waysOut() {
			if slices.ContainsFunc(steps[w.name()], func(s leavingStep) bool { return s.operation == d.Operation }) {
				meet = append(meet, w.name())
			}
		}
		if some() > 1 && refusals()[d.Code] == final {
			meet = meet[i%len(meet):][:1]
		}
		for _, name := range meet {
			at := slices.DeleteFunc(slices.Clone(steps[name]), func(s leavingStep) bool { return s.operation != d.Operation })
			if some() > 1 {
				at = at[i%len(at):][:1]
			}
			for _, s := range at {
				cases[name] = append(cases[name], refusal{d, s})
			}
		}
	}
	for _, w := range waysOut() {
		t.Run(w.name(), func(t *testing.T) {
			t.Parallel()
			for _, c := range cases[w.name()] {
				end, listed := stops()[w.name()][c.at.name]
				require.True(t, listed, "how the step %q ends when it is refused is not said", c.at.name)
				require.NoError(t, w.refused(t, c.documented, c.at, end), "%s at %s", c.documented.Code, c.at.name)
			}
		})
	}
}

// refused has a step be refused, and says what is wrong about how that ends.
func (w wayOut) refused(t *testing.T, d atlassim.Documented, s leavingStep, end stop) error {
	t.Helper()
	rule := fault.Rule{Operation: d.Operation, Kind: fault.Status, Status: d.Status, ErrorCode: d.Code, After: s.before}
	becomes := refusals()[d.Code]
	if passing := becomes == passes || becomes == looked && s.name == "project"; passing {
		rule.Times = 3
		end = stop{phase: cmk.PhaseDone}
	}
	p := newPlay(t, w.schedule(rule))
	if err := errors.Join(p.lead(), p.storm()); err != nil {
		return fmt.Errorf("%w\n%s", err, p.told())
	}
	hit := 0
	for _, e := range p.world.Journal.Entries() {
		if e.ErrorCode == d.Code {
			hit++
		}
	}
	o := p.ended[0]
	want := d.Code
	switch {
	case rule.Times > 0:
		want = ""
	case end.given:
		want = cmk.ErrAborted
	}
	switch {
	case rule.Times > 0 && hit != rule.Times, hit == 0:
		return fmt.Errorf("it was refused %d times", hit)
	case o.failed != want || o.report.Phase != end.phase || rule.Times == 0 && o.report.State != end.state:
		return fmt.Errorf("the run ended in phase %q and state %q with %q: %s", o.report.Phase, o.report.State, o.failed, o.report.Problem)
	case want != "" && !strings.Contains(o.report.Problem, d.Code):
		return fmt.Errorf("the run does not say why it ended: %s", o.report.Problem)
	}
	if some() > 1 {
		return nil
	}
	return errors.Join(p.converge(), p.rest())
}
