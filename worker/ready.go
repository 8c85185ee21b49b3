package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/atlas-cmk/atlas-cmk/activities"
	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// check is something that must hold before the worker takes work: a worker that cannot do its work would only fail it.
type check struct {
	name string
	run  func(context.Context) error
}

const (
	checkTimeout  = 10 * time.Second
	checkInterval = 5 * time.Second
)

// awaitReady runs the checks until all hold. What fails is told by /readyz and in the log, once for each reason. A
// refusal of credentials ends the worker: that does not pass by itself.
func awaitReady(ctx context.Context, logger *slog.Logger, health *health, checks []check) error {
	last := ""
	for {
		why, err := firstFailure(ctx, checks)
		if why == "" {
			return nil
		}
		health.notReady(why)
		var misconfigured *activities.MisconfiguredError
		if errors.As(err, &misconfigured) {
			return errors.New(why)
		}
		if why != last {
			logger.Error("not ready", "why", why)
			last = why
		}
		select {
		case <-ctx.Done():
			return errors.New("stopped before it was ready: " + why)
		case <-time.After(checkInterval):
		}
	}
}

func firstFailure(ctx context.Context, checks []check) (string, error) {
	for _, c := range checks {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		err := c.run(ctx)
		cancel()
		if err != nil {
			return c.name + ": " + err.Error(), err
		}
	}
	return "", nil
}

// atlasCheck makes the cheapest call that proves the credentials.
func atlasCheck(atlas *admin.APIClient) check {
	return check{"Atlas", func(ctx context.Context) error {
		_, response, err := atlas.ProjectsApi.ListGroups(ctx).ItemsPerPage(1).Execute()
		if err == nil {
			return nil
		}
		if response != nil && response.StatusCode == http.StatusUnauthorized {
			return &activities.MisconfiguredError{What: "it refuses the credentials: check MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY, or the service account, and its access list"}
		}
		var misconfigured *activities.MisconfiguredError
		if errors.As(err, &misconfigured) {
			return misconfigured
		}
		return fmt.Errorf("cannot be reached: check MONGODB_ATLAS_BASE_URL and the network (%w)", err)
	}}
}

func awsCheck(caller *sts.Client) check {
	return check{"AWS", func(ctx context.Context) error {
		if _, err := caller.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil {
			return fmt.Errorf("cannot be called: check the worker's AWS credentials and the network (%w)", err)
		}
		return nil
	}}
}

// searchAttributesCheck makes sure that the namespace knows our search attributes, and registers them where it may: an
// unknown one would wedge every workflow for ever.
func searchAttributesCheck(c client.Client, namespace string, wanted bool) check {
	return check{"search attributes", func(ctx context.Context) error {
		if !wanted {
			return nil
		}
		missing, err := missingSearchAttributes(ctx, c, namespace)
		if err != nil || len(missing) == 0 {
			return err
		}
		attributes := map[string]enums.IndexedValueType{}
		command := "temporal operator search-attribute create --namespace " + namespace
		for _, name := range missing {
			attributes[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
			command += " --name " + name + " --type Keyword"
		}
		_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: attributes})
		if err == nil {
			if missing, err = missingSearchAttributes(ctx, c, namespace); err == nil && len(missing) == 0 {
				return nil
			}
		}
		return fmt.Errorf("namespace %s does not know %s, and they could not be registered from here: run `%s`, or set ATLAS_CMK_SEARCH_ATTRIBUTES=off", namespace, strings.Join(missing, ", "), command)
	}}
}

func missingSearchAttributes(ctx context.Context, c client.Client, namespace string) ([]string, error) {
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("cannot be listed in namespace %s: %w", namespace, err)
	}
	var missing []string
	for _, name := range cmk.SearchAttributes() {
		kind, there := known.GetCustomAttributes()[name]
		if there && kind != enums.INDEXED_VALUE_TYPE_KEYWORD {
			return nil, fmt.Errorf("namespace %s has %s as %s, and it must be a Keyword: remove it, or set ATLAS_CMK_SEARCH_ATTRIBUTES=off", namespace, name, kind)
		}
		if !there {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// withoutSearchAttributes has workflows run in a namespace that does not know our search attributes. It must not be
// switched while changes are running: their histories would no longer replay.
type withoutSearchAttributes struct {
	interceptor.WorkerInterceptorBase
}

func (*withoutSearchAttributes) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &searchAttributesInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type searchAttributesInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *searchAttributesInbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&searchAttributesOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: out}})
}

type searchAttributesOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (*searchAttributesOutbound) UpsertTypedSearchAttributes(workflow.Context, ...temporal.SearchAttributeUpdate) error {
	return nil
}
