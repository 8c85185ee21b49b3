package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/journal"
)

// conclude shows from the other side what the change has done: by what Atlas and AWS recorded, and by what Atlas answers
// now.
func (s *stage) conclude(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	status, err := s.temporal.Status(ctx, cmk.WorkflowID(sim.ProjectA))
	if err != nil {
		return err
	}
	var requests []journal.Entry
	if err := s.get(ctx, "journal", &requests); err != nil {
		return err
	}
	applied := slices.DeleteFunc(slices.Clone(requests), func(e journal.Entry) bool { return !e.Write || !e.Applied || ours(e) })
	if err := once(applied, status.Writes); err != nil {
		return err
	}
	s.out.say("\nAtlas refused %d requests with CANNOT_ASSUME_ROLE until IAM had shown it the role; they were tried again.", count(requests, "CANNOT_ASSUME_ROLE"))
	s.out.say("Nothing was done twice: Atlas and AWS have recorded %d writes, each once, and the change reports the same %d.", len(applied), len(status.Writes))
	var broken []json.RawMessage
	if err := s.get(ctx, "violations", &broken); err != nil {
		return err
	}
	if len(broken) > 0 {
		return fmt.Errorf("the simulated world saw rules broken: %s", broken)
	}
	s.out.say("%s\n", s.where())
	return s.showFinal(ctx, *status)
}

// count is how many requests were answered with an error.
func count(requests []journal.Entry, code string) int {
	n := 0
	for _, e := range requests {
		if e.ErrorCode == code {
			n++
		}
	}
	return n
}

// ours says whether a write is none of the change's: a token that a client fetched for itself.
func ours(e journal.Entry) bool { return strings.Contains(strings.ToLower(e.Operation), "token") }

// once says whether each write was applied exactly once: no two are the same, and there are as many as were reported.
func once(applied []journal.Entry, reported []cmk.Write) error {
	seen := map[string]int{}
	for _, e := range applied {
		write := strings.Join([]string{e.System, e.Region, e.Operation, e.Path, e.Object, e.Request}, " ")
		if seen[write] > 0 {
			return fmt.Errorf("done twice: requests %d and %d both applied %s %s", seen[write], e.Seq, e.Operation, e.Object)
		}
		seen[write] = e.Seq
	}
	if len(applied) != len(reported) {
		var list []string
		for _, e := range applied {
			list = append(list, e.Operation+" "+e.Object)
		}
		return fmt.Errorf("%d writes were applied, and %d reported: %s", len(applied), len(reported), strings.Join(list, "; "))
	}
	return nil
}

// get reads from the simulator's own side entrance.
func (s *stage) get(ctx context.Context, what string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.atlasURL+"/_sim/"+what, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("simulator: %s answers %s", what, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// showFinal shows the project as Atlas's own API answers now, and beside each endpoint who approved it. What is not as
// it should be is an error.
func (s *stage) showFinal(ctx context.Context, status cmk.Status) error {
	access := activities.AtlasAccess{BaseURL: s.atlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}
	atlas, err := access.Client("demo")
	if err != nil {
		return err
	}
	endpoints, _, err := atlas.EncryptionAtRestUsingCustomerKeyManagementApi.ListRestPrivateEndpoints(ctx, sim.ProjectA, cmk.ProviderAWS).Execute()
	if err != nil {
		return err
	}
	clusters, _, err := atlas.ClustersApi.ListClusters(ctx, sim.ProjectA).Execute()
	if err != nil {
		return err
	}
	encryption, _, err := atlas.EncryptionAtRestUsingCustomerKeyManagementApi.GetEncryptionAtRest(ctx, sim.ProjectA).Execute()
	if err != nil {
		return err
	}
	var b strings.Builder
	wrong := 0
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, e := range endpoints.GetResults() {
		approval := approvalOf(status, e.GetId())
		if e.GetStatus() != string(cmk.EndpointActive) || approval.Approval != cmk.ApprovalApproved {
			wrong++
		}
		_, _ = fmt.Fprintf(t, "  endpoint\t%s\t%s\t%s by %s\t%s\n", e.GetRegionName(), e.GetStatus(), approval.Approval, voters(approval), e.GetId())
	}
	for _, c := range clusters.GetResults() {
		if c.GetEncryptionAtRestProvider() != cmk.ProviderAWS || c.GetStateName() != cmk.ClusterIdle {
			wrong++
		}
		_, _ = fmt.Fprintf(t, "  cluster\t%s\t%s\t%s\n", c.GetName(), c.GetStateName(), c.GetEncryptionAtRestProvider())
	}
	_ = t.Flush()
	kms := encryption.GetAwsKms()
	if !kms.GetValid() || !kms.GetEnabled() || !kms.GetRequirePrivateNetworking() || len(endpoints.GetResults()) != 3 {
		wrong++
	}
	s.out.say("Project %s, as Atlas answers now:\n%s  customer-managed key  enabled: %t  requirePrivateNetworking: %t  valid: %t",
		sim.ProjectA, b.String(), kms.GetEnabled(), kms.GetRequirePrivateNetworking(), kms.GetValid())
	if wrong > 0 {
		return fmt.Errorf("%d of these are not as they should be", wrong)
	}
	return nil
}

func approvalOf(s cmk.Status, endpoint string) cmk.EndpointReport {
	for _, e := range s.Endpoints {
		if e.ID == endpoint {
			return e
		}
	}
	return cmk.EndpointReport{}
}

func voters(e cmk.EndpointReport) string {
	var names []string
	for _, v := range e.Votes {
		names = append(names, v.By)
	}
	return strings.Join(names, ", ")
}
