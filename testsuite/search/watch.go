package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
)

// watches says whether the procedure only watches: it ends when it is cancelled.
func (s schedule) watches() bool { return s.Type == cmk.WatchProject }

// afterwards is for how long a watch goes on in calm weather before it is looked at and ended.
const afterwards = 8 * time.Hour

// watchRequest asks for a project to be watched, and with Plan to be repaired.
func (p *play) watchRequest() cmk.WatchRequest {
	mode := p.Mode
	if mode == cmk.ApproveCreate { // it plans none
		mode = cmk.ApproveUse
	}
	r := cmk.WatchRequest{ProjectID: sim.ProjectA, WatchOptions: cmk.WatchOptions{
		Interval: cmk.Duration(20 * time.Minute), Soon: cmk.Duration(time.Minute), SettingsInterval: cmk.Duration(2 * time.Hour), Stuck: cmk.Duration(2 * time.Hour),
		Approval: cmk.ApprovalPolicy{Mode: mode, Approvers: p.Approvers}, Requester: requester,
	}}
	if p.Plan {
		r.Repair = []cmk.Repair{cmk.RepairRemakeFailed, cmk.RepairCreateMissing}
	}
	return r
}

// inspect looks at a watch after some hours of calm: it asks nobody for anything, has told the outside of all that stands
// and of nothing else, and has repaired what it may.
func (p *play) inspect(want wish) error {
	status, err := p.run.status()
	if err != nil {
		return err
	}
	stands := findingsOf(status.Findings)
	if told := p.outside.stand(); !slices.Equal(told, stands) {
		return fmt.Errorf("the outside was told of %v, and %v stands", told, stands)
	}
	asks := slices.DeleteFunc(slices.Clone(status.Awaiting), func(w cmk.Wait) bool { return w.Signal == "" })
	if want == wishDone && len(asks) > 0 {
		return fmt.Errorf("people are asked for %v, and have answered", asks)
	}
	failed := slices.ContainsFunc(status.Findings, func(f cmk.Finding) bool {
		return slices.Contains([]cmk.FindingCode{cmk.FindingEndpointFailed, cmk.FindingRepairFailed, cmk.FindingEndpointRejected}, f.Code)
	})
	if project := p.world.State().Atlas.Projects[0]; p.Plan && !failed && pathless(project) {
		return fmt.Errorf("nodes are without a path, nothing is said to have failed, and nothing is repaired: %v", status.Findings)
	}
	p.found = append(p.found, lasting(stands))
	return nil
}

// lasting are findings that whoever begins to watch now finds too: they are not about what was before.
func lasting(findings []string) []string {
	return slices.DeleteFunc(slices.Clone(findings), func(f string) bool {
		return slices.ContainsFunc([]cmk.FindingCode{
			cmk.FindingSettingsChanged, cmk.FindingKeyPolicyChanged, cmk.FindingEndpointRejected, cmk.FindingEndpointOverdue, cmk.FindingKeyAlarm, cmk.FindingRepairFailed,
		}, func(code cmk.FindingCode) bool { return strings.HasPrefix(f, string(code)+" ") })
	})
}

// agreed says whether the watches that were looked at in calm weather have found the same, and have written what they may.
func (p *play) agreed() error {
	for _, found := range p.found[min(1, len(p.found)):] {
		if !slices.Equal(found, p.found[0]) && !p.Plan { // what one could not repair another may
			return fmt.Errorf("one watch has found %v, and the next %v", p.found[0], found)
		}
	}
	for _, w := range p.writes() {
		operation, _, _ := strings.Cut(w, " ")
		if !p.Plan || operation != "createGroupEncryptionAtRestPrivateEndpoint" && operation != "requestGroupEncryptionAtRestPrivateEndpointDeletion" {
			return fmt.Errorf("a watch has written %s", w)
		}
	}
	return nil
}

// findingsOf are the findings that the outside is told of, in order.
func findingsOf(findings []cmk.Finding) []string {
	var all []string
	for _, f := range findings {
		if f.Severity != cmk.SeverityInfo {
			all = append(all, string(f.Code)+" "+f.Object)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// outside is who is told by webhook. It is out of order at times.
type outside struct {
	mu    sync.Mutex
	calls int
	ids   map[string]bool
	open  map[string]bool
}

func newOutside() *outside { return &outside{ids: map[string]bool{}, open: map[string]bool{}} }

func (o *outside) notifier() *activities.Notifier {
	return activities.NewNotifier("http://outside.sim", "a secret of 16 characters", o)
}

// RoundTrip takes a notification, every third time without an answer, and every fifth not at all.
func (o *outside) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const lostAnswer, lost = 3, 5
	o.calls++
	if o.calls%lost == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	var n cmk.Notification
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		return nil, err
	}
	if !o.ids[n.ID] {
		o.ids[n.ID] = true
		for _, f := range findingsOf(n.Closed) {
			delete(o.open, f)
		}
		for _, f := range findingsOf(n.Opened) {
			o.open[f] = true
		}
	}
	if o.calls%lostAnswer == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, nil
}

// stand are the findings that the outside knows to stand.
func (o *outside) stand() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for f := range o.open {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}
