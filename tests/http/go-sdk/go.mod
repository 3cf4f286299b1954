module nexus-rpc-http-tests/go-sdk

go 1.24

require (
	github.com/nexus-rpc/sdk-go v0.4.0
	nexus-rpc-http-tests/common v0.0.0
)

require github.com/google/uuid v1.3.0 // indirect

replace nexus-rpc-http-tests/common => ../go-common
