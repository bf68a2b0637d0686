// Package asyncapi holds the contract as an AsyncAPI 3.0 document, asyncapi.json: the native door's commands and events, and the
// messages between the services with their subjects. Its test makes the document from the types and tables of the packages
// client and bus; with UPDATE_SETTINGS=1 (`make settings`) it writes it. What the document cannot say is in PROTOCOL.md.
package asyncapi
