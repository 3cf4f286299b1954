package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/nexus-rpc/sdk-go/nexus"

	"nexus-rpc-http-tests/common"
)

func send(completion common.Completion) common.Answer {
	request, err := request(completion)
	if err != nil {
		panic(err)
	}
	// This version leaves the sending, and what to make of the answer, to its user.
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return common.Answer{Error: report(err)}
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return common.Answer{Error: &common.Error{
			Type:      response.Status,
			Text:      string(body),
			Retryable: response.Header.Get("Nexus-Request-Retryable") == "true",
		}}
	}
	return common.Answer{}
}

func request(completion common.Completion) (*http.Request, error) {
	links, err := common.Links(completion.Links)
	if err != nil {
		return nil, err
	}
	var body nexus.OperationCompletion
	if completion.Error != nil {
		var operation *nexus.OperationError
		if !errors.As(makeError(*completion.Error), &operation) {
			return nil, errors.New("not an error of an operation")
		}
		options := nexus.OperationCompletionUnsuccessfulOptions{
			OperationToken: completion.Token,
			StartTime:      completion.StartTime,
			Links:          links,
		}
		failed, err := nexus.NewOperationCompletionUnsuccessful(operation, options)
		if err != nil {
			return nil, err
		}
		failed.Header = completion.Headers
		body = failed
	} else {
		options := nexus.OperationCompletionSuccessfulOptions{
			OperationToken: completion.Token,
			StartTime:      completion.StartTime,
			Links:          links,
		}
		succeeded, err := nexus.NewOperationCompletionSuccessful(completion.Result.ForSerializer(), options)
		if err != nil {
			return nil, err
		}
		succeeded.Header = completion.Headers
		body = succeeded
	}
	return nexus.NewCompletionHTTPRequest(context.Background(), completion.URL, body)
}

type receiver struct{}

func newReceiver() http.Handler {
	return nexus.NewCompletionHTTPHandler(nexus.CompletionHandlerOptions{Handler: receiver{}})
}

func (receiver) CompleteOperation(_ context.Context, request *nexus.CompletionRequest) error {
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
		Links:     common.SeenLinks(request.Links),
	}
	if request.Error != nil {
		completed.Error = &common.Error{Text: request.Error.Error(), Failure: failure(request.Error)}
	}
	if err := completed.FromRequest(request.HTTPRequest, request.Result); err != nil {
		return err
	}
	common.Say(completed)
	return nil
}
