package activities

import "go.temporal.io/sdk/worker"

// Register makes the activities known to a worker. Their names are those of the methods.
func Register(r worker.ActivityRegistry, atlas *Atlas, iam *IAM, kms *KMS, temporal *Temporal, notifier *Notifier) {
	r.RegisterActivity(atlas)
	r.RegisterActivity(iam)
	r.RegisterActivity(NewAccess(atlas, iam))
	r.RegisterActivity(NewPreflight(atlas, iam, kms))
	r.RegisterActivity(kms)
	r.RegisterActivity(temporal)
	r.RegisterActivity(notifier)
}
