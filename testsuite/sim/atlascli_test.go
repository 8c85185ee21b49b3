package sim_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// The Atlas CLI, unchanged. It needs the program's path in ATLAS_CMK_ATLAS_CLI.
func TestAtlasCLI(t *testing.T) {
	program := os.Getenv("ATLAS_CMK_ATLAS_CLI")
	if program == "" {
		t.Skip("ATLAS_CMK_ATLAS_CLI is not set")
	}
	r := sim.Start(t, sim.Options{Scale: 600, Seed: 1})
	atlas := func(arguments ...string) []byte {
		t.Helper()
		command := exec.CommandContext(t.Context(), program, arguments...)
		command.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "DO_NOT_TRACK=1", "MONGODB_ATLAS_SKIP_UPDATE_CHECK=true",
			"MONGODB_ATLAS_OPS_MANAGER_URL="+r.AtlasURL+"/", "MONGODB_ATLAS_PROJECT_ID="+sim.ProjectA,
			"MONGODB_ATLAS_PUBLIC_API_KEY="+sim.APIPublicKey, "MONGODB_ATLAS_PRIVATE_API_KEY="+sim.APIPrivateKey)
		out, err := command.Output()
		require.NoError(t, err, "atlas %v: %s", arguments, out)
		return out
	}
	var clusters struct {
		Results []struct{ Name string }
	}
	require.NoError(t, json.Unmarshal(atlas("clusters", "list", "--output", "json"), &clusters))
	require.Len(t, clusters.Results, 4)
	require.Contains(t, string(atlas("clusters", "describe", sim.ClusterGlobal, "--output", "json")), `"numShards"`)

	require.Contains(t, string(atlas("api", "encryptionAtRestUsingCustomerKeyManagement", "getEncryptionAtRest", "--groupId", sim.ProjectA)), "awsKms")
	require.Contains(t, string(atlas("api", "clusters", "getCluster", "--groupId", sim.ProjectA, "--clusterName", "east", "--version", february)), "diskSizeGB")
	body := filepath.Join(t.TempDir(), "body.json")
	require.NoError(t, os.WriteFile(body, []byte(`{"redactClientLogData":true}`), 0o600))
	atlas("api", "clusters", "updateCluster", "--groupId", sim.ProjectA, "--clusterName", "west", "--file", body, "--watch")
	require.Equal(t, "IDLE", r.State().Atlas.Projects[0].Clusters[1].State)
}
