package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// toRepair is what a watch would repair: regions.
type toRepair map[cmk.Repair][]string

// repairs is what there is to repair in a project, of what the watch may.
func (w *watch) repairs(l *activities.Look) toRepair {
	todo := toRepair{}
	if l == nil || !l.Encryption.Enabled || !l.Encryption.RequirePrivateNetworking {
		return todo
	}
	standing := func(region string) bool {
		return slices.ContainsFunc(l.Endpoints, func(e activities.Endpoint) bool { return e.Region == region })
	}
	if slices.Contains(w.request.Repair, cmk.RepairRemakeFailed) {
		for _, region := range w.endpoints.failedRegions() {
			// One that people have rejected is not made anew, nor one that has failed too often.
			if w.endpoints.remakes[region] < maxRemakes && !w.approvals.region(region).rejected && !recreated(l, region) {
				todo[cmk.RepairRemakeFailed] = append(todo[cmk.RepairRemakeFailed], region)
			}
		}
	}
	if slices.Contains(w.request.Repair, cmk.RepairCreateMissing) {
		for _, c := range l.Clusters {
			for _, region := range uncovered(l, c) {
				if !standing(region) && !slices.Contains(todo[cmk.RepairCreateMissing], region) {
					todo[cmk.RepairCreateMissing] = append(todo[cmk.RepairCreateMissing], region)
				}
			}
		}
	}
	return todo
}

// gaveUp says whether an endpoint has failed that was made anew too often to be so again.
func (w *watch) gaveUp() bool {
	return slices.ContainsFunc(w.endpoints.failedRegions(), func(region string) bool { return w.endpoints.remakes[region] >= maxRemakes })
}

// repair repairs what it may, while no change holds the project: if one does, the watch gives way and tries again later.
func (w *watch) repair(ctx workflow.Context) error {
	if len(w.repairs(w.look)) == 0 {
		if w.repairFailed != "" && !w.gaveUp() {
			w.repairFailed = ""
			w.assess(ctx)
		}
		return nil
	}
	if workflow.Now(ctx).Before(w.repairAfter) {
		return nil
	}
	w.repairAfter = workflow.Now(ctx).Add(time.Duration(w.request.Interval))
	held, err := acquire(ctx, cmk.LeaseID(w.projectID()), false)
	if errorType(err) == cmk.ErrProjectBusy {
		workflow.GetLogger(ctx).Info("a repair waits for a change that holds the project", "project", w.projectID())
		// Counted from before, the next try might be due at once, and leave no time for a look.
		if workflow.GetVersion(ctx, "look-between-repairs", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
			w.repairAfter = workflow.Now(ctx).Add(time.Duration(w.request.Interval))
		}
		return nil
	}
	if err == nil {
		w.lease = held
		err = w.repairUnderLease(ctx)
		w.lease.release(ctx)
		w.lease = nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.repairFailed = ""
	if err != nil {
		w.repairFailed = reason(err)
	}
	w.assess(ctx)
	return nil
}

// repairUnderLease looks again, since the project may have changed until nobody else could change it, and repairs.
func (w *watch) repairUnderLease(ctx workflow.Context) error {
	var now activities.Look
	in := activities.ObserveProjectInput{ProjectID: w.projectID(), Interval: w.request.Interval, SettingsInterval: w.request.SettingsInterval}
	if err := workflow.ExecuteActivity(looking(ctx, "look again before the repair"), atlas.ObserveProject, in).Get(ctx, &now); err != nil {
		return err
	}
	// What has been done meanwhile, and by whom, is for the next look to tell.
	now.Feed, now.Strangers = w.look.Feed, w.look.Strangers
	w.saw(ctx, &now)
	todo := w.repairs(&now)
	if failed := todo[cmk.RepairRemakeFailed]; len(failed) > 0 {
		if err := w.endpoints.remake(within(ctx, w.patience()), failed); err != nil {
			return err
		}
	}
	if missing := todo[cmk.RepairCreateMissing]; len(missing) > 0 {
		return w.endpoints.ensure(within(ctx, w.patience()), missing)
	}
	return nil
}

// patience is for how long a repair is tried: it holds the project meanwhile.
func (*watch) patience() time.Duration { return 30 * time.Minute }
