package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// KMS is AWS Key Management Service.
type KMS struct {
	api    kmsAPI
	leases LeaseChecker
	pace   Pace
}

// kmsAPI is what we do in KMS, and all that we can do: there is nothing here that disables, deletes or moves a key.
type kmsAPI interface {
	DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error)
	GetKeyPolicy(context.Context, *kms.GetKeyPolicyInput, ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error)
	GetKeyRotationStatus(context.Context, *kms.GetKeyRotationStatusInput, ...func(*kms.Options)) (*kms.GetKeyRotationStatusOutput, error)
	ReplicateKey(context.Context, *kms.ReplicateKeyInput, ...func(*kms.Options)) (*kms.ReplicateKeyOutput, error)
}

// NewKMS makes the activities on KMS. Every write asks leases first.
func NewKMS(api kmsAPI, leases LeaseChecker, pace Pace) *KMS {
	return &KMS{api: api, leases: leases, pace: pace}
}

// Key is what preflight sees of the key.
type Key struct {
	ARN     string    `json:"arn"`
	ID      string    `json:"id"`
	Region  string    `json:"region"`
	State   string    `json:"state"`
	Spec    string    `json:"spec"`
	Usage   string    `json:"usage"`
	Origin  string    `json:"origin"`
	Manager string    `json:"manager"`
	ValidTo time.Time `json:"validTo,omitzero"`
	// Created is when the key was made.
	Created time.Time `json:"created,omitzero"`
	// Store is the custom key store that holds the key's material, if any.
	Store       string `json:"store,omitempty"`
	MultiRegion bool   `json:"multiRegion"`
	// Rotated says whether the key is rotated automatically; nil when that could not be read.
	Rotated *bool `json:"rotated,omitempty"`
	// Replicas are the key in each of its regions, itself included.
	Replicas []KeyReplica `json:"replicas"`
}

// KeyReplica is the key in one region, with that region's own state and policy.
type KeyReplica struct {
	Region string    `json:"region"`
	ARN    string    `json:"arn"`
	State  string    `json:"state"`
	Policy KeyPolicy `json:"policy"`
}

// KeyInput names a key and the role that is to use it.
type KeyInput struct {
	Key    string `json:"key"`
	Region string `json:"region"`
	// RoleName is the IAM role whose access the key policies are read for.
	RoleName string `json:"roleName"`
}

// ReadKey describes the key and each of its replicas, and reads what each one's policy says about the role.
func (a *KMS) ReadKey(ctx context.Context, in KeyInput) (*Key, error) {
	meta, err := a.describe(ctx, in.Key, cmk.Region(in.Region))
	if err != nil {
		return nil, err
	}
	key := &Key{
		ARN: aws.ToString(meta.Arn), ID: aws.ToString(meta.KeyId), Region: in.Region, State: string(meta.KeyState), Spec: string(meta.KeySpec),
		Usage: string(meta.KeyUsage), Origin: string(meta.Origin), Manager: string(meta.KeyManager), ValidTo: aws.ToTime(meta.ValidTo), Created: aws.ToTime(meta.CreationDate),
		Store: aws.ToString(meta.CustomKeyStoreId), MultiRegion: aws.ToBool(meta.MultiRegion), Rotated: a.rotated(ctx, meta, cmk.Region(in.Region)),
	}
	for _, name := range replicaARNs(meta) {
		region, _ := cmk.ParseRegion(strings.Split(name, ":")[3])
		replica := KeyReplica{Region: string(region), ARN: name, State: key.State}
		if name != key.ARN {
			there, err := a.describe(ctx, name, region)
			if err != nil {
				return nil, err
			}
			replica.State = string(there.KeyState)
		}
		replica.Policy = a.policy(ctx, name, region, in.RoleName)
		key.Replicas = append(key.Replicas, replica)
	}
	return key, nil
}

func (a *KMS) describe(ctx context.Context, key string, region cmk.Region) (*types.KeyMetadata, error) {
	got, err := a.api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key}, in(region))
	if err != nil {
		return nil, awsError(err, "describe KMS key %s in %s", key, region)
	}
	if !whole(got.KeyMetadata) {
		return nil, incomplete("describe KMS key %s in %s", key, region)
	}
	return got.KeyMetadata, nil
}

// whole says whether a key's description has its ARN, and those of all its replicas.
func whole(meta *types.KeyMetadata) bool {
	if meta == nil || meta.MultiRegionConfiguration != nil && meta.MultiRegionConfiguration.PrimaryKey == nil {
		return false
	}
	return !slices.ContainsFunc(replicaARNs(meta), func(s string) bool { return !arn.IsARN(s) })
}

// rotated says whether the key is rotated automatically, or nil when the worker may not know.
func (a *KMS) rotated(ctx context.Context, meta *types.KeyMetadata, region cmk.Region) *bool {
	got, err := a.api.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: meta.Arn}, in(region))
	if err != nil {
		return nil
	}
	return &got.KeyRotationEnabled
}

// policy reads what a replica's policy says about the role. That it cannot be read is not an error of the step: preflight
// lists it among what it could not evaluate.
func (a *KMS) policy(ctx context.Context, key string, region cmk.Region, roleName string) KeyPolicy {
	got, err := a.api.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &key}, in(region))
	if err != nil {
		return KeyPolicy{Unread: brief(cause(err))}
	}
	return readKeyPolicy(aws.ToString(got.Policy), roleName)
}

// replicaARNs are the ARNs of the key in all its regions, in order.
func replicaARNs(meta *types.KeyMetadata) []string {
	arns := []string{aws.ToString(meta.Arn)}
	if c := meta.MultiRegionConfiguration; c != nil {
		arns = append(arns, aws.ToString(c.PrimaryKey.Arn))
		for _, r := range c.ReplicaKeys {
			arns = append(arns, aws.ToString(r.Arn))
		}
	}
	slices.Sort(arns)
	return slices.Compact(arns)
}

// in sends a request to a region.
func in(region cmk.Region) func(*kms.Options) {
	return func(o *kms.Options) { o.Region = region.AWS() }
}

// ReplicasInput asks for replicas of a multi-Region key.
type ReplicasInput struct {
	Lease Lease  `json:"lease"`
	Key   string `json:"key"`
	// Region is where Key is; Regions are those that need a replica.
	Region  string   `json:"region"`
	Regions []string `json:"regions"`
}

// EnsureReplicas makes the replicas that are missing, each with the policy that the primary key has, and returns once
// all can be used. A replica that is there is left as it is.
func (a *KMS) EnsureReplicas(ctx context.Context, in ReplicasInput) error {
	if err := a.leases.Check(ctx, in.Lease); err != nil {
		return err
	}
	meta, err := a.describe(ctx, in.Key, cmk.Region(in.Region))
	if err != nil {
		return err
	}
	if meta.MultiRegionConfiguration == nil {
		return final(cmk.ErrForeign, "KMS key %s is not a multi-Region key, and cannot be replicated", in.Key)
	}
	primary := *meta.MultiRegionConfiguration.PrimaryKey
	for _, region := range in.Regions {
		if err := a.ensureReplica(ctx, primary, cmk.Region(region)); err != nil {
			return err
		}
	}
	return nil
}

func (a *KMS) ensureReplica(ctx context.Context, primary types.MultiRegionKey, region cmk.Region) error {
	id := aws.ToString(primary.Arn)[strings.LastIndex(aws.ToString(primary.Arn), "/")+1:]
	there, err := a.describe(ctx, id, region)
	if err == nil {
		if there.KeyState == types.KeyStateEnabled {
			return nil
		}
		if there.KeyState == types.KeyStateCreating || there.KeyState == types.KeyStateUpdating {
			return notReady(a.pace.Shortest, "the replica of key %s in %s is %s", id, region, there.KeyState)
		}
		return final(cmk.ErrForeign, "the replica of key %s in %s is %s, which does not pass by itself: make it Enabled", id, region, there.KeyState)
	}
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != "NotFoundException" {
		return err
	}
	home, _ := cmk.ParseRegion(aws.ToString(primary.Region))
	policy, err := a.api.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &id}, in(home))
	if err != nil {
		return awsError(err, "read the policy of KMS key %s in %s", id, home)
	}
	away := region.AWS()
	_, err = a.api.ReplicateKey(ctx, &kms.ReplicateKeyInput{KeyId: &id, ReplicaRegion: &away, Policy: policy.Policy}, in(home))
	if err != nil && !isCode(err, "AlreadyExists") {
		return awsError(err, "replicate KMS key %s to %s", id, region)
	}
	return notReady(a.pace.Shortest, "the replica of key %s in %s is being created", id, region)
}
