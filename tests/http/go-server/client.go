package main

import (
	"context"
	"errors"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/server/common/nexus/nexusrpc"

	"nexus-rpc-http-tests/common"
)

func call(url string, call common.Call) common.Answer {
	ctx, cancel := call.Context()
	defer cancel()
	client, err := nexusrpc.NewHTTPClient(nexusrpc.HTTPClientOptions{BaseURL: url, Service: call.Service})
	if err != nil {
		panic(err)
	}
	var answer common.Answer
	switch call.Do {
	case "":
		answer, err = start(ctx, client, call)
	case "cancel":
		err = cancelOperation(ctx, client, call)
	default:
		err = errors.New("this peer cannot ask for " + call.Do)
	}
	if err != nil {
		return common.Answer{Error: report(err)}
	}
	return answer
}

func start(ctx context.Context, client *nexusrpc.HTTPClient, call common.Call) (common.Answer, error) {
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

func cancelOperation(ctx context.Context, client *nexusrpc.HTTPClient, call common.Call) error {
	handle, err := client.NewOperationHandle(call.Operation, call.Token)
	if err != nil {
		return err
	}
	return handle.Cancel(ctx, nexus.CancelOperationOptions{Header: call.Headers})
}
