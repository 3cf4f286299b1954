package common

import (
	"context"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
)

// Names that only escapes can carry in a path.
const oddName = "a/b %?#;é"

// Registry holds the services that the tests call. The Rust side has the same. makeError makes the error that a test asks for.
func Registry(makeError func(Fail) error) *nexus.ServiceRegistry {
	service := nexus.NewService("svc")
	service.MustRegister(
		nexus.NewSyncOperation("echo", echo[map[string]any]),
		nexus.NewSyncOperation("bytes", echo[[]byte]),
		nexus.NewSyncOperation("nothing", echo[nexus.NoValue]),
		nexus.NewSyncOperation("raw", raw),
		nexus.NewSyncOperation("inspect", inspect),
		nexus.NewSyncOperation("fail", func(_ context.Context, fail Fail, _ nexus.StartOperationOptions) (nexus.NoValue, error) {
			return nil, makeError(fail)
		}),
		nexus.NewSyncOperation("hang", hang),
		&job{makeError: makeError},
	)
	odd := nexus.NewService(oddName)
	odd.MustRegister(nexus.NewSyncOperation(oddName, echo[map[string]any]))
	registry := nexus.NewServiceRegistry()
	if err := registry.Register(service, odd); err != nil {
		panic(err)
	}
	return registry
}

func echo[T any](_ context.Context, input T, _ nexus.StartOperationOptions) (T, error) {
	return input, nil
}

func raw(_ context.Context, content *nexus.Content, _ nexus.StartOperationOptions) (*nexus.Content, error) {
	delete(content.Header, "length")
	return content, nil
}

// Inspection is what a handler sees of a request.
type Inspection struct {
	Headers         nexus.Header `json:"headers"`
	Content         nexus.Header `json:"content"`
	RequestID       string       `json:"requestId"`
	CallbackURL     string       `json:"callbackUrl"`
	CallbackHeaders nexus.Header `json:"callbackHeaders"`
	Links           []Link       `json:"links"`
	// MillisecondsLeft until the deadline, if there is one.
	MillisecondsLeft *int64 `json:"millisecondsLeft"`
}

// inspect links back to the caller's links.
func inspect(ctx context.Context, content *nexus.Content, options nexus.StartOperationOptions) (*Inspection, error) {
	nexus.AddHandlerLinks(ctx, options.Links...)
	seen := &Inspection{
		Headers:         options.Header,
		Content:         content.Header,
		RequestID:       options.RequestID,
		CallbackURL:     options.CallbackURL,
		CallbackHeaders: options.CallbackHeader,
		Links:           SeenLinks(options.Links),
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline).Milliseconds()
		seen.MillisecondsLeft = &left
	}
	return seen, nil
}

// hang does nothing until the deadline, and then does not get in its way.
func hang(ctx context.Context, _ nexus.NoValue, _ nexus.StartOperationOptions) (nexus.NoValue, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// job goes on under the token that it is given.
type job struct {
	nexus.UnimplementedOperation[jobInput, nexus.NoValue]
	makeError func(Fail) error
}

type jobInput struct {
	Token string `json:"token"`
}

// Canceled is said of every request to cancel.
type Canceled struct {
	Token   string       `json:"token"`
	Headers nexus.Header `json:"headers"`
}

func (*job) Name() string { return "job" }

func (*job) Start(ctx context.Context, input jobInput, options nexus.StartOperationOptions) (nexus.HandlerStartOperationResult[nexus.NoValue], error) {
	nexus.AddHandlerLinks(ctx, options.Links...)
	return &nexus.HandlerStartOperationResultAsync{OperationToken: input.Token}, nil
}

func (j *job) Cancel(_ context.Context, token string, options nexus.CancelOperationOptions) error {
	if token == "unknown" {
		return j.makeError(Fail{Type: string(nexus.HandlerErrorTypeNotFound), Message: "no such job"})
	}
	Say(Canceled{Token: token, Headers: options.Header})
	return nil
}
