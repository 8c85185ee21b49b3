package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/mongodb-forks/digest"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// requestTimeout bounds one HTTP request. It lies below the 30 seconds of a step, so that a step learns of a service
// that hangs, rather than being timed out itself.
const requestTimeout = 20 * time.Second

// AtlasAccess is how the worker reaches Atlas: as a service account, or with the key pair of a programmatic API key.
type AtlasAccess struct {
	BaseURL                string
	ClientID, ClientSecret string
	PublicKey, PrivateKey  string
	// AlsoKnownAs are other names under which Atlas's activity feed shows these credentials.
	AlsoKnownAs []string
	// Transport carries the requests; nil means http.DefaultTransport.
	Transport http.RoundTripper
	// RereadAfter is after how long a read that failed for a moment is repeated; 250 ms if zero.
	RereadAfter time.Duration
}

// Names are those under which Atlas's activity feed may show whoever acts with these credentials: the public key of an API
// key, the id of a service account.
func (a AtlasAccess) Names() []string {
	if a.ClientID != "" && a.ClientSecret != "" {
		return append([]string{a.ClientID}, a.AlsoKnownAs...)
	}
	return append([]string{a.PublicKey}, a.AlsoKnownAs...)
}

// Client makes a client of the Atlas Admin API. Credentials are proven by the first call, not here.
func (a AtlasAccess) Client(agent Agent) (*admin.APIClient, error) {
	var transport http.RoundTripper
	base := rereading(agent.Transport(cmp.Or(a.Transport, http.DefaultTransport)), cmp.Or(a.RereadAfter, rereadAfter))
	switch {
	case a.ClientID != "" && a.ClientSecret != "":
		transport = newBearer(a, base)
	case a.PublicKey != "" && a.PrivateKey != "":
		transport = digest.NewTransportWithHTTPRoundTripper(a.PublicKey, a.PrivateKey, base)
	default:
		return nil, &MisconfiguredError{"no credentials for Atlas: set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET (service account), or MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY"}
	}
	return admin.NewClient(admin.UseBaseURL(a.BaseURL), admin.UseHTTPClient(&http.Client{Transport: transport, Timeout: requestTimeout}))
}

// bearer signs requests with the service account's token, and gets a new one when Atlas no longer takes the old: a token
// can end before its time, when the account's secrets are changed or the token is revoked.
type bearer struct {
	base   http.RoundTripper
	config clientcredentials.Config
	mu     sync.Mutex
	source oauth2.TokenSource
}

func newBearer(a AtlasAccess, base http.RoundTripper) *bearer {
	b := &bearer{base: base, config: clientcredentials.Config{
		ClientID: a.ClientID, ClientSecret: a.ClientSecret, TokenURL: a.BaseURL + "/api/oauth/token", AuthStyle: oauth2.AuthStyleInHeader,
	}}
	b.renew(nil)
	return b
}

// tokens is the present source of tokens.
func (b *bearer) tokens() oauth2.TokenSource {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.source
}

// renew replaces a source whose token was refused; of several callers that were refused at once, one does.
func (b *bearer) renew(refused oauth2.TokenSource) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.source != refused {
		return
	}
	// The token outlives the request that asks for it, so it is not fetched under that request's context.
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: b.base, Timeout: requestTimeout})
	b.source = b.config.TokenSource(ctx)
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	source := b.tokens()
	response, err := b.send(r, source)
	spent := r.Body != nil && r.Body != http.NoBody && r.GetBody == nil
	if err != nil || response.StatusCode != http.StatusUnauthorized || spent || lacksRole(response.Header.Get("X-Error-Code")) {
		return response, err
	}
	_ = response.Body.Close()
	b.renew(source)
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return b.send(again, b.tokens())
}

func (b *bearer) send(r *http.Request, source oauth2.TokenSource) (*http.Response, error) {
	token, err := source.Token()
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response.StatusCode == http.StatusUnauthorized {
			return nil, &MisconfiguredError{"Atlas refuses the service account: check MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET"}
		}
		return nil, fmt.Errorf("get a token from Atlas: %w", withoutBody(err))
	}
	r = r.Clone(r.Context())
	token.SetAuthHeader(r)
	return b.base.RoundTrip(r)
}

// withoutBody drops what the token endpoint sent back: it may repeat what it was sent.
func withoutBody(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return fmt.Errorf("HTTP status %d", refused.Response.StatusCode)
	}
	return err
}

// AWSConfig is AWS's own configuration chain, with our name on every request and a retryer that fits inside a step: the
// workflow retries the step as a whole.
func AWSConfig(ctx context.Context, agent Agent) (aws.Config, error) {
	return awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 3, 2*time.Second })
		}),
		func(o *awsconfig.LoadOptions) error {
			o.APIOptions = append(o.APIOptions, agent.AWS)
			return nil
		})
}
