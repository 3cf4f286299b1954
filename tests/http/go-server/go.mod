module nexus-rpc-http-tests/go-server

go 1.26.8

require (
	github.com/nexus-rpc/sdk-go v0.6.0
	go.temporal.io/server v1.32.0
	nexus-rpc-http-tests/common v0.0.0
)

require github.com/google/uuid v1.6.0 // indirect

replace nexus-rpc-http-tests/common => ../go-common
