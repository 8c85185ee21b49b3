package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// Twenty projects that share one IAM role are enabled at once. IAM replaces a role's trust policy whole, and its reads lag
// behind its writes; each project's statement is there in the end.
func TestProjectsThatShareARole(t *testing.T) {
	t.Parallel()
	const projects = 20
	config := sim.DefaultConfig()
	config.AWS.Quotas.TrustPolicyLength = 8192
	var ids []string
	for i := range projects {
		id := fmt.Sprintf("6b%022d", i)
		ids = append(ids, id)
		config.Atlas.Projects = append(config.Atlas.Projects, atlassim.Project{
			ID: id, Name: id, Clusters: []atlassim.Cluster{{Name: "only", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}}},
		})
		account := &config.Atlas.ServiceAccounts[0]
		account.Roles = append(account.Roles, atlassim.Grant{Project: id, Role: "GROUP_OWNER"})
	}
	s := newStage(t, shared, sim.Options{World: &config})
	s.start()
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: cmk.WorkflowID(id), TaskQueue: cmk.TaskQueue}, cmk.EnableWithPrivateEndpoints,
				cmk.EnableRequest{ProjectID: id, Key: awssim.MultiRegionKeyARN, Role: cmk.RoleRequest{Name: "shared"}, Approval: cmk.ApprovalPolicy{Mode: cmk.ApproveProvider}})
			if err != nil {
				t.Error(err)
				return
			}
			report, failed := s.outcome(run)
			if failed != "" || !report.Verified {
				t.Errorf("%s: %s %s", id, failed, report.Problem)
			}
		})
	}
	all.Wait()
	trust := ""
	for _, r := range s.world.State().AWS.Roles {
		if r.ARN == "arn:aws:iam::"+awssim.CustomerAccount+":role/shared" {
			trust = r.Trust
		}
	}
	for _, id := range ids {
		require.Contains(t, trust, "AtlasCmk"+id)
	}
	require.Empty(t, s.world.Violations())
}
