package main

// atlasMutants drop the guards of what is written to Atlas.
func atlasMutants() []mutant {
	const (
		encryption = "activities/atlas_encryption.go"
		clusters   = "activities/atlas_clusters.go"
		endpoints  = "activities/atlas_endpoints.go"
		leaving    = "activities/atlas_leave.go"
		releasing  = "activities/atlas_release.go"
	)
	refused, owned := inActivities("TestWritesAreRefused"), inActivities("TestEndpointsAreOwned")
	return []mutant{
		{
			"set the key without the lease", encryption,
			"if err := a.leases.Check(ctx, in.Lease); err != nil {\n\t\treturn nil, err\n\t}\n\tnow, err := a.encryptionNow(ctx, in)",
			"now, err := a.encryptionNow(ctx, in)", inActivities("TestAtlasIsNotWrittenWithoutTheLease"),
		},
		{"replace a key that others have set", encryption, "if now.Enabled && (now.KeyID != in.KeyID ||", "if false && (now.KeyID != in.KeyID ||", refused},
		{"turn off with clusters on the key", encryption, "if c.Provider != cmk.ProviderNone || c.State != cmk.ClusterIdle {", "if c.State != cmk.ClusterIdle {", refused},
		{"turn off while a cluster re-syncs", encryption, "if c.Provider != cmk.ProviderNone || c.State != cmk.ClusterIdle {", "if c.Provider != cmk.ProviderNone {", inActivities("TestEncryptionStaysOn")},
		{"turn off with search nodes set to the key", encryption, "if got.GetEnabledForSearchNodes() {", "if false {", inActivities("TestEncryptionStaysOn")},
		{"turn off with search nodes on the key", encryption, "if search.Provider != cmk.ProviderNone {", "if false {", inActivities("TestEncryptionStaysOn")},
		{
			"turn off though others have acted", encryption,
			"if err := a.undisturbed(ctx, in.ProjectID, in.Lease); err != nil {\n\t\treturn err\n\t}\n\toff := false", "off := false", inActivities("TestOthersAreHeeded"),
		},
		{"trust the first IDLE", clusters, "seen[i].Settled = last.State == cmk.ClusterUpdating || now.Sub(idle[c.Name]) >= a.pace.Settle", "seen[i].Settled = true", inActivities("TestFirstIDLEIsNotTrusted")},
		{"switch over an endpoint that nobody has approved", clusters, "e.Status == cmk.EndpointActive && slices.Contains(in.Approved, e.ID)", "e.Status == cmk.EndpointActive", refused},
		{"switch over an endpoint that is not ACTIVE", clusters, "e.Status == cmk.EndpointActive && slices.Contains(in.Approved, e.ID)", "slices.Contains(in.Approved, e.ID)", refused},
		{"switch with a replica disabled", clusters, "case key.Replicas[at].State != keyEnabled:", "case false:", refused},
		{"switch though the key's policy does not admit the role", clusters, `case key.Replicas[at].Policy.Unread == "" &&`, "case false &&", refused},
		{"switch through a role that nobody has looked at", clusters, "if now.RoleID != in.RoleID {", "if false {", inActivities("TestClustersAreSwitchedThroughTheRoleThatWasLookedAt")},
		{"switch a paused cluster", clusters, "if c.Paused {", "if false {", refused},
		{"delete an endpoint in use", endpoints, "if !in.Window {\n", "if false {\n", refused},
		{"delete endpoints that stood before", endpoints, "|| slices.Contains(in.Except, e.ID) ||", "||", owned},
		{"fail when the endpoint is gone already", endpoints, "if err != nil && !absent(err, response) {", "if err != nil {", owned},
		{"create an endpoint beside one that is not ACTIVE", endpoints, "return e.Status == cmk.EndpointDeleting })\n\t\tswitch", "return e.Status != cmk.EndpointActive })\n\t\tswitch", owned},
		{"delete one endpoint before all are deletable", leaving, "if untouched(all, in.Endpoints) {\n", "if false {\n", refused},
		{"delete an endpoint that is being recreated", leaving, "e.Status != cmk.EndpointInitiating && e.Status != cmk.EndpointPendingRecreation", "e.Status != cmk.EndpointInitiating", refused},
		{"delete the path of a cluster that is still leaving the key", leaving, "if c.State != cmk.ClusterIdle && !c.Paused && untouched", "if false && untouched", refused},
		{"wait for endpoints to go that nobody deletes", encryption, "if e.Status != cmk.EndpointDeleting {\n", "if false {\n", refused},
		{"believe an empty list before all deletions are asked for", leaving, "in.Followed && askedForAll(ctx)", "in.Followed", inActivities("TestEmptyListIsTrustedBeforeWhatAtlasRefuses")},
		{"take a project that is gone for an endpoint that is", "activities/errors.go", `!ok || api.GetErrorCode() != "GROUP_NOT_FOUND"`, "!ok || true", test{searchTests, "^TestDocumentedRefusals$"}},
		{"believe an empty list at once", leaving, "if len(all) == 0 && !askedForAll(ctx) { // and", "if false { // and", inActivities("TestEmptyListIsNotTrusted")},
		{"remove the path of a cluster on the key", leaving, "if err := a.dispensable(ctx, in, here, listed); err != nil {", "if err := a.dispensable(ctx, in, nil, listed); err != nil {", refused},
		{"keep endpoints that nobody needs, where networking is public", leaving, "if err != nil || !now.RequirePrivateNetworking {\n\t\treturn err\n\t}\n\treturn depended", "_ = now\n\treturn depended", inActivities("TestEndpointsGoWhereNetworkingIsPublic")},
		{"release a cluster that cannot reach its key", releasing, "if err := a.reachable(ctx, in.ProjectID, leaving...); err != nil {", "if err := ctx.Err(); len(leaving) > 0 && err != nil {", refused},
		{"overlook what others have done", "activities/atlas_feed.go", "if len(others) == 0 {", "if len(others) >= 0 {", inActivities("TestWriteHeedsWhatOthersDo")},
		{"rotate past a paused cluster", "activities/atlas_rotate.go", "case c.Paused:", "case false:", inActivities("TestRotationIsRefused")},
		{"rotate where a region has no path", "activities/atlas_rotate.go", "case !slices.ContainsFunc(endpoints, func(e Endpoint) bool { return e.Region == region && e.Status == cmk.EndpointActive }):", "case false:", inActivities("TestRotationIsRefused")},
		{"switch credentials that others have changed", "activities/atlas_replace.go", "case !r.stands(now):", "case false:", inActivities("TestSwitchOfWhatSomebodyElseHasSet")},
		{"call a switch refused that was taken", "activities/atlas_replace.go", "again != nil || r.done(now) {", "again != nil {", inActivities("TestSwitchThatIsRefused")},
	}
}
