module signalling/services/rooms

go 1.26.0
