package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

func TestEndpointsAreListed(t *testing.T) {
	report := cmk.Report{Status: cmk.Status{ProjectID: project, Endpoints: []cmk.EndpointReport{
		{Region: "US_EAST_1", ID: "e1", Status: cmk.EndpointFailed, ErrorMessage: "quota", Approval: cmk.ApprovalUnknown},
		{Region: "US_WEST_2", ID: "e2", Status: cmk.EndpointActive, Approval: cmk.ApprovalUnknown},
	}}}
	f := &fake{report: &report, workers: 1}
	got := startWith(t, f, "", "endpoints", "list", project)
	require.Equal(t, 0, got.code, got.errors)
	require.Equal(t, cmk.ReadRequest{ProjectID: project}, f.other)
	require.Equal(t, "REGION     ID  STATUS  APPROVAL  ERROR\nUS_EAST_1  e1  FAILED  unknown   quota\nUS_WEST_2  e2  ACTIVE  unknown\n", got.out)

	report.Endpoints = nil
	got = startWith(t, f, "", "endpoints", "list", project, "-o", "json")
	require.Equal(t, 0, got.code, got.errors)
	require.JSONEq(t, "[]", got.out)
}

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
