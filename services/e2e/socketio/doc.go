// Package socketio tests the Socket.IO door with real, unmodified clients: socket.io-client 4, 3 and 2 from npm in Node,
// with each of their transports, against running services, and through nginx and HAProxy.
//
// Install the clients once with `npm ci` in the folder clients. Without Node, the clients or a proxy the tests that need
// them are skipped; with CI=true they fail.
package socketio
