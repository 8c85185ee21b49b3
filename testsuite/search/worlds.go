package search

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// nextKeyID is the key that a project goes over to.
const (
	nextKeyID  = "mrk-00000000000000000000000000002027"
	nextKeyARN = "arn:aws:kms:us-east-1:" + awssim.CustomerAccount + ":key/" + nextKeyID
	// madeReplicaARN is its replica that is missing in the world startFewer.
	madeReplicaARN = "arn:aws:kms:eu-west-1:" + awssim.CustomerAccount + ":key/" + nextKeyID
)

// What a project that this software has enabled looks like.
const (
	grownRole     = "6a0000000000000000000c01"
	grownExternal = "3b1f6a52-0000-4000-8000-00000000c0de"
	grownRoleName = "atlas-cmk-" + sim.ProjectA
	grownRoleARN  = "arn:aws:iam::" + awssim.CustomerAccount + ":role/" + grownRoleName
)

// The worlds that a change may find.
const (
	startNothing    = "nothing"
	startRole       = "role"
	startPending    = "pending role"
	startKey        = "key"
	startNetworking = "networking"
	startEndpoints  = "some endpoints"
	startReady      = "ready"
	startFailed     = "failed endpoint"
	startSome       = "some clusters"
	startPublic     = "public"
	startNoPath     = "no path"
	startDone       = "done"
	// startNext is a project that is done, with another key to go over to.
	startNext = "another key"
	// startFewer is such a project whose search nodes are on the key too, and whose other key lacks a replica.
	startFewer = "another key in fewer regions"
	// startSearch is a project whose search nodes are to follow its clusters to the key, one of which has backups.
	startSearch = "some clusters and search nodes"
	// startCredentials is a project that uses its key by an IAM user's access key.
	startCredentials = "credentials"
	// startOneRegion is a project whose clusters are all in the region of a key that has one.
	startOneRegion = "one region"
)

func starts() []string {
	return []string{
		startNothing, startRole, startPending, startKey, startNetworking, startEndpoints, startReady, startFailed, startSome, startPublic, startNoPath, startDone,
		startOneRegion,
	}
}

func regions() []string { return []string{"US_EAST_1", "US_WEST_2", "EU_WEST_1"} }

func clusterNames() []string { return []string{sim.ClusterEast, sim.ClusterGlobal} }

// worldOf is the default world with two clusters in project A, as far as it is done there.
func worldOf(start string) *sim.Config {
	config := sim.DefaultConfig()
	config.Atlas.Projects = slices.DeleteFunc(config.Atlas.Projects, func(p atlassim.Project) bool { return p.ID != sim.ProjectA })
	for _, roles := range []*[]atlassim.Grant{&config.Atlas.ServiceAccounts[0].Roles, &config.Atlas.ServiceAccounts[1].Roles, &config.Atlas.APIKeys[0].Roles} {
		*roles = slices.DeleteFunc(*roles, func(g atlassim.Grant) bool { return g.Project != sim.ProjectA })
	}
	p := &config.Atlas.Projects[0]
	p.Clusters = slices.DeleteFunc(p.Clusters, func(c atlassim.Cluster) bool { return !slices.Contains(clusterNames(), c.Name) })
	switch start {
	case startNothing, "":
		return &config
	case startOneRegion:
		inOneRegion(p.Clusters)
		return &config
	case startCredentials:
		return onCredentials(&config)
	}
	p.Roles = []atlassim.AccessRole{{ID: grownRole, ExternalID: grownExternal, ARN: grownRoleARN}}
	config.AWS.Accounts[0].Roles = append(config.AWS.Accounts[0].Roles, iamRole())
	switch start {
	case startRole:
		return &config
	case startPending:
		p.Roles[0].ARN = ""
		return &config
	}
	p.Encryption = &atlassim.Encryption{Key: awssim.MultiRegionKeyARN, Region: "US_EAST_1", RoleID: grownRole, Private: start != startKey && start != startPublic}
	switch start {
	case startKey, startNetworking, startPublic, startNoPath:
	case startEndpoints:
		p.Endpoints = []atlassim.Endpoint{{Region: "US_EAST_1"}}
	default:
		for _, region := range regions() {
			p.Endpoints = append(p.Endpoints, atlassim.Endpoint{Region: region})
		}
	}
	switch start {
	case startFailed:
		p.Endpoints[1].Status = "FAILED"
	case startSome:
		p.Clusters[0].Provider = cmk.ProviderAWS
	case startSearch:
		p.Clusters[0].Provider, p.Clusters[1].Backup = cmk.ProviderAWS, true
	case startNext, startFewer:
		next := awssim.Key{ID: nextKeyID, Region: "us-east-1", Replicas: []awssim.Replica{{Region: "us-west-2"}, {Region: "eu-west-1"}}}
		if start == startFewer {
			next.Replicas, p.Encryption.SearchNodes = next.Replicas[:1], true
		}
		config.AWS.Accounts[0].Keys = append(config.AWS.Accounts[0].Keys, next)
		fallthrough
	case startPublic, startNoPath, startDone:
		for i := range p.Clusters {
			p.Clusters[i].Provider = cmk.ProviderAWS
		}
	}
	return &config
}

// onCredentials has project A use a key of one region through an access key, with a snapshot that needs both for a while.
func onCredentials(config *sim.Config) *sim.Config {
	p := &config.Atlas.Projects[0]
	p.Encryption = &atlassim.Encryption{
		Key: awssim.SingleRegionKeyID, Region: "US_EAST_1", AccessKeyID: awssim.AtlasUserAccessKeyID, SecretAccessKey: awssim.AtlasUserSecret,
	}
	for i := range p.Clusters {
		p.Clusters[i].Provider = cmk.ProviderAWS
	}
	inOneRegion(p.Clusters)
	withSnapshot(config)
	return config
}

// grownKeys are what the role is granted the use of.
func grownKeys() []string {
	var keys []string
	for _, region := range []string{"eu-west-1", "us-east-1", "us-west-2"} {
		keys = append(keys, fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", region, awssim.CustomerAccount, awssim.MultiRegionKeyID))
	}
	return keys
}

func inOneRegion(clusters []atlassim.Cluster) {
	for i := range clusters {
		clusters[i].Regions = []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}
	}
}

// withSnapshot has project A have a snapshot that needs what it uses its key through for a while, and none other.
func withSnapshot(config *sim.Config) {
	clusters := config.Atlas.Projects[0].Clusters
	for i := range clusters {
		clusters[i].Snapshots = nil
	}
	clusters[0].Snapshots = []atlassim.Snapshot{{Age: 24 * time.Hour, Retention: 60 * time.Hour}}
}

func iamRole() awssim.Role {
	return awssim.Role{
		Name: grownRoleName, Description: "Made by atlas-cmk for project " + sim.ProjectA + ".",
		Trust: fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"AtlasCmk%s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"%s"}}}]}`,
			sim.ProjectA, awssim.AtlasAccount, grownExternal),
		Inline: map[string]string{"atlas-cmk-" + sim.ProjectA: fmt.Sprintf(`{"Statement":[{"Sid":"AtlasCmk%s","Effect":"Allow","Action":["kms:Decrypt","kms:DescribeKey","kms:Encrypt"],"Resource":["%s"]}],"Version":"2012-10-17"}`,
			sim.ProjectA, strings.Join(grownKeys(), `","`))},
	}
}
