package workflows

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// organized is an organization that is watched in an environment in which time is skipped.
type organized struct {
	*testsuite.TestWorkflowEnvironment
	// projects are those that use a key; whoever is kept and not among them has left, unless it is unread.
	projects, unread []string
	failing          error
	// watched are the projects whose watches are open.
	watched []string
	looks   int
}

func newOrganized(t *testing.T, projects ...string) *organized {
	t.Helper()
	o := &organized{TestWorkflowEnvironment: (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment(), projects: projects}
	var server *activities.Temporal
	o.RegisterActivity(atlas)
	o.RegisterActivity(server)
	o.SetTestTimeout(time.Minute)
	o.OnActivity(atlas.ObserveOrganization, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.ObserveOrganizationInput) (*activities.Organization, error) {
		o.looks++
		if o.failing != nil {
			return nil, o.failing
		}
		now := &activities.Organization{Encrypted: o.projects, Unread: o.unread}
		for _, id := range in.Kept {
			if !slices.Contains(o.projects, id) && !slices.Contains(o.unread, id) {
				now.Left = append(now.Left, id)
			}
		}
		if last := in.LastSeen; last != nil && len(now.Left) == 0 && slices.Equal(last.Encrypted, now.Encrypted) && slices.Equal(last.Unread, now.Unread) {
			return nil, temporal.NewApplicationErrorWithOptions("nothing new", cmk.ErrNotReady, temporal.ApplicationErrorOptions{NextRetryDelay: time.Duration(in.Interval)})
		}
		return now, nil
	})
	o.OnActivity(server.KeepWatches, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.WatchesInput) error {
		o.watched = append(o.watched, in.Projects...)
		slices.Sort(o.watched)
		o.watched = slices.Compact(o.watched)
		return nil
	}).Maybe()
	o.OnActivity(server.EndWatches, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.WatchesInput) error {
		o.watched = slices.DeleteFunc(o.watched, func(id string) bool { return slices.Contains(in.Projects, id) })
		return nil
	}).Maybe()
	return o
}

// at has something happen, or is looked at, at a time.
func (o *organized) at(d time.Duration, happen func()) { o.RegisterDelayedCallback(happen, d) }

func (o *organized) run(t *testing.T, until time.Duration, request cmk.OrganizationRequest) {
	t.Helper()
	o.RegisterDelayedCallback(o.CancelWorkflow, until)
	request.OrganizationID = "64b7f0c2a1b2c3d4e5f60700"
	text, err := json.Marshal(request)
	require.NoError(t, err)
	o.ExecuteWorkflow(WatchOrganization, json.RawMessage(text))
	require.True(t, o.IsWorkflowCompleted())
}

func (o *organized) status(t *testing.T) (s cmk.Status) {
	t.Helper()
	answer, err := o.QueryWorkflow(cmk.QueryStatus)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&s))
	return s
}

const (
	projectOne   = "64b7f0c2a1b2c3d4e5f60701"
	projectTwo   = "64b7f0c2a1b2c3d4e5f60702"
	projectThree = "64b7f0c2a1b2c3d4e5f60703"
)

// New projects are watched, those that have left are not any more, and with the organization's watch the others end.
func TestOrganizationKeepsAWatchOfEachProject(t *testing.T) {
	o := newOrganized(t, projectOne, projectThree)
	request := cmk.OrganizationRequest{Exclude: []string{projectThree}}
	var first, grown, left []string
	var s cmk.Status
	o.at(30*time.Minute, func() { first = slices.Clone(o.watched); o.projects = []string{projectOne, projectTwo, projectThree} })
	o.at(3*time.Hour, func() { grown = slices.Clone(o.watched); o.projects = []string{projectTwo, projectThree} })
	o.at(6*time.Hour, func() { left, s = slices.Clone(o.watched), o.status(t) })
	o.run(t, 7*time.Hour, request)
	require.True(t, temporal.IsCanceledError(o.GetWorkflowError()))
	require.Equal(t, []string{projectOne}, first)
	require.Equal(t, []string{projectOne, projectTwo}, grown)
	require.Equal(t, []string{projectTwo}, left)
	require.Equal(t, []string{projectTwo}, s.Watched)
	require.Equal(t, cmk.PhaseWatching, s.Phase)
	require.Empty(t, o.watched, "they end with it")
}

// A watch that has ended otherwise is begun again within a day or so.
func TestOrganizationBeginsAgainWhatHasEnded(t *testing.T) {
	o := newOrganized(t, projectOne)
	var again []string
	o.at(time.Hour, func() { o.watched = nil })
	o.at(27*time.Hour, func() { again = slices.Clone(o.watched) })
	o.run(t, 28*time.Hour, cmk.OrganizationRequest{})
	require.Equal(t, []string{projectOne}, again)
}

// What cannot be read ends nothing, is shown, and passes.
func TestOrganizationThatCannotBeReadEndsNoWatch(t *testing.T) {
	o := newOrganized(t, projectOne, projectTwo)
	var blind, partly, well cmk.Status
	o.at(90*time.Minute, func() { o.failing = final(cmk.ErrOrganizationUnseen) })
	o.at(4*time.Hour, func() {
		blind = o.status(t)
		o.failing = nil
		o.projects = []string{projectOne}
		o.unread = []string{projectTwo}
	})
	o.at(8*time.Hour, func() { partly = o.status(t); o.projects = []string{projectOne, projectTwo}; o.unread = nil })
	o.at(12*time.Hour, func() { well = o.status(t) })
	o.run(t, 13*time.Hour, cmk.OrganizationRequest{})
	require.Equal(t, cmk.PhaseAttention, blind.Phase)
	require.Equal(t, cmk.FindingOrganizationUnreadable, blind.Findings[0].Code)
	require.Equal(t, []string{projectOne, projectTwo}, blind.Watched)
	require.Equal(t, cmk.FindingProjectUnreadable, partly.Findings[0].Code)
	require.Equal(t, []string{projectOne, projectTwo}, partly.Watched)
	require.Equal(t, cmk.PhaseWatching, well.Phase)
	require.Empty(t, well.Findings)
}

// One that has grown long goes on as a new run, and knows whose watches to end.
func TestOrganizationContinuesAsNewAgainAndAgain(t *testing.T) {
	request := cmk.OrganizationRequest{}
	var started time.Time
	for round := range 3 {
		o := newOrganized(t, projectOne, projectTwo)
		o.at(time.Hour, func() {
			o.SetContinueAsNewSuggested(true)
			o.projects = []string{projectOne, projectTwo, projectThree}
		})
		if round > 0 {
			o.projects = []string{projectTwo}
			o.watched = []string{projectOne, projectTwo, projectThree}
		}
		o.run(t, 24*time.Hour, request)
		var next *workflow.ContinueAsNewError
		require.ErrorAs(t, o.GetWorkflowError(), &next)
		request = cmk.OrganizationRequest{}
		require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &request))
		require.Equal(t, []string{projectOne, projectTwo, projectThree}, request.Progress.Kept)
		if round == 0 {
			started = request.Progress.Started
		}
		require.True(t, request.Progress.Started.Equal(started))
	}
}

func final(code string) error { return temporal.NewNonRetryableApplicationError(code, code, nil) }
