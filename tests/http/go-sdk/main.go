// Peer of the tests: the last sdk-go that has HTTP, of the time before failures had types on the wire.
package main

import (
	"errors"
	"net/http"

	"github.com/nexus-rpc/sdk-go/nexus"

	"nexus-rpc-http-tests/common"
)

func main() {
	common.Peer{Handler: handler, Receiver: newReceiver, Call: call, Send: send}.Main()
}

func handler() http.Handler {
	handler, err := common.Registry(makeError).NewHandler()
	if err != nil {
		panic(err)
	}
	return nexus.NewHTTPHandler(nexus.HandlerOptions{Handler: handler, Serializer: common.Serializer()})
}

// makeError has one message only, that of its cause.
func makeError(fail common.Fail) error {
	cause := errors.New(fail.Message)
	if fail.Cause != nil {
		cause = &nexus.FailureError{Failure: *fail.Cause}
	}
	if fail.State != "" {
		return &nexus.OperationError{State: nexus.OperationState(fail.State), Cause: cause}
	}
	return &nexus.HandlerError{
		Type:          nexus.HandlerErrorType(fail.Type),
		Cause:         cause,
		RetryBehavior: fail.RetryBehavior(),
	}
}

// report takes the failure from the cause, where this version puts the body of the response.
func report(err error) *common.Error {
	seen := &common.Error{Text: err.Error()}
	var operation *nexus.OperationError
	var handler *nexus.HandlerError
	switch {
	case errors.As(err, &operation):
		seen.State = string(operation.State)
		seen.Failure = failure(operation.Cause)
	case errors.As(err, &handler):
		seen.Type = string(handler.Type)
		seen.Retryable = handler.Retryable()
		seen.Failure = failure(handler.Cause)
	}
	return seen
}

func failure(err error) *nexus.Failure {
	failure := nexus.DefaultFailureConverter().ErrorToFailure(err)
	return &failure
}
