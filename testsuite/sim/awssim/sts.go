package awssim

import (
	"regexp"
	"strconv"
	"time"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim/policy"
)

// session is the temporary credentials of an assumed role.
type session struct {
	caller        caller
	secret, token string
	expires       time.Time
}

func stsOperations() map[string]operation {
	return map[string]operation{
		"GetCallerIdentity": {run: (*call).getCallerIdentity},
		"AssumeRole":        {run: (*call).assumeRole},
	}
}

// getCallerIdentity needs no permission.
func (c *call) getCallerIdentity() (any, error) {
	return struct {
		Arn, Account string
		UserID       string `xml:"UserId"`
	}{c.caller.arn(), c.account(), c.caller.userID}, nil
}

var sessionForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

func (c *call) assumeRole() (any, error) {
	arn, name := c.form.Get("RoleArn"), c.form.Get("RoleSessionName")
	c.object = arn
	if len(arn) < 20 || !sessionForm.MatchString(name) {
		return nil, refuse(codeValidationIAM, "1 validation error detected: Value at 'roleArn' or 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*")
	}
	role, err := c.mayAssume(c.caller, arn, c.region, c.form.Get("ExternalId"), name)
	if err != nil {
		return nil, err
	}
	x := &session{caller: role.inSession(name), secret: c.secret(), token: c.hex("token", 64)}
	if text := c.form.Get("Policy"); text != "" {
		d, err := policy.Parse(text)
		if err == nil {
			err = d.Validate(policy.Identity)
		}
		if err != nil {
			return nil, malformed(err)
		}
		x.caller.narrowed = []*policy.Document{d}
	}
	seconds, err := c.sessionSeconds(role)
	if err != nil {
		return nil, err
	}
	x.expires = c.world.Now().Add(time.Duration(seconds) * time.Second)
	id := c.uniqueID("ASIA")
	c.sessions[id] = x
	type assumedRoleUser struct {
		AssumedRoleID string `xml:"AssumedRoleId"`
		Arn           string
	}
	type credentials struct {
		AccessKeyID                               string `xml:"AccessKeyId"`
		SecretAccessKey, SessionToken, Expiration string
	}
	return struct {
		AssumedRoleUser assumedRoleUser
		Credentials     credentials
	}{
		assumedRoleUser{x.caller.userID, x.caller.arn()},
		credentials{id, x.secret, x.token, stamp(x.expires)},
	}, nil
}

// sessionSeconds is how long a session lasts: as asked, within the role's maximum, and an hour for a session that a
// session asks for.
func (c *call) sessionSeconds(role *entity) (int, error) {
	text := orElse(c.form.Get("DurationSeconds"), "3600")
	n, err := strconv.Atoi(text)
	if err != nil || n < 900 || n > 43200 {
		return 0, refuse(codeValidationIAM, "1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must be between 900 and 43200", text)
	}
	if n > role.maxSession {
		return 0, refuse(codeValidationIAM, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if n > 3600 && c.caller.kind == "AssumedRole" {
		return 0, refuse(codeValidationIAM, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	return n, nil
}
