// Server of the benchmark: the last HTTP handler of Go's SDK.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/nexus-rpc/sdk-go/nexus"
)

type message struct {
	Message string `json:"message"`
}

func main() {
	service := nexus.NewService("bench")
	echo := func(_ context.Context, input message, _ nexus.StartOperationOptions) (message, error) {
		return input, nil
	}
	service.MustRegister(nexus.NewSyncOperation("echo", echo))
	registry := nexus.NewServiceRegistry()
	if err := registry.Register(service); err != nil {
		log.Fatal(err)
	}
	handler, err := registry.NewHandler()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(os.Args[1], nexus.NewHTTPHandler(nexus.HandlerOptions{Handler: handler})))
}
