package reference

import "github.com/atlas-cmk/atlas-cmk/cmk"

// refusals says what each refusal of a decision means.
func refusals() map[string]string {
	return map[string]string{
		cmk.RefusedUnreadable:   "the payload is not the JSON object expected",
		cmk.RefusedNameMissing:  "`by` is missing: say who decides",
		cmk.RefusedRequester:    "who asked for a change cannot approve it",
		cmk.RefusedRepeated:     "this person has decided already; another one must",
		cmk.RefusedUnknown:      "the change has no such endpoint; an approval of one that Atlas has recreated does not count for the new one",
		cmk.RefusedOtherPlan:    "another plan waits than the one that was meant: look at it again",
		cmk.RefusedNothingWaits: "nothing waits for such a decision",
		cmk.RefusedInUse:        "a cluster reaches its key through the endpoint, so that it cannot be rejected: a change waits for somebody to say whether it goes on with it (`retry`) or ends (`abort`)",
		cmk.RefusedDecided:      "this has been decided",
		cmk.RefusedPastPivot:    "the point of no return has been passed: it cannot be put back any more",
	}
}

// remedies says what to do about each error.
func remedies() map[string]string {
	return map[string]string{
		cmk.ErrInvalidRequest:     "correct the fields that the message names",
		cmk.ErrPreflightFailed:    "the report's findings say what stands in the way, and what to do",
		cmk.ErrProjectBusy:        "wait for the change that the message names, or end it",
		cmk.ErrLeaseLost:          "run the change again: it does what is missing",
		cmk.ErrRejected:           "the report says who rejected what, and what was taken back",
		cmk.ErrExpired:            "run it again, with a longer deadline where one is too short",
		cmk.ErrAborted:            "the report says where it stands; run it again to go on",
		cmk.ErrForeign:            "see what stands there and whose it is; remove it or name another",
		cmk.ErrNotVerified:        "compare the report's final state with what Atlas shows, mend it, and run the change again",
		cmk.ErrRoleDenied:         "correct the policy or boundary that the message names",
		cmk.ErrNotReady:           "nothing: it is tried again",
		cmk.ErrUnreachable:        "nothing at first: it is tried again; look at the network if it lasts",
		cmk.ErrOrganizationUnseen: "check the organization's id, and the roles of the worker's credentials",
		cmk.ErrMisconfigured:      "give the worker what the message names",
		cmk.ErrDisturbed:          "see what somebody else changed, and run the change again if it is still wanted",
		cmk.ErrNoPath:             "approve the private endpoint, or see why it is not ACTIVE, and retry the step",
		cmk.ErrNotDelivered:       "correct the receiver, or ATLAS_CMK_WEBHOOK_URL and ATLAS_CMK_WEBHOOK_SECRET of the worker",
		cmk.ErrNotEnterable:       "the message says what has begun; run it again once that is over",
	}
}
