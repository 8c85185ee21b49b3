package activities_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// wound is a clock that is wound by hand; whoever waits by it waits no longer than that it is asked.
type wound struct {
	mu  sync.Mutex
	now time.Time
}

func (c *wound) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *wound) wind(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *wound) After(time.Duration) <-chan time.Time {
	over := make(chan time.Time, 1)
	over <- c.Now()
	return over
}

// pastWorld is project B with point-in-time restores, just before its switch to a role.
type pastWorld struct {
	*sim.Running
	clock  *wound
	api    *admin.APIClient
	iam    *iam.Client
	atlas  *activities.Atlas
	users  *activities.IAM
	access *activities.Access
}

const windowDays = 2

func newPastWorld(t *testing.T, keep bool) *pastWorld {
	t.Helper()
	w := &pastWorld{clock: &wound{now: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}}
	config := sim.DefaultConfig()
	config.AWS.Delays = awssim.NoDelays()
	config.Atlas.Assumptions.SnapshotsKeepCredentials = keep
	config.AWS.Accounts[0].Roles = []awssim.Role{{
		Name: "usable", Trust: `{"Version":"2012-10-17","Statement":[` + ourTrust(sim.ProjectB) + `]}`,
		Inline: map[string]string{activities.PolicyName(sim.ProjectB): ourPolicy(sim.ProjectB, "", awssim.SingleRegionKeyARN)},
	}}
	for i := range config.Atlas.Projects {
		if p := &config.Atlas.Projects[i]; p.ID == sim.ProjectB {
			p.Roles = []atlassim.AccessRole{{ID: usableRole, ExternalID: roleExternal, ARN: usableARN}}
			for j := range p.Clusters {
				p.Clusters[j].Snapshots = nil
			}
			p.Clusters[0].PointInTime, p.Clusters[0].RestoreWindowDays = true, windowDays
		}
	}
	w.Running = sim.Start(t, sim.Options{World: &config, Clock: w.clock})
	var err error
	w.api, err = activities.AtlasAccess{BaseURL: w.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	conf := aws.Config{
		Region: "us-east-1", BaseEndpoint: &w.AWSURL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(awssim.WorkerAccessKeyID, awssim.WorkerSecret, ""),
	}
	w.iam = iam.NewFromConfig(conf)
	pace := activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond, Clock: w.clock}
	w.atlas = activities.NewAtlas(w.api, nil, &held{}, pace, sim.ClientID)
	w.users = activities.NewIAM(w.iam, sts.NewFromConfig(conf), &held{}, pace)
	w.access = activities.NewAccess(w.atlas, w.users)
	return w
}

// switched brings the project to the role, and says when.
func (w *pastWorld) switched(t *testing.T) time.Time {
	t.Helper()
	w.clock.wind(time.Hour)
	in := switchTo(usableRole, 0)
	in.Until = w.clock.Now().Add(time.Minute)
	_, err := w.atlas.SwitchToRole(t.Context(), in)
	require.NoError(t, err)
	return w.clock.Now()
}

// restores says whether the cluster can be restored to a moment.
func (w *pastWorld) restores(t *testing.T, at time.Time) bool {
	t.Helper()
	return !w.restored(t, &admin.DiskBackupSnapshotRestoreJob{DeliveryType: "pointInTime", PointInTimeUTCSeconds: admin.PtrInt(int(at.Unix()))}).GetFailed()
}

// restored restores the cluster into itself, which takes three hours.
func (w *pastWorld) restored(t *testing.T, job *admin.DiskBackupSnapshotRestoreJob) *admin.DiskBackupSnapshotRestoreJob {
	t.Helper()
	job.TargetClusterName, job.TargetGroupId = admin.PtrString(sim.ClusterLegacy), admin.PtrString(sim.ProjectB)
	job, _, err := w.api.CloudBackupsApi.CreateBackupRestoreJob(t.Context(), sim.ProjectB, sim.ClusterLegacy, job).Execute()
	require.NoError(t, err)
	w.clock.wind(3 * time.Hour)
	job, _, err = w.api.CloudBackupsApi.GetBackupRestoreJob(t.Context(), sim.ProjectB, sim.ClusterLegacy, job.GetId()).Execute()
	require.NoError(t, err)
	require.NotZero(t, job.GetFinishedAt())
	return job
}

// To every moment before the switch the cluster can be restored for as long as the window reaches back, whatever Atlas
// restores it with, since the access key is not touched before.
func TestPointInTimeWindowKeepsTheAccessKey(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("keeps-credentials-%t", keep), func(t *testing.T) {
			w := newPastWorld(t, keep)
			at := w.switched(t)
			in := activities.WithdrawAccessKeyInput{
				Justification: activities.Justification{Leases: []activities.Lease{{}}, ProjectIDs: []string{sim.ProjectB}, Before: at},
				AccessKeyID:   awssim.AtlasUserAccessKeyID, UnusedSince: at.AddDate(1, 0, 0),
			}
			end := at.AddDate(0, 0, windowDays)
			for looks := 0; ; looks++ {
				var b activities.Backups
				require.NoError(t, steps(w.atlas.ReadBackups, activities.BackupsInput{ProjectID: sim.ProjectB, Before: at}, &b))
				if b.Count == 0 {
					require.Greater(t, looks, 6)
					break
				}
				require.True(t, b.Until.Equal(end) && b.Some[0].Window)
				require.Equal(t, cmk.ErrForeign, typeOf(w.access.DeactivateAccessKey(t.Context(), in)))
				if left := end.Sub(w.clock.Now()); left > 2*time.Minute {
					require.True(t, w.restores(t, at.Add(-time.Minute)), "%s before the window has passed", left)
				}
				w.clock.wind(2 * time.Hour)
			}
			require.False(t, w.clock.Now().Before(end))
			require.NoError(t, w.access.DeactivateAccessKey(t.Context(), in))
			require.True(t, w.restores(t, w.clock.Now().Add(-time.Minute)), "what the role has written")
			require.Empty(t, w.Violations())
		})
	}
}

// A snapshot from before the switch can be restored at every moment until it expires, and the access key is not touched
// before.
func TestSnapshotKeepsTheAccessKey(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("keeps-credentials-%t", keep), func(t *testing.T) {
			w := newPastWorld(t, keep)
			taken, _, err := w.api.CloudBackupsApi.TakeSnapshots(t.Context(), sim.ProjectB, sim.ClusterLegacy,
				&admin.DiskBackupOnDemandSnapshotRequest{RetentionInDays: admin.PtrInt(2 * windowDays)}).Execute()
			require.NoError(t, err)
			at := w.switched(t)
			in := activities.WithdrawAccessKeyInput{
				Justification: activities.Justification{Leases: []activities.Lease{{}}, ProjectIDs: []string{sim.ProjectB}, Before: at},
				AccessKeyID:   awssim.AtlasUserAccessKeyID, UnusedSince: at.AddDate(1, 0, 0),
			}
			restores := 0
			for ; ; w.clock.wind(3 * time.Hour) {
				var b activities.Backups
				require.NoError(t, steps(w.atlas.ReadBackups, activities.BackupsInput{ProjectID: sim.ProjectB, Before: at}, &b))
				if b.Count == 0 {
					break
				}
				require.Equal(t, cmk.ErrForeign, typeOf(w.access.DeactivateAccessKey(t.Context(), in)))
				if b.Until.Sub(w.clock.Now()) < 4*time.Hour {
					continue // a restore takes three
				}
				restores++
				require.False(t, w.restored(t, &admin.DiskBackupSnapshotRestoreJob{DeliveryType: "automated", SnapshotId: taken.Id}).GetFailed(), "%s", w.clock.Now())
			}
			require.Greater(t, restores, 2*windowDays)
			require.NoError(t, w.access.DeactivateAccessKey(t.Context(), in))
			require.Empty(t, w.Violations())
		})
	}
}

// Whoever withdraws the access key earlier loses that window, and is seen.
func TestPointInTimeWindowIsLostWithTheAccessKey(t *testing.T) {
	w := newPastWorld(t, true)
	at := w.switched(t)
	user := awssim.AtlasUser
	id := awssim.AtlasUserAccessKeyID
	_, err := w.iam.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: &user, AccessKeyId: &id, Status: types.StatusTypeInactive})
	require.NoError(t, err)
	require.False(t, w.restores(t, at.Add(-time.Minute)))
	require.NotEmpty(t, w.Violations())
	require.Contains(t, w.Violations()[0].Message, "point-in-time window")
}
