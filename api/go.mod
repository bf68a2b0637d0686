module signalling/api

go 1.26.0
