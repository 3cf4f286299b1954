// Command handler serves my-hello-service with the Go SDK: the peer that the Rust caller is tested against, and the
// reference that the Rust handler is measured against.
//
//	go run ./cmd/handler -target-host localhost:7233 -namespace my-target-namespace
//
// It prints "ready" once it polls, and runs until SIGINT or SIGTERM. Worker options are the SDK's defaults. The
// handler workflow's ID follows from the input, so callers that overlap in time must ask for different names.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporalnexus"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"nexus-hello-go/connect"
	"nexus-hello-go/service"
)

var echo = nexus.NewSyncOperation(service.EchoOperation,
	func(_ context.Context, input service.EchoInput, _ nexus.StartOperationOptions) (service.EchoOutput, error) {
		return service.EchoOutput(input), nil
	})

var sayHello = temporalnexus.NewWorkflowRunOperation(service.SayHelloOperation, HelloHandlerWorkflow,
	func(_ context.Context, input service.HelloInput, _ nexus.StartOperationOptions) (client.StartWorkflowOptions, error) {
		return client.StartWorkflowOptions{ID: service.HelloWorkflowID(input)}, nil
	})

var greetings = map[string]string{
	"en": "Hello %s 👋",
	"fr": "Bonjour %s 👋",
	"de": "Hallo %s 👋",
	"es": "¡Hola! %s 👋",
	"tr": "Merhaba %s 👋",
}

// HelloHandlerWorkflow greets in the language asked for.
func HelloHandlerWorkflow(_ workflow.Context, input service.HelloInput) (service.HelloOutput, error) {
	greeting, ok := greetings[input.Language]
	if !ok {
		return service.HelloOutput{}, fmt.Errorf("unsupported language %q", input.Language)
	}
	return service.HelloOutput{Message: fmt.Sprintf(greeting, input.Name)}, nil
}

func main() {
	log.SetFlags(0)
	taskQueue := flag.String("task-queue", service.HandlerTaskQueue, "Task queue to poll")
	dial := connect.Flags()
	flag.Parse()
	if err := serve(dial, *taskQueue); err != nil {
		log.Fatal(err)
	}
}

// serve returns nil when a signal ended it, and an error when the worker could not start or go on.
func serve(dial func() (client.Client, error), taskQueue string) error {
	c, err := dial()
	if err != nil {
		return fmt.Errorf("unable to create client: %w", err)
	}
	defer c.Close()

	hello := nexus.NewService(service.Name)
	if err := hello.Register(echo, sayHello); err != nil {
		return fmt.Errorf("unable to register operations: %w", err)
	}
	fatal := make(chan error, 1)
	w := worker.New(c, taskQueue, worker.Options{OnFatalError: func(err error) { fatal <- err }})
	w.RegisterNexusService(hello)
	w.RegisterWorkflow(HelloHandlerWorkflow)
	if err := w.Start(); err != nil {
		return fmt.Errorf("unable to start worker: %w", err)
	}
	defer w.Stop()
	fmt.Println("ready")

	select {
	case <-worker.InterruptCh():
		return nil
	case err := <-fatal:
		return fmt.Errorf("worker failed: %w", err)
	}
}
