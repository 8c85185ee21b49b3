package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
)

// Heartbeats makes every activity that has a heartbeat timeout send heartbeats while it runs, so that the loss of a
// worker is noticed within seconds, and has such an activity finish what it began when the workflow is cancelled: a
// write that is broken off may or may not have been applied.
func Heartbeats() interceptor.WorkerInterceptor { return &heartbeats{} }

type heartbeats struct {
	interceptor.WorkerInterceptorBase
}

func (*heartbeats) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &heartbeatInbound{interceptor.ActivityInboundInterceptorBase{Next: next}}
}

type heartbeatInbound struct {
	interceptor.ActivityInboundInterceptorBase
}

func (i *heartbeatInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	every := activity.GetInfo(ctx).HeartbeatTimeout / 3
	if every == 0 {
		return i.Next.ExecuteActivity(ctx, in)
	}
	work, finished := context.WithCancel(context.WithoutCancel(ctx))
	if deadline, ok := ctx.Deadline(); ok {
		work, finished = context.WithDeadline(context.WithoutCancel(ctx), deadline)
	}
	defer finished()
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for { // not at once: one that ends before the first takes a call less
			select {
			case <-work.Done():
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return i.Next.ExecuteActivity(work, in)
}
