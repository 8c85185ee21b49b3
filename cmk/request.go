package cmk

// RequestType is a workflow type that people and services start, and the form of its input.
type RequestType struct {
	// Workflow is the workflow type.
	Workflow string
	// Zero is an empty input: its Go type is the input's.
	Zero any
	// Decode reads, completes and validates an input. The error, an *InvalidRequestError, names every problem at once.
	Decode func(data []byte) (any, error)
}

// RequestTypes lists every workflow type that is to be started from outside.
func RequestTypes() []RequestType {
	return []RequestType{
		requestType(EnableWithPrivateEndpoints, DecodeEnable),
		requestType(AddPrivateEndpoints, DecodeAdd),
		requestType(EncryptClusters, DecodeEncrypt),
		requestType(MigrateUserToRole, DecodeMigrate),
		requestType(RotateKey, DecodeRotate),
		requestType(RetireAccess, DecodeRetire),
		requestType(SafeDisableCMK, DecodeDisable),
		requestType(DisablePrivateNetworking, DecodeNetworking),
		requestType(RemovePrivateEndpoints, DecodeRemove),
		requestType(ReadProject, DecodeRead),
		requestType(WatchProject, DecodeWatch),
		requestType(WatchOrganization, DecodeOrganization),
	}
}

func requestType[R any](workflow string, decode func([]byte) (R, error)) RequestType {
	var zero R
	return RequestType{Workflow: workflow, Zero: zero, Decode: func(data []byte) (any, error) {
		r, err := decode(data)
		if err != nil {
			return nil, err
		}
		return r, nil
	}}
}

// DecisionSignals lists the signals, and updates, whose payload is a Decision.
func DecisionSignals() []string {
	return []string{SignalApprove, SignalReject, SignalApproveEndpoint, SignalRejectEndpoint}
}

// ResolutionSignals lists those whose payload is a Resolution.
func ResolutionSignals() []string {
	return []string{SignalRetry, SignalSkip, SignalAbort, SignalIAMReady, SignalRestore, SignalStop}
}
