// Package deploy tests what is in the folder deploy against the libraries of those who read it: Prometheus' parser, Helm and
// the types of Kubernetes; and against the server itself.
package deploy
