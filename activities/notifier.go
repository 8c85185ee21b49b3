package activities

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Notifier tells the outside what a watch finds, by a webhook.
type Notifier struct {
	url    string
	secret []byte
	http   *http.Client
}

// NewNotifier makes the activity on a webhook; without a URL it tells nobody.
func NewNotifier(url, secret string, transport http.RoundTripper) *Notifier {
	return &Notifier{url: url, secret: []byte(secret), http: &http.Client{
		Transport: transport, Timeout: requestTimeout,
		// A notification is for whoever was configured, and for nobody that they point to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Notify delivers a notification once the receiver has taken it, with any status 2xx. What the receiver refuses for good
// is final; everything else is tried again. Neither the URL nor the receiver's answer is repeated in an error.
func (n *Notifier) Notify(ctx context.Context, in cmk.Notification) error {
	if n.url == "" {
		return nil
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, bytes.NewReader(body))
	if err != nil {
		return final(cmk.ErrMisconfigured, "the webhook's address cannot be used: check ATLAS_CMK_WEBHOOK_URL")
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(cmk.WebhookDelivery, in.ID)
	request.Header.Set(cmk.WebhookTimestamp, at)
	request.Header.Set(cmk.WebhookSignature, Sign(n.secret, at, body))
	response, err := n.http.Do(request)
	if err != nil {
		return retried(cmk.ErrUnreachable, "notification %s: the webhook gave no answer", in.ID)
	}
	_ = response.Body.Close()
	switch status := response.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case retryable("", status):
		return typed(cmk.ErrUnreachable, status, retryAfter(response.Header), "notification "+in.ID+": the webhook answered "+strconv.Itoa(status))
	default:
		return final(cmk.ErrNotDelivered, "notification %s: the webhook answered %d, which is final: check ATLAS_CMK_WEBHOOK_URL and the receiver", in.ID, status)
	}
}

// Sign is the signature of a notification.
func Sign(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
