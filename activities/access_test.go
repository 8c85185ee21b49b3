package activities_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

const (
	neighbour  = "6a00000000000000000000ee"
	formerKey  = "arn:aws:kms:us-east-1:" + awssim.CustomerAccount + ":key/99999999-12ab-34cd-56ef-1234567890ab"
	foreignSid = "Theirs"
)

// roleWorld is project B on the key through a role that it shares: with a neighbour, and with others.
type roleWorld struct {
	*sim.Running
	access *activities.Access
	leases *held
}

func ourTrust(projectID string) string {
	return `{"Sid":"AtlasCmk` + projectID + `","Effect":"Allow","Principal":{"AWS":"` + atlasARN + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"` + roleExternal + `"}}}`
}

func ourPolicy(projectID string, more string, keys ...string) string {
	list, err := json.Marshal(keys)
	if err != nil {
		panic(err)
	}
	return `{"Version":"2012-10-17","Statement":[{"Sid":"AtlasCmk` + projectID + `","Effect":"Allow","Action":["kms:Decrypt","kms:DescribeKey","kms:Encrypt"],"Resource":` + string(list) + `}` + more + `]}`
}

func newRoleWorld(t *testing.T, change func(*sim.Config, *awssim.Role)) *roleWorld {
	t.Helper()
	w := &roleWorld{leases: &held{}}
	s, _ := legacyWorld(t, func(c *sim.Config) {
		role := &c.AWS.Accounts[0].Roles[0]
		role.Trust = `{"Version":"2012-10-17","Statement":[` + ourTrust(sim.ProjectB) + `,` + ourTrust(neighbour) + `]}`
		role.Inline = map[string]string{
			activities.PolicyName(sim.ProjectB): ourPolicy(sim.ProjectB, "", awssim.SingleRegionKeyARN, formerKey),
			activities.PolicyName(neighbour):    ourPolicy(neighbour, "", awssim.SingleRegionKeyARN),
		}
		for i := range c.Atlas.Projects {
			if p := &c.Atlas.Projects[i]; p.ID == sim.ProjectB {
				p.Roles = p.Roles[:1]
				p.Encryption = &atlassim.Encryption{Key: awssim.SingleRegionKeyARN, Region: "US_EAST_1", RoleID: usableRole}
				for j := range p.Clusters {
					p.Clusters[j].Snapshots, p.Clusters[j].Paused = nil, false
				}
			}
		}
		if change != nil {
			change(c, role)
		}
	})
	w.Running = s
	api, err := activities.AtlasAccess{BaseURL: s.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	conf := aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.AWSURL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(awssim.WorkerAccessKeyID, awssim.WorkerSecret, ""),
	}
	pace := activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond}
	w.access = activities.NewAccess(activities.NewAtlas(api, nil, w.leases, pace, sim.ClientID), activities.NewIAM(iam.NewFromConfig(conf), sts.NewFromConfig(conf), w.leases, pace))
	return w
}

// off is the project without a key, as SafeDisableCMK leaves it.
func off(c *sim.Config, _ *awssim.Role) {
	for i := range c.Atlas.Projects {
		if p := &c.Atlas.Projects[i]; p.ID == sim.ProjectB {
			p.Encryption = nil
			for j := range p.Clusters {
				p.Clusters[j].Provider = cmk.ProviderNone
			}
		}
	}
}

func withdrawal(keys ...string) activities.WithdrawRoleInput {
	return activities.WithdrawRoleInput{
		Justification: activities.Justification{Leases: []activities.Lease{{}}, ProjectIDs: []string{sim.ProjectB}, Before: time.Now()},
		RoleARN:       usableARN, KeyARNs: keys,
	}
}

func (w *roleWorld) role(t *testing.T, name string) *awssim.EntityState {
	t.Helper()
	for _, r := range w.State().AWS.Roles {
		if r.ARN == "arn:aws:iam::"+awssim.CustomerAccount+":role/"+name {
			return &r
		}
	}
	return nil
}

func (w *roleWorld) awsWrites() (n int) {
	for _, e := range w.Journal.Entries() {
		if e.Applied && e.Write && (e.System == "aws" || e.Operation == "deauthorizeGroupCloudProviderAccessRole") {
			n++
		}
	}
	return n
}

// A grant that a rotation has left behind goes alone, once, and comes back whole.
func TestGrantIsWithdrawn(t *testing.T) {
	w := newRoleWorld(t, nil)
	before := w.role(t, "usable").Inline
	for range 2 {
		require.NoError(t, w.access.NarrowRole(t.Context(), withdrawal(formerKey)))
	}
	require.Equal(t, 1, w.awsWrites(), "done once")
	after := w.role(t, "usable")
	require.JSONEq(t, ourPolicy(sim.ProjectB, "", awssim.SingleRegionKeyARN), oneAsList(t, after.Inline[activities.PolicyName(sim.ProjectB)]))
	require.Equal(t, before[activities.PolicyName(neighbour)], after.Inline[activities.PolicyName(neighbour)])
	back := activities.WidenRoleInput{Leases: []activities.Lease{{}}, RoleARN: usableARN, Projects: []activities.ProjectAccess{{ProjectID: sim.ProjectB, Keys: []string{formerKey}}}}
	for range 2 {
		require.NoError(t, w.access.WidenRole(t.Context(), back))
	}
	require.Equal(t, 2, w.awsWrites())
	got, err := w.access.ReadRoleAccess(t.Context(), activities.RoleAccessInput{ProjectIDs: []string{sim.ProjectB}, RoleARN: usableARN})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{formerKey, awssim.SingleRegionKeyARN}, got.Projects[0].Keys)
}

// oneAsList writes a single resource as the list that it is.
func oneAsList(t *testing.T, text string) string {
	t.Helper()
	var d struct {
		Version   string
		Statement []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	for _, s := range d.Statement {
		if one, ok := s["Resource"].(string); ok {
			s["Resource"] = []string{one}
		}
	}
	out, err := json.Marshal(d)
	require.NoError(t, err)
	return string(out)
}

// Whatever still needs it is seen in the step that would take it away, and nothing is.
func TestNothingThatIsNeededIsWithdrawn(t *testing.T) {
	snapshot := func(c *sim.Config, r *awssim.Role) {
		off(c, r)
		for i := range c.Atlas.Projects {
			if p := &c.Atlas.Projects[i]; p.ID == sim.ProjectB {
				p.Clusters[0].Snapshots = []atlassim.Snapshot{{Age: time.Hour, Retention: 1000 * time.Hour, Provider: cmk.ProviderAWS}}
			}
		}
	}
	for name, c := range map[string]struct {
		world func(*sim.Config, *awssim.Role)
		keys  []string
		lost  error
		want  string
		says  string
	}{
		"the role in use":          {want: cmk.ErrForeign, says: "uses key"},
		"the key in use":           {keys: []string{awssim.SingleRegionKeyARN}, want: cmk.ErrForeign, says: "uses key"},
		"a snapshot":               {world: snapshot, want: cmk.ErrForeign, says: "snapshots"},
		"a paused cluster":         {world: paused, keys: []string{formerKey}, want: cmk.ErrForeign, says: "paused"},
		"a neighbour lives on it":  {world: reliant, want: cmk.ErrForeign, says: neighbour},
		"the lease has been lost":  {world: off, lost: temporal.NewNonRetryableApplicationError("", cmk.ErrLeaseLost, nil), want: cmk.ErrLeaseLost},
		"the policy has come back": {world: off, want: cmk.ErrForeign, says: "come back"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRoleWorld(t, c.world)
			w.leases.lost = c.lost
			in := withdrawal(c.keys...)
			if name != "the policy has come back" {
				err := w.access.NarrowRole(t.Context(), in)
				require.Equal(t, c.want, typeOf(err), "%v", err)
				require.ErrorContains(t, err, c.says)
			}
			_, err := w.access.RemoveRoleAccess(t.Context(), in)
			require.Equal(t, c.want, typeOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.Zero(t, w.awsWrites())
		})
	}
	w := newRoleWorld(t, snapshot)
	in := withdrawal()
	in.LossAccepted = true
	require.NoError(t, w.access.NarrowRole(t.Context(), in), "people have accepted the loss")
}

func paused(c *sim.Config, _ *awssim.Role) {
	for i := range c.Atlas.Projects {
		if p := &c.Atlas.Projects[i]; p.ID == sim.ProjectB {
			p.Clusters[0].Paused = true
		}
	}
}

func reliant(c *sim.Config, r *awssim.Role) {
	off(c, r)
	delete(r.Inline, activities.PolicyName(neighbour))
}

// Of a role that others use our statements go, and no more; one that is ours and empty goes whole.
func TestRoleIsWithdrawn(t *testing.T) {
	for name, c := range map[string]struct {
		world       func(*sim.Config, *awssim.Role)
		left, trust string
		inline      map[string]string
	}{
		"shared with a neighbour": {
			world: off, left: "others use it",
			trust:  `{"Version":"2012-10-17","Statement":[` + ourTrust(neighbour) + `]}`,
			inline: map[string]string{activities.PolicyName(neighbour): ourPolicy(neighbour, "", awssim.SingleRegionKeyARN)},
		},
		"somebody's statement in our policy": {
			world: func(c *sim.Config, r *awssim.Role) {
				off(c, r)
				r.Trust = `{"Version":"2012-10-17","Statement":[` + ourTrust(sim.ProjectB) + `]}`
				r.Inline = map[string]string{activities.PolicyName(sim.ProjectB): ourPolicy(sim.ProjectB, `,`+theirs, awssim.SingleRegionKeyARN)}
			},
			left:   "not made it",
			trust:  `{"Version":"2012-10-17","Statement":[` + ourTrust(sim.ProjectB) + `]}`,
			inline: map[string]string{activities.PolicyName(sim.ProjectB): `{"Version":"2012-10-17","Statement":[` + theirs + `]}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRoleWorld(t, c.world)
			require.NoError(t, w.access.NarrowRole(t.Context(), withdrawal()))
			var got *activities.RoleRemoval
			for range 2 {
				var err error
				got, err = w.access.RemoveRoleAccess(t.Context(), withdrawal())
				require.NoError(t, err)
			}
			require.False(t, got.Deleted)
			require.Contains(t, got.Left, c.left)
			role := w.role(t, "usable")
			require.JSONEq(t, c.trust, role.Trust)
			require.Len(t, role.Inline, len(c.inline))
			for policy, want := range c.inline {
				require.JSONEq(t, want, role.Inline[policy])
			}
			for _, p := range w.State().Atlas.Projects {
				if p.ID == sim.ProjectB {
					require.Empty(t, p.Roles)
				}
			}
		})
	}
}

var theirs = fmt.Sprintf(`{"Sid":%q,"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, foreignSid)
