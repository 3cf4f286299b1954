package main

import (
	"context"
	"net/http"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/server/common/nexus/nexusrpc"

	"nexus-rpc-http-tests/common"
)

func send(completion common.Completion) common.Answer {
	links, err := common.Links(completion.Links)
	if err != nil {
		panic(err)
	}
	options := nexusrpc.CompleteOperationOptions{
		Header:         completion.Headers,
		OperationToken: completion.Token,
		StartTime:      completion.StartTime,
		CloseTime:      completion.CloseTime,
		Links:          links,
		Result:         completion.Result.ForSerializer(),
	}
	if fail := completion.Error; fail != nil {
		var cause error
		if fail.Cause != nil {
			cause = &nexus.FailureError{Failure: *fail.Cause}
		}
		options.Error = operationError(*fail, cause)
	}
	client := nexusrpc.NewCompletionHTTPClient(nexusrpc.CompletionHTTPClientOptions{})
	if err := client.CompleteOperation(context.Background(), completion.URL, options); err != nil {
		return common.Answer{Error: report(err)}
	}
	return common.Answer{}
}

type receiver struct{}

func newReceiver() http.Handler {
	return nexusrpc.NewCompletionHTTPHandler(nexusrpc.CompletionHandlerOptions{Handler: receiver{}})
}

func (receiver) CompleteOperation(_ context.Context, request *nexusrpc.CompletionRequest) error {
	fail, err := common.Refusal(request.HTTPRequest)
	if err != nil {
		return err
	}
	if fail != nil {
		return makeError(*fail)
	}
	completed := common.Completed{
		State:     string(request.State),
		Token:     request.OperationToken,
		StartTime: request.StartTime,
		CloseTime: request.CloseTime,
		Links:     common.SeenLinks(request.Links),
	}
	if request.Error != nil {
		completed.Error = report(request.Error)
	}
	if err := completed.FromRequest(request.HTTPRequest, request.Result); err != nil {
		return err
	}
	common.Say(completed)
	return nil
}
