package awssim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// simulatePrincipalPolicy evaluates the policies of a user or role as IAM's readers know them. Like the real one it
// knows nothing of key policies but what the caller gives it.
func (c *call) simulatePrincipalPolicy() (any, error) {
	arn := c.form.Get("PolicySourceArn")
	if err := c.mayIAM(arn); err != nil {
		return nil, err
	}
	e := c.entityByARN(asRead, arn)
	if e == nil || e.account != c.account() {
		return nil, refuse(codeNoSuchEntity, "The policy source %s cannot be found.", arn)
	}
	q := policy.Question{}
	q.Identity, q.Boundary = c.identityPolicies(asRead, e)
	who := e.caller()
	if e.kind == roleKind {
		who = e.inSession("simulation")
	}
	q.Principal = who.principal
	return c.simulate(q, who)
}

func (c *call) simulateCustomPolicy() (any, error) {
	if err := c.mayIAM("*"); err != nil {
		return nil, err
	}
	who := rootOf(c.account())
	if arn := c.form.Get("CallerArn"); arn != "" {
		who.principal.ARN = arn
		who.principal.Account = policy.AccountOf(arn)
	}
	q := policy.Question{}
	q.Principal = who.principal
	return c.simulate(q, who)
}

type xmlStatement struct {
	SourcePolicyID   string `xml:"SourcePolicyId"`
	SourcePolicyType string
}

type xmlEvaluation struct {
	EvalActionName                    string
	EvalResourceName                  string
	EvalDecision                      string
	MatchedStatements                 []xmlStatement     `xml:"MatchedStatements>member"`
	PermissionsBoundaryDecisionDetail *xmlBoundaryDetail `xml:",omitempty"`
}

type xmlBoundaryDetail struct{ AllowedByPermissionsBoundary bool }

func (c *call) simulate(q policy.Question, who caller) (any, error) {
	for _, text := range members(c.form, "PolicyInputList") {
		d, err := policy.Parse(text)
		if err != nil {
			return nil, refuse("InvalidInput", "Syntax errors in policy.")
		}
		q.Identity = append(q.Identity, d)
	}
	for _, text := range members(c.form, "PermissionsBoundaryPolicyInputList") {
		d, err := policy.Parse(text)
		if err != nil {
			return nil, refuse("InvalidInput", "Syntax errors in policy.")
		}
		q.Boundary = d
	}
	if text := c.form.Get("ResourcePolicy"); text != "" {
		d, err := policy.Parse(text)
		if err != nil {
			return nil, refuse("InvalidInput", "Syntax errors in policy.")
		}
		q.Resource, q.ResourceAccount = d, policy.AccountOf(c.form.Get("ResourceOwner"))
	}
	q.Context = c.store.context(who, c.region, Path{}).With(contextEntries(c))
	resources := members(c.form, "ResourceArns")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var all []xmlEvaluation
	for _, action := range members(c.form, "ActionNames") {
		for _, resource := range resources {
			q.Action, q.Request.Resource = action, resource
			all = append(all, evaluation(q))
		}
	}
	slices.SortFunc(all, func(x, y xmlEvaluation) int { return strings.Compare(x.name(), y.name()) })
	some, p, err := iamPage(c, all, xmlEvaluation.name)
	if err != nil {
		return nil, err
	}
	return struct {
		xmlPage
		EvaluationResults []xmlEvaluation `xml:"EvaluationResults>member"`
	}{p, some}, nil
}

func (e xmlEvaluation) name() string { return e.EvalActionName + " " + e.EvalResourceName }

func evaluation(q policy.Question) xmlEvaluation {
	d := policy.Decide(q)
	e := xmlEvaluation{EvalActionName: q.Action, EvalResourceName: q.Request.Resource, EvalDecision: "implicitDeny"}
	switch {
	case d.Allowed:
		e.EvalDecision = "allowed"
	case d.Explicit:
		e.EvalDecision = "explicitDeny"
	}
	if d.Allowed || d.Explicit {
		e.MatchedStatements = []xmlStatement{{SourcePolicyID: d.Sid, SourcePolicyType: "IAM Policy"}}
	}
	if q.Boundary != nil {
		limit := q.Boundary.Evaluate(q.Request)
		e.PermissionsBoundaryDecisionDetail = &xmlBoundaryDetail{limit.Allowed != nil && limit.Denied == nil}
	}
	return e
}

// contextEntries are the context keys that the caller of a simulation gives.
func contextEntries(c *call) policy.Context {
	x := policy.Context{}
	for i := 1; ; i++ {
		entry := fmt.Sprintf("ContextEntries.member.%d", i)
		name := c.form.Get(entry + ".ContextKeyName")
		if name == "" {
			return x
		}
		x.Set(name, members(c.form, entry+".ContextKeyValues")...)
	}
}
