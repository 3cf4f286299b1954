// Package service is the contract of my-hello-service, shared by the handler and the caller: names, types and the
// handler workflow's ID. Field names are the wire's JSON keys.
package service

import "strings"

// Names that both sides, and the servers they run on, have to agree on.
const (
	Name              = "my-hello-service"
	EchoOperation     = "echo"
	SayHelloOperation = "say-hello"

	HandlerTaskQueue = "my-handler-task-queue"
	CallerTaskQueue  = "my-caller-workflow-task-queue"
	Endpoint         = "my-nexus-endpoint-name"
)

// EchoInput is what echo takes.
type EchoInput struct{ Message string }

// EchoOutput is what echo returns: the same message.
type EchoOutput EchoInput

// HelloInput is what say-hello takes. Language is one of en, fr, de, es and tr.
type HelloInput struct{ Name, Language string }

// HelloOutput is what say-hello returns: the greeting.
type HelloOutput struct{ Message string }

// HelloWorkflowID names the workflow behind a say-hello operation: hello-<language>-<name>, where the name is
// trimmed, its spaces become "-", and its letters lower case.
func HelloWorkflowID(input HelloInput) string {
	name := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(input.Name), " ", "-"))
	return "hello-" + input.Language + "-" + name
}
