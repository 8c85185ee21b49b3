package sim_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// Every way to break a rule has a verdict of its own, and each is brought about by plain requests: a verdict of the
// oracle that nothing here triggers fails the test.
func TestVerdicts(t *testing.T) {
	const off = `{"awsKms":{"enabled":false}}`
	endpoints := in("/encryptionAtRest/AWS/privateEndpoints")
	type stage struct {
		*testing.T
		r     *sim.Running
		clock *handWound
		*script
	}
	roleOf := func(x stage) string {
		return x.do("GET", in("/encryptionAtRest"), "").json(x.T)["awsKms"].(map[string]any)["roleId"].(string)
	}
	removeWest := func(x stage) {
		for _, e := range x.r.State().Atlas.Projects[0].Endpoints {
			if e.Region == "US_WEST_2" {
				require.Equal(x, 204, x.do("DELETE", endpoints+"/"+e.ID, "").status)
			}
		}
	}
	assume := func(x stage, settings string) {
		do(x.T, x.r, atlassim.Act{Kind: atlassim.Assume, Settings: json.RawMessage(settings)})
	}
	var found []atlassim.Violation
	for verdict, c := range map[string]struct {
		rule   int
		on     string // the cluster that is on the customer's key; "-" is a project that has no key yet
		breaks func(x stage)
	}{
		"has lost its enabled key": {atlassim.RuleKey, "west", func(x stage) {
			kmsCall(x.T, x.r, "us-west-2", "DisableKey", `{"KeyId":"`+awssim.MultiRegionKeyID+`"}`)
			x.clock.wind(time.Minute)
		}},
		"has lost access to its key": {atlassim.RuleKey, "west", func(x stage) {
			iamCall(x.T, x.r, "DeleteRolePolicy", url.Values{"RoleName": {"atlas-cmk"}, "PolicyName": {"kms"}})
			x.clock.wind(10 * time.Minute)
		}},
		"while cluster west is on it": {atlassim.RuleOff, "west", func(x stage) {
			x.do("PATCH", in("/encryptionAtRest"), off)
		}},
		"has no path to its key, outside of any window": {atlassim.RulePath, "west", func(x stage) {
			// Others have taken the endpoint away; then a client adds nodes behind it.
			do(x.T, x.r, atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2", Status: "PENDING_RECREATION"})
			x.clock.wind(time.Minute)
			require.Empty(x, x.r.Violations(), "that is not a client's doing")
			a := x.do("PATCH", in("/clusters/west"), `{"replicationSpecs":[{"regionConfigs":[{"providerName":"AWS","regionName":"US_WEST_2","priority":7,"electableSpecs":{"instanceSize":"M30","nodeCount":5}}]}]}`)
			require.Equal(x, 200, a.status, "%s", a.body)
			x.clock.wind(time.Minute)
		}},
		"without a path to it in US_WEST_2": {atlassim.RulePath, "", func(x stage) {
			removeWest(x)
			x.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`)
		}},
		"before the endpoint in US_WEST_2 is approved": {atlassim.RulePath, "", func(x stage) {
			do(x.T, x.r, atlassim.Act{Kind: atlassim.RequireApprovals})
			x.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`)
		}},
		"is entered while cluster east is UPDATING": {atlassim.RulePath, "west", func(x stage) {
			x.do("PATCH", in("/clusters/east"), `{"redactClientLogData":true}`)
			removeWest(x)
		}},
		"although the public path is closed to cluster west": {atlassim.RulePath, "west", func(x stage) {
			require.NoError(x, x.r.Act(sim.Act{
				Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: roleARN, Name: "deny",
				Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Null":{"aws:SourceVpce":"true"}}}]}`,
			}))
			x.clock.wind(10 * time.Minute)
			removeWest(x)
		}},
		"a second cloud provider access role is created": {atlassim.RuleOnce, "-", func(x stage) {
			x.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`)
			x.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`)
		}},
		"the pending cloud provider access role " + absent + " of somebody else is used": {atlassim.RuleOthers, "theirs", func(x stage) {
			x.do("DELETE", in("/cloudProviderAccess/AWS/"+absent), "")
		}},
		"a second private endpoint is created in US_WEST_2": {atlassim.RuleOnce, "", func(x stage) {
			x.do("POST", endpoints, `{"regionName":"US_WEST_2"}`)
		}},
		"is left over": {atlassim.RuleOnce, "-", func(x stage) {
			x.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`)
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
		"a change has ended with cluster west UPDATING": {atlassim.RulePivot, "", func(x stage) {
			x.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`)
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
		"which is not a client's, was removed": {atlassim.RuleOthers, "theirs", func(x stage) {
			iamCall(x.T, x.r, "DeleteRolePolicy", url.Values{"RoleName": {"shared"}, "PolicyName": {"theirs"}})
		}},
		"atlas-kms, which is not a client's, was removed": {atlassim.RuleOthers, "", func(x stage) { // its access key may need it
			iamCall(x.T, x.r, "DeleteUserPolicy", url.Values{"UserName": {awssim.AtlasUser}, "PolicyName": {"atlas-kms"}})
		}},
		"has lost what is not a client's": {atlassim.RuleOthers, "theirs", func(x stage) {
			iamCall(x.T, x.r, "PutRolePolicy", url.Values{"RoleName": {"shared"}, "PolicyName": {"theirs"}, "PolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}`}})
		}},
		"while cluster east is UPDATING": {atlassim.RuleOff, "", func(x stage) {
			x.do("PATCH", in("/clusters/east"), `{"redactClientLogData":true}`)
			x.do("PATCH", in("/encryptionAtRest"), off)
		}},
		"while the search nodes of cluster east are UPDATING": {atlassim.RuleOff, "", func(x stage) {
			x.do("PATCH", in("/clusters/east/search/deployment"), `{"specs":[{"instanceSize":"S20_HIGHCPU_NVME","nodeCount":3}]}`)
			x.do("PATCH", in("/encryptionAtRest"), off)
		}},
		"while it is on for search nodes": {atlassim.RuleOff, "", func(x stage) {
			x.do("PATCH", in("/encryptionAtRest"), `{"enabledForSearchNodes":true}`)
			x.clock.wind(time.Hour)
			x.do("PATCH", in("/encryptionAtRest"), off)
		}},
		"which its nodes in US_WEST_2 cannot use": {atlassim.RulePath, "", func(x stage) {
			require.NoError(x, x.r.Act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_WEST_2"}, Key: awssim.MultiRegionKeyID}))
			x.clock.wind(time.Minute)
			x.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`)
		}},
		"is entered during maintenance": {atlassim.RulePath, "west", func(x stage) {
			do(x.T, x.r, atlassim.Act{Kind: atlassim.StartMaintenance})
			removeWest(x)
		}},
		"while the endpoint in CA_CENTRAL_1 cannot be deleted": {atlassim.RulePath, "west", func(x stage) {
			endpointIn(x.T, x.script, "CA_CENTRAL_1")
			removeWest(x)
		}},
		"has been left open": {atlassim.RulePath, "west", func(x stage) {
			// Private networking on before the endpoints are there, where that cuts the public path.
			for _, e := range x.r.State().Atlas.Projects[0].Endpoints {
				x.do("DELETE", endpoints+"/"+e.ID, "")
			}
			x.clock.wind(20 * time.Minute)
			require.Equal(x, 200, x.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleOf(x), awssim.MultiRegionKeyARN, false)).status)
			x.clock.wind(20 * time.Minute)
			assume(x, `{"publicPathCut":true}`)
			require.Empty(x, x.r.Violations())
			require.Equal(x, 200, x.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleOf(x), awssim.MultiRegionKeyARN, true)).status)
			x.clock.wind(3 * time.Hour)
		}},
		"the private endpoint in US_EAST_1 is left over": {atlassim.RuleOnce, "-", func(x stage) {
			assume(x, `{"endpointNeedsPrivateNetworking":false}`)
			roleID := ready(x.T, x.r, x.clock, x.script)
			require.Equal(x, 200, x.do("PATCH", in("/encryptionAtRest"), kmsBlock(roleID, awssim.MultiRegionKeyARN, false)).status)
			endpointIn(x.T, x.script, "US_EAST_1")
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
		"the private endpoint in US_WEST_2 is left FAILED": {atlassim.RuleOnce, "", func(x stage) {
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FailEndpoint, Region: "US_WEST_2"})
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
		"with an invalid configuration": {atlassim.RulePivot, "", func(x stage) {
			require.NoError(x, x.r.Act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_EAST_1"}, Key: awssim.MultiRegionKeyID}))
			x.clock.wind(time.Hour)
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
		"with nodes that cannot use their key": {atlassim.RulePivot, "west", func(x stage) {
			removeWest(x)
			x.clock.wind(10 * time.Minute)
			do(x.T, x.r, atlassim.Act{Kind: atlassim.FinishChange})
		}},
	} {
		t.Run(verdict, func(t *testing.T) {
			var x stage
			switch c.on {
			case "-":
				r, clock := start(t, sim.Options{Seed: 40})
				x = stage{t, r, clock, newScript(t, r)}
			case "theirs":
				r := worldOfOthers(t)
				x = stage{t, r, nil, newScript(t, r)}
			default:
				r, clock, s := protected(t, sim.Options{Seed: 40}, c.on)
				x = stage{t, r, clock, s}
			}
			require.Empty(t, x.r.Violations())
			c.breaks(x)
			require.Contains(t, fmt.Sprint(x.r.Violations()), verdict)
			require.Contains(t, broken(t, x.r), c.rule)
			found = append(found, x.r.Violations()...)
		})
	}
	t.Run("none is left out", func(t *testing.T) {
		patterns := verdictsOf(t, "atlassim")
		require.Greater(t, len(patterns), 20)
		for _, pattern := range patterns {
			// Where a violation looks like several verdicts, it is of the one that says most.
			mine := func(v atlassim.Violation) bool {
				return pattern.MatchString(v.String()) && !slices.ContainsFunc(patterns, func(other *regexp.Regexp) bool {
					return len(other.String()) > len(pattern.String()) && other.MatchString(v.String())
				})
			}
			require.True(t, slices.ContainsFunc(found, mine), "nothing here triggers the verdict %s", pattern)
		}
	})
}

// verdictsOf reads the verdicts out of the oracle's source: what the message of each call of violate looks like.
func verdictsOf(t *testing.T, folder string) (patterns []*regexp.Regexp) {
	t.Helper()
	rules := map[string]int{
		"RuleKey": atlassim.RuleKey, "RuleOff": atlassim.RuleOff, "RulePath": atlassim.RulePath, "RuleOnce": atlassim.RuleOnce,
		"RuleOthers": atlassim.RuleOthers, "RulePivot": atlassim.RulePivot,
	}
	verb := regexp.MustCompile(`%[a-z]`)
	var shape func(ast.Expr) string
	shape = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(e.Value)
			require.NoError(t, err)
			return verb.ReplaceAllString(regexp.QuoteMeta(text), ".*")
		case *ast.BinaryExpr:
			return shape(e.X) + shape(e.Y)
		case *ast.CallExpr: // fmt.Sprintf
			return shape(e.Args[0])
		}
		return ".*"
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "violate" {
				rule := rules[call.Args[0].(*ast.Ident).Name]
				require.NotZero(t, rule, "%s", name)
				patterns = append(patterns, regexp.MustCompile(fmt.Sprintf("^rule %d: %s$", rule, shape(call.Args[2]))))
			}
			return true
		})
	}
	return patterns
}
