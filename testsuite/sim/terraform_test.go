package sim_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// configuration is a project's encryption with everything that the provider has for it.
const configuration = `
terraform {
  required_providers {
    mongodbatlas = { source = "mongodb/mongodbatlas" }
  }
}

data "mongodbatlas_project" "payments" {
  project_id = "` + sim.ProjectA + `"
}

resource "mongodbatlas_cloud_provider_access_setup" "role" {
  project_id    = data.mongodbatlas_project.payments.project_id
  provider_name = "AWS"
}

resource "mongodbatlas_cloud_provider_access_authorization" "role" {
  project_id = data.mongodbatlas_project.payments.project_id
  role_id    = mongodbatlas_cloud_provider_access_setup.role.role_id
  aws {
    iam_assumed_role_arn = "` + roleARN + `"
  }
}

resource "mongodbatlas_encryption_at_rest" "key" {
  project_id = data.mongodbatlas_project.payments.project_id
  aws_kms_config {
    enabled                    = true
    customer_master_key_id     = "` + awssim.MultiRegionKeyARN + `"
    region                     = "US_EAST_1"
    role_id                    = mongodbatlas_cloud_provider_access_authorization.role.role_id
    require_private_networking = true
  }
}

resource "mongodbatlas_encryption_at_rest_private_endpoint" "east" {
  project_id     = mongodbatlas_encryption_at_rest.key.project_id
  cloud_provider = "AWS"
  region_name    = "US_EAST_1"
}

resource "mongodbatlas_advanced_cluster" "made" {
  project_id                  = data.mongodbatlas_project.payments.project_id
  name                        = "made"
  cluster_type                = "REPLICASET"
  backup_enabled              = true
  encryption_at_rest_provider = "AWS"
  replication_specs = [{
    region_configs = [{
      provider_name   = "AWS"
      region_name     = "US_EAST_1"
      priority        = 7
      electable_specs = { instance_size = "M10", node_count = 3 }
    }]
  }]
  depends_on = [mongodbatlas_encryption_at_rest_private_endpoint.east]
}

data "mongodbatlas_encryption_at_rest_private_endpoints" "all" {
  project_id     = mongodbatlas_encryption_at_rest_private_endpoint.east.project_id
  cloud_provider = "AWS"
}
`

// Terraform and its provider for Atlas, unchanged: create, no changes, destroy. It needs the program's path in
// ATLAS_CMK_TERRAFORM and the folder of the provider's binary, version 2, in ATLAS_CMK_TERRAFORM_PROVIDER.
func TestTerraform(t *testing.T) {
	program, provider := os.Getenv("ATLAS_CMK_TERRAFORM"), os.Getenv("ATLAS_CMK_TERRAFORM_PROVIDER")
	if program == "" || provider == "" {
		t.Skip("ATLAS_CMK_TERRAFORM and ATLAS_CMK_TERRAFORM_PROVIDER are not set")
	}
	r := sim.Start(t, sim.Options{Scale: 600, Seed: 1})
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	write("main.tf", configuration)
	settings := write("settings.tfrc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"mongodb/mongodbatlas\" = %q\n  }\n}\n", provider))
	terraform := func(arguments ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), program, arguments...)
		command.Dir = dir
		command.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+settings, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
			"MONGODB_ATLAS_BASE_URL="+r.AtlasURL+"/", "MONGODB_ATLAS_PUBLIC_KEY="+sim.APIPublicKey, "MONGODB_ATLAS_PRIVATE_KEY="+sim.APIPrivateKey)
		out, err := command.CombinedOutput()
		require.NoError(t, err, "terraform %v: %s", arguments, out)
		return string(out)
	}
	terraform("apply", "-no-color", "-auto-approve", "-target=mongodbatlas_cloud_provider_access_setup.role")
	trustPendingRole(t, r)
	terraform("apply", "-no-color", "-auto-approve")
	state := r.State().Atlas.Projects[0]
	require.True(t, state.Encryption.Private)
	require.Equal(t, "ACTIVE", state.Endpoints[0].Status)
	// The exit code is 2 where there are changes.
	terraform("plan", "-no-color", "-detailed-exitcode")
	terraform("destroy", "-no-color", "-auto-approve")
	state = r.State().Atlas.Projects[0]
	require.Nil(t, state.Encryption)
	require.Empty(t, state.Endpoints)
	require.Empty(t, state.Roles)
}

// trustPendingRole makes the IAM role that the project's only access role is to assume, as the provider for AWS would.
func trustPendingRole(t *testing.T, r *sim.Running) {
	t.Helper()
	pending := r.State().Atlas.Projects[0].Roles[0]
	require.NoError(t, r.Act(sim.Act{
		Act: atlassim.Act{Kind: sim.CreateRole}, Role: roleARN,
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + sim.DefaultConfig().Atlas.AccountARN + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"` + pending.ExternalID + `"}}}]}`,
	}))
	require.NoError(t, r.Act(sim.Act{
		Act: atlassim.Act{Kind: sim.PutRolePolicy}, Role: roleARN, Name: "kms",
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Decrypt","kms:Encrypt","kms:DescribeKey"],"Resource":"*"}]}`,
	}))
}
