package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

func TestStatusNowReadsTheProject(t *testing.T) {
	report := cmk.Report{Status: cmk.Status{
		ProjectID: project, State: cmk.StateWindow, Settings: &cmk.FinalState{Enabled: true, RequirePrivateNetworking: true, Key: "arn:key", KeyRegion: "US_EAST_1", RoleID: "r"},
		Endpoints: []cmk.EndpointReport{{Region: "US_EAST_1", ID: "e1", Status: cmk.EndpointFailed, ErrorMessage: "quota", Approval: cmk.ApprovalUnknown}},
		Clusters:  []cmk.ClusterReport{{Name: "c", Provider: "AWS", State: "IDLE", Regions: []string{"US_EAST_1"}}},
		Search:    []cmk.SearchReport{{Cluster: "c", Provider: "NONE", State: "IDLE"}},
		Key:       &cmk.KeyReport{ARN: "arn:key", Replicas: []cmk.ReplicaReport{{Region: "US_EAST_1", ARN: "arn:key", State: "Enabled"}}},
		Findings:  []cmk.Finding{{Code: cmk.FindingEndpointFailed, Severity: cmk.SeverityError, Detail: "it has failed", Remedy: "delete it"}},
	}}
	f := &fake{report: &report, workers: 1}
	got := startWith(t, f, "", "status", project, "--now")
	require.Equal(t, 0, got.code, got.errors)
	require.Equal(t, cmk.ReadRequest{ProjectID: project}, f.other)
	for _, want := range []string{"NOT VALID", "private networking required", "FAILED (quota)", "approval not known", "search nodes", "state W", "error ENDPOINT_FAILED: it has failed; delete it"} {
		require.Contains(t, got.out, want)
	}
}
