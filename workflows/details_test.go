package workflows

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// What a run's page in Temporal's UI says, word for word.
func TestDetails(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.Equal(t, strings.ReplaceAll(`**EnableWithPrivateEndpoints** of project ~64b7f0c2a1b2c3d4e5f60718~: **role**

> Atlas cannot assume the role

- waits since 12:00:00 for **the IAM role to be prepared by hand; see documents**: signal ~iam-ready~ with ~{"by":"your name"}~
- waits since 12:01:00 for **cluster payments**

trust policy of atlas-cmk:

~~~json
{
  "Version": "2012-10-17"
}
~~~

inline policy x of atlas-cmk:

~~~json
as it is
~~~

| region | endpoint | status | approval |
|---|---|---|---|
| EU_WEST_1 | ~e1~ | FAILED refused / by AWS | approved |
| US_EAST_1 | ~e2~ | INITIATING  | waiting |

| cluster | provider | state | done |
|---|---|---|---|
| payments | NONE | IDLE |  |
| orders | AWS | IDLE | yes |

Plan ~1f2e~

1. authorize IAM role ~arn:r~ (exists)
2. switch cluster ~payments~

- error ~REPLICA_MISSING~ no replica in eu-west-1 → make one
- info ~NOT_EVALUATED~ not looked at`, "~", "`"), details(cmk.Status{
		Workflow: cmk.EnableWithPrivateEndpoints, ProjectID: "64b7f0c2a1b2c3d4e5f60718", Phase: cmk.PhaseRole, Problem: "Atlas cannot assume the role",
		Awaiting: []cmk.Wait{
			{What: "the IAM role to be prepared by hand; see documents", Since: since, Signal: cmk.SignalIAMReady, Example: example(map[string]string{"by": yourName})},
			{What: "cluster payments", Since: since.Add(time.Minute)},
		},
		Documents: []cmk.Document{{Place: "trust policy of atlas-cmk", Text: `{"Version":"2012-10-17"}`}, {Place: "inline policy x of atlas-cmk", Text: "as it is"}},
		Endpoints: []cmk.EndpointReport{
			{Region: "EU_WEST_1", ID: "e1", Status: cmk.EndpointFailed, ErrorMessage: "refused |\nby AWS", Approval: cmk.ApprovalApproved},
			{Region: "US_EAST_1", ID: "e2", Status: cmk.EndpointInitiating, Approval: cmk.ApprovalWaiting},
		},
		Clusters: []cmk.ClusterReport{
			{Name: "payments", Provider: cmk.ProviderNone, State: cmk.ClusterIdle},
			{Name: "orders", Provider: cmk.ProviderAWS, State: cmk.ClusterIdle, Done: true},
		},
		Plan: &cmk.Plan{Hash: "1f2e", Steps: []cmk.Step{{Action: "authorize IAM role", Object: "arn:r", Exists: true}, {Action: "switch cluster", Object: "payments"}}},
		Findings: []cmk.Finding{
			{Code: cmk.FindingReplicaMissing, Severity: cmk.SeverityError, Detail: "no replica in eu-west-1", Remedy: "make one"},
			{Code: cmk.FindingNotEvaluated, Severity: cmk.SeverityInfo, Detail: "not looked at"},
		},
	}))
	require.Equal(t, "**WatchOrganization** of organization `64b7f0c2a1b2c3d4e5f60700`, 2 projects watched: **watching**\n\n", details(cmk.Status{
		Workflow: cmk.WatchOrganization, OrganizationID: "64b7f0c2a1b2c3d4e5f60700", Watched: []string{projectOne, projectTwo}, Phase: cmk.PhaseWatching,
	}))
}
