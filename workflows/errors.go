package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// errorType is the type of the application error in err: a code of Atlas or AWS, or one of ours.
func errorType(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type()
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return cmk.ErrExpired
	}
	return ""
}

// reason is err in words, without the wrapping that names the activity.
func reason(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var timeout *temporal.TimeoutError
	var activity *temporal.ActivityError
	if errors.As(err, &timeout) && errors.As(err, &activity) {
		return activity.ActivityType().GetName() + " was not done in its time, and its last attempt gave no answer"
	}
	return err.Error()
}

// failure is an error that ends a change.
func failure(errorType, why string, args ...any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf(why, args...), errorType, temporal.ApplicationErrorOptions{NonRetryable: true})
}

// invalid is the error for input that cannot be worked with; nothing has happened.
func invalid(err error) error {
	var request *cmk.InvalidRequestError
	var details []any
	if errors.As(err, &request) {
		details = []any{request.Problems}
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), cmk.ErrInvalidRequest, temporal.ApplicationErrorOptions{NonRetryable: true, Details: details})
}
