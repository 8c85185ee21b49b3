package awssim

import (
	"errors"
	"slices"
	"strings"
)

func operationOf(action string) string { return strings.TrimPrefix(action, "kms:") }

func aliasName(ref string) string {
	return ref[strings.LastIndex(ref, "alias/"):]
}

// cryptographic operations use key material. ReEncryptFrom and ReEncryptTo are the two actions of ReEncrypt.
func cryptographic(action string) bool {
	switch operationOf(action) {
	case "Encrypt", "Decrypt", "ReEncrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext":
		return true
	default:
		return false
	}
}

// statesFor are the key states in which an operation works, nil if in all.
func statesFor(operation string) []string {
	switch operation {
	case "EnableKeyRotation", "DisableKeyRotation":
		return []string{stateEnabled, stateUpdating}
	case "CreateGrant":
		return []string{stateEnabled, stateUpdating, stateUnavailable}
	case "ReplicateKey", "UpdatePrimaryRegion":
		return []string{stateEnabled}
	case "EnableKey", "DisableKey":
		return []string{stateEnabled, stateDisabled, stateUnavailable}
	case "ScheduleKeyDeletion":
		return []string{stateEnabled, stateDisabled, statePendingImport, stateUnavailable}
	case "CancelKeyDeletion":
		return []string{statePendingDeletion, statePendingReplicaDeletion}
	case "CreateAlias", "UpdateAlias", "TagResource", "UntagResource", "UpdateKeyDescription":
		return []string{stateEnabled, stateDisabled, statePendingImport, stateUnavailable, stateUpdating}
	case "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial":
		return []string{stateEnabled, stateDisabled, statePendingImport}
	case "PutKeyPolicy":
		return []string{stateEnabled, stateDisabled, statePendingImport, statePendingDeletion, statePendingReplicaDeletion, stateUnavailable, stateUpdating}
	default:
		if cryptographic(operation) {
			return []string{stateEnabled, stateUpdating}
		}
		return nil
	}
}

// admits says whether the key's state admits an operation.
func (k *key) admits(operation string) error {
	states := statesFor(operation)
	if states == nil || slices.Contains(states, k.state) {
		return nil
	}
	if operation == "CancelKeyDeletion" {
		return &Error{Code: codeInvalidState, Message: k.arn() + " is not pending deletion.", KeyState: k.state}
	}
	if k.state == stateDisabled {
		return &Error{Code: codeDisabled, Message: k.arn() + " is disabled.", KeyState: k.state}
	}
	return &Error{Code: codeInvalidState, Message: k.arn() + " is " + inWords(k.state) + ".", KeyState: k.state}
}

func inWords(state string) string {
	switch state {
	case statePendingDeletion:
		return "pending deletion"
	case statePendingReplicaDeletion:
		return "pending replica deletion"
	case statePendingImport:
		return "pending import"
	default:
		return strings.ToLower(state)
	}
}

// withState tells an error the state of the key that it is about.
func withState(err error, k *key) error {
	var refusal *Error
	if errors.As(err, &refusal) && refusal.KeyState == "" {
		refusal.KeyState = k.state
	}
	return err
}
