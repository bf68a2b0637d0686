module signalling/pkg/client

go 1.26.0
