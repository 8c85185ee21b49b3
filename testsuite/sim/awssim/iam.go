package awssim

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// iamOperations are the calls of IAM that are simulated. Those of roles and users are the same but for the name.
func iamOperations() map[string]operation {
	ops := map[string]operation{
		"CreateRole":                  {write: true, run: (*call).createRole},
		"UpdateRole":                  {write: true, run: (*call).updateRole},
		"UpdateAssumeRolePolicy":      {write: true, run: (*call).updateAssumeRolePolicy},
		"CreateUser":                  {write: true, run: (*call).createUser},
		"CreatePolicy":                {write: true, run: (*call).createPolicy},
		"DeletePolicy":                {write: true, run: (*call).deletePolicy},
		"GetPolicy":                   {run: (*call).getPolicy},
		"GetPolicyVersion":            {run: (*call).getPolicyVersion},
		"ListPolicyVersions":          {run: (*call).listPolicyVersions},
		"ListPolicies":                {run: (*call).listPolicies},
		"CreateAccessKey":             {write: true, run: (*call).createAccessKey},
		"UpdateAccessKey":             {write: true, run: (*call).updateAccessKey},
		"DeleteAccessKey":             {write: true, run: (*call).deleteAccessKey},
		"ListAccessKeys":              {run: (*call).listAccessKeys},
		"GetAccessKeyLastUsed":        {run: (*call).getAccessKeyLastUsed},
		"SimulatePrincipalPolicy":     {run: (*call).simulatePrincipalPolicy},
		"SimulateCustomPolicy":        {run: (*call).simulateCustomPolicy},
		"GetAccountSummary":           {run: (*call).getAccountSummary},
		"ListRoles":                   {run: of(roleKind, (*call).listEntities)},
		"ListUsers":                   {run: of(userKind, (*call).listEntities)},
		"ListInstanceProfilesForRole": {run: of(roleKind, (*call).listNothing)},
		"ListGroupsForUser":           {run: of(userKind, (*call).listNothing)},
	}
	for kind, word := range map[entityKind]string{roleKind: "Role", userKind: "User"} {
		ops["Get"+word] = operation{run: of(kind, (*call).getEntity)}
		ops["Delete"+word] = operation{write: true, run: of(kind, (*call).deleteEntity)}
		ops["Tag"+word] = operation{write: true, run: of(kind, (*call).tagEntity)}
		ops["Untag"+word] = operation{write: true, run: of(kind, (*call).untagEntity)}
		ops["List"+word+"Tags"] = operation{run: of(kind, (*call).listEntityTags)}
		ops["Put"+word+"Policy"] = operation{write: true, run: of(kind, (*call).putInline)}
		ops["Get"+word+"Policy"] = operation{run: of(kind, (*call).getInline)}
		ops["Delete"+word+"Policy"] = operation{write: true, run: of(kind, (*call).deleteInline)}
		ops["List"+word+"Policies"] = operation{run: of(kind, (*call).listInline)}
		ops["Attach"+word+"Policy"] = operation{write: true, run: of(kind, (*call).attach)}
		ops["Detach"+word+"Policy"] = operation{write: true, run: of(kind, (*call).detach)}
		ops["ListAttached"+word+"Policies"] = operation{run: of(kind, (*call).listAttached)}
		ops["Put"+word+"PermissionsBoundary"] = operation{write: true, run: of(kind, (*call).putBoundary)}
		ops["Delete"+word+"PermissionsBoundary"] = operation{write: true, run: of(kind, (*call).deleteBoundary)}
	}
	return ops
}

func of(kind entityKind, run func(*call, entityKind) (any, error)) func(*call) (any, error) {
	return func(c *call) (any, error) { return run(c, kind) }
}

func (k entityKind) parameter() string {
	if k == roleKind {
		return "RoleName"
	}
	return "UserName"
}

// mayIAM authorizes the call on a resource of the caller's account.
func (c *call) mayIAM(resource string) error {
	c.object = resource
	return c.mayCall(c.caller, codeAccessDenied, c.action(), resource, c.context)
}

// entity finds the role or user that the call names. Reads see what IAM's readers know, writes what was last written.
func (c *call) entity(kind entityKind, v view) (*entity, error) {
	name := c.form.Get(kind.parameter())
	if name == "" && kind == userKind && c.caller.kind == "User" {
		_, name, _ = entityName(c.caller.principal.ARN)
	}
	if err := checkName(kind.parameter(), name); err != nil {
		return nil, err
	}
	e := c.entities[entityAt{kind, c.account(), name}].in(v)
	resource := fmt.Sprintf("arn:aws:iam::%s:%s/%s", c.account(), kind, name)
	if e != nil {
		resource = e.arn()
	}
	if err := c.mayIAM(resource); err != nil {
		return nil, err
	}
	if e == nil {
		return nil, refuse(codeNoSuchEntity, "The %s with name %s cannot be found.", kind, name)
	}
	return e, nil
}

// changeEntity writes what edit makes of the latest version of a role or user.
func (s *store) changeEntity(e *entity, edit func(*entity)) {
	latest := s.entities[e.at()].in(atSource)
	if latest == nil {
		return
	}
	changed := latest.copy()
	edit(changed)
	put(s, s.entities, changed.at(), changed, s.iamLag())
}

var nameForm = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)

func checkName(parameter, name string) error {
	most := 64
	if parameter == "PolicyName" {
		most = 128
	}
	field := strings.ToLower(parameter[:1]) + parameter[1:]
	switch {
	case name == "":
		return refuse(codeValidationIAM, "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", field)
	case len(name) > most:
		return refuse(codeValidationIAM, "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", name, field, most)
	case !nameForm.MatchString(name):
		return refuse(codeValidationIAM, "The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", field)
	}
	return nil
}

// malformed is what is wrong with a policy in the words of IAM.
func malformed(err error) error {
	if errors.Is(err, policy.ErrSyntax) {
		return refuse(codeMalformedIAM, "Syntax errors in policy.")
	}
	return refuse(codeMalformedIAM, "%s", err)
}

// size is the length of a policy as IAM counts it, without white space.
func size(text string) int {
	n := 0
	for _, r := range text {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// members reads a list parameter: Name.member.1, Name.member.2, …
func members(form url.Values, name string) []string {
	var out []string
	for i := 1; form.Has(fmt.Sprintf("%s.member.%d", name, i)); i++ {
		out = append(out, form.Get(fmt.Sprintf("%s.member.%d", name, i)))
	}
	return out
}

type xmlTag struct{ Key, Value string }

func formTags(form url.Values) map[string]string {
	out := map[string]string{}
	for i := 1; form.Has(fmt.Sprintf("Tags.member.%d.Key", i)); i++ {
		out[form.Get(fmt.Sprintf("Tags.member.%d.Key", i))] = form.Get(fmt.Sprintf("Tags.member.%d.Value", i))
	}
	return out
}

type xmlPage struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// iamPage cuts one page for a List call.
func iamPage[T any](c *call, items []T, name func(T) string) ([]T, xmlPage, error) {
	limit := 100
	if text := c.form.Get("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return nil, xmlPage{}, refuse(codeValidationIAM, "1 validation error detected: Value '%s' at 'maxItems' failed to satisfy constraint: Member must be between 1 and 1000", text)
		}
		limit = n
	}
	out, next, ok := page(items, name, c.form.Get("Marker"), limit)
	if !ok {
		return nil, xmlPage{}, refuse(codeValidationIAM, "Invalid Marker.")
	}
	return out, xmlPage{next != "", next}, nil
}

func itself(s string) string { return s }

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// encoded is a policy as IAM puts it into its answers: percent-encoded, a space as %20.
func encoded(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func (c *call) listNothing(kind entityKind) (any, error) {
	if _, err := c.entity(kind, asRead); err != nil {
		return nil, err
	}
	return xmlPage{}, nil
}

func (c *call) getAccountSummary() (any, error) {
	if err := c.mayIAM("*"); err != nil {
		return nil, err
	}
	type entry struct {
		Key   string `xml:"key"`
		Value int    `xml:"value"`
	}
	counts := map[entityKind]int{}
	for at, cell := range c.entities {
		if at.account == c.account() && cell.in(asRead) != nil {
			counts[at.kind]++
		}
	}
	return struct {
		Entries []entry `xml:"SummaryMap>entry"`
	}{[]entry{
		{"Roles", counts[roleKind]},
		{"RolesQuota", c.quotas.RolesPerAccount},
		{"Users", counts[userKind]},
		{"AccessKeysPerUserQuota", accessKeysPerUser},
		{"AssumeRolePolicySizeQuota", c.quotas.TrustPolicyLength},
		{"RolePolicySizeQuota", maxInlineOfRole},
		{"UserPolicySizeQuota", maxInlineOfUser},
	}}, nil
}
