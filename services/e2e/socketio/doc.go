// Package socketio tests the Socket.IO door with real, unmodified clients: socket.io-client 4, 3 and 2 from npm, in Node
// and in Chromium, with each of their transports, against running services, and through nginx and HAProxy.
//
// Install the clients once with `npm ci` in pkg/socketio/testdata/clients. Tests that need Node, the clients, Chromium or a
// proxy are skipped where it is missing; with CI=true they fail.
package socketio
