package main

import (
	"context"

	"github.com/nexus-rpc/sdk-go/nexus"

	"nexus-rpc-http-tests/common"
)

func call(url string, call common.Call) common.Answer {
	ctx, cancel := call.Context()
	defer cancel()
	client, err := nexus.NewHTTPClient(nexus.HTTPClientOptions{
		BaseURL:        url,
		Service:        call.Service,
		UseOperationID: call.TokenInPath,
	})
	if err != nil {
		panic(err)
	}
	var answer common.Answer
	if call.Do == "" {
		answer, err = start(ctx, client, call)
	} else {
		err = follow(ctx, client, call)
	}
	if err != nil {
		return common.Answer{Error: report(err)}
	}
	return answer
}

func start(ctx context.Context, client *nexus.HTTPClient, call common.Call) (common.Answer, error) {
	options, err := call.Options()
	if err != nil {
		return common.Answer{}, err
	}
	started, err := client.StartOperation(ctx, call.Operation, call.Input.ForSerializer(), options)
	if err != nil {
		return common.Answer{}, err
	}
	token := ""
	if started.Pending != nil {
		token = started.Pending.Token
	}
	return common.Started(started.Successful, token, started.Links)
}

func follow(ctx context.Context, client *nexus.HTTPClient, call common.Call) error {
	handle, err := client.NewHandle(call.Operation, call.Token)
	if err != nil {
		return err
	}
	switch call.Do {
	case "cancel":
		return handle.Cancel(ctx, nexus.CancelOperationOptions{Header: call.Headers})
	case "info":
		_, err = handle.GetInfo(ctx, nexus.GetOperationInfoOptions{})
	case "result":
		_, err = handle.GetResult(ctx, nexus.GetOperationResultOptions{})
	}
	return err
}
