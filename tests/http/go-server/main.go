// Peer of the tests: the HTTP of Temporal's server, which grew out of sdk-go's.
package main

import (
	"errors"
	"net/http"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/server/common/nexus/nexusrpc"

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
	return nexusrpc.NewHTTPHandler(nexusrpc.HandlerOptions{Handler: handler, Serializer: common.Serializer()})
}

func makeError(fail common.Fail) error {
	var cause error
	if fail.Cause != nil {
		cause = &nexus.FailureError{Failure: *fail.Cause}
	}
	if fail.State != "" {
		return operationError(fail, cause)
	}
	return &nexus.HandlerError{
		Type:          nexus.HandlerErrorType(fail.Type),
		Message:       fail.Message,
		Cause:         cause,
		RetryBehavior: fail.RetryBehavior(),
	}
}

func operationError(fail common.Fail, cause error) *nexus.OperationError {
	return &nexus.OperationError{State: nexus.OperationState(fail.State), Message: fail.Message, Cause: cause}
}

func report(err error) *common.Error {
	seen := &common.Error{Text: err.Error()}
	var operation *nexus.OperationError
	var handler *nexus.HandlerError
	switch {
	case errors.As(err, &operation):
		seen.State = string(operation.State)
		seen.Failure = failure(operation)
	case errors.As(err, &handler):
		seen.Type = string(handler.Type)
		seen.Retryable = handler.Retryable()
		seen.Failure = failure(handler)
	}
	return seen
}

func failure(err error) *nexus.Failure {
	failure, err := nexusrpc.DefaultFailureConverter().ErrorToFailure(err)
	if err != nil {
		panic(err)
	}
	return &failure
}
