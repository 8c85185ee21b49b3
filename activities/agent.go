package activities

import (
	"context"
	"net/http"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.temporal.io/sdk/activity"
)

// Agent names the caller of every request, so that an Atlas or CloudTrail log leads back to the run:
// atlas-cmk/<version> (<workflowId>/<runId>).
type Agent string

// in is the User-Agent of a request made under ctx.
func (a Agent) in(ctx context.Context) string {
	name := "atlas-cmk/" + string(a)
	if activity.IsActivity(ctx) {
		run := activity.GetInfo(ctx).WorkflowExecution
		name += " (" + run.ID + "/" + run.RunID + ")"
	}
	return name
}

// Transport names the caller of HTTP requests.
func (a Agent) Transport(base http.RoundTripper) http.RoundTripper { return agentTransport{a, base} }

type agentTransport struct {
	agent Agent
	base  http.RoundTripper
}

func (t agentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", t.agent.in(r.Context()))
	return t.base.RoundTrip(r)
}

// AWS names the caller of requests of the AWS SDK, in front of what the SDK says of itself.
func (a Agent) AWS(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("AtlasCMKAgent",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
			if r, ok := in.Request.(*smithyhttp.Request); ok {
				r.Header.Set("User-Agent", a.in(ctx)+" "+r.Header.Get("User-Agent"))
			}
			return next.HandleBuild(ctx, in)
		}), middleware.After)
}
