module signalling/pkg/client

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/gorilla/websocket v1.5.3
	go.uber.org/goleak v1.3.0
	signalling/api v0.0.0
)

replace signalling/api => ../../api
