module signalling/services/gateway

go 1.26.0
