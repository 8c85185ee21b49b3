package workflows

import (
	"encoding/json"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// WatchOrganization keeps a watch of every project of an organization that uses a customer-managed key: it begins those of
// projects that are new or come to use one, and ends those of projects that are gone. It ends by being cancelled, and the
// watches that it has begun end with it.
func WatchOrganization(ctx workflow.Context, input json.RawMessage) (*cmk.Report, error) {
	request, err := cmk.DecodeOrganization(input)
	if err != nil {
		return nil, invalid(err)
	}
	o := newOrganization(ctx, request)
	if err := o.listen(ctx); err != nil {
		return nil, err
	}
	o.keepUpserted(ctx)
	o.assess(ctx)
	for err == nil && !workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		err = o.keep(ctx)
	}
	if err == nil {
		return nil, o.renew(ctx)
	}
	apart, _ := workflow.NewDisconnectedContext(ctx)
	if ending := workflow.ExecuteActivity(keeping(apart, "end the watches"), o.server.EndWatches, o.watches(o.kept)).Get(apart, nil); ending != nil {
		return nil, o.fail(ctx, cmk.PhaseStopped, ending)
	}
	o.kept = nil
	return nil, o.fail(ctx, cmk.PhaseStopped, err)
}

// organization is one run of WatchOrganization.
type organization struct {
	*change
	request cmk.OrganizationRequest
	server  *activities.Temporal
	// seen is the organization as it was last seen; nil when all of it is to be read anew.
	seen *activities.Organization
	// kept are the projects whose watches it has seen to, unread those that could not be read, and unseen why the
	// organization could not be.
	kept, unread []string
	unseen       string
}

func newOrganization(ctx workflow.Context, request cmk.OrganizationRequest) *organization {
	o := &organization{change: newChange(ctx, cmk.WatchOrganization, "", request.Requester, cmk.ApprovalPolicy{}, cmk.Stop), request: request}
	o.status.OrganizationID = request.OrganizationID
	o.describe = func(s *cmk.Status) { s.Watched = slices.Clone(o.kept) }
	if p := request.Progress; p != nil {
		o.request.Progress = nil
		o.status.Started, o.status.Findings, o.kept = p.Started, p.Findings, p.Kept
		for _, f := range p.Findings {
			if f.Code == cmk.FindingProjectUnreadable {
				o.unread = append(o.unread, f.Object)
			}
		}
	}
	return o
}

// anew is after how long all projects are read anew, and watches begun again that have ended otherwise.
const anew = 24 * time.Hour

// keep looks until something is new, or a day has passed, and sees to the watches that follow.
func (o *organization) keep(ctx workflow.Context) error {
	in := activities.ObserveOrganizationInput{
		OrganizationID: o.request.OrganizationID, LastSeen: o.seen, Kept: o.kept, Interval: o.request.ProjectsInterval,
	}
	var now activities.Organization
	err := workflow.ExecuteActivity(listing(ctx, time.Duration(o.request.ProjectsInterval)), atlas.ObserveOrganization, in).Get(ctx, &now)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errorType(err) == cmk.ErrNotReady:
		o.seen = nil
		return nil
	case err != nil:
		o.seen, o.unseen = nil, reason(err)
		o.assess(ctx)
		pause := workflow.TimerOptions{Summary: "look again: " + o.unseen}
		return workflow.NewTimerWithOptions(ctx, time.Duration(o.request.ProjectsInterval), pause).Get(ctx, nil)
	}
	o.unseen, o.unread = "", now.Unread
	begin := slices.DeleteFunc(slices.Clone(now.Encrypted), func(id string) bool { return slices.Contains(o.request.Exclude, id) })
	if err := workflow.ExecuteActivity(keeping(ctx, "begin watches"), o.server.KeepWatches, o.watches(begin)).Get(ctx, nil); err != nil {
		return err
	}
	if len(now.Left) > 0 {
		if err := workflow.ExecuteActivity(keeping(ctx, "end watches"), o.server.EndWatches, o.watches(now.Left)).Get(ctx, nil); err != nil {
			return err
		}
	}
	o.kept = slices.DeleteFunc(append(o.kept, begin...), func(id string) bool { return slices.Contains(now.Left, id) })
	slices.Sort(o.kept)
	o.kept = slices.Compact(o.kept)
	now.Left = nil
	o.seen = &now
	o.assess(ctx)
	return nil
}

func (o *organization) watches(projects []string) activities.WatchesInput {
	return activities.WatchesInput{OrganizationID: o.request.OrganizationID, Projects: projects, Options: o.request.WatchOptions}
}

// assess shows what is not well.
func (o *organization) assess(ctx workflow.Context) {
	var now findings
	if o.unseen != "" {
		now.err(cmk.FindingOrganizationUnreadable, o.request.OrganizationID, "check the organization's id, and the worker's credentials", "the projects cannot be listed: %s", o.unseen)
	}
	for _, id := range o.unread {
		now.warn(cmk.FindingProjectUnreadable, id, "check the worker's role in the project", "project %s cannot be read: whether it uses a key is not known", id)
	}
	logFindings(ctx, "organization", o.request.OrganizationID, difference(now, o.status.Findings), difference(o.status.Findings, now))
	o.status.Findings = now
	phase := cmk.PhaseWatching
	if len(now) > 0 {
		phase = cmk.PhaseAttention
	}
	o.enter(ctx, phase)
}

// renew goes on as a new run.
func (o *organization) renew(ctx workflow.Context) error {
	o.upsert(ctx)
	next := o.request
	next.Progress = &cmk.OrganizationProgress{Started: o.status.Started, Kept: o.kept, Findings: o.status.Findings}
	return workflow.NewContinueAsNewError(ctx, cmk.WatchOrganization, next)
}
