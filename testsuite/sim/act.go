package sim

import (
	"fmt"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
)

// Act is something that others, or the world itself, do behind the back of whoever is being tested: one of
// atlassim's kinds, or one of those below.
type Act struct {
	atlassim.Act
	// Key names a KMS key by id, ARN or alias, and Region, in either spelling, the region it is meant in.
	Key string `json:"key,omitempty" yaml:"key,omitempty"`
	// Role and User are ARNs; AccessKey is an access key's id.
	Role      string `json:"role,omitempty" yaml:"role,omitempty"`
	AccessKey string `json:"accessKey,omitempty" yaml:"accessKey,omitempty"`
	// Name is that of an inline policy; Policy, the JSON text of a policy.
	Name   string `json:"name,omitempty" yaml:"name,omitempty"`
	Policy string `json:"policy,omitempty" yaml:"policy,omitempty"`
	// Days is the window of a scheduled deletion, 30 if 0.
	Days int `json:"days,omitempty" yaml:"days,omitempty"`
	// ReplicaRegion is where a replica is made.
	ReplicaRegion string `json:"replicaRegion,omitempty" yaml:"replicaRegion,omitempty"`
}

// The kinds of Act that happen in AWS.
const (
	DisableKey          = "disableKey"
	EnableKey           = "enableKey"
	ScheduleKeyDeletion = "scheduleKeyDeletion"
	CancelKeyDeletion   = "cancelKeyDeletion"
	ReplicateKey        = "replicateKey"
	// PutKeyPolicy, SetTrust, PutRolePolicy edit policies; DeleteRolePolicy and DeleteRole remove.
	PutKeyPolicy        = "putKeyPolicy"
	CreateRole          = "createRole"
	DeleteRole          = "deleteRole"
	SetTrust            = "setTrust"
	PutRolePolicy       = "putRolePolicy"
	DeleteRolePolicy    = "deleteRolePolicy"
	DeactivateAccessKey = "deactivateAccessKey"
	ActivateAccessKey   = "activateAccessKey"
	DeleteAccessKey     = "deleteAccessKey"
)

// Act does what others would.
func (s *Sim) Act(act Act) error {
	var err error
	s.World.Do(func() { err = s.act(act) })
	return err
}

func (s *Sim) act(act Act) error {
	region := awsRegion(act.Region)
	var err error
	switch act.Kind {
	case DisableKey:
		err = s.aws.DisableKey(region, act.Key)
	case EnableKey:
		err = s.aws.EnableKey(region, act.Key)
	case ScheduleKeyDeletion:
		days := act.Days
		if days == 0 {
			days = 30
		}
		err = s.aws.ScheduleKeyDeletion(region, act.Key, days)
	case CancelKeyDeletion:
		err = s.aws.CancelKeyDeletion(region, act.Key)
	case ReplicateKey:
		err = s.aws.ReplicateKey(region, act.Key, awsRegion(act.ReplicaRegion))
	case PutKeyPolicy:
		err = s.aws.PutKeyPolicy(region, act.Key, act.Policy)
	case CreateRole:
		err = s.aws.CreateRole(act.Role, act.Policy)
	case DeleteRole:
		err = s.aws.DeleteRole(act.Role)
	case SetTrust:
		err = s.aws.SetTrust(act.Role, act.Policy)
	case PutRolePolicy:
		err = s.aws.PutRolePolicy(act.Role, act.Name, act.Policy)
	case DeleteRolePolicy:
		err = s.aws.DeleteRolePolicy(act.Role, act.Name)
	case DeactivateAccessKey:
		err = s.aws.SetAccessKeyActive(act.AccessKey, false)
	case ActivateAccessKey:
		err = s.aws.SetAccessKeyActive(act.AccessKey, true)
	case DeleteAccessKey:
		err = s.aws.DeleteAccessKey(act.AccessKey)
	default:
		return s.atlas.Act(act.Act)
	}
	key := act.Key
	if k, err := s.aws.ResolveKey(key, region); err == nil {
		key = k.ID
	}
	s.atlas.Others(key, act.Role[strings.LastIndex(act.Role, "/")+1:], act.AccessKey)
	if err != nil {
		return fmt.Errorf("act %s: %w", act.Kind, err)
	}
	return nil
}
