// Command caller calls my-hello-service with the Go SDK: the peer that the Rust handler is tested against. It is the
// caller worker and the starter in one.
//
//	go run ./cmd/caller -target-host localhost:7233 -namespace my-caller-namespace -message "Nexus Echo 👋"
//	go run ./cmd/caller -target-host localhost:7233 -namespace my-caller-namespace -name Nexus -language es
//
// -message runs EchoCallerWorkflow, -name runs HelloCallerWorkflow, both flags together run both. Each prints one
// line "Workflow result: …" on stdout, and its workflow's IDs on stderr. A failure prints its text and exits with 1.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"nexus-hello-go/connect"
	"nexus-hello-go/service"
)

// callers are the caller workflows of one endpoint.
type callers struct{ endpoint string }

// EchoCallerWorkflow returns what echo answers.
func (c callers) EchoCallerWorkflow(ctx workflow.Context, message string) (string, error) {
	operation := workflow.NewNexusClient(c.endpoint, service.Name).ExecuteOperation(
		ctx, service.EchoOperation, service.EchoInput{Message: message}, workflow.NexusOperationOptions{})
	var output service.EchoOutput
	err := operation.Get(ctx, &output)
	return output.Message, err
}

// HelloCallerWorkflow returns the greeting. It first waits until the operation has started, as a caller does that
// wants the operation's token.
func (c callers) HelloCallerWorkflow(ctx workflow.Context, name, language string) (string, error) {
	operation := workflow.NewNexusClient(c.endpoint, service.Name).ExecuteOperation(ctx,
		service.SayHelloOperation, service.HelloInput{Name: name, Language: language}, workflow.NexusOperationOptions{})
	var started workflow.NexusOperationExecution
	if err := operation.GetNexusOperationExecution().Get(ctx, &started); err != nil {
		return "", err
	}
	var output service.HelloOutput
	err := operation.Get(ctx, &output)
	return output.Message, err
}

// call is one workflow to run.
type call struct {
	workflow any
	args     []any
}

func main() {
	log.SetFlags(0)
	endpoint := flag.String("endpoint", service.Endpoint, "Nexus endpoint to call")
	taskQueue := flag.String("task-queue", service.CallerTaskQueue, "Task queue of the caller workflows")
	message := flag.String("message", "", "Message to echo")
	name := flag.String("name", "", "Name to greet")
	language := flag.String("language", "es", "Language of the greeting: en, fr, de, es or tr")
	timeout := flag.Duration("timeout", time.Minute, "How long to wait for all results")
	dial := connect.Flags()
	flag.Parse()

	workflows := callers{*endpoint}
	var calls []call
	if *message != "" {
		calls = append(calls, call{workflows.EchoCallerWorkflow, []any{*message}})
	}
	if *name != "" {
		calls = append(calls, call{workflows.HelloCallerWorkflow, []any{*name, *language}})
	}
	if len(calls) == 0 {
		log.Fatal("nothing to call: give -message, -name or both")
	}
	if err := run(dial, workflows, *taskQueue, *timeout, calls); err != nil {
		log.Fatal(err)
	}
}

// run starts a caller worker and has it work off the calls, one after the other.
func run(
	dial func() (client.Client, error), workflows callers, taskQueue string, timeout time.Duration, calls []call,
) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// Not a timeout of the workflows: the server would pass that on to their operations, which have none.
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := dial()
	if err != nil {
		return fmt.Errorf("unable to create client: %w", err)
	}
	defer c.Close()
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(workflows.EchoCallerWorkflow)
	w.RegisterWorkflow(workflows.HelloCallerWorkflow)
	if err := w.Start(); err != nil {
		return fmt.Errorf("unable to start worker: %w", err)
	}
	defer w.Stop()

	for _, next := range calls {
		started, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID:        fmt.Sprint("nexus_hello_caller_workflow_", time.Now().UnixNano()),
			TaskQueue: taskQueue,
		}, next.workflow, next.args...)
		if err != nil {
			return fmt.Errorf("unable to execute workflow: %w", err)
		}
		log.Println("Started workflow WorkflowID", started.GetID(), "RunID", started.GetRunID())
		var result string
		if err := started.Get(ctx, &result); err != nil {
			return fmt.Errorf("unable to get workflow result: %w", err)
		}
		fmt.Println("Workflow result:", result)
	}
	return nil
}
