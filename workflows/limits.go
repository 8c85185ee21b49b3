package workflows

import "github.com/atlas-cmk/atlas-cmk/cmk"

// A change never continues as new: what it may take back, and what people have said, stands in its history. So all of it
// has to fit into one, which Temporal ends at 51,200 events or 50 MB. What is left over is for what nobody can foresee:
// signals, repeated steps, and the way back.
const (
	mostEvents = 15_000
	// eventsOfAny are those of a change by itself, eventsOfRegion and eventsOfCluster those of each region and each cluster
	// that it is about: about twice what an undisturbed change takes.
	eventsOfAny, eventsOfRegion, eventsOfCluster = 200, 20, 24
)

// events is how many events the history of a change may have at most, which is about some regions and clusters.
func events(regions, clusters int) int {
	return eventsOfAny + eventsOfRegion*regions + eventsOfCluster*clusters
}

// assessSize refuses a change whose history might grow too long.
func assessSize(f *findings, r cmk.EnableRequest, t target) {
	regions, clusters := len(t.regions), len(t.clusters)-len(encrypted(t.clusters))
	if n := events(regions, clusters); n > mostEvents {
		f.err(cmk.FindingTooMuchAtOnce, r.ProjectID, "do it in several changes, each of which names some of the clusters",
			"with %d regions and %d clusters the history of this change might grow to %d events, of which %d are allowed", regions, clusters, n, mostEvents)
	}
}

// assessReleaseSize does so of a change that takes every cluster off the key.
func assessReleaseSize(f *findings, s survey) {
	regions, clusters := len(s.Project.Endpoints), len(encrypted(s.Project.Clusters))
	if n := events(regions, clusters); n > mostEvents {
		f.err(cmk.FindingTooMuchAtOnce, s.Project.ID, "take some of the clusters off the key by hand first",
			"with %d private endpoints and %d clusters the history of this change might grow to %d events, of which %d are allowed", regions, clusters, n, mostEvents)
	}
}
