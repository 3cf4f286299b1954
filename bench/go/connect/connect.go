// Package connect has the connection flags that the handler and the caller share.
package connect

import (
	"flag"
	"log/slog"
	"os"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// Flags registers -target-host, -namespace and -gzip. The function it returns dials with their values: call it after
// [flag.Parse]. The SDK logs warnings and errors to stderr, so that stdout carries results only.
func Flags() func() (client.Client, error) {
	host := flag.String("target-host", client.DefaultHostPort, "Host:port for the Temporal service")
	namespace := flag.String("namespace", client.DefaultNamespace, "Namespace to connect to")
	gzip := flag.Bool("gzip", true, "Compress gRPC messages, as the Go SDK does unless told otherwise")
	return func() (client.Client, error) {
		options := client.Options{
			HostPort:  *host,
			Namespace: *namespace,
			Logger: sdklog.NewStructuredLogger(
				slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
		}
		if !*gzip {
			options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
		}
		return client.Dial(options)
	}
}
