package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The key states.
const (
	stateCreating               = "Creating"
	stateEnabled                = "Enabled"
	stateDisabled               = "Disabled"
	statePendingDeletion        = "PendingDeletion"
	statePendingImport          = "PendingImport"
	statePendingReplicaDeletion = "PendingReplicaDeletion"
	stateUnavailable            = "Unavailable"
	stateUpdating               = "Updating"
)

// What keys are unless it is said.
const (
	symmetricDefault = "SYMMETRIC_DEFAULT"
	encryptDecrypt   = "ENCRYPT_DECRYPT"
	originKMS        = "AWS_KMS"
	originExternal   = "EXTERNAL"
	managerCustomer  = "CUSTOMER"
	managerAWS       = "AWS"
)

// key is a KMS key in one region. It is never changed: writes replace it.
type key struct {
	account, region, id string
	// family is what a multi-Region key has in common with its replicas.
	family      *family
	state       string
	description string
	policy      *document
	created     time.Time
	// deletion is when the key will be gone, if it is pending; window, for how many days it has been put off.
	deletion time.Time
	window   int
	validTo  time.Time // of imported material, zero if it does not expire
	imported bool
	tags     map[string]string
	grants   []grant
}

// family is shared by the keys of one id, and changed in place: KMS keeps it in step in all regions.
type family struct {
	spec, usage, origin, manager string
	multiRegion                  bool
	// primary is the region of the primary key.
	primary string
	// rotation every period days, next at a time.
	rotation bool
	period   int
	next     time.Time
	// material are the generations of key material, newest last.
	material [][]byte
}

type grant struct {
	id, name, token   string
	grantee, retiring string
	issuer            string
	operations        []string
	created           time.Time
	equals, subset    map[string]string // encryption context constraints
}

// alias is a name for a key in one region.
type alias struct {
	account, region, name, target string
	created, updated              time.Time
}

func (k *key) arn() string { return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", k.region, k.account, k.id) }

func (k *key) at() keyAt { return keyAt{k.account, k.region, k.id} }

func (k *key) primary() bool { return k.family.multiRegion && k.family.primary == k.region }

// enabled is the flag Enabled of DescribeKey.
func (k *key) enabled() bool { return k.state == stateEnabled || k.state == stateUpdating }

func (k *key) copy() *key {
	c := *k
	c.tags, c.grants = maps.Clone(k.tags), slices.Clone(k.grants)
	if c.tags == nil {
		c.tags = map[string]string{}
	}
	return &c
}

func (a *alias) arn() string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", a.region, a.account, a.name)
}

func isAlias(ref string) bool {
	return strings.HasPrefix(ref, "alias/") || strings.HasPrefix(ref, "arn:") && strings.Contains(ref, ":alias/")
}

// findKey looks a key up by id, ARN, alias name or alias ARN, in one region. Without an account in the reference it is
// the caller's, and any account's if the caller has none.
func (s *store) findKey(v view, account, region, ref string) (*key, error) {
	if strings.HasPrefix(ref, "arn:") {
		parts := strings.SplitN(ref, ":", 6)
		if len(parts) != 6 || parts[1] != "aws" || parts[2] != "kms" {
			return nil, &Error{Code: "InvalidArnException", Message: "Invalid arn " + ref}
		}
		if parts[3] != region {
			return nil, &Error{Code: codeNotFound, Message: "Invalid arn " + parts[3]}
		}
		account, ref = parts[4], strings.TrimPrefix(parts[5], "key/")
	}
	if account == "" {
		for _, a := range s.config.Accounts {
			if k, err := s.findKey(v, a.ID, region, ref); err == nil {
				return k, nil
			}
		}
	}
	if strings.HasPrefix(ref, "alias/") {
		a := s.aliases[aliasAt{account, region, ref}].in(v)
		if a == nil {
			return nil, &Error{Code: codeNotFound, Message: fmt.Sprintf("Alias arn:aws:kms:%s:%s:%s is not found.", region, account, ref)}
		}
		ref = a.target
	}
	k := s.keys[keyAt{account, region, ref}].in(v)
	if k == nil {
		return nil, &Error{Code: codeNotFound, Message: fmt.Sprintf("Key 'arn:aws:kms:%s:%s:key/%s' does not exist", region, account, ref)}
	}
	return k, nil
}

// relatives are the keys of one id in all regions as a view knows them, by region, the key itself among them.
func (s *store) relatives(v view, k *key) []*key {
	var out []*key
	for at, cell := range s.keys {
		if at.account == k.account && at.id == k.id && cell.in(v) != nil {
			out = append(out, cell.in(v))
		}
	}
	slices.SortFunc(out, func(x, y *key) int { return strings.Compare(x.region, y.region) })
	return out
}

// aliasesOf are the aliases of a key, by name.
func (s *store) aliasesOf(v view, k *key) []*alias {
	return slices.DeleteFunc(known(s.aliases, v, func(a *alias) string { return a.name }), func(a *alias) bool {
		return a.account != k.account || a.region != k.region || a.target != k.id
	})
}

// changeKey writes what edit makes of the latest version of a key.
func (s *store) changeKey(k *key, edit func(*key)) *key {
	latest := s.keys[k.at()].in(atSource)
	if latest == nil {
		return k
	}
	changed := latest.copy()
	edit(changed)
	put(s, s.keys, changed.at(), changed, s.kmsLag())
	return changed
}

// defaultKeyPolicy leaves everything to the account's identity policies.
func defaultKeyPolicy(account string) string {
	return fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::%s:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`, account)
}

// awsManagedKeyPolicy lets the account look at a key that AWS manages, and nobody use it but AWS's services.
func awsManagedKeyPolicy(account string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Id":"auto-managed","Statement":[{"Sid":"Allow access through AWS services","Effect":"Allow","Principal":{"AWS":"*"},"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:CreateGrant","kms:DescribeKey"],"Resource":"*","Condition":{"StringEquals":{"kms:CallerAccount":"%[1]s"},"StringLike":{"kms:ViaService":"*"}}},{"Sid":"Allow direct access to key metadata to the account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%[1]s:root"},"Action":["kms:Describe*","kms:Get*","kms:List*","kms:RevokeGrant"],"Resource":"*"}]}`, account)
}

// kind is how a multi-Region key is related to the others.
func (k *key) kind() string {
	if k.primary() {
		return "PRIMARY"
	}
	return "REPLICA"
}
