package awssim

import "fmt"

// What the default configuration holds, by names that documentation and tests may rely on.
const (
	// CustomerAccount owns the keys and roles; OtherAccount is for keys and roles of another account.
	CustomerAccount = "111122223333"
	OtherAccount    = "444455556666"
	// AtlasAccount and AtlasDevAccount are from where Atlas assumes roles.
	AtlasAccount    = "536727724300"
	AtlasDevAccount = "299602853325"

	// MultiRegionKeyID is a multi-Region key with its primary in us-east-1 and replicas in us-west-2 and eu-west-1,
	// called MultiRegionKeyAlias in each of them.
	MultiRegionKeyID    = "mrk-1234abcd12ab34cd56ef1234567890ab"
	MultiRegionKeyAlias = "alias/atlas-cmk"
	MultiRegionKeyARN   = "arn:aws:kms:us-east-1:" + CustomerAccount + ":key/" + MultiRegionKeyID
	// SingleRegionKeyID is a single-Region key in us-east-1.
	SingleRegionKeyID    = "1234abcd-12ab-34cd-56ef-1234567890ab"
	SingleRegionKeyAlias = "alias/atlas-cmk-single"
	SingleRegionKeyARN   = "arn:aws:kms:us-east-1:" + CustomerAccount + ":key/" + SingleRegionKeyID
	// OtherAccountKeyID is a single-Region key of OtherAccount in us-east-1.
	OtherAccountKeyID  = "0987dcba-09fe-87dc-65ba-ab0987654321"
	OtherAccountKeyARN = "arn:aws:kms:us-east-1:" + OtherAccount + ":key/" + OtherAccountKeyID

	// AtlasUser is an IAM user of CustomerAccount, of a project that still uses user credentials: its access key may
	// use SingleRegionKeyID.
	AtlasUser            = "atlas-kms"
	AtlasUserAccessKeyID = "AKIAATLASUSEREXAMPLE"
	AtlasUserSecret      = "atlasUserSecretKeyForSimulationOnly00000"

	// WorkerUser administers CustomerAccount, OtherAdminUser administers OtherAccount.
	WorkerUser            = "atlas-cmk-worker"
	WorkerAccessKeyID     = "AKIAWORKEREXAMPLE000"
	WorkerSecret          = "workerSecretKeyForSimulationOnly00000000"
	OtherAdminUser        = "admin"
	OtherAdminAccessKeyID = "AKIAOTHERADMIN000000"
	OtherAdminSecret      = "otherAdminSecretKeyForSimulationOnly0000"

	administratorAccess = "arn:aws:iam::aws:policy/AdministratorAccess"
)

// DefaultConfig is the documented default: a customer's account, another one, and Atlas's.
func DefaultConfig() Config {
	return Config{
		DefaultAccount: CustomerAccount,
		Delays:         DefaultDelays(),
		Accounts: []Account{
			{
				ID: CustomerAccount,
				Users: []User{
					{
						Name: WorkerUser, Attached: []string{administratorAccess},
						AccessKeys: []AccessKey{{ID: WorkerAccessKeyID, Secret: WorkerSecret}},
					},
					{
						Name: AtlasUser, Inline: map[string]string{"atlas-kms": keyUse(SingleRegionKeyARN)},
						AccessKeys: []AccessKey{{ID: AtlasUserAccessKeyID, Secret: AtlasUserSecret}},
					},
				},
				Keys: []Key{
					{
						ID: MultiRegionKeyID, Region: "us-east-1", Description: "MongoDB Atlas encryption at rest",
						Aliases: []string{MultiRegionKeyAlias}, Rotation: true,
						Replicas: []Replica{
							{Region: "us-west-2", Aliases: []string{MultiRegionKeyAlias}},
							{Region: "eu-west-1", Aliases: []string{MultiRegionKeyAlias}},
						},
					},
					{
						ID: SingleRegionKeyID, Region: "us-east-1", Description: "MongoDB Atlas encryption at rest, one region",
						Aliases: []string{SingleRegionKeyAlias},
					},
				},
			},
			{
				ID: OtherAccount,
				Users: []User{{
					Name: OtherAdminUser, Attached: []string{administratorAccess},
					AccessKeys: []AccessKey{{ID: OtherAdminAccessKeyID, Secret: OtherAdminSecret}},
				}},
				Keys: []Key{{ID: OtherAccountKeyID, Region: "us-east-1", Description: "A key of another account"}},
			},
			{ID: AtlasAccount},
			{ID: AtlasDevAccount},
		},
	}
}

func keyUse(resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Decrypt","kms:Encrypt","kms:DescribeKey"],"Resource":[%q]}]}`, resource)
}
