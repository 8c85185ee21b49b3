package activities_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/testsuite"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/atlassim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/fault"
)

// oneReplica is a key that stands in one region.
type oneReplica activities.KeyReplica

func (r oneReplica) ReadKey(context.Context, activities.KeyInput) (*activities.Key, error) {
	return &activities.Key{Replicas: []activities.KeyReplica{activities.KeyReplica(r)}}, nil
}

// guarded is project A on its key over private endpoints, with a cluster that is yet to be switched.
type guarded struct {
	*sim.Running
	*activities.Atlas
	seen *activities.Project
}

const newCluster = "new"

func newGuarded(t *testing.T, key oneReplica) *guarded {
	t.Helper()
	s, _ := rotatableWorld(t)
	g := &guarded{Running: s}
	api, err := activities.AtlasAccess{BaseURL: s.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret}.Client("test")
	require.NoError(t, err)
	g.Atlas = activities.NewAtlas(api, key, &held{}, activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond, Settle: time.Hour}, sim.ClientID)
	g.act(t, atlassim.Act{Kind: atlassim.AddCluster, Add: &atlassim.Cluster{Name: newCluster, Regions: []atlassim.Region{{Name: "US_EAST_1", Electable: 3}}}})
	g.look(t)
	return g
}

func (g *guarded) act(t *testing.T, a atlassim.Act) {
	t.Helper()
	a.Project = sim.ProjectA
	require.NoError(t, g.Act(sim.Act{Act: a}))
}

func (g *guarded) look(t *testing.T) {
	t.Helper()
	var err error
	g.seen, err = g.ReadProject(t.Context(), activities.ProjectInput{ProjectID: sim.ProjectA})
	require.NoError(t, err)
}

// remove has a cluster removed, by somebody else.
func (g *guarded) remove(t *testing.T, cluster string) {
	t.Helper()
	g.act(t, atlassim.Act{Kind: atlassim.RemoveCluster, Cluster: cluster})
}

// allRemoved removes all clusters that are on the key.
func allRemoved() []atlassim.Act {
	var acts []atlassim.Act
	for _, name := range []string{sim.ClusterEast, sim.ClusterWest, sim.ClusterIreland, sim.ClusterGlobal} {
		acts = append(acts, atlassim.Act{Kind: atlassim.RemoveCluster, Cluster: name})
	}
	return acts
}

func (g *guarded) ids() []string {
	var ids []string
	for _, e := range g.seen.Endpoints {
		ids = append(ids, e.ID)
	}
	return ids
}

func (g *guarded) leave() activities.LeaveInput {
	return activities.LeaveInput{ProjectID: sim.ProjectA, Endpoints: g.ids(), Regions: []string{"EU_WEST_1", "US_EAST_1", "US_WEST_2"}, Encryption: g.seen.Encryption}
}

// applied counts the writes to Atlas.
func (g *guarded) applied() (n int) {
	for _, e := range g.Journal.Entries() {
		if e.Applied && e.Write && e.System == "atlas" {
			n++
		}
	}
	return n
}

// A step that depends on how the project is looks at it just before it writes, and writes nothing when that does not hold.
func TestWritesAreRefused(t *testing.T) {
	t.Parallel()
	usable := oneReplica{Region: "US_EAST_1", State: "Enabled", Policy: activities.KeyPolicy{Unread: "of no matter here"}}
	held := func(status string) atlassim.Act {
		return atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_EAST_1", Status: status}
	}
	encrypt := func(g *guarded, approved []string) error {
		return step(g.EncryptClusters, activities.EncryptClustersInput{
			ProjectID: sim.ProjectA, Clusters: []string{newCluster}, Approved: approved, RoleID: usableRole, RoleARN: usableARN,
		})
	}
	for name, c := range map[string]struct {
		key  oneReplica
		acts []atlassim.Act
		do   func(*guarded) error
		code string
		says string
	}{
		"another key is set": {usable, nil, func(g *guarded) error {
			private := true
			return step(g.EnsureEncryption, activities.EncryptionInput{ProjectID: sim.ProjectA, KeyID: nextKeyARN, Region: "US_EAST_1", RoleID: usableRole, RequirePrivateNetworking: &private})
		}, cmk.ErrForeign, "someone else has set it"},
		"clusters are on the key": {usable, nil, func(g *guarded) error {
			return step(g.DisableEncryption, activities.DisableInput{ProjectID: sim.ProjectA})
		},
			cmk.ErrForeign, "has provider AWS"},
		"nobody has approved the endpoint": {usable, nil, func(g *guarded) error { return encrypt(g, nil) }, cmk.ErrNoPath, "no approved private endpoint is ACTIVE"},
		"the endpoint is not ACTIVE": {usable, []atlassim.Act{held("PENDING_ACCEPTANCE")}, func(g *guarded) error { return encrypt(g, g.ids()) },
			cmk.ErrNoPath, "no approved private endpoint is ACTIVE"},
		"the key is disabled where the nodes are": {oneReplica{Region: "US_EAST_1", State: "Disabled"}, nil, func(g *guarded) error { return encrypt(g, g.ids()) },
			cmk.ErrForeign, "it is Disabled in US_EAST_1"},
		"the key's policy does not admit the role": {oneReplica{Region: "US_EAST_1", State: "Enabled"}, nil, func(g *guarded) error { return encrypt(g, g.ids()) },
			cmk.ErrForeign, "does not admit role"},
		"the key is not where the nodes are": {oneReplica{Region: "US_WEST_2", State: "Enabled"}, nil, func(g *guarded) error { return encrypt(g, g.ids()) },
			cmk.ErrForeign, "where the key has no replica"},
		"the cluster is paused": {usable, []atlassim.Act{{Kind: atlassim.PauseCluster, Cluster: newCluster}}, func(g *guarded) error { return encrypt(g, g.ids()) },
			cmk.ErrForeign, "is paused"},
		"the endpoint is in use": {usable, nil, func(g *guarded) error {
			return step(g.RemoveEndpoints, activities.RemoveEndpointsInput{ProjectID: sim.ProjectA, Regions: []string{"US_EAST_1"}})
		}, cmk.ErrForeign, "reaches its key through it"},
		"the path that goes is in use": {usable, nil, func(g *guarded) error { return step(g.DeleteEndpoints, g.leave()) }, cmk.ErrForeign, "reaches its key through it"},
		"the path that goes may be in use until a cluster is at rest": {usable, append(allRemoved(), atlassim.Act{Kind: atlassim.ScaleCluster, Cluster: newCluster, Size: "M40"}),
			func(g *guarded) error { return step(g.DeleteEndpoints, g.leave()) }, cmk.ErrNotEnterable, "may need its key until it is IDLE"},
		"a private endpoint stands": {usable, allRemoved(), func(g *guarded) error {
			return step(g.DisableEncryption, activities.DisableInput{ProjectID: sim.ProjectA})
		}, cmk.ErrForeign, "is ACTIVE"},
		"one endpoint cannot be deleted": {usable, []atlassim.Act{held("INITIATING")}, func(g *guarded) error { return step(g.LeavePrivateNetworking, g.leave()) },
			cmk.ErrNotEnterable, "cannot be deleted yet"},
		"one endpoint is being recreated": {usable, []atlassim.Act{held("PENDING_RECREATION")}, func(g *guarded) error { return step(g.LeavePrivateNetworking, g.leave()) },
			cmk.ErrNotEnterable, "cannot be deleted yet"},
		"a cluster is changing": {usable, []atlassim.Act{{Kind: atlassim.ScaleCluster, Cluster: newCluster, Size: "M40"}}, func(g *guarded) error { return step(g.LeavePrivateNetworking, g.leave()) },
			cmk.ErrNotEnterable, newCluster},
		"a cluster to be released has no path": {usable, []atlassim.Act{held("PENDING_ACCEPTANCE")}, func(g *guarded) error {
			return step(g.ReleaseClusters, activities.ReleaseInput{ProjectID: sim.ProjectA, Clusters: []string{sim.ClusterEast}})
		}, cmk.ErrForeign, "where no private endpoint is ACTIVE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t, c.key)
			for _, a := range c.acts {
				g.act(t, a)
			}
			g.look(t)
			before := g.applied()
			err := c.do(g)
			require.Equal(t, c.code, typeOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, before, g.applied(), "what is refused is not written")
		})
	}
}

// A cluster with all of it in place is switched; and it has not settled because it is IDLE in the first look.
func TestFirstIDLEIsNotTrusted(t *testing.T) {
	g := newGuarded(t, oneReplica{Region: "US_EAST_1", State: "Enabled", Policy: activities.KeyPolicy{Unread: "of no matter here"}})
	last := activities.ClusterState{Name: sim.ClusterEast, State: cmk.ClusterIdle, Provider: cmk.ProviderNone}
	in := activities.ObserveClustersInput{ProjectID: sim.ProjectA, LastSeen: []activities.ClusterState{last}}
	require.Equal(t, cmk.ErrNotReady, typeOf(step(g.ObserveClusters, in)), "IDLE in one look")
	in.LastSeen[0].State = cmk.ClusterUpdating
	require.NoError(t, step(g.ObserveClusters, in), "IDLE after it was UPDATING")
	require.NoError(t, step(g.EncryptClusters, activities.EncryptClustersInput{
		ProjectID: sim.ProjectA, Clusters: []string{newCluster}, Approved: g.ids(), RoleID: usableRole, RoleARN: usableARN,
	}))
}

// An endpoint that is there counts whatever its status; those that stood before the change stay; one that is gone is gone.
func TestEndpointsAreOwned(t *testing.T) {
	g := newGuarded(t, oneReplica{})
	g.act(t, atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "US_EAST_1", Status: "INITIATING"})
	ensure := func(regions ...string) {
		require.NoError(t, step(g.EnsureEndpoints, activities.EndpointsInput{ProjectID: sim.ProjectA, Regions: regions}))
	}
	ensure("US_EAST_1", "US_WEST_2")
	require.Zero(t, g.applied(), "one that is INITIATING is there")
	before := g.ids()
	ensure("AP_SOUTH_1")
	require.Equal(t, 1, g.applied())
	g.act(t, atlassim.Act{Kind: atlassim.HoldEndpoint, Region: "AP_SOUTH_1", Status: "ACTIVE"})
	g.look(t)

	remove := activities.RemoveEndpointsInput{ProjectID: sim.ProjectA, Regions: []string{"AP_SOUTH_1", "US_EAST_1"}, Except: before}
	require.NoError(t, g.Faults.Add(fault.Rule{Operation: "requestGroupEncryptionAtRestPrivateEndpointDeletion", Kind: fault.Status, Status: 404, Times: 1}))
	require.Equal(t, cmk.ErrNotReady, typeOf(step(g.RemoveEndpoints, remove)), "that it is not found is no error")
	require.Equal(t, cmk.ErrNotReady, typeOf(step(g.RemoveEndpoints, remove)))
	require.Equal(t, 2, g.applied())
	g.look(t)
	standing := slices.DeleteFunc(slices.Clone(g.seen.Endpoints), func(e activities.Endpoint) bool { return e.Status == cmk.EndpointDeleting })
	require.Len(t, standing, len(before), "those from before stay")
}

// What a change has made is told by what stood before it, also where the answer was lost: a pending role of others is not
// taken, nor taken back; one of ours is; and none that something uses.
func TestAccessRolesAreOwned(t *testing.T) {
	g := newGuarded(t, oneReplica{})
	roles := func() (ids []string) {
		g.look(t)
		for _, r := range g.seen.Roles {
			ids = append(ids, r.ID)
		}
		return ids
	}
	ensure := func(known []string) {
		require.NoError(t, step(g.EnsureAccessRole, activities.AccessRoleInput{ProjectID: sim.ProjectA, RoleARN: uselessARN, Known: known}))
	}
	ensure(roles())
	others := roles() // from here on the pending one is somebody else's
	ensure(others)
	require.Len(t, roles(), len(others)+1, "one of our own beside it")
	ensure(others)
	require.Len(t, roles(), len(others)+1, "and no third")
	require.NoError(t, step(g.RemoveAccessRole, activities.RemoveAccessRoleInput{ProjectID: sim.ProjectA, Known: others}))
	require.ElementsMatch(t, others, roles(), "ours is taken back though nobody has told us its id")
	require.NoError(t, step(g.RemoveAccessRole, activities.RemoveAccessRoleInput{ProjectID: sim.ProjectA, RoleID: usableRole}))
	require.ElementsMatch(t, others, roles(), "one in use stays")
}

// What others have done meanwhile stops the writes that take a path or the key away, and the switch of clusters.
func TestOthersAreHeeded(t *testing.T) {
	t.Parallel()
	usable := oneReplica{Region: "US_EAST_1", State: "Enabled", Policy: activities.KeyPolicy{Unread: "of no matter here"}}
	for name, do := range map[string]func(*testing.T, *guarded, activities.Lease) error{
		"DisableEncryption": func(t *testing.T, g *guarded, l activities.Lease) error {
			t.Helper()
			for _, c := range g.seen.Clusters { // nothing is on the key then
				g.remove(t, c.Name)
			}
			return step(g.DisableEncryption, activities.DisableInput{Lease: l, ProjectID: sim.ProjectA})
		},
		"EncryptClusters": func(t *testing.T, g *guarded, l activities.Lease) error {
			t.Helper()
			return step(g.EncryptClusters, activities.EncryptClustersInput{
				Lease: l, ProjectID: sim.ProjectA, Clusters: []string{newCluster}, Approved: g.ids(), RoleID: usableRole, RoleARN: usableARN,
			})
		},
		"ReleaseClusters": func(t *testing.T, g *guarded, l activities.Lease) error {
			t.Helper()
			return step(g.ReleaseClusters, activities.ReleaseInput{Lease: l, ProjectID: sim.ProjectA, Clusters: []string{sim.ClusterEast}})
		},
		"LeavePrivateNetworking": func(t *testing.T, g *guarded, l activities.Lease) error {
			t.Helper()
			in := g.leave()
			in.Lease = l
			return step(g.LeavePrivateNetworking, in)
		},
		"EnsureSearchNodes": func(t *testing.T, g *guarded, l activities.Lease) error {
			t.Helper()
			return step(g.EnsureSearchNodes, activities.SearchNodesInput{Lease: l, ProjectID: sim.ProjectA, Enabled: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t, usable)
			feed := g.seen.Feed
			others, err := activities.AtlasAccess{BaseURL: g.AtlasURL, PublicKey: sim.APIPublicKey, PrivateKey: sim.APIPrivateKey}.Client("others")
			require.NoError(t, err)
			region := "AP_SOUTH_1"
			_, _, err = others.EncryptionAtRestUsingCustomerKeyManagementApi.CreateRestPrivateEndpoint(t.Context(), sim.ProjectA, "AWS", &admin.EARPrivateEndpoint{RegionName: &region}).Execute()
			require.NoError(t, err)
			g.act(t, atlassim.Act{Kind: atlassim.HoldEndpoint, Region: region, Status: "ACTIVE"})
			g.look(t)
			err = do(t, g, activities.Lease{Feed: feed})
			require.Equal(t, cmk.ErrDisturbed, typeOf(err), "%v", err)
		})
	}
}

// emptyOnce has the first list of private endpoints come empty.
type emptyOnce struct{ lists int }

func (e *emptyOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/privateEndpoints") {
		return response, err
	}
	if e.lists++; e.lists == 1 {
		_ = response.Body.Close()
		response.Body = io.NopCloser(strings.NewReader(`{"results":[],"totalCount":0}`))
		response.ContentLength = -1
	}
	return response, err
}

// Neither private networking is left nor endpoints count as deleted on the word of one list: an empty one is looked at again.
func TestEmptyListIsNotTrusted(t *testing.T) {
	g := newGuarded(t, oneReplica{})
	for _, leave := range []func(*activities.Atlas) any{
		func(a *activities.Atlas) any { return a.LeavePrivateNetworking },
		func(a *activities.Atlas) any { return a.DeleteEndpoints },
	} {
		lists := &emptyOnce{}
		api, err := activities.AtlasAccess{BaseURL: g.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret, Transport: lists}.Client("test")
		require.NoError(t, err)
		atlas := activities.NewAtlas(api, nil, &held{}, activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond}, sim.ClientID)
		require.Equal(t, cmk.ErrNotReady, typeOf(step(leave(atlas), g.leave())))
		require.Equal(t, 2, lists.lists)
		require.Zero(t, g.applied())
	}
}

// Where private networking is not required, endpoints go though clusters are on the key: these use the public path.
func TestEndpointsGoWhereNetworkingIsPublic(t *testing.T) {
	t.Parallel()
	s, atlas := rotatableWorld(t, func(config *sim.Config) { config.Atlas.Projects[0].Encryption.Private = false })
	p, err := atlas.ReadProject(t.Context(), activities.ProjectInput{ProjectID: sim.ProjectA})
	require.NoError(t, err)
	g := &guarded{Running: s, seen: p}
	require.Equal(t, cmk.ErrNotReady, typeOf(step(atlas.DeleteEndpoints, g.leave())))
	require.Equal(t, 3, g.applied())
}

// Once the deletion of all endpoints has been asked for, an empty list is looked at again only where nothing follows that Atlas
// would refuse.
func TestEmptyListIsTrustedBeforeWhatAtlasRefuses(t *testing.T) {
	g := newGuarded(t, oneReplica{})
	for name, c := range map[string]struct{ followed, asked, once bool }{
		"followed, all asked for": {true, true, true}, "followed": {true, false, false}, "last": {false, true, false},
	} {
		lists := &emptyOnce{}
		api, err := activities.AtlasAccess{BaseURL: g.AtlasURL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret, Transport: lists}.Client("test")
		require.NoError(t, err)
		atlas := activities.NewAtlas(api, nil, &held{}, activities.Pace{Shortest: time.Millisecond, Longest: time.Millisecond}, sim.ClientID)
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(atlas.DeleteEndpoints)
		env.SetHeartbeatDetails(c.asked)
		in := g.leave()
		in.Followed = c.followed
		_, err = env.ExecuteActivity(atlas.DeleteEndpoints, in)
		require.Equal(t, c.once, err == nil, name)
		require.Equal(t, c.once, lists.lists == 1, name)
	}
}
