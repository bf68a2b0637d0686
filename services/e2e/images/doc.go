// Package images tests deploy/Dockerfile and deploy/compose.yml with a Docker engine of its own: dockerd in namespaces for mounts
// and network, so that nothing of this machine's changes. It has no way out, and no registry: what the files take from there
// (golang, nats, haproxy, prometheus) stand-ins are made for, of the programs that are installed here. So the tests prove what
// our files say, and nothing about the official images.
//
// They need Linux, root, and Debian's docker.io, iptables, iproute2, haproxy and prometheus, and .bin/docker-compose of
// `make compose`.
package images
