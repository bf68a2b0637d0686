module signalling/pkg/client/loadgen

go 1.26.0

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0
	github.com/gorilla/websocket v1.5.3
	signalling/api v0.0.0
)

require golang.org/x/sync v0.24.0

require golang.org/x/sys v0.49.0

replace signalling/api => ../../../api
