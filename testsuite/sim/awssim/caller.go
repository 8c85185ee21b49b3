package awssim

import (
	"strconv"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// caller is who makes a call.
type caller struct {
	principal policy.Principal
	// userID is AWS's aws:userid, and what GetCallerIdentity shows.
	userID string
	// kind is aws:PrincipalType: Account (root), User or AssumedRole.
	kind string
	// trusted callers need no identity policy: root, and principals of accounts that are not simulated.
	trusted bool
	// narrowed are session policies.
	narrowed []*policy.Document
}

func rootOf(account string) caller {
	return caller{
		principal: policy.Principal{Account: account, ARN: policy.Root(account), ID: account},
		userID:    account, kind: "Account", trusted: true,
	}
}

func (e *entity) caller() caller {
	return caller{
		principal: policy.Principal{Account: e.account, ARN: e.arn(), ID: e.id},
		userID:    e.id, kind: "User",
	}
}

// inSession is the caller that a session of the role is.
func (e *entity) inSession(name string) caller {
	return caller{
		principal: policy.Principal{
			Account: e.account, ARN: e.arn(), ID: e.id,
			SessionARN: "arn:aws:sts::" + e.account + ":assumed-role/" + e.name + "/" + name,
		},
		userID: e.id + ":" + name, kind: "AssumedRole",
	}
}

// arn is the caller as AWS's messages name it.
func (c caller) arn() string { return orElse(c.principal.SessionARN, c.principal.ARN) }

// outsider is a principal that someone claims to be: a user or role that is simulated is what it is; any other, such
// as Atlas itself, is trusted to be allowed by its own account.
func (s *store) outsider(arn string) caller {
	if e := s.entityByARN(asEnforced, arn); e != nil {
		if e.kind == roleKind {
			return e.inSession("session")
		}
		return e.caller()
	}
	c := rootOf(policy.AccountOf(arn))
	if arn != c.principal.Account {
		c.principal.ARN = arn
	}
	return c
}

// context are the global condition keys of a call.
func (s *store) context(c caller, region string, p Path) policy.Context {
	now := s.world.Now().UTC()
	x := policy.Context{}
	x.Set("aws:CurrentTime", now.Format(time.RFC3339))
	x.Set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	x.Set("aws:SecureTransport", "true")
	x.Set("aws:ViaAWSService", "false")
	x.Set("aws:PrincipalIsAWSService", "false")
	x.Set("aws:RequestedRegion", region)
	x.Set("aws:PrincipalArn", c.principal.ARN)
	x.Set("aws:PrincipalAccount", c.principal.Account)
	x.Set("aws:PrincipalType", c.kind)
	x.Set("aws:userid", c.userID)
	if e := s.entityByID(asEnforced, c.principal.ID); e != nil {
		if e.kind == userKind {
			x.Set("aws:username", e.name)
		}
		for k, v := range e.tags {
			x.Set("aws:PrincipalTag/"+k, v)
		}
	}
	p.context(x)
	return x
}

// privateAddress is the caller's within its own VPC, which says nothing to anybody.
const privateAddress = "192.168.248.10"

// context are the keys of the network path. Through an interface endpoint a call has no public source address, and a
// condition on aws:SourceIp finds none.
func (p Path) context(x policy.Context) {
	if p.VPCEndpoint == "" {
		if p.SourceIP != "" {
			x.Set("aws:SourceIp", p.SourceIP)
		}
		return
	}
	x.Set("aws:SourceVpce", p.VPCEndpoint)
	if p.VPC != "" {
		x.Set("aws:SourceVpc", p.VPC)
	}
	x.Set("aws:VpcSourceIp", orElse(p.SourceIP, privateAddress))
}
