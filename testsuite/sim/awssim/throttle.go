package awssim

import "golang.org/x/time/rate"

// throttle refuses a call beyond the configured rate of its service, account and, for KMS, region.
func (c *call) throttle() error {
	t := c.config.Throttle
	perSecond, bucket := t.KMS, c.service+"/"+c.account()
	switch c.service {
	case "kms":
		bucket += "/" + c.region
	case "iam":
		perSecond = t.IAM
	case "sts":
		perSecond = t.STS
	}
	if perSecond <= 0 {
		return nil
	}
	limiter := c.limiters[bucket]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
		c.limiters[bucket] = limiter
	}
	if limiter.AllowN(c.world.Now(), 1) {
		return nil
	}
	return rateExceeded(c.service)
}

func rateExceeded(service string) *Error {
	if service == "kms" {
		return &Error{Code: "ThrottlingException", Message: "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."}
	}
	return &Error{Code: "Throttling", Message: "Rate exceeded"}
}
