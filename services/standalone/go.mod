module signalling/services/standalone

go 1.26.0
