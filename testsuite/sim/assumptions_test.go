package sim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// trial is a world in which an assumption is tried.
type trial struct {
	t     *testing.T
	r     *sim.Running
	clock *handWound
	s     *script
}

// code is the error code of an answer, or its status.
func code(a answer) string {
	if c := a.header.Get("X-Error-Code"); c != "" {
		return c
	}
	return fmt.Sprint(a.status)
}

func (w trial) patch(body string) string { return code(w.s.do("PATCH", in("/encryptionAtRest"), body)) }

func (w trial) kms() map[string]any {
	return w.s.do("GET", in("/encryptionAtRest"), "").json(w.t)["awsKms"].(map[string]any)
}

func (w trial) act(a sim.Act) {
	w.t.Helper()
	if a.Project == "" {
		a.Project = sim.ProjectA
	}
	require.NoError(w.t, w.r.Act(a))
}

func (w trial) post(region string) string {
	return code(w.s.do("POST", in("/encryptionAtRest/AWS/privateEndpoints"), `{"regionName":"`+region+`"}`))
}

// protect puts a cluster on the project's key.
func (w trial) protect(cluster string) {
	w.t.Helper()
	require.Equal(w.t, 200, w.s.do("PATCH", in("/clusters/"+cluster), `{"encryptionAtRestProvider":"AWS"}`).status)
	w.clock.wind(4 * time.Hour)
}

// endpoints makes endpoints and waits for them.
func (w trial) endpoints(regions ...string) (ids []string) {
	w.t.Helper()
	for _, region := range regions {
		ids = append(ids, endpointIn(w.t, w.s, region))
	}
	w.clock.wind(20 * time.Minute)
	return ids
}

// Every switch changes an answer.
func TestEveryAssumptionChangesAnAnswer(t *testing.T) {
	// Each trial starts with project A's role authorized and its multi-Region key configured for private networking.
	trials := map[string]func(w trial, roleID string) string{
		"disableWithClustersRefused": func(w trial, roleID string) string {
			require.Equal(w.t, "200", w.patch(kmsBlock(roleID, awssim.MultiRegionKeyARN, false)))
			w.protect("east")
			return w.patch(`{"awsKms":{"enabled":false}}`)
		},
		"deauthorizeInUseRefused": func(w trial, roleID string) string {
			return code(w.s.do("DELETE", in("/cloudProviderAccess/AWS/"+roleID), ""))
		},
		"singleRegionKeyRefused": func(w trial, roleID string) string {
			require.Equal(w.t, "200", w.patch(kmsBlock(roleID, awssim.MultiRegionKeyARN, false)))
			return w.patch(kmsBlock(roleID, awssim.SingleRegionKeyARN, true))
		},
		"multiCloudRefused": func(w trial, roleID string) string {
			require.Equal(w.t, "200", w.patch(kmsBlock(roleID, awssim.MultiRegionKeyARN, false)))
			w.act(sim.Act{Act: atlassim.Act{Kind: atlassim.AddCluster, Add: &atlassim.Cluster{
				Name: "both", Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 2}, {Name: "US_EAST_2", Cloud: "AZURE", Electable: 1}},
			}}})
			return w.patch(kmsBlock(roleID, awssim.MultiRegionKeyARN, true)) + fmt.Sprint(w.s.do("GET", in("/clusters/both"), "").json(w.t)["paused"])
		},
		"duplicateEndpointRefused": func(w trial, _ string) string {
			w.endpoints("US_EAST_1")
			return w.post("US_EAST_1")
		},
		"deletingTwinRefused": func(w trial, _ string) string {
			id := w.endpoints("US_EAST_1")[0]
			w.s.do("DELETE", in("/encryptionAtRest/AWS/privateEndpoints/"+id), "")
			return w.post("US_EAST_1")
		},
		"endpointNeedsPrivateNetworking": func(w trial, roleID string) string {
			require.Equal(w.t, "200", w.patch(kmsBlock(roleID, awssim.MultiRegionKeyARN, false)))
			return w.post("US_EAST_1")
		},
		"unsupportedRegionRefused": func(w trial, _ string) string { return w.post("US_GOV_EAST_1") },
		"publicPathCut": func(w trial, roleID string) string {
			require.Equal(w.t, "200", w.patch(kmsBlock(roleID, awssim.MultiRegionKeyARN, false)))
			w.protect("east")
			require.Equal(w.t, "200", w.patch(kmsBlock(roleID, awssim.MultiRegionKeyARN, true)))
			w.clock.wind(20 * time.Minute)
			return fmt.Sprint(events(w.t, w.s, "ENCRYPTION_AT_REST_KMS_NETWORK_ACCESS_DENIED"))
		},
		"deleteInUseRefused": func(w trial, _ string) string {
			id := w.endpoints("US_EAST_1")[0]
			w.protect("east")
			return code(w.s.do("DELETE", in("/encryptionAtRest/AWS/privateEndpoints/"+id), ""))
		},
		"clusterOffWithEndpointsRefused": func(w trial, _ string) string {
			w.endpoints("US_EAST_1")
			w.protect("east")
			return code(w.s.do("PATCH", in("/clusters/east"), `{"encryptionAtRestProvider":"NONE"}`))
		},
		"validSeesDataPlane": func(w trial, _ string) string {
			w.endpoints("US_EAST_1", "US_WEST_2")
			w.protect("west")
			w.act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_WEST_2"}, Key: awssim.MultiRegionKeyID})
			w.clock.wind(time.Minute)
			return fmt.Sprint(w.kms()["valid"])
		},
		"patchTestsAllRegions": func(w trial, roleID string) string {
			w.endpoints("US_EAST_1", "US_WEST_2")
			w.protect("west")
			w.act(sim.Act{Act: atlassim.Act{Kind: sim.DisableKey, Region: "US_WEST_2"}, Key: awssim.MultiRegionKeyID})
			w.clock.wind(time.Minute)
			return w.patch(kmsBlock(roleID, awssim.MultiRegionKeyARN, true))
		},
		"spellingRotates": func(w trial, roleID string) string {
			require.Equal(w.t, "200", w.patch(kmsBlock(roleID, awssim.MultiRegionKeyID, true)))
			return fmt.Sprint(events(w.t, w.s, "ENCRYPTION_AT_REST_KEY_ROTATION_STARTED"))
		},
		"aliasAccepted": func(w trial, roleID string) string {
			return w.patch(kmsBlock(roleID, awssim.MultiRegionKeyAlias, true))
		},
		"omittedPrivateNetworkingKept": func(w trial, roleID string) string {
			require.Equal(w.t, "200", w.patch(strings.Replace(kmsBlock(roleID, awssim.MultiRegionKeyARN, true), `,"requirePrivateNetworking":true`, "", 1)))
			return fmt.Sprint(w.kms()["requirePrivateNetworking"])
		},
		"failedPatchKeeps": func(w trial, roleID string) string {
			require.NotEqual(w.t, "200", w.patch(kmsBlock(roleID, "arn:aws:kms:us-east-1:111122223333:key/mrk-00000000000000000000000000000000", true)))
			return fmt.Sprint(w.kms()["customerMasterKeyID"])
		},
		"providerShownAtOnce": func(w trial, _ string) string {
			w.endpoints("US_EAST_1")
			return fmt.Sprint(w.s.do("PATCH", in("/clusters/east"), `{"encryptionAtRestProvider":"AWS"}`).json(w.t)["encryptionAtRestProvider"])
		},
		"accessKeyAfterSwitch": func(w trial, _ string) string {
			b := "/groups/" + sim.ProjectB
			role := w.s.do("POST", b+"/cloudProviderAccess", `{"providerName":"AWS"}`).json(w.t)
			arn := strings.Replace(roleARN, "atlas-cmk", "atlas-cmk-b", 1)
			w.act(sim.Act{
				Act: atlassim.Act{Kind: sim.CreateRole}, Role: arn,
				Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + role["atlasAWSAccountArn"].(string) + `"},"Action":"sts:AssumeRole"}]}`,
			})
			w.act(sim.Act{
				Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: arn, Name: "kms",
				Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`,
			})
			w.clock.wind(5 * time.Minute)
			id := role["roleId"].(string)
			require.Equal(w.t, "200", code(w.s.do("PATCH", b+"/cloudProviderAccess/"+id, `{"providerName":"AWS","iamAssumedRoleArn":"`+arn+`"}`)))
			require.Equal(w.t, "200", code(w.s.do("PATCH", b+"/encryptionAtRest", kmsBlock(id, awssim.SingleRegionKeyID, false))))
			return fmt.Sprint(w.s.do("GET", b+"/encryptionAtRest", "").json(w.t)["awsKms"].(map[string]any)["accessKeyID"])
		},
		"snapshotsKeepCredentials": func(w trial, roleID string) string {
			w.endpoints("US_EAST_1")
			w.protect("east")
			taken := w.s.do("POST", in("/clusters/east/backup/snapshots"), `{"description":"x","retentionInDays":9}`).json(w.t)["id"].(string)
			w.clock.wind(time.Hour)
			// Today's configuration is spoilt, that of the snapshot is not: a second role replaces the first and loses its rights.
			role := w.s.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`).json(w.t)
			arn := strings.Replace(roleARN, "atlas-cmk", "second", 1)
			w.act(sim.Act{
				Act: atlassim.Act{Kind: sim.CreateRole}, Role: arn,
				Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + role["atlasAWSAccountArn"].(string) + `"},"Action":"sts:AssumeRole"}]}`,
			})
			rights := sim.Act{
				Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: arn, Name: "kms",
				Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`,
			}
			w.act(rights)
			w.clock.wind(5 * time.Minute)
			id := role["roleId"].(string)
			require.Equal(w.t, "200", code(w.s.do("PATCH", in("/cloudProviderAccess/"+id), `{"providerName":"AWS","iamAssumedRoleArn":"`+arn+`"}`)))
			require.Equal(w.t, "200", w.patch(kmsBlock(id, awssim.MultiRegionKeyARN, true)))
			rights.Kind = sim.DeleteRolePolicy
			w.act(rights)
			w.clock.wind(5 * time.Minute)
			job := w.s.do("POST", in("/clusters/east/backup/restoreJobs"), `{"deliveryType":"automated","snapshotId":"`+taken+`","targetGroupId":"`+sim.ProjectA+`","targetClusterName":"east"}`).json(w.t)["id"].(string)
			w.clock.wind(3 * time.Hour)
			return fmt.Sprint(w.s.do("GET", in("/clusters/east/backup/restoreJobs/"+job), "").json(w.t)["failed"])
		},
		"regionalArns": func(w trial, _ string) string {
			w.endpoints("US_WEST_2")
			require.Equal(w.t, 200, w.s.do("PATCH", in("/clusters/west"), `{"encryptionAtRestProvider":"AWS"}`).status)
			w.clock.wind(4 * time.Hour)
			return fmt.Sprint(w.s.do("GET", in("/clusters/west"), "").json(w.t)["stateName"])
		},
		"connectionNameShown": func(w trial, _ string) string {
			id := w.endpoints("US_EAST_1")[0]
			_, shown := w.s.do("GET", in("/encryptionAtRest/AWS/privateEndpoints/"+id), "").json(w.t)["privateEndpointConnectionName"]
			return fmt.Sprint(shown)
		},
		"pendingRoleReused": func(w trial, _ string) string {
			one := w.s.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`).json(w.t)["roleId"]
			other := w.s.do("POST", in("/cloudProviderAccess"), `{"providerName":"AWS"}`).json(w.t)["roleId"]
			return fmt.Sprint(one == other)
		},
		"noComplianceNotFound": func(w trial, _ string) string {
			return code(w.s.do("GET", in("/backupCompliancePolicy"), ""))
		},
	}

	var members map[string]any
	text, err := json.Marshal(atlassim.DefaultAssumptions())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &members))
	require.Len(t, trials, len(members))
	for name, byDefault := range members {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, trials, name)
			try := func(setting any) string {
				r, clock := start(t, sim.Options{Seed: 20})
				w := trial{t, r, clock, newScript(t, r)}
				settings, err := json.Marshal(map[string]any{name: setting})
				require.NoError(t, err)
				w.act(sim.Act{Act: atlassim.Act{Kind: atlassim.Assume, Settings: settings}})
				return trials[name](w, ready(t, r, clock, w.s))
			}
			if on, ok := byDefault.(bool); ok {
				require.NotEqual(t, try(on), try(!on))
				return
			}
			gone, masked, kept := try(atlassim.AccessKeyGone), try(atlassim.AccessKeyMasked), try(atlassim.AccessKeyKept)
			require.Equal(t, "<nil>", gone)
			require.Equal(t, awssim.AtlasUserAccessKeyID, kept)
			require.Equal(t, strings.Repeat("*", len(kept)-4)+kept[len(kept)-4:], masked)
		})
	}
}
