package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// What a project that this software has enabled looks like.
const (
	grownRole     = "6a0000000000000000000c01"
	grownExternal = "3b1f6a52-0000-4000-8000-00000000c0de"
	grownRoleName = "atlas-cmk-" + sim.ProjectA
	grownRoleARN  = "arn:aws:iam::" + awssim.CustomerAccount + ":role/" + grownRoleName
)

// grown is the default world with project A enabled as far as change leaves it: role, key, private networking, an ACTIVE
// endpoint in each region, clusters on the key.
func grown(change func(project *atlassim.Project)) *sim.Config {
	config := sim.DefaultConfig()
	project := &config.Atlas.Projects[slices.IndexFunc(config.Atlas.Projects, func(p atlassim.Project) bool { return p.ID == sim.ProjectA })]
	project.Roles = []atlassim.AccessRole{{ID: grownRole, ExternalID: grownExternal, ARN: grownRoleARN}}
	project.Encryption = &atlassim.Encryption{Key: awssim.MultiRegionKeyARN, Region: "US_EAST_1", RoleID: grownRole, Private: true}
	for _, region := range []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"} {
		project.Endpoints = append(project.Endpoints, atlassim.Endpoint{Region: region})
	}
	for i := range project.Clusters {
		project.Clusters[i].Provider = cmk.ProviderAWS
	}
	if change != nil {
		change(project)
	}
	account := &config.AWS.Accounts[0]
	var keys []string
	for _, region := range []string{"eu-west-1", "us-east-1", "us-west-2"} {
		keys = append(keys, fmt.Sprintf(`"arn:aws:kms:%s:%s:key/%s"`, region, awssim.CustomerAccount, awssim.MultiRegionKeyID))
	}
	account.Roles = append(account.Roles, awssim.Role{
		Name: grownRoleName,
		Trust: fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"AtlasCmk%s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"%s"}}}]}`,
			sim.ProjectA, awssim.AtlasAccount, grownExternal),
		Inline: map[string]string{"atlas-cmk-" + sim.ProjectA: fmt.Sprintf(`{"Statement":[{"Sid":"AtlasCmk%s","Effect":"Allow","Action":["kms:Decrypt","kms:DescribeKey","kms:Encrypt"],"Resource":[%s]}],"Version":"2012-10-17"}`,
			sim.ProjectA, strings.Join(keys, ","))},
	})
	return &config
}

// unswitched takes the clusters off the key.
func unswitched(p *atlassim.Project) {
	for i := range p.Clusters {
		p.Clusters[i].Provider = ""
	}
}

// loseWest: somebody removes the connection in US_WEST_2 on AWS's side, and Atlas builds another.
func loseWest(s *stage) {
	s.act(atlassim.Act{Kind: atlassim.RemoveEndpoint, Region: "US_WEST_2"})
}

// deleteWest: somebody deletes the endpoint in US_WEST_2.
func deleteWest(s *stage) {
	api, err := admin.NewClient(admin.UseBaseURL(s.world.AtlasURL), admin.UseDigestAuth(sim.APIPublicKey, sim.APIPrivateKey))
	require.NoError(s.t, err)
	for _, e := range s.world.State().Atlas.Projects[0].Endpoints {
		if e.Region == "US_WEST_2" {
			_, err := api.EncryptionAtRestUsingCustomerKeyManagementApi.RequestPrivateEndpointDeletion(s.t.Context(), sim.ProjectA, "AWS", e.ID).Execute()
			require.NoError(s.t, err)
		}
	}
}

// Wherever a project stands, it ends in the same verified state, with the missing writes only.
func TestEveryStartingPoint(t *testing.T) {
	t.Parallel()
	const clusters = 4
	west := func(status string) func(p *atlassim.Project) {
		return func(p *atlassim.Project) {
			unswitched(p)
			p.Endpoints[1].Status = status
		}
	}
	for name, c := range map[string]struct {
		world *sim.Config
		// before is what has happened just before the change begins.
		before func(s *stage)
		// act is what the world does while the change waits for the endpoints, which it leaves to Atlas alone if alone is set, and
		// switches no cluster.
		act   *atlassim.Act
		alone bool
		// reject has somebody reject an endpoint that is in use; others go on with it.
		reject string
		// writes is how many there must be, windows how often clusters were without a path.
		writes, windows int
	}{
		"done-already": {world: grown(nil)},
		"role-only": {world: grown(func(p *atlassim.Project) {
			unswitched(p)
			p.Encryption, p.Endpoints = nil, nil
		}), writes: 1 + 1 + 3 + clusters},
		"pending-role-of-ours": {world: grown(func(p *atlassim.Project) {
			unswitched(p)
			p.Roles[0].ARN, p.Encryption, p.Endpoints = "", nil, nil
		}), writes: 1 + 1 + 1 + 3 + clusters},
		"pending-role-of-others": {world: grown(func(p *atlassim.Project) {
			unswitched(p)
			p.Roles = append(p.Roles, atlassim.AccessRole{ID: "6a0000000000000000000c02", ExternalID: "3b1f6a52-0000-4000-8000-00000000beef"})
			p.Encryption, p.Endpoints = nil, nil
		}), writes: 1 + 1 + 3 + clusters},
		"enabled-without-clusters": {world: grown(func(p *atlassim.Project) {
			unswitched(p)
			p.Encryption.Private, p.Endpoints = false, nil
		}), writes: 1 + 3 + clusters},
		"enabled-with-clusters": {world: grown(func(p *atlassim.Project) { p.Encryption.Private, p.Endpoints = false, nil }), writes: 1 + 3, windows: 1},
		"some-endpoints": {world: grown(func(p *atlassim.Project) {
			unswitched(p)
			p.Endpoints = p.Endpoints[:1]
		}), writes: 2 + clusters},
		"networking-without-endpoints":      {world: grown(func(p *atlassim.Project) { p.Endpoints = nil }), writes: 3},
		"some-clusters-one-rejected":        {world: grown(func(p *atlassim.Project) { p.Clusters[0].Provider, p.Clusters[3].Provider = "", "" }), reject: "EU_WEST_1", writes: 2},
		"endpoint-initiating":               {world: grown(west("INITIATING")), act: &atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2"}, writes: clusters},
		"endpoint-pending-acceptance":       {world: grown(west("PENDING_ACCEPTANCE")), act: &atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2"}, writes: clusters},
		"endpoint-pending-acceptance-alone": {world: grown(west("PENDING_ACCEPTANCE")), act: &atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_WEST_2"}, alone: true},
		"endpoint-active":                   {world: grown(west("ACTIVE")), writes: clusters},
		"endpoint-failed":                   {world: grown(west("FAILED")), writes: 1 + 1 + clusters},
		"endpoint-pending-recreation":       {world: grown(west("ACTIVE")), before: loseWest, writes: clusters},
		"endpoint-deleting":                 {world: grown(west("ACTIVE")), before: deleteWest, writes: 1 + clusters},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, shared, sim.Options{World: c.world})
			if c.before != nil {
				c.before(s)
			}
			already := len(s.writes())
			s.start()
			run := s.enable(func(r *cmk.EnableRequest) {
				if c.alone {
					r.Approval.Mode, r.Clusters.None = cmk.ApproveProvider, true
				}
			})
			if c.reject != "" {
				s.until(run, "waiting for approval", waitingForApproval)
				err := s.update(run, cmk.SignalRejectEndpoint, cmk.Decision{By: "approver", Region: c.reject})
				require.ErrorContains(t, err, cmk.RefusedInUse)
				s.answer(run, "rejected endpoint", cmk.SignalRetry)
			}
			if c.alone {
				s.until(run, "waiting for acceptance", waitingForApproval)
			}
			if c.act != nil {
				s.until(run, "waiting for the endpoint", func(st cmk.Status) bool {
					return slices.ContainsFunc(st.Awaiting, func(w cmk.Wait) bool { return w.For == cmk.AwaitingEndpoint })
				})
				s.act(*c.act)
			}
			s.approveWhenAsked(run)
			report, failed := s.result(run)
			require.Empty(t, failed, report.Problem)
			require.True(t, report.Verified)
			require.Len(t, report.Endpoints, 3)
			for _, e := range report.Endpoints {
				require.Equal(t, cmk.EndpointActive, e.Status)
			}
			for _, cl := range report.Clusters {
				require.True(t, cl.Done, cl.Name)
			}
			require.Len(t, s.writes()[already:], c.writes, "%v", s.writes())
			require.Len(t, report.Writes, c.writes, "%v", report.Writes)
			require.Len(t, report.Windows, c.windows)
			s.record(run, "enable-from-"+name)
		})
	}
}

// A pending role of ours that a change has authorized does not stay authorized when the change is taken back.
func TestCancelLeavesNoRoleAuthorized(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared, sim.Options{World: grown(func(p *atlassim.Project) {
		unswitched(p)
		p.Roles[0].ARN, p.Encryption, p.Endpoints = "", nil, nil
	})})
	s.start()
	run := s.enable(nil)
	s.until(run, "waiting for approval", waitingForApproval)
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	report, failed := s.result(run)
	require.Equal(t, "Canceled", failed)
	require.Equal(t, cmk.PhaseCompensated, report.Phase)
	for _, p := range s.world.State().Atlas.Projects {
		if p.ID == sim.ProjectA {
			require.Empty(t, p.Roles)
		}
	}
}
